"""The observation of a viewer slot, computed; ``livestream_env.observation`` names its columns.

Where a block has columns per category, they follow the named ones.
"""

from __future__ import annotations

import math

import numpy as np

from livestream_env.observation import (
    DECAYS,
    CandidateColumn,
    ContextColumn,
    HiddenCandidateColumn,
    HiddenColumn,
    HistoryColumn,
    LoggedCandidateColumn,
    PastColumn,
    TraceColumn,
)
from livestream_env.reward import MAX_COUNTED
from livestream_env.simulator.compiling import after, inlined, lanes, move
from livestream_env.simulator.person import breadth, loyalty
from livestream_env.simulator.rng import mix, rough_normal
from livestream_env.simulator.world_arrays import AUDIENCE_SCALE, COVER_SCALE
from livestream_env.world import DAY_S
from livestream_env.world.room_index import MAX_CELLS

# Scales: a value at the scale maps to 1, beyond it is clipped. Those in float32 are factors.
_ELAPSED_S = np.float32(1.0 / math.log1p(4 * 3600))
_COUNT = np.float32(1.0 / math.log1p(200))
_VISITS = np.float32(1.0 / math.log1p(50))
WATCH_S = np.float32(1.0 / math.log1p(3600))
_DAY_S = np.float32(1.0 / math.log1p(DAY_S))
_GIFT = np.float32(1.0 / math.log1p(56_246))
_ROOM_S = np.float32(1.0 / math.log1p(12 * 3600))
_AFFINITY = np.float32(1.0 / 4.0)
_ENGAGEMENT = np.float32(1.0 / 2.0)
_AUDIENCE = np.float32(1.0 / AUDIENCE_SCALE)
_SATISFACTION = 2.0
_SATIATION = 4.0
_QUALITY = 3.0
_SENSATIONALISM, _SENSITIVITY, _CLICK_PROPENSITY, _COMMUNITY = 3.0, 3.0, 3.0, 3.0
_LONG_VIEW_S, _REGRET_S = 30.0, 5.0
# A trace of ones would come to this without a scale; what is rare is raised, then clipped.
_NUM_DECAYS = len(DECAYS)
_TRACE_SCALE = tuple(np.float32(1.0 - decay) for decay in DECAYS.values())
_TRACE_DECAY = tuple(np.float32(decay) for decay in DECAYS.values())
_RARE, _OF_COVER = np.float32(4.0), np.float32(COVER_SCALE)

# Numbers of named columns
_CONTEXT, _HISTORY = len(ContextColumn), len(HistoryColumn)
_CANDIDATE = len(CandidateColumn)
_PAST, _TRACE, _LOGGED_CANDIDATE = len(PastColumn), len(TraceColumn), len(LoggedCandidateColumn)
_HIDDEN, _HIDDEN_CANDIDATE = len(HiddenColumn), len(HiddenCandidateColumn)
# The context's columns that are logarithms lie together.
_FIRST_LOG = int(ContextColumn.VISIT_ELAPSED)
_NUM_LOGS = int(ContextColumn.CLICK_RATE) - _FIRST_LOG

_AFFINITY_KEY = np.uint64(0xA0761D6478BD642F)  # arbitrary: separates the two kinds of error
_ENGAGEMENT_KEY = np.uint64(0xE7037ED1A0B428DB)

# Coefficients of Cephes' logf (S. L. Moshier): log(1 + t) for t in [sqrt(1/2) - 1, sqrt(2) - 1].
_LOG = tuple(
    map(
        np.float32,
        (
            *(7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1),
            *(1.4249322787e-1, -1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1),
            3.3333331174e-1,
        ),
    )
)
_ZERO = np.float32(0.0)
_ONE, _HALF, _LN_2 = np.float32(1.0), np.float32(0.5), np.float32(0.6931471805599453)
_SQRT_HALF_BITS, _MANTISSA_BITS = np.int32(0x3F3504F3), np.int32(23)
# Sine and cosine of (t + 1/2) turns for t in [-1/2, 1/2]: polynomials of t**2, the sine's times t,
# fitted at Chebyshev nodes; error 1e-8.
_SIN = (
    *(-6.283185302511506, 41.341700405317546, -81.60513138579604, 76.70301535384161),
    *(-42.02592698579066, 14.899846667590962, -3.2381375092334794),
)
_COS = (
    *(-0.9999999890590233, 19.73920449945396, -64.93911745989755, 85.45013953091069),
    *(-60.167630951108976, 25.967599248846334, -6.528658161564273),
)


@inlined
def _polynomial(c, x):
    return c[0] + x * (c[1] + x * (c[2] + x * (c[3] + x * (c[4] + x * (c[5] + x * c[6])))))


@inlined
def log1p_32(x):
    """``log1p(x)`` for a float32 x >= 0, absolute error below 1e-6, at a third of the time."""
    bits = np.float32(x + _ONE).view(np.int32)
    exponent = (bits - _SQRT_HALF_BITS) >> _MANTISSA_BITS
    t = np.int32(bits - (exponent << _MANTISSA_BITS)).view(np.float32) - _ONE
    square = t * t
    fourth = square * square
    # In pairs, of which the processor works on several at a time.
    low = _LOG[8] + _LOG[7] * t + (_LOG[6] + _LOG[5] * t) * square
    high = _LOG[4] + _LOG[3] * t + (_LOG[2] + _LOG[1] * t) * square
    series = low + (high + _LOG[0] * fourth) * fourth
    return np.float32(exponent) * _LN_2 + (t - _HALF * square + t * square * series)


@inlined
def _clip(x):
    return min(max(x, -_ONE), _ONE)


@inlined
def _log_scaled(x, scale):
    return min(log1p_32(x) * scale, _ONE)


@inlined
def log_impression(s, response, cover, category):
    """Put an impression at the head of the history, as it will be observed."""
    rows, width = s.history.shape
    move(s.history, width, s.history, (rows - 1) * width)
    head = s.history[0]
    for j in range(width):
        head[j] = 0.0
    if response.click:
        head[HistoryColumn.CLICKED] = 1.0
        head[HistoryColumn.WATCH_S] = _log_scaled(np.float32(response.watch_s), WATCH_S)
        head[HistoryColumn.LIKES] = min(response.likes / MAX_COUNTED, 1.0)
        head[HistoryColumn.COMMENTS] = min(response.comments / MAX_COUNTED, 1.0)
        head[HistoryColumn.GIFT_VALUE] = _log_scaled(np.float32(response.gift_value), _GIFT)
        head[HistoryColumn.FOLLOWED] = 1.0 if response.follow else 0.0
    head[HistoryColumn.COVER_APPEAL] = cover
    head[_HISTORY + category] = 1.0


@inlined
def begin_traces(s):
    """Nothing has happened yet."""
    for j in range(s.traces.shape[0]):
        s.traces[j] = 0.0
    for k in range(s.category_shown.shape[0]):
        s.category_shown[k] = 0.0
        s.category_clicked[k] = 0.0


@inlined
def trace_impression(s, response, streamer, affinity, visit_ended):
    """Add an impression to the traces: each fades, then takes what happened now.

    From them a regression reads how this viewer reacts to covers, affinities and categories,
    which a network would have to count out of raw rows.
    """
    now = lanes(np.float32, s.traces, 0)
    for j in range(now.shape[0]):
        now[j] = _ZERO
    cover, left = streamer.cover * _OF_COVER, _ONE if visit_ended else _ZERO
    now[TraceColumn.SHOWN] = _ONE
    now[TraceColumn.LEFT] = left * _RARE
    now[TraceColumn.COVER] = cover
    now[TraceColumn.LEFT_COVER] = left * cover * _RARE
    now[TraceColumn.AFFINITY] = affinity
    clicked = s.category_clicked
    for k in range(clicked.shape[0]):
        clicked[k] *= _TRACE_DECAY[1]
        s.category_shown[k] *= _TRACE_DECAY[1]
    s.category_shown[streamer.category] += _TRACE_SCALE[1]
    if response.click:
        watch = min(log1p_32(np.float32(response.watch_s)) * WATCH_S, _ONE)
        now[TraceColumn.CLICKS] = _ONE
        now[TraceColumn.LONG_VIEW] = _RARE if response.watch_s > _LONG_VIEW_S else _ZERO
        now[TraceColumn.REGRETTED] = _ONE if response.watch_s < _REGRET_S else _ZERO
        now[TraceColumn.WATCH_S] = watch
        interactions = response.likes + response.comments + (1 if response.gift_value > 0.0 else 0)
        now[TraceColumn.INTERACTED] = _RARE if interactions > 0 else _ZERO
        now[TraceColumn.CLICKED_COVER] = cover
        now[TraceColumn.WATCH_COVER] = watch * cover
        now[TraceColumn.CLICKED_AFFINITY] = affinity
        clicked[streamer.category] += _TRACE_SCALE[1]
    for i in range(_NUM_DECAYS):
        for j in range(_TRACE):
            faded = _TRACE_DECAY[i] * s.traces[i * _TRACE + j] + _TRACE_SCALE[i] * now[j]
            s.traces[i * _TRACE + j] = _clip(faded)


@inlined
def _encode_traces(s, w, out):
    """The blocks past, traces and logged_candidates."""
    out[PastColumn.REGRET] = w.viewers[s.viewer].past_regret
    move(out, _PAST, s.traces, s.traces.shape[0])
    at, num_categories = _PAST + s.traces.shape[0], s.category_shown.shape[0]
    for k in range(num_categories):
        out[at + k] = min(s.category_shown[k] * _RARE, _ONE)
        out[at + num_categories + k] = min(s.category_clicked[k] * _RARE, _ONE)
    rows = after(out, at + 2 * num_categories)
    for i in range(s.room.shape[0]):
        row = after(rows, i * _LOGGED_CANDIDATE)
        streamer = s.streamer[i]
        fan_club = w.streamers[streamer].fan_club if streamer >= 0 else _ZERO
        row[LoggedCandidateColumn.FAN_CLUB] = fan_club
        row[LoggedCandidateColumn.ENTERED] = s.entered[i]


@inlined
def observed_affinity(s, w, p, slot):
    """The platform's estimate of the affinity to the candidate in ``slot``, as it is observed."""
    streamer = np.int64(s.streamer[slot])
    known = s.affinity[slot] - w.viewers[s.viewer].interest[w.streamers[streamer].category]
    error = np.float32(p.affinity_estimate_std) * _pair_error(s, w, streamer)
    return _clip((known + error) * _AFFINITY)


@inlined
def _pair_error(s, w, streamer):
    # Errors belong to the pair, and to the room's moment: asking twice gives no new answer.
    return rough_normal(mix(_AFFINITY_KEY, s.viewer * w.streamers.shape[0] + streamer))


@inlined
def _encode_context(s, p, out):
    turn = s.time_s / DAY_S - math.floor(s.time_s / DAY_S) - 0.5
    out[ContextColumn.HOUR_SIN] = turn * _polynomial(_SIN, turn * turn)
    out[ContextColumn.HOUR_COS] = _polynomial(_COS, turn * turn)
    left = 1.0 if p.one_visit else max(0.0, (s.end_s - s.time_s) / p.horizon_s)
    out[ContextColumn.TIME_LEFT] = left
    clicks = s.clicks + 1.0  # a prior of one click in four
    out[ContextColumn.CLICK_RATE] = clicks / (s.impression + 4.0)
    # All logarithms at once: those of the categories, then
    num_categories = s.category_watch_s.shape[0]
    logs = lanes(np.float32, s.category_watch_s, _NUM_LOGS)
    at = num_categories - _FIRST_LOG  # the columns from _FIRST_LOG on
    for k in range(num_categories):
        logs[k] = s.category_watch_s[k]
    logs[at + ContextColumn.VISIT_ELAPSED] = s.time_s - s.visit_start_s
    logs[at + ContextColumn.VISIT_IMPRESSIONS] = s.visit_impression
    logs[at + ContextColumn.VISITS] = s.visit
    logs[at + ContextColumn.IMPRESSIONS] = s.impression
    logs[at + ContextColumn.WATCHED] = s.watch_s
    for i in range(num_categories + _NUM_LOGS, logs.shape[0]):
        logs[i] = _ZERO
    for i in range(logs.shape[0]):
        logs[i] = log1p_32(logs[i])
    elapsed = min(logs[at + ContextColumn.VISIT_ELAPSED] * _ELAPSED_S, _ONE)
    out[ContextColumn.VISIT_ELAPSED] = elapsed
    shown = min(logs[at + ContextColumn.VISIT_IMPRESSIONS] * _COUNT, _ONE)
    out[ContextColumn.VISIT_IMPRESSIONS] = shown
    out[ContextColumn.VISITS] = min(logs[at + ContextColumn.VISITS] * _VISITS, _ONE)
    out[ContextColumn.IMPRESSIONS] = min(logs[at + ContextColumn.IMPRESSIONS] * _COUNT, _ONE)
    out[ContextColumn.WATCHED] = min(logs[at + ContextColumn.WATCHED] * _DAY_S, _ONE)
    for k in range(num_categories):
        out[_CONTEXT + k] = min(logs[k] * WATCH_S, _ONE)


@inlined
def _encode_candidates(s, w, p, category_watch, out):
    # What must be computed, for all candidates at once: gathered, computed, written to the rows.
    pair, moment = lanes(np.int64, s.room, 0), lanes(np.int64, s.room, 0)
    affinity, engagement = lanes(np.float32, s.room, 0), lanes(np.float32, s.room, 0)
    age, past = lanes(np.float32, s.room, 0), lanes(np.float32, s.room, 0)
    interest = w.viewers[s.viewer].interest
    for i in range(age.shape[0]):
        pair[i] = moment[i] = 0
        affinity[i] = engagement[i] = age[i] = past[i] = _ZERO
    share = np.float32(p.highlight_share)
    for i in range(s.room.shape[0]):
        room = s.room[i]
        if room >= 0:
            pair[i] = s.viewer * w.streamers.shape[0] + s.streamer[i]
            moment[i] = room * MAX_CELLS + s.cell[i]
            affinity[i] = s.affinity[i] - interest[w.streamers[s.streamer[i]].category]
            engagement[i] = s.highlight[i] - share
            age[i] = s.time_s - s.room_start_s[i]
            known = s.known[i]
            if known >= 0:
                past[i] = s.attached_watch_s[known]
    affinity_std = np.float32(p.affinity_estimate_std)
    engagement_std = np.float32(p.engagement_noise_std)
    for i in range(age.shape[0]):
        error = affinity_std * rough_normal(mix(_AFFINITY_KEY, pair[i]))
        affinity[i] = _clip((affinity[i] + error) * _AFFINITY)
        error = engagement_std * rough_normal(mix(_ENGAGEMENT_KEY, moment[i]))
        engagement[i] = _clip((engagement[i] + error) * _ENGAGEMENT)
        age[i] = _log_scaled(age[i], _ROOM_S)
        past[i] = _log_scaled(past[i], _DAY_S)
    width = _CANDIDATE + s.category_watch_s.shape[0]
    for i in range(s.room.shape[0] * width):
        out[i] = 0.0
    for i in range(s.room.shape[0]):
        if s.room[i] >= 0:
            row = after(out, i * width)
            row[CandidateColumn.AFFINITY] = affinity[i]
            row[CandidateColumn.PAST_WATCH] = past[i]
            row[CandidateColumn.ROOM_AGE] = age[i]
            row[CandidateColumn.ENGAGEMENT] = engagement[i]
            _copy_known_features(s, w, i, category_watch, row)


@inlined
def _copy_known_features(s, w, i, category_watch, row):
    """What is stored about candidate ``i`` as it is observed."""
    j = w.streamers[s.streamer[i]]
    row[CandidateColumn.VALID] = 1.0
    known = s.known[i]
    if known >= 0:
        row[CandidateColumn.FOLLOWED] = s.attached_followed[known]
    row[CandidateColumn.COVER_APPEAL] = j.cover
    row[CandidateColumn.VIEWERS] = _clip(j.popularity + s.surge[i] * _AUDIENCE)
    row[CandidateColumn.CATEGORY_WATCH] = category_watch[j.category]
    row[_CANDIDATE + j.category] = 1.0


@inlined
def _encode_hidden(s, w, p, out):
    for i in range(out.shape[0]):
        out[i] = 0.0
    out[HiddenColumn.SATISFACTION] = _clip(np.float32(s.satisfaction / _SATISFACTION))
    out[HiddenColumn.FATIGUE] = _clip(np.float32(s.fatigue))
    out[HiddenColumn.LOYALTY] = np.float32(loyalty(s, p))
    out[HiddenColumn.BREADTH] = np.float32(breadth(s, p))
    viewer = w.viewers[s.viewer]
    out[HiddenColumn.SENSITIVITY] = _clip(np.float32(viewer.sensitivity / _SENSITIVITY))
    propensity = np.float32(viewer.click_propensity / _CLICK_PROPENSITY)
    out[HiddenColumn.CLICK_PROPENSITY] = _clip(propensity)
    num_categories = s.satiation.shape[0]
    for k in range(num_categories):
        out[_HIDDEN + k] = _clip(np.float32(s.satiation[k] / _SATIATION))
    rows = after(out, _HIDDEN + num_categories)
    for i in range(s.room.shape[0]):
        room, known = s.room[i], s.known[i]
        if room < 0:
            continue
        row = after(rows, i * _HIDDEN_CANDIDATE)
        streamer = w.streamers[s.streamer[i]]
        quality = np.float32(streamer.quality / _QUALITY)
        sensationalism = np.float32(streamer.sensationalism / _SENSATIONALISM)
        community = np.float32(math.log(np.float64(streamer.growth)) / _COMMUNITY)
        left_s = np.float32(w.rooms[room].end_s - s.time_s)
        row[HiddenCandidateColumn.TRUE_AFFINITY] = _clip(s.affinity[i] * _AFFINITY)
        row[HiddenCandidateColumn.ATTACHMENT] = s.attachment[known] if known >= 0 else 0.0
        row[HiddenCandidateColumn.HIGHLIGHT] = s.highlight[i]
        row[HiddenCandidateColumn.QUALITY] = _clip(quality)
        row[HiddenCandidateColumn.SENSATIONALISM] = _clip(sensationalism)
        row[HiddenCandidateColumn.COMMUNITY] = _clip(community)
        row[HiddenCandidateColumn.FAMILIARITY] = s.familiarity[streamer.category]
        row[HiddenCandidateColumn.TIME_LEFT] = _log_scaled(left_s, _ROOM_S)


@inlined
def encode(s, w, p, out):
    """Write the observation of a slot into ``out`` (D,) float32."""
    num_categories = s.category_watch_s.shape[0]
    viewer = w.viewers[s.viewer].features
    at = viewer.shape[0]
    move(out, 0, viewer, at)
    _encode_context(s, p, after(out, at))
    at += _CONTEXT + num_categories
    category_watch = after(out, at - num_categories)  # the context's last columns
    move(out, at, s.history, s.history.size)
    at += s.history.size
    _encode_candidates(s, w, p, category_watch, after(out, at))
    at += s.room.shape[0] * (_CANDIDATE + num_categories)
    if p.observe_traces:
        _encode_traces(s, w, after(out, at))
        at += _PAST + s.traces.shape[0] + 2 * num_categories + s.room.shape[0] * _LOGGED_CANDIDATE
    if p.observe_full:
        _encode_hidden(s, w, p, after(out, at))
