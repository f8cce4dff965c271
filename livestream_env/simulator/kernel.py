"""Reset and step over N viewers: the one implementation behind the single and the vector env.

Single-threaded on purpose (``prange`` breaks processes that fork) and ``nogil``. Slots are
independent: each has its own key, so N viewers are N times one viewer, bit for bit.
"""

from __future__ import annotations

import math

from numba import njit

from livestream_env.reward import MAX_COUNTED, reward_components
from livestream_env.simulator.candidates import prepare_categories, retrieve
from livestream_env.simulator.response import (
    Response,
    appeal,
    click_probability,
    comment_mean,
    follow_probability,
    gift_probability,
    like_mean,
    respond,
    watch_log_mean,
)
from livestream_env.simulator.rng import mix, normal, normal_quantile, uniform
from livestream_env.simulator.state import DAY_START_S, WorldArrays
from livestream_env.simulator.viewer import (
    after_activity,
    begin_visit,
    gap_s,
    grow_attachment,
    leaves,
    pass_time,
    remember,
    satiate,
    stay_away,
    update_mood,
)
from livestream_env.world import DAY_S

_ATTEMPTS = 64  # viewers drawn until one visits within the horizon; also the first key of step 0


@njit(nogil=True)
def _draw_viewer_day(s, w, p, viewer, day):
    """Draw a viewer, a day, and her first visit, given that she visits within the horizon.

    So viewers appear as often as they do in logs: by their share of active viewer-days. A
    ``viewer`` or ``day`` that is not -1 is given, and only the rest is drawn.
    """
    time_s = 0.0
    for attempt in range(_ATTEMPTS):
        key = mix(s.episode_key, attempt)
        s.viewer = viewer if viewer >= 0 else int(uniform(key, 0) * w.viewers.shape[0])
        first_day = day if day >= 0 else int(uniform(key, 1) * p.first_days)
        s.start_s = first_day * DAY_S + DAY_START_S
        s.satisfaction = p.satisfaction_initial_std * normal(key, 2) if p.use_satisfaction else 0.0
        # The gap that the day's beginning cuts has a uniform share of it left.
        time_s = after_activity(p, s.start_s, uniform(key, 3) * gap_s(s, w, p, key))
        if time_s < s.start_s + p.first_visit_span_s:
            break
    else:
        time_s = after_activity(p, s.start_s, uniform(key, 4) * DAY_S)
    s.end_s = s.start_s + p.horizon_s
    begin_visit(s, time_s)


@njit(nogil=True)
def _begin_episode(s, w, p, viewer, day):
    s.episode += 1
    s.episode_key = mix(s.key, s.episode)
    s.ended = False
    _draw_viewer_day(s, w, p, viewer, day)
    s.visit = 0
    s.impression = 0
    s.watch_s = 0.0
    s.clicks = 0
    viewer = w.viewers[s.viewer]
    for k in range(s.satiation.shape[0]):
        s.satiation[k] = 0.0
        s.category_watch_s[k] = 0.0
    s.num_attached = 0
    for i in range(s.attachment.shape[0]):
        s.attachment[i] = 0.0
        s.attached_streamer[i] = -1
        s.attached_room[i] = -1
        s.attached_from_s[i] = 0.0
        s.attached_until_s[i] = 0.0
        s.attached_watch_s[i] = 0.0
        s.attached_followed[i] = 0
    for i in range(viewer.attached_streamer.shape[0]):
        if viewer.attached_streamer[i] >= 0:
            known = remember(s, w, viewer.attached_streamer[i])
            s.attached_watch_s[known] = viewer.attached_watch_s[i]
            s.attached_followed[known] = viewer.attached_followed[i]
            if p.use_attachment:
                s.attachment[known] = viewer.attached_strength[i]
    for i in range(s.history.shape[0]):
        s.history_category[i] = -1
        for j in range(s.history.shape[1]):
            s.history[i, j] = 0.0
    prepare_categories(s, w, p)
    retrieve(s, w, p, _impression_key(s))


@njit(nogil=True)
def _impression_key(s):
    return mix(s.episode_key, s.impression + _ATTEMPTS)


@njit(nogil=True)
def _log_impression(s, response, sensationalism, category):
    """Put an impression at the head of the history."""
    for i in range(s.history.shape[0] - 1, 0, -1):
        s.history_category[i] = s.history_category[i - 1]
        for j in range(s.history.shape[1]):
            s.history[i, j] = s.history[i - 1, j]
    s.history_category[0] = category
    head = s.history[0]
    head[0] = 1.0 if response.click else 0.0
    head[1] = response.watch_s
    head[2] = response.likes
    head[3] = response.comments
    head[4] = response.gift_value
    head[5] = 1.0 if response.follow else 0.0
    head[6] = sensationalism
    s.watch_s += response.watch_s
    s.clicks += 1 if response.click else 0


@njit(nogil=True)
def _write_outcome(s, w, p, response, shown, started_s, visit_ended, terminated, out):
    components = reward_components(
        response.watch_s,
        response.likes,
        response.comments,
        response.gift_value,
        response.follow,
        p.watch_in_minutes,
    )
    out.reward_watch, out.reward_like, out.reward_comment = components[:3]
    out.reward_gift, out.reward_follow = components[3:]
    reward = 0.0
    for i in range(5):
        reward += p.reward_weights[i] * components[i]
    out.reward = reward
    out.terminated = terminated
    out.click = response.click
    out.watch_s = response.watch_s
    out.likes = response.likes
    out.comments = response.comments
    out.gift_value = response.gift_value
    out.follow = response.follow
    out.elapsed_s = s.time_s - started_s
    out.clock_s = s.time_s
    out.visit = s.visit
    out.visit_ended = visit_ended
    out.viewer = s.viewer
    out.room = shown
    out.streamer = w.rooms[shown].streamer if shown >= 0 else -1
    for i in range(s.room.shape[0]):
        room = s.room[i]
        out.action_mask[i] = 1 if room >= 0 else 0
        out.candidate_rooms[i] = room
        out.candidate_streamers[i] = w.rooms[room].streamer if room >= 0 else -1


@njit(nogil=True)
def _reset(s, w, p, viewer, day, out):
    _begin_episode(s, w, p, viewer, day)
    out.invalid_action = False
    nothing = Response(False, 0.0, 0, 0, 0.0, False)
    _write_outcome(s, w, p, nothing, -1, s.time_s, False, False, out)


@njit(nogil=True)
def _step(s, w, p, action, out):
    started_s = s.time_s
    key = _impression_key(s)
    shown = s.room[action]
    response = Response(False, 0.0, 0, 0, 0.0, False)
    out.invalid_action = shown < 0
    if shown >= 0:
        streamer_id = w.rooms[shown].streamer
        streamer = w.streamers[streamer_id]
        sensationalism = float(streamer.sensationalism)
        response = respond(appeal(s, w, p, action), s, w, p, key)
        s.time_s += p.browse_s + response.watch_s
        pass_time(s, p, p.browse_s + response.watch_s)
        if response.click:
            grow_attachment(s, w, p, action, streamer_id, response)
            satiate(s, w, p, streamer.category, response.watch_s)
        update_mood(s, p, response, sensationalism)
        _log_impression(s, response, sensationalism, streamer.category)
    else:  # an empty screen: time passes, and it tires like any room that is passed over
        s.time_s += p.browse_s
        pass_time(s, p, p.browse_s)
        update_mood(s, p, response, 0.0)
    s.impression += 1
    s.visit_impression += 1

    visit_ended = leaves(s, p, key)
    left_s = s.time_s
    if visit_ended and not p.one_visit:
        stay_away(s, w, p, key)
    terminated = visit_ended if p.one_visit else s.time_s >= s.end_s
    if terminated:
        s.ended = True
        # The clock of the last observation stops with the horizon, not at the next visit.
        s.time_s = min(s.time_s, max(s.end_s, left_s))
        s.visit_start_s = min(s.visit_start_s, s.time_s)
    retrieve(s, w, p, _impression_key(s))
    _write_outcome(s, w, p, response, shown, started_s, visit_ended, terminated, out)


@njit(cache=True, nogil=True)
def reset(
    slots,
    mask,
    viewers_to_play,
    days_to_play,
    viewers,
    streamers,
    rooms,
    content,
    index_offset,
    index_room,
    index_weight,
    parameters,
    outcomes,
):
    """Begin an episode in every slot whose ``mask`` is true; write their ``outcomes``.

    Shapes: all of slots, mask, outcomes (N,); ``viewers_to_play`` and ``days_to_play`` (N,) int64,
    -1 where they are to be drawn; the rest as in :class:`World` and :func:`parameter_record`.
    """
    w = WorldArrays(viewers, streamers, rooms, content, index_offset, index_room, index_weight)
    for i in range(slots.shape[0]):
        if mask[i]:
            viewer, day = viewers_to_play[i], days_to_play[i]
            _reset(slots[i], w, parameters[0], viewer, day, outcomes[i])


@njit(cache=True, nogil=True)
def step(
    slots,
    actions,
    viewers,
    streamers,
    rooms,
    content,
    index_offset,
    index_room,
    index_weight,
    parameters,
    outcomes,
):
    """Play ``actions`` (N,) int64; a slot that has ended begins its next episode instead."""
    w = WorldArrays(viewers, streamers, rooms, content, index_offset, index_room, index_weight)
    for i in range(slots.shape[0]):
        if slots[i].ended:
            _reset(slots[i], w, parameters[0], -1, -1, outcomes[i])
        else:
            _step(slots[i], w, parameters[0], actions[i], outcomes[i])


@njit(nogil=True)
def _mean_counted(mean):
    """E[min(n, MAX_COUNTED)] for a Poisson n: the sum of P(n > k) for k < MAX_COUNTED."""
    probability = math.exp(-mean)
    cumulative = probability
    total = 0.0
    for k in range(MAX_COUNTED):
        total += 1.0 - cumulative
        probability *= mean / (k + 1)
        cumulative += probability
    return total


@njit(nogil=True)
def _mean_log_price(p):
    """E[log1p(price of a gift)], by the midpoint rule on 64 quantiles."""
    total = 0.0
    for i in range(64):
        noise = p.gift_price_log_std * normal_quantile((i + 0.5) / 64)
        price = math.ceil(math.exp(min(p.gift_price_log_mean + noise, 50.0)))
        total += math.log1p(min(price, p.gift_price_max))
    return total / 64


@njit(cache=True, nogil=True)
def expected_response(
    slots,
    viewers,
    streamers,
    rooms,
    content,
    index_offset,
    index_room,
    index_weight,
    parameters,
    quantiles,
    out,
):
    """What each candidate would bring: for oracles, which may read the hidden state.

    ``quantiles`` (M,) are standard normal quantiles at which the watch time is evaluated. ``out``
    (N, candidates, 7) float64 receives the click probability; then, given a click, the expected
    reward components (watch, like, comment, gift, follow); then the sensationalism. Zeros for
    empty slots.
    """
    w = WorldArrays(viewers, streamers, rooms, content, index_offset, index_room, index_weight)
    p = parameters[0]
    price = _mean_log_price(p)
    for i in range(slots.shape[0]):
        s = slots[i]
        propensity = float(w.viewers[s.viewer].gift_propensity)
        for slot in range(s.room.shape[0]):
            row = out[i, slot]
            row[:] = 0.0
            if s.room[slot] < 0:
                continue
            a = appeal(s, w, p, slot)
            row[0] = click_probability(a, s, p)
            log_mean = watch_log_mean(a, s, p)
            for q in quantiles:
                watch_s = min(math.exp(min(log_mean + p.watch_noise_std * q, 20.0)), a.limit_s)
                row[1] += reward_components(watch_s, 0, 0, 0.0, False, p.watch_in_minutes)[0]
                row[2] += _mean_counted(like_mean(a, p, watch_s))
                row[3] += _mean_counted(comment_mean(a, p, watch_s))
                row[4] += gift_probability(a, p, propensity, watch_s) * price
                row[5] += follow_probability(a, p, watch_s)
            row[1:6] /= quantiles.shape[0]
            row[6] = a.sensationalism
