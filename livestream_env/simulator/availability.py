"""Who is live when, and what is on."""

from __future__ import annotations

import numpy as np
from numba import njit

from livestream_env.world import CONTENT_STEP_S, INDEX_STEP_S


@njit(nogil=True)
def room_of(w, streamer, now_s, until_s):
    """The streamer's room that is live from ``now_s`` to ``until_s``, or -1."""
    first = w.streamers[streamer].first_room
    low = first
    high = first + w.streamers[streamer].num_rooms
    while low < high:  # the first room that starts after now_s
        middle = (low + high) // 2
        if w.rooms[middle].start_s <= now_s:
            low = middle + 1
        else:
            high = middle
    if low > first and w.rooms[low - 1].end_s > until_s:
        return low - 1
    return -1


@njit(nogil=True)
def is_live(w, room, now_s, until_s):
    """Whether the room is live from ``now_s`` to ``until_s``."""
    return w.rooms[room].start_s <= now_s and w.rooms[room].end_s > until_s


@njit(nogil=True)
def index_bin(w, p, now_s):
    """The bin of the availability index that holds ``now_s``, or -1 outside the timetable."""
    time_bin = int(np.floor((now_s - p.index_start_s) / INDEX_STEP_S))
    return time_bin if 0 <= time_bin < w.index_offset.shape[0] else -1


@njit(nogil=True)
def content_cell(w, room, now_s):
    """Position in ``content`` of what is on in a live room."""
    start_s = w.rooms[room].start_s
    return w.rooms[room].content + int((now_s - start_s) / CONTENT_STEP_S)


@njit(nogil=True)
def highlight(w, p, room, now_s):
    """1.0 during a highlight, 0.0 otherwise; the long-run share where switched off."""
    if not p.use_highlights:
        return p.highlight_share
    cell = content_cell(w, room, now_s)
    return float((w.content[cell >> 3] >> (cell & 7)) & 1)
