"""Retrieval: which rooms compete for an impression, as a production system's recall stage.

Three sources, in this order: streamers that the viewer knows and that are live, rooms of the
categories that she prefers, popular rooms. All distinct, live for longer than the browsing takes,
in random order. Fewer live rooms than slots leave slots empty.
"""

from __future__ import annotations

import math

import numpy as np

from livestream_env.simulator import rng
from livestream_env.simulator.availability import (
    cell_at,
    highlight,
    highlight_of_entry,
    index_bin,
    room_of_attached,
)
from livestream_env.simulator.compiling import dot, inlined, lanes, position, prefetch
from livestream_env.simulator.rng import below, mix, rough_normal, unit_32
from livestream_env.simulator.state import SPARE_DRAWS
from livestream_env.world import DAY_S
from livestream_env.world.room_index import INDEX_STEP_S, MAX_CELLS

_ROUNDS = 4  # of draws, each for the slots that the one before left empty
_FIRST = np.int64(0)  # no literal: Numba would compile what it is given to once more
_MARGIN_S = 1.0  # a candidate lasts at least this long beyond the browsing
QUALITY_WEIGHT, AFFINITY_SCALE = 0.5, 1.0 / 1.2  # scaled to a variance of about 1
_AUDIENCE_KEY = np.uint64(0x589965CC75374CC3)  # arbitrary: separates it from other errors
_HOUR_S = 3600.0
_FULL_AFTER_S = 1200.0  # an audience is half of what it grows by
_MEAN_GROWN = 0.77  # of age / (age + 1,200 s), over the time of a room of median length
_S32, _MASK_32 = np.uint64(32), np.uint64(0xFFFFFFFF)
_NONE, _ONE = np.uint64(0), np.uint64(1)


@inlined
def _add(s, w, room, streamer, start_s, cell):
    """Make a room the candidate of the next slot to fill; returns the slot."""
    i = s.order[s.num_found]
    s.num_found += 1
    s.room[i] = room
    s.streamer[i] = streamer
    s.room_start_s[i] = start_s
    s.cell[i] = cell
    s.seen |= _bit(room)
    prefetch(w.streamers, streamer)
    return i


@inlined
def _bit(room):
    """The bit of ``s.seen`` that a room shares with every 64th."""
    return _ONE << np.uint64(room & 63)


@inlined
def _is_candidate(s, room):
    # To look through all of them right after one was written waits for that to reach the cache.
    return (s.seen & _bit(room)) != _NONE and position(s.room, room) >= 0


@inlined
def _is_recent(s, room):
    return position(s.recent_room, room) >= 0


@inlined
def _draw_category(share, num_categories, u):
    """Draw from running sums of shares, with ``u`` uniform on [0, 1)."""
    category = 0
    for k in range(num_categories - 1):
        category += share[k] <= u
    return category


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
    """Affinity of a viewer to a streamer: taste, embedding, quality, interest.

    About standard normal, but for the interest, which the platform does not know.
    """
    total = (
        v.taste[j.category] + np.float32(QUALITY_WEIGHT) * j.quality + dot(v.embedding, j.embedding)
    )
    return total * np.float32(AFFINITY_SCALE) + v.interest[j.category]


@inlined
def _from_attached(s, w, p, key, until_s):
    """Fill slots with rooms of streamers that the viewer knows."""
    # Any order would do; a random first one keeps no streamer from ever being shown. Who called
    # for the visit comes first.
    i = below(mix(key, rng.CANDIDATES), s.num_attached)
    if s.called >= 0:
        i = np.int64(s.called)
    for _ in range(s.num_attached):
        if s.num_found >= p.attached_quota:
            break
        room = room_of_attached(s, w, i, until_s)
        if room >= 0 and not _is_recent(s, room):
            start_s = s.attached_from_s[i]
            _add(s, w, room, s.attached_streamer[i], start_s, cell_at(start_s, s.time_s))
            prefetch(w.rooms, room)
        i += 1
        if i == s.num_attached:
            i = 0
    s.num_of_attached = s.num_found


@inlined
def _content_cell(s, w, i):
    """The cell of the room in slot ``i``, as the content counts them."""
    return w.rooms[s.room[i]].content + s.cell[i]


@inlined
def _draw(s, w, p, key, number):
    """Draw entries of the index for the empty slots: the ``number``-th round of an impression."""
    num_candidates = s.room.shape[0]
    s.num_drawn = 0
    time_bin = index_bin(w, p, s.time_s)
    if time_bin < 0:
        return
    offset = w.index_offset[time_bin]
    if offset[0] == offset[offset.shape[0] - 1]:
        return
    # A few more than needed, because some will not be live any more, or not new.
    of_category = p.category_quota - s.num_found
    s.num_of_category = of_category + SPARE_DRAWS if of_category > 0 else 0
    of_all = num_candidates - max(p.category_quota, s.num_found)
    s.num_drawn = s.num_of_category + of_all + SPARE_DRAWS
    bits = lanes(np.uint64, s.drawn, 0)
    preferred, popular = lanes(np.int64, s.drawn, 0), lanes(np.int64, s.drawn, 0)
    num_categories = s.category_share.shape[0]
    for i in range(bits.shape[0]):
        bits[i] = mix(key, rng.CANDIDATES + 1 + number * s.drawn.shape[0] + i)
        u = unit_32(bits[i])
        preferred[i] = _draw_category(s.category_share, num_categories, u)
        popular[i] = _draw_category(w.index_share[time_bin], num_categories, u)
    for i in range(s.num_drawn):
        category = preferred[i] if i < s.num_of_category else popular[i]
        if offset[category] == offset[category + 1]:
            category = popular[i]
        low = offset[category]
        place = (bits[i] & _MASK_32) * np.uint64(offset[category + 1] - low)
        s.drawn[i] = low + np.int64(place >> _S32)
        s.drawn_remainder[i] = place & _MASK_32
        prefetch(w.index, s.drawn[i])


@inlined
def _settle(s, w):
    """Decide for each entry drawn between itself and its alias."""
    for i in range(s.num_drawn):
        entry = w.index[s.drawn[i]]
        # Not an if: half of the guesses would be wrong.
        s.drawn[i] += (entry.alias - s.drawn[i]) * (s.drawn_remainder[i] >= entry.keep)
        prefetch(w.index, s.drawn[i])


@inlined
def _check(s, w, p, until_s):
    """Fill slots with the entries drawn that are live and new."""
    bin_s = p.index_start_s + index_bin(w, p, s.time_s) * INDEX_STEP_S
    for i in range(s.num_drawn):
        quota = p.category_quota if i < s.num_of_category else s.room.shape[0]
        if s.num_found < quota:
            _add_entry(s, w, p, s.drawn[i], bin_s, until_s, False)


@inlined
def _take_what_there_is(s, w, p, key, until_s):
    """Fill the slots that are left, from a random entry on: few rooms are live."""
    time_bin = index_bin(w, p, s.time_s)
    if time_bin < 0:
        return
    bin_s = p.index_start_s + time_bin * INDEX_STEP_S
    offset = w.index_offset[time_bin]
    first, last = offset[0], offset[offset.shape[0] - 1]
    begin = below(mix(key, rng.CANDIDATES), last - first)
    for i in range(last - first):
        if s.num_found == s.room.shape[0]:
            break
        _add_entry(s, w, p, first + (begin + i) % (last - first), bin_s, until_s, True)


@inlined
def _add_entry(s, w, p, i, bin_s, until_s, again):
    """Fill the next slot with an entry of the index, if it is live and new.

    What was shown lately is not new, unless ``again``.
    """
    entry = w.index[i]
    is_live = entry.start_s <= s.time_s and entry.left_s > until_s - bin_s
    room = np.int64(entry.room)
    if is_live and not _is_candidate(s, room) and (again or not _is_recent(s, room)):
        cell = cell_at(entry.start_s, s.time_s)
        i = _add(s, w, room, entry.streamer, entry.start_s, cell)
        s.highlight[i] = highlight_of_entry(p, entry, bin_s, cell)


# Retrieval in three steps. Between them the kernel turns to other viewers, until what was asked of
# memory has arrived: waiting for it would take half of the time of a step.


@inlined
def begin_retrieval(s, w, p, key):
    """First step of retrieval for the impression at ``s.time_s``; ``key`` is the impression's."""
    for i in range(s.room.shape[0]):
        s.room[i] = -1
        s.streamer[i] = -1
        s.order[i] = i
    # In random order, empty slots too: a slot's number carries no information.
    bits = mix(key, rng.ORDER)
    for i in range(s.room.shape[0] - 1, 0, -1):
        j = below(mix(bits, i), i + 1)
        s.order[i], s.order[j] = s.order[j], s.order[i]
    s.num_found, s.num_of_attached, s.seen = 0, 0, _NONE
    if s.num_attached > 0:
        _from_attached(s, w, p, key, s.time_s + p.browse_s + _MARGIN_S)
    _draw(s, w, p, key, _FIRST)


@inlined
def continue_retrieval(s, w):
    """Second step of retrieval."""
    _settle(s, w)
    for k in range(s.num_of_attached):
        prefetch(w.content, _content_cell(s, w, s.order[k]) >> 3)


@inlined
def end_retrieval(s, w, p, key):
    """Third step of retrieval: the candidates are on the screen."""
    num_candidates = s.room.shape[0]
    until_s = s.time_s + p.browse_s + _MARGIN_S
    for k in range(s.num_of_attached):
        i = s.order[k]
        s.highlight[i] = highlight(w, p, _content_cell(s, w, i))
    _check(s, w, p, until_s)
    for number in range(1, _ROUNDS):
        if s.num_found < num_candidates:
            _draw(s, w, p, key, number)
            _settle(s, w)
            _check(s, w, p, until_s)
    if s.num_found < num_candidates:
        _take_what_there_is(s, w, p, key, until_s)
    for i in range(num_candidates):
        s.known[i] = -1
        s.affinity[i] = 0.0
        s.entered[i] = 0.0
        if s.streamer[i] >= 0:
            known = position(s.attached_streamer, s.streamer[i])
            s.known[i] = known
            s.affinity[i] = _affinity(w.viewers[s.viewer], w.streamers[s.streamer[i]])
            if known >= 0 and s.entered_room[known] == s.room[i]:
                ago_s = s.time_s - s.entered_s[known]
                s.entered[i] = math.exp(-ago_s / p.seen_decay_s)
    surges(s, p)


@inlined
def surges(s, p):
    """The candidates' audiences now, log, above their streamers' usual ones.

    They follow the hour, grow from a room's opening on, and move with what is on. Exogenous: no
    viewer of a simulation is seen by another.
    """
    for i in range(s.room.shape[0]):
        s.surge[i] = 0.0
    if not p.use_audience:
        return
    moment, surge = lanes(np.int64, s.room, 0), lanes(np.float32, s.room, 0)
    age = lanes(np.float32, s.room, 0)
    for i in range(surge.shape[0]):
        moment[i] = 0
        surge[i] = age[i] = np.float32(0.0)
    hour = min(int((s.time_s / DAY_S - math.floor(s.time_s / DAY_S)) * 24.0), 23)
    activity = (p.activity[hour + 1] - p.activity[hour]) / _HOUR_S
    rhythm = np.float32(p.audience_rhythm * math.log(activity))
    for i in range(s.room.shape[0]):
        moment[i] = s.room[i] * MAX_CELLS + s.cell[i]
        age[i] = s.time_s - s.room_start_s[i]
        surge[i] = s.highlight[i] - np.float32(p.highlight_share)
    of_age, of_noise = np.float32(p.audience_age), np.float32(p.audience_noise_std)
    of_highlight = np.float32(p.audience_highlight)
    for i in range(surge.shape[0]):
        grown = age[i] / (age[i] + np.float32(_FULL_AFTER_S)) - np.float32(_MEAN_GROWN)
        noise = rough_normal(mix(_AUDIENCE_KEY, moment[i]))
        surge[i] = rhythm + of_age * grown + of_highlight * surge[i] + of_noise * noise
    for i in range(s.room.shape[0]):
        if s.room[i] >= 0:
            s.surge[i] = surge[i]
