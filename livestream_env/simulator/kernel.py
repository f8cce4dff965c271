"""Reset, step and observe N viewers: the one implementation behind the single and the vector env.

Single-threaded on purpose (``prange`` breaks processes that fork) and ``nogil``. Slots are
independent: each has its own key, so N viewers are N times one viewer, bit for bit.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import literal_unroll

from livestream_env.reward import NO_REWARD, REWARD_FIELDS, reward_components
from livestream_env.simulator import rng
from livestream_env.simulator.availability import find_room
from livestream_env.simulator.candidates import (
    begin_retrieval,
    continue_retrieval,
    end_retrieval,
    prepare_categories,
)
from livestream_env.simulator.compiling import entry_point, inlined, prefetch
from livestream_env.simulator.encoding import (
    begin_traces,
    encode,
    log_impression,
    observed_affinity,
    trace_impression,
)
from livestream_env.simulator.person import (
    after_activity,
    begin_mood,
    begin_rested,
    begin_visit,
    gap_s,
    leaves,
    live_through,
    remember,
    stay_away,
)
from livestream_env.simulator.response import NO_RESPONSE, Response, appeal, respond
from livestream_env.simulator.state import DAY_START_S
from livestream_env.world import DAY_S

# What ``advance`` does with a slot, besides the actions 0 .. N - 1.
RESET = -1  # begin its next episode
PASS = -2  # leave it alone
LOOK = -3  # observe it, and nothing else

_BLOCK = 4  # viewers between whom the kernel goes back and forth while memory answers
_ATTEMPTS = 64  # viewers drawn until one visits within the horizon; also the first key of step 0


@inlined
def _draw_viewer_day(s, w, p):
    """Draw a viewer, a day, and her first visit, given that she visits within the horizon.

    So viewers appear as often as they do in logs: by their share of active viewer-days. Where the
    slot was told a viewer or a day, only the rest is drawn.
    """
    viewer, day = s.next_viewer, s.next_day
    s.next_viewer, s.next_day = -1, -1
    left_s = 0.0
    for attempt in range(_ATTEMPTS):
        key = rng.mix(s.episode_key, attempt)
        s.viewer = viewer if viewer >= 0 else int(rng.uniform(key, rng.VIEWER) * w.viewers.shape[0])
        _recall(s, w, p)
        first_day = day if day >= 0 else int(rng.uniform(key, rng.DAY) * p.first_days)
        s.start_s = first_day * DAY_S + DAY_START_S
        begin_mood(s, p, key)
        # The gap that the day's beginning cuts has a uniform share of it left.
        left_s = rng.uniform(key, rng.FIRST_VISIT) * gap_s(s, w, p, key)
        if left_s < p.first_visit_span_s:  # a day of activity is a day
            break
    else:
        left_s = rng.uniform(key, rng.ANY_VISIT) * DAY_S
    s.end_s = s.start_s + p.horizon_s
    begin_visit(s, after_activity(p, s.start_s, left_s))


class Event(NamedTuple):
    """What happened in a slot: one impression, or the beginning of an episode."""

    response: Response
    room: np.int64  # shown; -1: none
    streamer: np.int64
    elapsed_s: float  # until the next impression
    visit_ended: bool
    terminated: bool
    invalid_action: bool


@inlined
def _begin_episode(s, w, p):
    """Begin the next episode of the slot; returns an :class:`Event`."""
    s.episode += 1
    s.episode_key = rng.mix(s.key, s.episode)
    _draw_viewer_day(s, w, p)
    s.visit = 0
    s.impression = 0
    s.watch_s = 0.0
    s.clicks = 0
    begin_rested(s)
    for i in range(s.history.shape[0]):
        for j in range(s.history.shape[1]):
            s.history[i, j] = 0.0
    for i in range(s.num_attached):
        find_room(s, w, i)
    s.called = -1
    for i in range(s.recent_room.shape[0]):
        s.recent_room[i] = -1
    begin_traces(s)
    prepare_categories(s, w, p)
    return Event(
        response=NO_RESPONSE,
        room=np.int64(-1),
        streamer=np.int64(-1),
        elapsed_s=0.0,
        visit_ended=False,
        terminated=False,
        invalid_action=False,
    )


@inlined
def _recall(s, w, p):
    """Fill the slot's memory with the streamers and categories that the viewer knows beforehand."""
    s.num_attached = 0
    for i in range(s.attachment.shape[0]):
        s.attachment[i] = 0.0
        s.attached_streamer[i] = -1
        s.attached_room[i] = -1
        s.attached_from_s[i] = 0.0
        s.attached_until_s[i] = 0.0
        s.attached_watch_s[i] = 0.0
        s.attached_followed[i] = 0
        s.attached_growth[i] = 0.0
        s.entered_room[i] = -1
        s.entered_s[i] = 0.0
    viewer = w.viewers[s.viewer]
    for i in range(viewer.attached_streamer.shape[0]):
        if viewer.attached_streamer[i] >= 0:
            known = remember(s, w, np.int64(viewer.attached_streamer[i]))
            s.attached_watch_s[known] = viewer.attached_watch_s[i]
            s.attached_followed[known] = viewer.attached_followed[i]
            if p.use_attachment:
                s.attachment[known] = viewer.attached_strength[i]
    for k in range(s.familiarity.shape[0]):
        s.familiarity[k] = viewer.familiarity[k]


@inlined
def _play(s, w, p, action):
    """Show the candidate in slot ``action``; returns an :class:`Event`."""
    started_s = s.time_s
    possible = _any_room(s)
    key = _impression_key(s)
    shown, streamer_id = np.int64(s.room[action]), np.int64(s.streamer[action])
    response, harm = NO_RESPONSE, 0.0
    if shown >= 0:
        a = appeal(s, w, p, action)
        harm = a.sensitivity * a.sensationalism
        response = respond(a, s, w, p, key)
        if p.retrieval_memory > 0:
            s.recent_room[s.impression % np.int64(p.retrieval_memory)] = s.room[action]
    # An empty screen takes time, too, and tires like any room that is passed over.
    live_through(s, w, p, action, response, harm)
    visit_ended = leaves(s, p, key)
    if shown >= 0:
        streamer = w.streamers[streamer_id]
        log_impression(s, response, streamer.cover, streamer.category)
        if p.observe_traces:
            affinity = observed_affinity(s, w, p, action)
            trace_impression(s, response, streamer, affinity, visit_ended)
    s.impression += 1
    s.visit_impression += 1

    left_s = s.time_s
    if visit_ended and not p.one_visit:
        stay_away(s, w, p, key)
    terminated = visit_ended if p.one_visit else s.time_s >= s.end_s
    if terminated:
        # The clock of the last observation stops with the horizon, not at the next visit.
        s.time_s = min(s.time_s, max(s.end_s, left_s))
        s.visit_start_s = min(s.visit_start_s, s.time_s)
    return Event(
        response=response,
        room=shown,
        streamer=streamer_id,
        elapsed_s=s.time_s - started_s,
        visit_ended=visit_ended,
        terminated=terminated,
        invalid_action=possible and bool(shown < 0),
    )


@inlined
def _any_room(s):
    """Whether a slot holds a room. If none does, all may be chosen: ``valid_actions``."""
    for room in s.room:
        if room >= 0:
            return True
    return False


@inlined
def _impression_key(s):
    return rng.mix(s.episode_key, s.impression + _ATTEMPTS)


@inlined
def _write_event(s, p, event, out):
    response = event.response
    components = NO_REWARD
    if response.click:
        components = reward_components(response, p.watch_in_minutes)
    _write_reward(components, p.reward_weights, out)
    out.terminated = event.terminated
    out.click = response.click
    out.watch_s = response.watch_s
    out.likes = response.likes
    out.comments = response.comments
    out.gift_value = response.gift_value
    out.follow = response.follow
    out.elapsed_s = event.elapsed_s
    out.clock_s = s.time_s
    out.visit = s.visit
    out.visit_ended = event.visit_ended
    out.invalid_action = event.invalid_action
    out.viewer = s.viewer
    out.room = event.room
    out.streamer = event.streamer


@inlined
def _write_reward(components, weights, out):
    # Fields of their own, not one array, which would take NumPy another 0.1 us to give to Python.
    reward = 0.0
    i = 0
    for name in literal_unroll(REWARD_FIELDS):
        out[name] = components[i]
        reward += weights[i] * components[i]
        i += 1
    out.reward = reward


@inlined
def _write_candidates(s, out):
    possible = _any_room(s)
    for i in range(s.room.shape[0]):
        out.action_mask[i] = 1 if s.room[i] >= 0 or not possible else 0
        out.candidate_rooms[i] = s.room[i]
        out.candidate_streamers[i] = s.streamer[i]


@entry_point
def advance(
    slots,
    actions,
    w,
    parameters,
    outcomes,
    observations,
):
    """Play ``actions`` (N,) int64, or RESET, PASS or LOOK; then observe.

    One entry point for all, because each costs seconds to compile. A slot that has ended
    begins its next episode instead of playing. Shapes: slots, actions, outcomes (N,), observations
    (N, D); ``w`` are the :class:`WorldArrays`, ``parameters`` as in :func:`parameter_record`.
    """
    p = parameters[0]
    for first in range(0, slots.shape[0], _BLOCK):
        block = range(first, min(first + _BLOCK, slots.shape[0]))
        for i in block:
            prefetch(slots, i + _BLOCK)
            if actions[i] >= 0:
                prefetch(w.rooms, slots[i].room[actions[i]])
        for i in block:
            s, action = slots[i], actions[i]
            if action >= RESET:
                out = outcomes[i]
                if action == RESET or s.ended:
                    event = _begin_episode(s, w, p)
                else:
                    event = _play(s, w, p, action)
                _write_event(s, p, event, out)
                s.ended = event.terminated
                begin_retrieval(s, w, p, _impression_key(s))
                prefetch(w.viewers, s.viewer)
        for i in block:
            if actions[i] >= RESET:
                continue_retrieval(slots[i], w)
        for i in block:
            s = slots[i]
            if actions[i] >= RESET:
                end_retrieval(s, w, p, _impression_key(s))
                _write_candidates(s, outcomes[i])
            if actions[i] != PASS:
                encode(s, w, p, observations[i])
