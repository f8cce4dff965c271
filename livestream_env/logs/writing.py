"""Writing a log in KuaiLive's files: table by table, chunk by chunk, whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from livestream_env.files import atomic_folder
from livestream_env.logs.schema import KUAILIVE, TITLE_EMBEDDINGS

FORMATS = ("csv", "parquet")
EXPOSURE = "exposure"  # the sidecar with what real logs do not have; always .parquet
SIMULATION = "simulation.json"  # how the log was made
EMBEDDINGS = f"{TITLE_EMBEDDINGS}.npy"

# File → its columns in order, p_date included.
COLUMNS = {
    stem: (*schema.unused, *(column.name for column in schema.columns))
    for stem, schema in KUAILIVE.items()
}
_FILES = {EMBEDDINGS, SIMULATION} | {
    f"{stem}.{suffix}" for stem in (*KUAILIVE, EXPOSURE) for suffix in FORMATS
}
_SPECIAL = r'[,"\r\n]'  # a text with one of these needs quotes


@contextmanager
def log_writer(
    folder: str | os.PathLike[str], file_format: str = "csv", overwrite: bool = False
) -> Iterator[LogWriter]:
    """Write a log to ``folder``, which appears when the block ends without error.

    Args:
        folder: must not exist or be empty.
        file_format: of KuaiLive's tables, ``"csv"`` or ``"parquet"``.
        overwrite: ``folder`` may be an older log, which is replaced.

    Raises:
        ValueError: there is no such format.
        FileExistsError: ``folder`` is there; with ``overwrite``, if it holds anything but a log.
    """
    if file_format not in FORMATS:
        raise ValueError(f"file_format must be one of {', '.join(FORMATS)}, got {file_format!r}")
    with (
        atomic_folder(folder, _FILES if overwrite else ()) as temporary,
        LogWriter(temporary, file_format) as writer,
    ):
        yield writer


class LogWriter:
    """Appends to the files of a log; made by :func:`log_writer`.

    Attributes:
        folder: where the files grow.
        rows: file → rows written so far.
    """

    def __init__(self, folder: Path, file_format: str) -> None:
        self.folder = folder
        self.rows: dict[str, int] = {}
        self._format = file_format
        self._open_files = ExitStack()
        self._files: dict[str, Any] = {}

    def write(self, name: str, table: pa.Table) -> None:
        """Append ``table`` to the file ``name``, which also an empty table creates.

        Raises:
            ValueError: the table has other columns than the file.
        """
        columns = COLUMNS.get(name, tuple(table.column_names))
        if tuple(table.column_names) != columns:
            raise ValueError(
                f"{name} must have the columns {', '.join(columns)}, "
                f"got {', '.join(table.column_names)}"
            )
        as_csv = self._format == "csv" and name != EXPOSURE
        if name not in self._files:
            open_file = self._open_csv if as_csv else self._open_parquet
            self._files[name] = self._open_files.enter_context(open_file(name, table.schema))
            self.rows[name] = 0
        if as_csv:
            _append_csv(table, self._files[name])
        elif len(table):
            self._files[name].write_table(table)
        self.rows[name] += len(table)

    def _open_csv(self, name: str, schema: pa.Schema) -> pa.NativeFile:
        file = pa.OSFile(str(self.folder / f"{name}.csv"), "wb")
        file.write((",".join(schema.names) + "\n").encode())
        return file

    def _open_parquet(self, name: str, schema: pa.Schema) -> pq.ParquetWriter:
        return pq.ParquetWriter(self.folder / f"{name}.parquet", schema, compression="zstd")

    def __enter__(self) -> LogWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the files."""
        self._open_files.close()


def _append_csv(table: pa.Table, file: pa.NativeFile) -> None:
    texts = (column for column in table.columns if pa.types.is_string(column.type))
    # Arrow quotes all texts or none; KuaiLive's files have quotes only where needed.
    quoted = any(pc.any(pc.match_substring_regex(text, _SPECIAL)).as_py() for text in texts)
    options = pa.csv.WriteOptions(
        include_header=False, batch_size=2**16, quoting_style="needed" if quoted else "none"
    )
    pa.csv.write_csv(table, file, options)
