"""How an impression changes the viewer: mood, memory, leaving and returning."""

from __future__ import annotations

import math

import numpy as np

from livestream_env.simulator import rng
from livestream_env.simulator.availability import remember_room, room_of_attached
from livestream_env.simulator.compiling import inlined
from livestream_env.world import DAY_S

_HOUR_S = 3600.0
_SATIATING_S = 30.0  # satiation grows with the logarithm of a watch in this unit
_FORGETTING_S = 1800.0  # time constant of the logged watch time per category


@inlined
def after_activity(p, time_s, seconds):
    """The moment when ``seconds`` of mean activity have passed since ``time_s``.

    Gaps between visits are drawn on a clock that runs fast in the evening and slow at night, so
    that visits follow the hourly profile; a day of it is a day.
    """
    day = math.floor(time_s / DAY_S)
    hour = (time_s - day * DAY_S) / _HOUR_S
    i = min(int(hour), 23)
    passed = p.activity[i] + (hour - i) * (p.activity[i + 1] - p.activity[i]) + seconds
    more = math.floor(passed / DAY_S)
    passed -= more * DAY_S
    j = 0
    while j < 23 and p.activity[j + 1] <= passed:
        j += 1
    share = (passed - p.activity[j]) / (p.activity[j + 1] - p.activity[j])
    return (day + more) * DAY_S + (j + share) * _HOUR_S


@inlined
def loyalty(s, p):
    """From 0 to 1, by the squares of attachments, each weighted by its streamer's community.

    Squares: a few strong ties bring viewers back, not many loose ones.
    """
    total = 0.0
    if p.use_attachment:
        for i in range(s.attachment.shape[0]):
            total += np.float64(s.attached_growth[i] * s.attachment[i] * s.attachment[i])
    return -math.expm1(-total / p.loyalty_scale)


@inlined
def breadth(s, p):
    """Mean familiarity with a category, from 0 to 1."""
    total = 0.0
    if p.use_curiosity:
        for k in range(s.familiarity.shape[0]):
            total += np.float64(s.familiarity[k])
    return total / s.familiarity.shape[0]


@inlined
def gap_s(s, w, p, key):
    """Seconds of mean activity until the next visit: log-normal.

    Shorter when satisfied, when attached to streamers, and when familiar with many categories;
    by a factor of at most exp(return_limit), or the few happiest would fill the logs.
    """
    pull = (
        p.return_satisfaction * s.satisfaction
        + p.return_loyalty * loyalty(s, p)
        + p.return_breadth * breadth(s, p)
    )
    log_gap = (
        p.log_gap_s
        - math.log(np.float64(w.viewers[s.viewer].activity))
        - min(max(pull, -p.return_limit), p.return_limit)
        + p.return_noise_std * rng.normal(key, rng.RETURN)
    )
    return math.exp(min(max(log_gap, 0.0), 20.0))


@inlined
def pass_time(s, p, seconds):
    """Let satiation and the logged watch times per category decay."""
    satiation = np.float32(math.exp(-seconds / p.satiation_decay_s))
    logged = np.float32(math.exp(-seconds / _FORGETTING_S))
    for k in range(s.satiation.shape[0]):
        s.satiation[k] *= satiation
        s.category_watch_s[k] *= logged


@inlined
def remember(s, w, streamer):
    """Index of a new entry for the streamer; the weakest gives way when memory is full.

    Without her room, see :func:`livestream_env.simulator.availability.find_room`.
    """
    i = s.num_attached
    if i < s.attachment.shape[0]:
        s.num_attached += 1
    else:
        i = 0
        for other in range(1, s.attachment.shape[0]):
            if s.attachment[other] < s.attachment[i]:
                i = other
    s.attached_streamer[i] = streamer
    s.attachment[i] = 0.0
    s.attached_watch_s[i] = 0.0
    s.attached_followed[i] = 0
    s.attached_growth[i] = w.streamers[streamer].growth
    s.entered_room[i] = -1
    s.entered_s[i] = 0.0
    return i


@inlined
def grown(attachment, p, growth, watch_s, follow):
    """Attachment after the watch of a click: after a long one, some way closer to 1.

    The way is ``attachment_gain`` times the ``growth`` of the streamer's community.
    """
    share = -math.expm1(-watch_s / p.attachment_scale_s)
    gain = min(1.0, p.attachment_gain * growth)
    new = attachment + gain * (1.0 - attachment) * share
    return max(new, p.follow_attachment) if follow else new


@inlined
def familiarity_gained(familiarity, p):
    """What an impression adds to the familiarity with its category: less, the more there is.

    Seeing is enough, clicked or not: mere exposure (Zajonc 1968).
    """
    return p.familiarity_gain * (1.0 - familiarity)


@inlined
def grow_attachment(s, w, p, slot, streamer, response):
    """Log a click, and let attachment grow by the watch."""
    i = s.known[slot]
    if i < 0:
        i = remember(s, w, streamer)
        remember_room(s, w, i, np.int64(s.room[slot]))
    s.entered_room[i] = s.room[slot]
    s.entered_s[i] = s.time_s
    s.attached_watch_s[i] += np.float32(response.watch_s)
    if response.follow:
        s.attached_followed[i] = 1
    if p.use_attachment:
        strength, growth = np.float64(s.attachment[i]), np.float64(s.attached_growth[i])
        s.attachment[i] = grown(strength, p, growth, response.watch_s, response.follow)


@inlined
def update_mood(s, p, response, harm):
    """Satisfaction and fatigue after an impression.

    Satisfaction rises by long views, falls by clicks regretted at once, and falls by a click on a
    room whose sensationalism the viewer minds (``harm``: that times her sensitivity): what wins
    the click costs goodwill, and how much depends on who watches.
    """
    if p.use_satisfaction:
        change = 0.0
        if response.click:
            change -= p.satisfaction_harm * harm
            if response.watch_s > p.satisfaction_long_view_s:
                change += p.satisfaction_view
            elif response.watch_s < p.short_view_s:
                change -= p.satisfaction_view
        memory = p.satisfaction_memory
        satisfaction = memory * s.satisfaction + (1.0 - memory) * change
        # Bounded, or the few who mind most would never leave, or never return.
        s.satisfaction = min(max(satisfaction, -p.satisfaction_limit), p.satisfaction_limit)
    step = p.fatigue_gain if response.watch_s < p.short_view_s else -p.fatigue_relief
    s.fatigue = max(0.0, p.fatigue_memory * s.fatigue + step)


@inlined
def satiate(s, w, p, category, watch_s):
    """Add a watch to the satiation with its category."""
    s.category_watch_s[category] += np.float32(watch_s)
    if p.use_satiation:
        gain = p.satiation_gain * float(w.viewers[s.viewer].satiation_gain[category])
        s.satiation[category] += np.float32(gain * math.log1p(watch_s / _SATIATING_S))


@inlined
def begin_mood(s, p, key):
    """Satisfaction at the beginning of an episode, which decides how soon the first visit is."""
    s.satisfaction = 0.0
    if p.use_satisfaction:
        s.satisfaction = p.satisfaction_initial_std * rng.normal(key, rng.SATISFACTION)


@inlined
def begin_rested(s):
    """What else a viewer begins an episode with: sated of nothing."""
    for k in range(s.satiation.shape[0]):
        s.satiation[k] = 0.0
        s.category_watch_s[k] = 0.0


@inlined
def live_through(s, w, p, slot, response, harm):
    """All that an impression does to the viewer, in order: time, memory, mood.

    ``slot`` is that of the candidate shown, ``harm`` as in :func:`update_mood`; of an empty slot 0.
    """
    seconds = p.browse_s + response.watch_s
    s.time_s += seconds
    pass_time(s, p, seconds)
    streamer = np.int64(s.streamer[slot])
    if p.use_curiosity and streamer >= 0:
        category = w.streamers[streamer].category
        familiarity = np.float64(s.familiarity[category])
        s.familiarity[category] += np.float32(familiarity_gained(familiarity, p))
    if response.click:
        grow_attachment(s, w, p, slot, streamer, response)
        satiate(s, w, p, w.streamers[streamer].category, response.watch_s)
        s.watch_s += response.watch_s
        s.clicks += 1
    update_mood(s, p, response, harm)


@inlined
def leaves(s, p, key):
    """Whether the viewer leaves after this impression."""
    log_odds = (
        p.exit_bias
        + p.exit_fatigue * s.fatigue
        - p.exit_satisfaction * s.satisfaction
        + (s.time_s - s.visit_start_s) / p.exit_elapsed_s
    )
    return rng.uniform(key, rng.EXIT) < 1.0 / (1.0 + math.exp(-log_odds))


@inlined
def begin_visit(s, time_s):
    """Open the service at ``time_s``, rested."""
    s.time_s = time_s
    s.visit_start_s = time_s
    s.visit_impression = 0
    s.fatigue = 0.0


@inlined
def called_s(s, w, p, key, back_s):
    """When the viewer comes back: at ``back_s``, or before, when a streamer she knows goes live.

    Who goes live notifies those attached to her; the first call that is heeded counts.
    """
    calls = rng.mix(key, rng.NOTIFICATION)
    for i in range(s.num_attached):
        room_of_attached(s, w, i, s.time_s)
        opens_s = s.attached_from_s[i]
        if s.time_s < opens_s < back_s:
            heeds = p.notification * np.float64(s.attachment[i])
            if rng.uniform(calls, s.attached_streamer[i]) < heeds:
                back_s = opens_s
                s.called = i
    return back_s


@inlined
def stay_away(s, w, p, key):
    """Leave, and come back after the gap or a call; what the viewer feels fades meanwhile."""
    back_s = after_activity(p, s.time_s, gap_s(s, w, p, key))
    s.called = -1
    if p.notification > 0.0:
        back_s = called_s(s, w, p, key, back_s)
    away_s = back_s - s.time_s
    pass_time(s, p, away_s)
    s.satisfaction *= math.exp(-away_s / (p.satisfaction_decay_days * DAY_S))
    fading = np.float32(0.5 ** (away_s / (p.attachment_half_life_days * DAY_S)))
    for i in range(s.num_attached):
        s.attachment[i] *= fading
    fading = np.float32(0.5 ** (away_s / (p.familiarity_half_life_days * DAY_S)))
    for k in range(s.familiarity.shape[0]):
        s.familiarity[k] *= fading
    s.visit += 1
    begin_visit(s, back_s)
