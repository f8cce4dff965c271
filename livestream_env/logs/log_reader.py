"""Reading the files of one log, one after the other, whatever their format."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Self

from livestream_env.logs.assembly import sort_events
from livestream_env.logs.read_report import FileReport, ReadReport
from livestream_env.logs.schema import FileSchema
from livestream_env.logs.source import LogSource
from livestream_env.logs.table_file import Columns, Judge, TableFile, Verdict
from livestream_env.progress import Progress


def accept(columns: Columns, verdict: Verdict) -> None:
    """Reject no row."""


class LogReader:
    """The files of a log: found and their headers checked at once, their rows read when asked.

    Use as a context, which shows the progress bar.

    Args:
        path: the folder or .zip; of a log that is a single file, also that.
        schemas: the files, by the names under which they are reported.
        strict: raise when a file has unusable rows.
        progress_bar: show one.
        utc_offset_h: of moments that name no zone.

    Raises:
        FileNotFoundError: nothing is there, or a required file is missing.
        ValueError: a file is damaged, or lacks required columns.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        schemas: Mapping[str, FileSchema],
        strict: bool,
        progress_bar: bool,
        utc_offset_h: float,
    ) -> None:
        self.source = LogSource(path, single_file=len(schemas) == 1)
        self.strict = strict
        self.files: dict[str, TableFile] = {}
        self.reports: dict[str, FileReport] = {}
        for name, schema in schemas.items():
            if file := self.source.find(schema.stem, *schema.other_stems):
                self.files[name] = TableFile(file, schema, utc_offset_h)
            elif schema.required:
                raise FileNotFoundError(
                    f"{self.source.path} has no {schema.stem}.csv or {schema.stem}.parquet, at any "
                    f"depth; it has {self.source.listing()}"
                )
        size = sum(file.file.size for file in self.files.values())
        self._bar = Progress(size, unit="bytes", show=progress_bar)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def __contains__(self, name: str) -> bool:
        return name in self.files

    def read(self, name: str, judge: Judge = accept) -> Columns:
        """The rows of a file that ``judge`` does not reject."""
        self._bar.describe(name)
        return self.files[name].read(judge, self._bar.update)

    def read_events(self, name: str, judge: Judge) -> Columns:
        """The rows of a file of events, sorted and counted; without duplicates where it is so."""
        events = sort_events(self.files[name], self.read(name, judge))
        self.finish(name)
        return events

    def finish(self, name: str) -> None:
        """Close the count of a file.

        Raises:
            ValueError: see :meth:`TableFile.finish`.
        """
        self.reports[name] = self.files[name].finish(self.strict)

    @property
    def report(self) -> ReadReport:
        """Of the files that are finished."""
        return ReadReport(self.reports)
