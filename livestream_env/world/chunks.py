"""Tables of any length in pieces, for temporaries that fit the cache and not the length."""

from __future__ import annotations

from collections.abc import Iterator

SIZE = 1 << 18  # numbers of a piece


def chunks(count: int, numbers_each: float = 1.0) -> Iterator[slice]:
    """Slices of ``range(count)``, in order, so that one of them comes to about ``SIZE`` numbers.

    A generator that is asked for one slice after the other draws what it would draw at once.

    Args:
        count: things to go through.
        numbers_each: numbers that one of them takes, on average.
    """
    length = max(1, int(SIZE / max(numbers_each, 1.0)))
    for first in range(0, count, length):
        yield slice(first, min(first + length, count))
