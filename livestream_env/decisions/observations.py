"""Many observations in little memory: 0 and 1 as bits, the others in single or half precision."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

PRECISIONS = ("float32", "float16")


class Observations:
    """Observations (n, D) that are unpacked when asked for: ``observations[rows]``.

    Exact with ``precision="float32"``. With ``"float16"`` numbers in [-1, 1] are off by at most
    2^-12, flags are exact still, and memory is about a fifth of that of the plain array.

    Args:
        num_rows: n.
        size: D.
        flag_columns: columns that hold 0 and 1 only.
        precision: of the other columns.
    """

    def __init__(
        self, num_rows: int, size: int, flag_columns: Sequence[int], precision: str = "float32"
    ) -> None:
        if precision not in PRECISIONS:
            raise ValueError(f"precision must be one of {', '.join(PRECISIONS)}, got {precision!r}")
        self.flag_columns = np.asarray(flag_columns, np.int64)
        self.number_columns = np.setdiff1d(np.arange(size), self.flag_columns)
        self._bits = np.zeros((num_rows, -(-len(self.flag_columns) // 8)), np.uint8)
        self._numbers = np.zeros((num_rows, len(self.number_columns)), precision)

    @property
    def shape(self) -> tuple[int, int]:
        """(n, D)."""
        return len(self._bits), len(self.flag_columns) + len(self.number_columns)

    @property
    def nbytes(self) -> int:
        """Memory held."""
        return self._bits.nbytes + self._numbers.nbytes

    def __len__(self) -> int:
        """N."""
        return len(self._bits)

    def put(self, first: int, values: NDArray[np.float32]) -> None:
        """Set the rows from ``first`` on to ``values``, (m, D).

        Raises:
            ValueError: a flag is neither 0 nor 1.
        """
        rows = slice(first, first + len(values))
        flags = values[:, self.flag_columns]
        if not ((flags == 0) | (flags == 1)).all():
            raise ValueError("a column of the observation that holds flags has another value")
        self._bits[rows] = np.packbits(flags.astype(np.bool_), axis=1)
        self._numbers[rows] = values[:, self.number_columns]

    def __getitem__(self, rows: Any) -> NDArray[np.float32]:
        """Observations as float32: (D,) of one row, (m, D) of a slice, mask or array of rows."""
        bits = self._bits[rows]
        out = np.empty((*bits.shape[:-1], self.shape[1]), np.float32)
        out[..., self.flag_columns] = np.unpackbits(bits, axis=-1, count=len(self.flag_columns))
        out[..., self.number_columns] = self._numbers[rows]
        return out

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """All of them, unpacked."""
        return np.asarray(self[:], dtype)

    def take(self, rows: NDArray[Any]) -> Self:
        """Only these rows, packed as they are."""
        other = object.__new__(type(self))
        vars(other).update(vars(self))
        other._bits, other._numbers = self._bits[rows], self._numbers[rows]
        return other
