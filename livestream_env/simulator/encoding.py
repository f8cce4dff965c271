"""The observation of a viewer slot, computed; ``livestream_env.observation`` names its columns."""

from __future__ import annotations

import math

import numpy as np

from livestream_env.simulator.availability import cell_at
from livestream_env.simulator.compiling import inlined
from livestream_env.simulator.rng import mix, rough_normal
from livestream_env.simulator.tables import COVER
from livestream_env.world import DAY_S

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
_CELLS = 2**21  # more than a room has half minutes
_SATISFACTION = 2.0
_SATIATION = 4.0
_MOST_COUNTED = 3.0

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
_ONE, _HALF, _LN_2 = np.float32(1.0), np.float32(0.5), np.float32(0.6931471805599453)
_SQRT_HALF_BITS, _MANTISSA_BITS = np.int32(0x3F3504F3), np.int32(23)


@inlined
def log1p_32(x):
    """``log1p(x)`` for x >= 0 with an absolute error below 1e-6, at a third of the time."""
    bits = np.float32(np.float32(x) + _ONE).view(np.int32)
    exponent = (bits - _SQRT_HALF_BITS) >> _MANTISSA_BITS
    t = np.int32(bits - (exponent << _MANTISSA_BITS)).view(np.float32) - _ONE
    series = _LOG[0]
    for i in range(1, 9):
        series = series * t + _LOG[i]
    square = t * t
    return np.float32(exponent) * _LN_2 + (t - _HALF * square + t * square * series)


@inlined
def _clip(x):
    return min(max(np.float32(x), -_ONE), _ONE)


@inlined
def _log_scaled(x, scale):
    return min(log1p_32(x) * scale, _ONE)


@inlined
def log_impression(s, response, cover, category):
    """Put an impression at the head of the history, as it will be observed."""
    rows, width = s.history.shape
    for i in range(rows - 1, 0, -1):
        for j in range(width):
            s.history[i, j] = s.history[i - 1, j]
    head = s.history[0]
    for j in range(width):
        head[j] = 0.0
    if response.click:
        head[0] = 1.0
        head[1] = _log_scaled(response.watch_s, WATCH_S)
        head[2] = min(response.likes / _MOST_COUNTED, 1.0)
        head[3] = min(response.comments / _MOST_COUNTED, 1.0)
        head[4] = _log_scaled(response.gift_value, _GIFT)
        head[5] = 1.0 if response.follow else 0.0
    head[6] = cover
    head[7 + category] = 1.0


@inlined
def _encode_context(s, p, out):
    angle = 2.0 * math.pi * (s.time_s / DAY_S - math.floor(s.time_s / DAY_S))
    out[0] = math.sin(angle)
    out[1] = math.cos(angle)
    out[2] = 1.0 if p.one_visit else max(0.0, (s.end_s - s.time_s) / p.horizon_s)
    out[3] = _log_scaled(s.time_s - s.visit_start_s, _ELAPSED_S)
    out[4] = _log_scaled(s.visit_impression, _COUNT)
    out[5] = _log_scaled(s.visit, _VISITS)
    out[6] = _log_scaled(s.impression, _COUNT)
    out[7] = _log_scaled(s.watch_s, _DAY_S)
    out[8] = (s.clicks + 1.0) / (s.impression + 4.0)  # a prior of one click in four
    for k in range(s.category_watch_s.shape[0]):
        out[9 + k] = _log_scaled(s.category_watch_s[k], WATCH_S)


@inlined
def _encode_candidates(s, w, p, category_watch, out):
    width = 9 + s.category_watch_s.shape[0]
    affinity_std = np.float32(p.affinity_estimate_std)
    engagement_std = np.float32(p.engagement_noise_std)
    share = np.float32(p.highlight_share)
    for i in range(s.room.shape[0] * width):
        out[i] = 0.0
    for i in range(s.room.shape[0]):
        if s.room[i] < 0:
            continue
        row = out[i * width : (i + 1) * width]
        j = w.streamers[s.streamer[i]]
        # Errors belong to the pair, and to the room's moment: asking twice gives no new answer.
        pair = mix(_AFFINITY_KEY, s.viewer * w.streamers.shape[0] + s.streamer[i])
        cell = cell_at(s.room_start_s[i], s.time_s)
        moment = mix(_ENGAGEMENT_KEY, s.room[i] * _CELLS + cell)
        affinity = s.affinity[i] + affinity_std * rough_normal(pair)
        engagement = s.highlight[i] - share + engagement_std * rough_normal(moment)
        known = s.known[i]
        row[0] = 1.0
        row[1] = _clip(affinity * _AFFINITY)
        if known >= 0:
            row[2] = _log_scaled(s.attached_watch_s[known], _DAY_S)
            row[3] = s.attached_followed[known]
        row[4] = j.cover
        row[5] = j.popularity
        row[6] = _log_scaled(s.time_s - s.room_start_s[i], _ROOM_S)
        row[7] = _clip(engagement * _ENGAGEMENT)
        row[8] = category_watch[j.category]
        row[9 + j.category] = 1.0


@inlined
def _encode_hidden(s, w, p, out):
    for i in range(out.shape[0]):
        out[i] = 0.0
    out[0] = _clip(s.satisfaction / _SATISFACTION)
    out[1] = _clip(s.fatigue)
    num_categories = s.satiation.shape[0]
    for k in range(num_categories):
        out[2 + k] = _clip(s.satiation[k] / _SATIATION)
    rows = out[2 + num_categories :]
    for i in range(s.room.shape[0]):
        if s.room[i] < 0:
            continue
        row = rows[i * 5 : (i + 1) * 5]
        row[0] = _clip(s.affinity[i] * _AFFINITY)
        row[1] = s.attachment[s.known[i]] if s.known[i] >= 0 else 0.0
        row[2] = s.highlight[i]
        row[3] = _clip(w.streamers[s.streamer[i]].quality / COVER)
        row[4] = _log_scaled(w.rooms[s.room[i]].end_s - s.time_s, _ROOM_S)


@inlined
def encode(s, w, p, out):
    """Write the observation of a slot into ``out`` (D,) float32."""
    num_categories = s.category_watch_s.shape[0]
    viewer = w.viewers[s.viewer].features
    at = viewer.shape[0]
    for i in range(at):
        out[i] = viewer[i]
    _encode_context(s, p, out[at:])
    at += 9 + num_categories
    category_watch = out[at - num_categories : at]  # the context's last columns
    for i in range(s.history.shape[0]):
        for j in range(s.history.shape[1]):
            out[at] = s.history[i, j]
            at += 1
    end = at + s.room.shape[0] * (9 + num_categories)
    _encode_candidates(s, w, p, category_watch, out[at:end])
    if p.observe_full:
        _encode_hidden(s, w, p, out[end:])
