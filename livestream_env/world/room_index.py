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
from livestream_env.world.chunks import chunks
from livestream_env.world.large_pages import empty_table

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
    category = streamers["category"][rooms["streamer"]]
    first = _bin(rooms["start_s"], start_s) * num_categories + category
    last = _bin(rooms["end_s"], start_s) * num_categories + category
    num_cells = num_bins * num_categories
    # Live rooms change by those that begin, and by those that ended a bin before.
    change = np.bincount(first, minlength=num_cells)
    change[num_categories:] -= np.bincount(last, minlength=num_cells)[:-num_categories]
    live = change.reshape(num_bins, num_categories).cumsum(axis=0)
    offset = np.append(0, live.cumsum())
    if offset[-1] > np.iinfo(np.int32).max:
        raise ValueError(
            "rooms: the quarters of an hour in which they are live must number less than 2**31, "
            f"got {offset[-1]:,}"
        )
    index = empty_table(int(offset[-1]), INDEX_DTYPE)
    columns = (rooms[name] for name in ("streamer", "start_s", "end_s", "content"))
    _list_rooms(index, offset[:-1].copy(), first, last, *columns, content, num_categories, start_s)

    total = np.zeros(num_cells)
    popularity = streamers["popularity"].astype(np.float64)
    for bins in chunks(num_bins, len(index) / num_bins):
        cells = slice(bins.start * num_categories, bins.stop * num_categories)
        bounds = offset[cells.start : cells.stop + 1]
        entries = index[bounds[0] : bounds[-1]]
        # Rounded down: no candidate outlasts its room.
        entries["left_s"] = np.nextafter(entries["left_s"], np.float32(-np.inf))
        weight = popularity[entries["streamer"]]
        of_cell = np.repeat(np.arange(len(bounds) - 1), np.diff(bounds))
        total[cells] = np.bincount(of_cell, weight, len(bounds) - 1)
        stacks = np.empty((2, len(entries)), np.int64)
        tables = entries["keep"], entries["alias"]
        _fill_alias_tables(bounds - bounds[0], weight, *tables, *stacks, np.empty(len(entries)))
        entries["alias"] += bounds[0]
    running = np.cumsum(total.reshape(num_bins, num_categories), axis=1)
    share = running / np.maximum(running[:, -1:], 1e-300)  # exactly 1 from some category on
    by_bin = np.lib.stride_tricks.sliding_window_view(offset, num_categories + 1)
    return (
        np.ascontiguousarray(by_bin[::num_categories], dtype=np.int32),
        share.astype(np.float32),
        index,
    )


def _bin(time_s: NDArray[np.float64], start_s: float) -> NDArray[np.int64]:
    """Number of the bin that holds each of ``time_s``."""
    return np.floor((time_s - start_s) / INDEX_STEP_S).astype(np.int64)


@cached_njit(no_cfunc_wrapper=True)
def _list_rooms(  # type: ignore[no-untyped-def]
    index,
    place,
    first,
    last,
    streamer,
    start_s,
    end_s,
    content,
    bits,
    num_categories,
    index_start_s,
):
    """Enter each room into its cells, ``first`` to ``last``, whose entries begin at ``place``.

    Room by room, for the reads to be in order: the writes are all over the index either way.
    """
    for room in range(first.shape[0]):
        for cell in range(first[room], last[room] + 1, num_categories):
            entry = index[place[cell]]
            place[cell] += 1
            entry["room"] = room
            entry["streamer"] = streamer[room]
            entry["start_s"] = start_s[room]
            bin_s = index_start_s + (cell // num_categories) * INDEX_STEP_S
            entry["left_s"] = end_s[room] - bin_s
            # As in simulator/availability.py, which reads them; 0 beyond the end.
            bit = content[room] + max(0, int((bin_s - start_s[room]) / CONTENT_STEP_S))
            word = np.int64(0)
            for i in range(min(5, bits.shape[0] - (bit >> 3))):
                word |= np.int64(bits[(bit >> 3) + i]) << (8 * i)
            entry["content"] = (word >> (bit & 7)) & 0xFFFFFFFF


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
