"""Who is live when, and what is on."""

from __future__ import annotations

import numpy as np

from livestream_env.simulator.compiling import inlined
from livestream_env.world.room_index import CONTENT_STEP_S, INDEX_STEP_S


@inlined
def find_room(s, w, i):
    """Remember which room of the i-th attached streamer is on now or comes next (bisection)."""
    streamer = w.streamers[s.attached_streamer[i]]
    low, high = streamer.first_room, streamer.first_room + streamer.num_rooms
    while low < high:
        middle = (low + high) // 2
        if w.rooms[middle].end_s <= s.time_s:
            low = middle + 1
        else:
            high = middle
    remember_room(s, w, i, low)


@inlined
def remember_room(s, w, i, room):
    """Remember a room of the i-th attached streamer; the one after her last one means none."""
    s.attached_room[i] = room
    streamer = w.streamers[s.attached_streamer[i]]
    if room < streamer.first_room + streamer.num_rooms:
        s.attached_from_s[i] = w.rooms[room].start_s
        s.attached_until_s[i] = w.rooms[room].end_s
    else:  # none comes any more
        s.attached_from_s[i] = np.inf
        s.attached_until_s[i] = np.inf


@inlined
def room_of_attached(s, w, i, until_s):
    """The i-th attached streamer's room that is live from now to ``until_s``, or -1.

    Time only moves forward, so the slot remembers the room that is on or comes next: a search in
    the timetable at every impression would cost more than all else.
    """
    while s.attached_until_s[i] <= until_s:
        remember_room(s, w, i, s.attached_room[i] + 1)
    return s.attached_room[i] if s.attached_from_s[i] <= s.time_s else -1


@inlined
def index_bin(w, p, now_s):
    """The bin of the availability index that holds ``now_s``, or -1 outside the timetable."""
    time_bin = int(np.floor((now_s - p.index_start_s) / INDEX_STEP_S))
    return time_bin if 0 <= time_bin < w.index_offset.shape[0] else -1


@inlined
def cell_at(start_s, now_s):
    """Number of the half minute, from the room's start, that is on."""
    return int((now_s - start_s) / CONTENT_STEP_S)


@inlined
def highlight(w, p, cell):
    """1.0 during a highlight of a room, else 0.0; the long-run share where switched off.

    ``cell`` counts the half minutes of all rooms.
    """
    if not p.use_highlights:
        return p.highlight_share
    return float((w.content[cell >> 3] >> (cell & 7)) & 1)


@inlined
def highlight_of_entry(p, entry, bin_s, cell):
    """The same of an entry of the index in the bin that began at ``bin_s``, by the room's cell."""
    if not p.use_highlights:
        return p.highlight_share
    first = max(0, cell_at(entry.start_s, bin_s))
    return float((entry.content >> (cell - first)) & 1)
