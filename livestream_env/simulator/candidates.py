"""Retrieval: which rooms compete for an impression, as a production system's recall stage.

Three sources, in this order: streamers that the viewer knows and that are live, rooms of the
categories that she prefers, popular rooms. All distinct, live for longer than the browsing takes,
in random order. Fewer live rooms than slots leave slots empty.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from livestream_env.simulator.availability import index_bin, is_live, room_of_attached
from livestream_env.simulator.rng import CANDIDATES, mix, uniform

_TRIES = 4  # draws per slot that may fail before the next source takes over
_MARGIN_S = 1.0  # a candidate lasts at least this long beyond the browsing


@njit(nogil=True)
def _add(s, count, room):
    """Append the room if it is new; return the new count."""
    for i in range(count):
        if s.room[i] == room:
            return count
    s.room[count] = room
    return count + 1


@njit(nogil=True)
def _draw(w, first, last, u):
    """Draw from ``index_room[first:last]`` by popularity (binary search in the running sum)."""
    base = w.index_weight[first]
    target = base + u * (w.index_weight[last] - base)
    low, high = first, last - 1
    while low < high:
        middle = (low + high) // 2
        if w.index_weight[middle + 1] <= target:
            low = middle + 1
        else:
            high = middle
    return w.index_room[low]


@njit(nogil=True)
def prepare_categories(s, w, p):
    """Running sum of the categories' weights in retrieval, exp(retrieval_taste * taste)."""
    taste = w.viewers[s.viewer].taste
    total = 0.0
    for k in range(taste.shape[0]):
        total += math.exp(p.retrieval_taste * taste[k])
        s.category_weight[k] = total


@njit(nogil=True)
def _category(s, u):
    """Draw a category by its weight."""
    last = s.category_weight.shape[0] - 1
    target = u * s.category_weight[last]
    k = 0
    while k < last and s.category_weight[k] <= target:
        k += 1
    return k


@njit(nogil=True)
def _affinity(w, viewer, streamer):
    """Affinity of a viewer to a streamer: taste, embedding, quality; about standard normal."""
    v, j = w.viewers[viewer], w.streamers[streamer]
    # np.float64, because Numba's float() leaves 32 bits 32 bits.
    total = np.float64(v.taste[j.category]) + 0.5 * np.float64(j.quality)
    for d in range(v.embedding.shape[0]):
        total += np.float64(v.embedding[d]) * np.float64(j.embedding[d])
    return total / 1.2


@njit(nogil=True)
def _known(s, streamer):
    """Index of the streamer among the attached, or -1."""
    for i in range(s.num_attached):
        if s.attached_streamer[i] == streamer:
            return i
    return -1


@njit(nogil=True)
def retrieve(s, w, p, impression_key):
    """Fill ``s.room``, ``s.known`` and ``s.affinity`` for the impression at ``s.time_s``."""
    num_candidates = s.room.shape[0]
    until_s = s.time_s + p.browse_s + _MARGIN_S
    counter = CANDIDATES
    count = 0

    quota = round(p.retrieval_attached_share * num_candidates)
    if quota > 0 and s.num_attached > 0:
        # Any order would do; a random first one keeps no streamer from ever being shown.
        begin = int(uniform(impression_key, counter) * s.num_attached)
        counter += 1
        for i in range(s.num_attached):
            if count >= quota:
                break
            room = room_of_attached(s, w, (begin + i) % s.num_attached, until_s)
            if room >= 0:
                count = _add(s, count, room)

    time_bin = index_bin(w, p, s.time_s)
    if time_bin >= 0:
        offset = w.index_offset[time_bin]
        first, last = offset[0], offset[offset.shape[0] - 1]
        quota = round((p.retrieval_attached_share + p.retrieval_category_share) * num_candidates)
        for attempt in range(_TRIES * num_candidates):
            if count >= num_candidates or first == last:
                break
            low, high = first, last
            if count < quota and attempt < _TRIES * quota:
                category = _category(s, uniform(impression_key, counter))
                low, high = offset[category], offset[category + 1]
            if low < high:
                room = _draw(w, low, high, uniform(impression_key, counter + 1))
                if is_live(w, room, s.time_s, until_s):
                    count = _add(s, count, room)
            counter += 2
        if count < num_candidates and first < last:
            # Few rooms are live: take what there is.
            begin = int(uniform(impression_key, counter) * (last - first))
            for i in range(last - first):
                if count >= num_candidates:
                    break
                room = w.index_room[first + (begin + i) % (last - first)]
                if is_live(w, room, s.time_s, until_s):
                    count = _add(s, count, room)

    for i in range(count, num_candidates):
        s.room[i] = -1
    # Shuffle all slots, empty ones too: a slot's number carries no information.
    bits = mix(impression_key, 0)
    for i in range(num_candidates - 1, 0, -1):
        j = int(uniform(bits, i) * (i + 1))
        s.room[i], s.room[j] = s.room[j], s.room[i]
    for i in range(num_candidates):
        if s.room[i] >= 0:
            streamer = w.rooms[s.room[i]].streamer
            s.known[i] = _known(s, streamer)
            s.affinity[i] = _affinity(w, s.viewer, streamer)
        else:
            s.known[i] = -1
            s.affinity[i] = 0.0
