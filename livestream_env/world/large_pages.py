"""Memory for tables that are looked up all over, in large pages where the system has them.

An impression looks up a few dozen places in megabytes of tables. In pages of 4 KiB nearly every
look needs a second one, where the page is; that costs more than the look.
"""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_LINE = 64  # bytes, of a cache
_LARGE_PAGE = 2 << 20  # bytes


def _up_to(size: int, unit: int) -> int:
    return -(-size // unit) * unit


def _memory(size: int) -> mmap.mmap | bytearray:
    """At least so many bytes, for which the system is asked to use large pages."""
    if not hasattr(mmap, "MADV_HUGEPAGE"):
        return bytearray(size)
    size = _up_to(size, _LARGE_PAGE)
    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    memory.madvise(mmap.MADV_HUGEPAGE)
    return memory


def empty_table(length: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    """A table of ``length`` rows, at least one, to be filled; it begins at a line of the cache."""
    return np.frombuffer(_memory(length * dtype.itemsize), dtype, length)


def copied_together(arrays: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
    """Copies in one piece of memory."""
    sizes = [_up_to(array.nbytes, _LINE) for array in arrays]
    memory = _memory(sum(sizes))
    copies, at = [], 0
    for array, size in zip(arrays, sizes, strict=True):
        copy = np.frombuffer(memory, array.dtype, array.size, at).reshape(array.shape)
        copy[...] = array
        copies.append(copy)
        at += size
    return copies
