"""The availability index: which rooms are live in each quarter of an hour, ready to draw one from.

Retrieval draws a dozen rooms at every impression, each of them somewhere in megabytes of tables,
and waits for memory more than it computes. So an entry holds all that a candidate needs of its
room, and a draw by popularity takes one look into an alias table (Vose, IEEE Trans. Software Eng.
1991): every entry says with what probability it is meant itself, and which other one is otherwise.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from livestream_env.code_cache import cached_njit

MAX_CELLS = 2**21  # more than a room has half minutes
CONTENT_STEP_S = 30.0  # grid of a room's content (Sliver, Moment&Cross: windows of 30 s)
INDEX_STEP_S = 900.0  # grid of the availability index: 31 cells of content, of 32 bits

INDEX_DTYPE = np.dtype(
    [
        ("start_s", "f8"),  # of the room
        ("room", "i4"),
        ("streamer", "i4"),
        ("left_s", "f4"),  # from the beginning of the bin to the end of the room
        ("content", "u4"),  # bits of the room's content, from the first one of the bin
        ("keep", "u4"),  # probability of this entry, in units of 2**-32
        ("alias", "i4"),  # the entry that is meant otherwise
    ],
    align=True,
)


def index_span(rooms: NDArray[Any], end_s: float) -> tuple[float, int]:
    """Start of the first bin, seconds, and the number of bins, for the days until ``end_s``."""
    # Room ends beyond the last day belong to episodes that run over midnight.
    start_s = min(0.0, float(rooms["start_s"].min()))
    end_s = max(end_s, float(rooms["end_s"].max()))
    return start_s, int(np.ceil((end_s - start_s) / INDEX_STEP_S)) + 1


def availability_index(
    rooms: NDArray[Any],
    streamers: NDArray[Any],
    content: NDArray[np.uint8],
    num_categories: int,
    start_s: float,
    num_bins: int,
) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[Any]]:
    """Rooms live at some time of each bin, by bin and category.

    Returns:
        ``index_offset``, ``index_share`` and ``index`` of :class:`livestream_env.world.World`.
    """
    first = np.floor((rooms["start_s"] - start_s) / INDEX_STEP_S).astype(np.int64)
    last = np.floor((rooms["end_s"] - start_s) / INDEX_STEP_S).astype(np.int64)
    spans = last - first + 1
    room = np.repeat(np.arange(len(rooms)), spans)
    in_span = np.arange(len(room)) - np.repeat(np.cumsum(spans) - spans, spans)
    category = streamers["category"][rooms["streamer"]][room]
    key = (first[room] + in_span) * num_categories + category
    order = np.argsort(key, kind="stable")
    room, key = room[order], key[order]
    offset = np.searchsorted(key, np.arange(num_bins * num_categories + 1))
    weight = streamers["popularity"][rooms["streamer"]][room].astype(np.float64)

    index = np.empty(len(room), INDEX_DTYPE)
    index["room"] = room
    index["start_s"], index["streamer"] = rooms["start_s"][room], rooms["streamer"][room]
    bin_s = start_s + key // num_categories * INDEX_STEP_S
    # Rounded down: no candidate outlasts its room.
    left_s = (rooms["end_s"][room] - bin_s).astype(np.float32)
    index["left_s"] = np.nextafter(left_s, np.float32(-np.inf))
    first_cell = np.maximum((bin_s - index["start_s"]) // CONTENT_STEP_S, 0.0).astype(np.int64)
    index["content"] = _bits(content, rooms["content"][room] + first_cell)
    stacks = np.empty((2, len(index)), np.int64)
    _fill_alias_tables(offset, weight, index["keep"], index["alias"], *stacks, np.empty(len(index)))
    total = np.bincount(key, weight, num_bins * num_categories).reshape(num_bins, num_categories)
    running = np.cumsum(total, axis=1)
    share = running / np.maximum(running[:, -1:], 1e-300)  # exactly 1 from some category on
    by_bin = np.lib.stride_tricks.sliding_window_view(offset, num_categories + 1)
    return (
        np.ascontiguousarray(by_bin[::num_categories], dtype=np.int32),
        share.astype(np.float32),
        index,
    )


def _bits(packed: NDArray[np.uint8], first: NDArray[np.int64]) -> NDArray[np.uint32]:
    """32 bits from each of the positions ``first``."""
    padded = np.append(packed, np.zeros(5, np.uint8))
    word = sum(padded[first // 8 + i].astype(np.uint64) << np.uint64(8 * i) for i in range(5))
    return (word >> (first % 8).astype(np.uint64)).astype(np.uint32)


@cached_njit(no_cfunc_wrapper=True)
def _fill_alias_tables(offset, weight, keep, alias, small, large, probability):  # type: ignore[no-untyped-def]
    """Vose's method for each range ``offset[i]:offset[i + 1]``.

    To work with, given because to make arrays takes Numba a third of a second: ``small`` and
    ``large``, stacks of entries with less and more than their share, and ``probability``.
    """
    for i in range(offset.shape[0] - 1):
        first, last = offset[i], offset[i + 1]
        total = 0.0
        for j in range(first, last):
            total += weight[j]
        num_small, num_large = 0, 0
        for j in range(first, last):
            probability[j] = weight[j] / total * (last - first)
            alias[j] = j
            if probability[j] < 1.0:
                small[num_small] = j
                num_small += 1
            else:
                large[num_large] = j
                num_large += 1
        while num_small and num_large:
            giver = large[num_large - 1]
            num_small -= 1
            taker = small[num_small]
            alias[taker] = giver
            probability[giver] -= 1.0 - probability[taker]
            if probability[giver] < 1.0:
                num_large -= 1
                small[num_small] = giver
                num_small += 1
    for j in range(weight.shape[0]):  # what is left over is 1 but for rounding: its alias is itself
        keep[j] = np.uint32(min(probability[j] * 4294967296.0, 4294967295.0))
