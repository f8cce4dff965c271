"""One file of a log, from its header to columns of the rows that are kept."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from livestream_env.logs.parsing import Parser, Rows, count_lines
from livestream_env.logs.read_report import FileReport, Tally
from livestream_env.logs.schema import BENIGN, REASONS, Column, FileSchema
from livestream_env.logs.source import LogFile, check_unpacked, refusing

BLOCK_BYTES = 1 << 25
BATCH_ROWS = 1 << 20
# No log has more; what has is refused before it costs time and memory.
MAX_LINE_BYTES = 1 << 20
MAX_COLUMNS = 4096
MAX_LINES_IN_VAIN = 500_000  # that cannot be used, if they are most; ten times as many blank ones
_WHOLE_FILE = 0.9  # a mistake in more than this share of the rows is one in how the file was made
_BOM = b"\xef\xbb\xbf"
_CODES = {reason: code for code, reason in enumerate(REASONS, start=1)}

Columns = dict[str, NDArray[Any]]
Judge = Callable[[Columns, "Verdict"], None]  # rejects some of the rows that it is shown


class Verdict:
    """Which rows to leave out and why; of several reasons the first given counts."""

    def __init__(self, num_rows: int) -> None:
        self.codes = np.zeros(num_rows, np.int8)

    def reject(self, rows: NDArray[np.bool_], reason: str) -> None:
        """Leave out ``rows``, (n,) bool."""
        self.codes[rows & (self.codes == 0)] = _CODES[reason]


class TableFile:
    """A .csv or .parquet of a log.

    Args:
        file: where it is.
        schema: what should be in it.
        utc_offset_h: of moments that name no zone.

    Raises:
        ValueError: it lacks required columns, or is no such file.
    """

    def __init__(self, file: LogFile, schema: FileSchema, utc_offset_h: float = 0.0) -> None:
        self.file = file
        self.schema = schema
        self.tally = Tally()
        self._unusable = self._blank = 0  # lines
        self._unit = "row" if file.suffix == ".parquet" else "line"
        if file.passed_over:
            self.tally.notes.append(f"{file.passed_over} is there too and was not read")
        header = self._parquet_header() if self._unit == "row" else self._csv_header()
        wanted = self._match(header) if header else {}
        if self._unit == "row":
            self._check_types(wanted)
        self.parser = Parser(header, wanted, utc_offset_h)
        # An empty file that may be absent is a table without rows.
        self.columns = list(wanted.values()) if header else list(schema.columns)

    # -- Header ------------------------------------------------------------------------------------

    def _csv_header(self) -> list[str]:
        with refusing(self.file.where, "is damaged in its first line"), self.file.open() as stream:
            start = stream.read(512)
            while len(start) <= MAX_LINE_BYTES and start.find(b"\n") < 0:
                if not (more := stream.read(len(start))):
                    break
                start += more
        self._line_end, self._first_line_bytes = _line_end(start)
        line = start[: self._first_line_bytes]
        if len(line) > MAX_LINE_BYTES:
            raise ValueError(
                f"{self.file.where}: its first line is longer than {MAX_LINE_BYTES:,} bytes"
            )
        if not line.strip():
            if self.schema.required:
                raise ValueError(f"{self.file.where} is empty")
            self.tally.notes.append("the file is empty")
            return []
        if line.startswith(_BOM):
            line = line.removeprefix(_BOM)
            self.tally.notes.append("begins with a byte-order mark")
        if line.endswith(b"\r\n"):
            self.tally.notes.append("has Windows line ends")
        if self._line_end == b"\r":
            self.tally.notes.append("has line ends of old Macs")
        if b"\0" in line:
            raise ValueError(f"{self.file.where} is not UTF-8 text")
        with refusing(self.file.where, "has a first line that cannot be read"):
            fields = next(csv.reader([line.decode("utf-8", "replace").rstrip("\r\n")]))
        if self.schema.header:
            return [field.strip() for field in fields]
        names = [column.name for column in self.schema.columns]
        if len(fields) != len(names):
            raise ValueError(
                f"{self.file.where} must have the columns {', '.join(names)} and no header; "
                f"its first line is {line[:80]!r}"
            )
        return names

    def _parquet_header(self) -> list[str]:
        source = self.file.path or self.file.load()
        with refusing(self.file.where, "is not a Parquet file, or is cut off"):
            self._parquet = pq.ParquetFile(source)
            names = list(self._parquet.schema_arrow.names)
            self._check_columns(names)
            self._check_size(self._parquet.metadata)
        return names

    def _check_size(self, metadata: Any) -> None:
        """A constant column takes a few bytes of the file, and all its length in memory."""
        groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
        unpacked = max(8 * metadata.num_rows, sum(group.total_byte_size for group in groups))
        check_unpacked(self.file.where, unpacked, self.file.size)

    def _check_columns(self, header: Sequence[str]) -> None:
        if len(header) > MAX_COLUMNS:
            raise ValueError(
                f"{self.file.where} has {len(header):,} columns, at most {MAX_COLUMNS:,} are read"
            )

    def _check_types(self, wanted: Mapping[str, Column]) -> None:
        """Moments of Arrow have units and zones of their own, which are not to be guessed."""
        for name, column in wanted.items():
            kind = self._parquet.schema_arrow.field(name).type
            if column.kind == "integer" and pa.types.is_temporal(kind):
                raise ValueError(
                    f"{self.file.where}: column {name} must hold integers (epoch milliseconds, if "
                    f"it is a time), it holds {kind}"
                )

    def _match(self, header: Sequence[str]) -> dict[str, Column]:
        """Which of the file's columns are read, as which column."""
        self._check_columns(header)
        if twice := sorted(name for name, count in Counter(header).items() if count > 1):
            named = ", ".join(twice)[:500]
            raise ValueError(f"{self.file.where} has several columns named {named}")
        wanted, missing = {}, []
        for column in self.schema.columns:
            for name in (column.name, *column.aliases):
                if name in header:
                    wanted[name] = column
                    break
            else:
                if column.required:
                    missing.append(" or ".join((column.name, *column.aliases)))
        if missing:
            found = ", ".join(header)
            raise ValueError(
                f"{self.file.where} lacks the column{'s' * (len(missing) > 1)} "
                f"{', '.join(missing)}; it has {found[:500]}"
            )
        if extra := [n for n in header if n not in wanted and n not in self.schema.unused]:
            self.tally.notes.append(f"columns not used: {', '.join(extra)}")
        return wanted

    # -- Rows --------------------------------------------------------------------------------------

    def read(self, judge: Judge, advance: Callable[[int], object]) -> Columns:
        """All rows that are kept, as columns by canonical name, in the order of the file.

        Args:
            judge: is shown the columns of each stretch of rows, and rejects some.
            advance: is told each number of bytes read.

        Raises:
            ValueError: the file is damaged, or must have rows and keeps none.
        """
        names = [column.name for column in self.columns]
        parts: dict[str, list[NDArray[Any]]] = {
            column.name: [np.empty(0, np.int32 if column.kind == "text" else np.int64)]
            for column in self.schema.columns
        }
        for rows in self._stretches(advance):
            verdict = Verdict(len(rows.positions))
            verdict.reject(rows.empty, "empty_field")
            judge(rows.columns, verdict)
            keep = self._count(rows, verdict)
            for name in names:
                column = rows.columns[name]
                parts[name].append(column if keep.all() else column[keep])
        if self.schema.required and not self.tally.kept:
            self.finish(strict=False)
        # One column after the other, so that not all are there twice.
        return {name: np.concatenate(parts.pop(name)) for name in names}

    def _count(self, rows: Rows, verdict: Verdict) -> NDArray[np.bool_]:
        for position, reason in rows.rejected:
            self.tally.drop(reason, 1, f"{self._unit} {position}")
        keep = verdict.codes == 0
        self.tally.kept += int(keep.sum())
        if not keep.all():
            for code in np.unique(verdict.codes[~keep]):
                rejected = verdict.codes == code
                first = rows.positions[rejected.argmax()]
                reason = list(REASONS)[code - 1]
                self.tally.drop(reason, int(rejected.sum()), f"{self._unit} {first}")
        return keep

    def _stretches(self, advance: Callable[[int], object]) -> Iterator[Rows]:
        if not self.parser.wanted:
            return
        stretches = self._from_parquet if self._unit == "row" else self._from_csv
        # Around the reading only: what is raised while rows are used is not the file's.
        rows = stretches(advance)
        while True:
            with refusing(self.file.where, f"is damaged after {self.tally.read:,} rows"):
                stretch = next(rows, None)
            if stretch is None:
                return
            yield stretch
            self._give_up_in_vain(stretch)

    def _give_up_in_vain(self, rows: Rows) -> None:
        """Stop when nearly nothing of what was read could be used."""
        self._unusable += len(rows.rejected)
        self._blank += rows.blank
        used = self.tally.read - self._unusable
        for kind, count, limit, per_row in (
            ("unusable", self._unusable, MAX_LINES_IN_VAIN, 1),
            ("blank", self._blank, 10 * MAX_LINES_IN_VAIN, 10),
        ):
            if count > limit and count > per_row * used:
                raise ValueError(
                    f"{self.file.where} has {count:,} {kind} lines among its first "
                    f"{self.tally.read + self._blank:,}"
                )

    def _from_csv(self, advance: Callable[[int], object]) -> Iterator[Rows]:
        with self.file.open() as stream:
            if self.schema.header:
                first_line, rest = 2, b""
                advance(len(stream.read(self._first_line_bytes)))
            else:
                first_line, rest = 1, stream.read(len(_BOM)).removeprefix(_BOM)
            while chunk := stream.read(BLOCK_BYTES):
                if self._line_end == b"\r":
                    chunk = chunk.replace(b"\r", b"\n")
                lines, line_end, begun = chunk.rpartition(b"\n")
                block, rest = rest + lines + line_end, begun
                if line_end:
                    yield from self._block(block, first_line, False)
                    first_line += count_lines(block)
                else:
                    rest = block + begun
                if len(rest) > MAX_LINE_BYTES:
                    raise ValueError(
                        f"{self.file.where}: line {first_line} is longer than "
                        f"{MAX_LINE_BYTES:,} bytes"
                    )
                advance(len(chunk))
            yield from self._block(rest, first_line, True)

    def _block(self, block: bytes, line: int, last: bool) -> Iterator[Rows]:
        if block:
            self.tally.read += count_lines(block)
            for rows in self.parser.csv(block, line, last):
                self.tally.read -= rows.blank
                yield rows

    def _from_parquet(self, advance: Callable[[int], object]) -> Iterator[Rows]:
        row = 1
        size_per_row = self.file.size / max(self._parquet.metadata.num_rows, 1)
        for batch in self._parquet.iter_batches(BATCH_ROWS, columns=list(self.parser.wanted)):
            self.tally.read += batch.num_rows
            yield from self.parser.parquet(pa.Table.from_batches([batch]), row)
            row += batch.num_rows
            advance(round(batch.num_rows * size_per_row))

    # -- Afterwards --------------------------------------------------------------------------------

    def categorical(self, name: str, codes: NDArray[Any]) -> pd.Categorical:
        """A text column as read, with its texts."""
        return pd.Categorical.from_codes(codes, categories=list(self.parser.vocabularies[name]))

    def drop(self, reason: str, count: int, example: str) -> None:
        """Take back rows that were kept at first."""
        if count:
            self.tally.kept -= count
            self.tally.drop(reason, count, example)

    def finish(self, strict: bool) -> FileReport:
        """The report, once nothing more can be left out.

        Raises:
            ValueError: nine of ten timestamps are not milliseconds; no row is left of a required
                file; or, if ``strict``, any row is unusable.
        """
        report = self.tally.report()
        listed = {
            reason: f"{reason} {count:,} ({report.examples[reason]}: {REASONS[reason]})"
            for reason, count in report.reasons.items()
        }
        reasons = ", ".join(listed.values())
        dirt = ", ".join(text for reason, text in listed.items() if reason not in BENIGN)
        if report.reasons.get("wrong_unit", 0) > _WHOLE_FILE * report.read:
            raise ValueError(f"{self.file.where} gives its times in another unit: {reasons}")
        if self.schema.required and not report.kept:
            why = f": {reasons}" if reasons else ""
            raise ValueError(
                f"{self.file.where}: none of its {report.read:,} rows can be used{why}"
            )
        if strict and dirt:
            raise ValueError(f"{self.file.where} has rows that cannot be used: {dirt}")
        return report


def _line_end(start: bytes) -> tuple[bytes, int]:
    """How lines end, and where the first one does, by the beginning of a file.

    A carriage return by itself is a line end if it comes first, and not within quotes.
    """
    newline = start.find(b"\n") + 1 or len(start)
    line = start[:newline]
    carriage = line.find(b"\r")
    if carriage < 0 or carriage >= len(line.rstrip(b"\r\n")) or line[:carriage].count(b'"') % 2:
        return b"\n", newline
    return b"\r", carriage + 1
