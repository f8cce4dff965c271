"""Retrieval: which rooms compete for an impression, as a production system's recall stage.

Three sources, in this order: streamers that the viewer knows and that are live, rooms of the
categories that she prefers, popular rooms. All distinct, live for longer than the browsing takes,
in random order. Fewer live rooms than slots leave slots empty.
"""

from __future__ import annotations

import math

import numpy as np

from livestream_env.simulator.availability import (
    highlight,
    highlight_of_entry,
    index_bin,
    room_of_attached,
)
from livestream_env.simulator.compiling import inlined
from livestream_env.simulator.rng import CANDIDATES, below, mix, unit_32
from livestream_env.timetable import INDEX_STEP_S

_ROUNDS = 4  # of draws, each for the slots that the one before left empty
_MARGIN_S = 1.0  # a candidate lasts at least this long beyond the browsing
_S32, _MASK_32 = np.uint64(32), np.uint64(0xFFFFFFFF)


@inlined
def _is_new(s, room):
    """Whether the room is not among the candidates yet."""
    shown = False
    for i in range(s.room.shape[0]):
        shown |= s.room[i] == room
    return not shown


@inlined
def _put(s, i, room, streamer, start_s, highlight):
    """Make a room the candidate of slot ``i``; streamer -1 stands for none."""
    s.room[i] = room
    s.streamer[i] = streamer
    s.room_start_s[i] = start_s
    s.highlight[i] = highlight


@inlined
def _draw_category(share, bits):
    """Draw from running sums of shares, with the high 32 of the ``bits``."""
    u = unit_32(bits)
    k = 0
    for i in range(share.shape[0] - 1):
        k += share[i] <= u
    return k


@inlined
def prepare_categories(s, w, p):
    """Running sum of the categories' shares in retrieval, in ratio exp(retrieval_taste * taste)."""
    taste = w.viewers[s.viewer].taste
    total = 0.0
    for k in range(taste.shape[0]):
        total += math.exp(p.retrieval_taste * taste[k])
        s.category_share[k] = total
    for k in range(taste.shape[0]):
        s.category_share[k] /= np.float32(total)


@inlined
def _affinity(v, j):
    """Affinity of a viewer to a streamer: taste, embedding, quality; about standard normal."""
    # Four sums, which the processor adds up side by side; float64, as NumPy would otherwise not.
    a, b, c, d = 0.0, 0.0, 0.0, 0.0
    for i in range(0, v.embedding.shape[0], 4):
        a += np.float64(v.embedding[i]) * np.float64(j.embedding[i])
        b += np.float64(v.embedding[i + 1]) * np.float64(j.embedding[i + 1])
        c += np.float64(v.embedding[i + 2]) * np.float64(j.embedding[i + 2])
        d += np.float64(v.embedding[i + 3]) * np.float64(j.embedding[i + 3])
    dot = (a + c) + (b + d)
    return (np.float64(v.taste[j.category]) + 0.5 * np.float64(j.quality) + dot) / 1.2


@inlined
def _from_attached(s, w, p, key, until_s):
    """Fill slots with rooms of streamers that the viewer knows; return how many."""
    count = 0
    # Any order would do; a random first one keeps no streamer from ever being shown.
    i = below(mix(key, CANDIDATES), s.num_attached)
    for _ in range(s.num_attached):
        if count >= p.attached_quota:
            break
        room = room_of_attached(s, w, i, until_s)
        if room >= 0:
            now = highlight(w, p, room, s.time_s)
            _put(s, count, room, s.attached_streamer[i], s.attached_from_s[i], now)
            count += 1
        i += 1
        if i == s.num_attached:
            i = 0
    return count


@inlined
def _from_index(s, w, p, key, until_s, count):
    """Fill slots with rooms of preferred categories, then with popular ones; return how many."""
    num_candidates = s.room.shape[0]
    time_bin = index_bin(w, p, s.time_s)
    if time_bin < 0:
        return count
    bin_s = p.index_start_s + time_bin * INDEX_STEP_S
    offset = w.index_offset[time_bin]
    first, last = offset[0], offset[offset.shape[0] - 1]
    counter = CANDIDATES + 1
    for _ in range(_ROUNDS if first < last else 0):
        # Step by step for all draws of a round, so that they wait for memory together.
        draws = num_candidates - count
        of_category = max(0, p.category_quota - count)
        for i in range(draws):
            bits = mix(key, counter + i)
            if i < of_category:
                category = _draw_category(s.category_share, bits)
            else:
                category = _draw_category(w.index_share[time_bin], bits)
            low = offset[category]
            place = (bits & _MASK_32) * np.uint64(offset[category + 1] - low)
            s.drawn[i] = low + np.int64(place >> _S32)
            s.drawn_remainder[i] = place & _MASK_32
        for i in range(draws):
            entry = w.index[s.drawn[i]]
            if s.drawn_remainder[i] >= entry.keep:
                s.drawn[i] = entry.alias
        counter += draws
        for i in range(draws):
            count = _add_entry(s, w, p, s.drawn[i], bin_s, until_s, count)
        if count == num_candidates:
            return count
    # Few rooms are live: take what there is, from a random first one.
    begin = below(mix(key, CANDIDATES), last - first)
    for i in range(last - first):
        if count < num_candidates:
            entry = first + (begin + i) % (last - first)
            count = _add_entry(s, w, p, entry, bin_s, until_s, count)
    return count


@inlined
def _add_entry(s, w, p, i, bin_s, until_s, count):
    """Fill the next slot with an entry of the index, if it is live and new; return how many."""
    entry = w.index[i]
    is_live = entry.start_s <= s.time_s and entry.left_s > until_s - bin_s
    if is_live and _is_new(s, entry.room):
        now = highlight_of_entry(p, entry, bin_s, s.time_s)
        _put(s, count, entry.room, entry.streamer, entry.start_s, now)
        count += 1
    return count


@inlined
def retrieve(s, w, p, key):
    """Choose the candidates of the impression at ``s.time_s``; ``key`` is the impression's."""
    num_candidates = s.room.shape[0]
    until_s = s.time_s + p.browse_s + _MARGIN_S
    for i in range(num_candidates):
        _put(s, i, -1, -1, 0.0, 0.0)
    count = _from_attached(s, w, p, key, until_s) if s.num_attached > 0 else 0
    _from_index(s, w, p, key, until_s, count)
    # Shuffle all slots, empty ones too: a slot's number carries no information.
    bits = mix(key, 0)
    for i in range(num_candidates - 1, 0, -1):
        j = below(mix(bits, i), i + 1)
        s.room[i], s.room[j] = s.room[j], s.room[i]
        s.streamer[i], s.streamer[j] = s.streamer[j], s.streamer[i]
        s.room_start_s[i], s.room_start_s[j] = s.room_start_s[j], s.room_start_s[i]
        s.highlight[i], s.highlight[j] = s.highlight[j], s.highlight[i]
    for i in range(num_candidates):
        s.known[i] = -1
        s.affinity[i] = 0.0
        if s.streamer[i] >= 0:
            s.affinity[i] = _affinity(w.viewers[s.viewer], w.streamers[s.streamer[i]])
    for known in range(s.num_attached):
        for i in range(num_candidates):
            same = s.streamer[i] == s.attached_streamer[known]
            s.known[i] = known if same else s.known[i]
