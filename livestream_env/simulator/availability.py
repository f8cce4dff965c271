"""Who is live when, and what is on."""

from __future__ import annotations

import numpy as np
from numba import njit

from livestream_env.world import CONTENT_STEP_S, INDEX_STEP_S


@njit(nogil=True)
def forget_rooms(s, w, i):
    """Begin the search for the rooms of the i-th attached streamer with her first one."""
    s.attached_room[i] = w.streamers[s.attached_streamer[i]].first_room - 1
    s.attached_from_s[i] = -np.inf
    s.attached_until_s[i] = -np.inf


@njit(nogil=True)
def room_of_attached(s, w, i, until_s):
    """The i-th attached streamer's room that is live from now to ``until_s``, or -1.

    Time only moves forward, so the slot remembers the room that is on or comes next: a search in
    the timetable at every impression would cost more than all else.
    """
    streamer = w.streamers[s.attached_streamer[i]]
    while s.attached_until_s[i] <= until_s:
        s.attached_room[i] += 1
        room = s.attached_room[i]
        if room < streamer.first_room + streamer.num_rooms:
            s.attached_from_s[i] = w.rooms[room].start_s
            s.attached_until_s[i] = w.rooms[room].end_s
        else:  # none comes any more
            s.attached_from_s[i] = np.inf
            s.attached_until_s[i] = np.inf
    return s.attached_room[i] if s.attached_from_s[i] <= s.time_s else -1


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
