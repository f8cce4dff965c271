"""From the bytes of a .csv or the batches of a .parquet to columns, at two speeds.

A stretch of a file is first given to Arrow as a whole. If anything in it is out of order, it is
halved, and again, until what is left is small enough to be taken apart row by row in Python, which
finds the row and the reason. One bad row in a million thus costs one more pass of its stretch.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
from numpy.typing import NDArray

from livestream_env.logs.schema import EMPTY, MISSING, Column

HOUR_MS = 3_600_000
_SMALL_BYTES = 1 << 16  # taken apart in Python without further halving
_SMALL_ROWS = 1 << 11
# Pandas makes 12.0 of 12 in a column with gaps; int64 has up to 19 digits.
_INTEGER = re.compile(r"\s*([+-]?0*\d{1,19})(?:\.0*)?\s*", re.ASCII)
_INT64_MAX = (1 << 63) - 1


@dataclass(frozen=True)
class Rows:
    """A stretch of rows.

    Attributes:
        columns: (n,) int64 per integer or moment column; (n,) int32 codes per text column, whose
            meanings are in :attr:`Parser.vocabularies` (``MISSING`` is empty).
        positions: (n,) int64, the line (.csv) or row (.parquet) that each came from, from 1.
        empty: (n,) bool, a field that must have a value has none.
        rejected: position and reason of the rows that could not be read.
        blank: lines without anything, which are no rows.
    """

    columns: dict[str, NDArray[Any]]
    positions: NDArray[np.int64]
    empty: NDArray[np.bool_]
    rejected: Sequence[tuple[int, str]] = ()
    blank: int = 0


class _OutOfOrderError(Exception):
    """Something in this stretch is not as it should be."""


class _RejectError(Exception):
    """This row cannot be read; the reason is the argument."""


class Parser:
    """Parses one file.

    Args:
        header: the file's column names, in order.
        wanted: which of them are read, as which column.
        utc_offset_h: of a moment that names no zone.
    """

    def __init__(
        self, header: Sequence[str], wanted: Mapping[str, Column], utc_offset_h: float
    ) -> None:
        self.header = list(header)
        self.wanted = dict(wanted)
        self.utc_offset_ms = round(utc_offset_h * HOUR_MS)
        self.vocabularies: dict[str, dict[str, int]] = {
            column.name: {} for column in wanted.values() if column.kind == "text"
        }
        self._places = [self.header.index(name) for name in self.wanted]
        self._zone = timezone(timedelta(milliseconds=self.utc_offset_ms))
        self._read = pa_csv.ReadOptions(column_names=self.header, block_size=1 << 22)
        self._convert = pa_csv.ConvertOptions(
            include_columns=list(self.wanted),
            column_types={
                name: pa.int64() if column.kind == "integer" else pa.string()
                for name, column in self.wanted.items()
            },
            null_values=list(EMPTY),  # of integers; see _moments and _code
            strings_can_be_null=False,
        )

    # -- CSV ---------------------------------------------------------------------------------------

    def csv(self, block: bytes, first_line: int, last: bool) -> Iterator[Rows]:
        """The rows of whole lines.

        Args:
            block: lines, each but perhaps the file's last with its line end.
            first_line: the number of the first of them in the file, from 1.
            last: the block ends the file.
        """
        num_lines = count_lines(block)
        if block.isspace():
            yield self._rows((), num_lines)
            return
        try:
            yield self._fast_csv(block, first_line, num_lines)
        except _OutOfOrderError:
            if len(block) <= _SMALL_BYTES or num_lines == 1:
                yield self._slow_csv(block, first_line, last)
                return
            middle = block.rfind(b"\n", 0, len(block) // 2) + 1
            middle = middle or block.find(b"\n") + 1  # the first line is longer than the half
            yield from self.csv(block[:middle], first_line, False)
            yield from self.csv(block[middle:], first_line + count_lines(block[:middle]), last)

    def _fast_csv(self, block: bytes, first_line: int, num_lines: int) -> Rows:
        # An open quote would swallow the lines up to the next one.
        if block.count(b'"') % 2:
            raise _OutOfOrderError
        try:
            table = pa_csv.read_csv(
                pa.py_buffer(block), read_options=self._read, convert_options=self._convert
            )
        except pa.ArrowInvalid as error:
            raise _OutOfOrderError from error
        if table.num_rows != num_lines:  # blank lines, line ends within quotes
            raise _OutOfOrderError
        return self._columns(table, first_line)

    def _slow_csv(self, block: bytes, first_line: int, last: bool) -> Rows:
        lines = block.split(b"\n")
        cut_off = last and lines[-1] != b""
        if not lines[-1]:
            lines.pop()
        rows = [
            (first_line + i, self._fields(line, cut_off and i == len(lines) - 1))
            for i, line in enumerate(lines)
            if line.strip()
        ]
        return self._rows(rows, len(lines) - len(rows))

    def _fields(self, line: bytes, cut_off: bool) -> list[str] | str:
        """The wanted fields of a line, or the reason why there are none."""
        text = line.rstrip(b"\r").decode("utf-8", "surrogateescape")
        try:
            fields = next(csv.reader([text], strict=True))
        except csv.Error:  # a field may also be too long for it
            fields = []
        if len(fields) == len(self.header):
            return [fields[place] for place in self._places]
        short = cut_off and len(fields) < len(self.header)
        return "truncated" if short else "wrong_field_count"

    # -- Parquet -----------------------------------------------------------------------------------

    def parquet(self, table: pa.Table, first_row: int) -> Iterator[Rows]:
        """The rows of a table that has the wanted columns; ``first_row`` counts from 1."""
        try:
            yield self._columns(table, first_row)
        except (_OutOfOrderError, pa.ArrowException):
            if (n := table.num_rows) <= _SMALL_ROWS:
                yield self._slow_parquet(table, first_row)
                return
            yield from self.parquet(table[: n // 2], first_row)
            yield from self.parquet(table[n // 2 :], first_row + n // 2)

    def _slow_parquet(self, table: pa.Table, first_row: int) -> Rows:
        values = []
        for name in self.wanted:
            column = table.column(name)
            column = self._moments(column) if pa.types.is_timestamp(column.type) else column
            values.append(column.to_pylist())
        rows = [
            (
                first_row + i,
                ["" if value is None or value != value else str(value) for value in row],
            )
            for i, row in enumerate(zip(*values, strict=True))
        ]
        return self._rows(rows, 0)

    # -- Conversion --------------------------------------------------------------------------------

    def _columns(self, table: pa.Table, first: int) -> Rows:
        """Convert whole columns; any value that does not fit raises."""
        columns = {}
        empty = np.zeros(table.num_rows, np.bool_)
        for name, column in self.wanted.items():
            values = table.column(name)
            if column.kind == "text":
                columns[column.name] = self._codes(column.name, values)
                continue
            values = self._moments(values) if column.kind == "moment" else values.cast(pa.int64())
            if values.null_count:
                if not column.nullable:
                    empty |= values.is_null().to_numpy()
                values = pc.fill_null(values, MISSING)
            columns[column.name] = values.to_numpy()
        return Rows(columns, np.arange(first, first + table.num_rows), empty)

    def _codes(self, name: str, values: pa.ChunkedArray) -> NDArray[np.int32]:
        if pa.types.is_floating(values.type):
            values = pc.if_else(pc.is_nan(values), None, values)
        encoded = values.cast(pa.string()).combine_chunks().dictionary_encode()
        codes = [self._code(name, text) for text in encoded.dictionary.to_pylist()]
        places = pc.fill_null(encoded.indices, len(codes)).to_numpy()
        return np.array([*codes, MISSING], np.int32)[places]

    def _code(self, name: str, text: str) -> int:
        vocabulary = self.vocabularies[name]
        return vocabulary.setdefault(text, len(vocabulary)) if text else MISSING

    def _moments(self, values: pa.ChunkedArray) -> pa.ChunkedArray:
        if not pa.types.is_timestamp(values.type):
            if pa.types.is_string(values.type):
                values = pc.if_else(pc.is_in(values, pa.array(EMPTY)), None, values)
            try:
                return values.cast(pa.int64())
            except pa.ArrowInvalid:
                pass
            try:
                values = values.cast(pa.timestamp("ms"))
            except pa.ArrowInvalid:
                try:
                    values = values.cast(pa.timestamp("ms", tz="UTC"))
                except pa.ArrowInvalid as error:
                    raise _OutOfOrderError from error
        local = values.type.tz is None
        values = values.cast(pa.timestamp("ms", tz=values.type.tz), safe=False).cast(pa.int64())
        return pc.subtract(values, self.utc_offset_ms) if local else values

    def _rows(self, rows: Iterable[tuple[int, list[str] | str]], blank: int) -> Rows:
        """Convert row by row; ``rows`` are positions with fields, or with a reason."""
        kept: list[list[int]] = []
        positions, empty, rejected = [], [], []
        for position, fields in rows:
            try:
                if isinstance(fields, str):
                    raise _RejectError(fields)
                values, is_empty = self._values(fields)
            except _RejectError as error:
                rejected.append((position, str(error)))
                continue
            kept.append(values)
            positions.append(position)
            empty.append(is_empty)
        table = np.array(kept, np.int64).reshape(len(kept), len(self.wanted))
        columns = {
            column.name: table[:, i].astype(np.int32 if column.kind == "text" else np.int64)
            for i, column in enumerate(self.wanted.values())
        }
        return Rows(
            columns, np.array(positions, np.int64), np.array(empty, np.bool_), rejected, blank
        )

    def _values(self, fields: Sequence[str]) -> tuple[list[int], bool]:
        values = []
        empty = False
        for column, field in zip(self.wanted.values(), fields, strict=True):
            if column.kind == "text":
                try:
                    field.encode()
                except UnicodeEncodeError:
                    raise _RejectError("not_utf8") from None
                values.append(self._code(column.name, field))
            elif field in EMPTY:
                values.append(MISSING)
                empty |= not column.nullable
            else:
                values.append(self._integer(field, column.kind == "moment"))
        return values, empty

    def _integer(self, field: str, moment: bool) -> int:
        if match := _INTEGER.fullmatch(field):
            value = int(match[1])
        elif moment:
            try:
                when = datetime.fromisoformat(field.strip())
            except ValueError:
                raise _RejectError("unparsable") from None
            when = when if when.tzinfo else when.replace(tzinfo=self._zone)
            value = (when - datetime.fromtimestamp(0, UTC)) // timedelta(milliseconds=1)
        else:
            raise _RejectError("unparsable")
        if abs(value) > _INT64_MAX:
            raise _RejectError("unparsable")
        return value


def count_lines(block: bytes) -> int:
    """Lines of a block; the last may lack its end."""
    return block.count(b"\n") + (not block.endswith(b"\n") and block != b"")
