"""Tastes, streamers' appeal and initial attachments behind logged impressions.

Mixed-effects versions of the simulator's two regressions, fitted together by coordinate-wise
Newton steps on the penalised likelihood (the priors are the simulator's own distributions):

* click: logistic in affinity, attachment, satiation, fatigue, satisfaction, sensationalism;
* watch time of a click: log-normal in the same, right-censored at the room's end or the cap.

The slopes are those of the ``config``; what is estimated are the two intercepts, the noise of the
watch time, each viewer's taste per category, each streamer's quality and sensationalism.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.linalg import svds
from scipy.special import expit, logit
from scipy.stats import norm, rankdata

from livestream_env.calibration.hidden_states import HiddenStates, hidden_states
from livestream_env.config import SimulatorConfig, WorldConfig
from livestream_env.simulator.candidates import AFFINITY_SCALE, QUALITY_WEIGHT
from livestream_env.simulator.response import Appeal, click_probability, watch_log_mean
from livestream_env.simulator.state import config_record, kernel_array

SHORTEST_S = 5e-4  # logs are in ms: a watch of 0 is one of less than half a millisecond
_LEAST_STD = 0.05  # of log watch times: of a single one it would be 0
_ATTACHED_LOG_ODDS = -3.0  # of having known each other, to begin with
_MOST_MET = 6  # pairs that met 2 ** 6 times or more are alike
# Of a pair's own appeal, the part told apart from attachment: one knows whom one likes, so the two
# go together. Set by hand, so that in round trips the rates of comments and gifts recover best.
_BLUR = 0.5
_CHUNK = 1_000_000


class _Mood(NamedTuple):
    """The part of a viewer's state that responses depend on."""

    satisfaction: float
    fatigue: float


@dataclass
class Latents:
    """What the log says of viewers and streamers; V viewers, S streamers, K categories.

    Attributes:
        click_bias, watch_bias, watch_noise_std: of the regressions.
        taste: (V, K) posterior means, prior standard normal.
        quality: (S,).
        sensationalism: (S,).
        pairs: (P, 2) viewer and streamer of every pair that met.
        pair_appeal: (P,) shrunken residual appeal of the pair, in units of affinity.
        attachment: (P,) drawn from its posterior: 0, or the initial attachment.
        hidden: the hidden state at each impression.
    """

    click_bias: float
    watch_bias: float
    watch_noise_std: float
    taste: NDArray[np.float64]
    quality: NDArray[np.float64]
    sensationalism: NDArray[np.float64]
    pairs: NDArray[np.int64]
    pair_appeal: NDArray[np.float64]
    attachment: NDArray[np.float64]
    hidden: HiddenStates


@njit(nogil=True)
def _hazard(z):  # type: ignore[no-untyped-def]
    """Of the standard normal: density over upper tail, E[x | x > z]."""
    if z > 25.0:
        return z + 1.0 / z - 2.0 / z**3
    density = math.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)
    return density / (0.5 * math.erfc(z / math.sqrt(2.0)))


@njit(nogil=True)
def _sweep(  # type: ignore[no-untyped-def]
    x,
    passed_over,
    censored,
    pair,
    state,
    parameters,
    taste,
    appeal,
    sensitivity,
    by_taste,
    by_streamer,
    by_pair,
):
    """One pass over the impressions: gradients and curvatures of the log-likelihood.

    The intercepts and the noise are those of ``parameters``, as is the share of highlights.
    ``by_taste`` (V, K, 2) and ``by_pair`` (P, 2) receive (gradient, curvature); ``by_streamer``
    (S, 4) those of a shift of the click's log-odds and of the log watch time. Returns the sums
    for the two intercepts, the number of clicks and the sum of squared standardised residuals.
    """
    p = parameters[0]
    std = p.watch_noise_std
    click_taste = p.click_affinity * AFFINITY_SCALE
    watch_taste = p.watch_affinity * AFFINITY_SCALE
    by_taste[:] = 0.0
    by_streamer[:] = 0.0
    by_pair[:] = 0.0
    click_g = click_h = watch_g = watch_h = squares = clicks = 0.0
    for i in range(x.shape[0]):
        row = x[i]
        v, k, j = row.viewer, row.category, row.streamer
        quality, sensationalism = appeal[j, 0], appeal[j, 1]
        a = Appeal(
            affinity=(taste[v, k] + QUALITY_WEIGHT * quality) * AFFINITY_SCALE,
            attachment=state.attachment[i],
            highlight=p.highlight_share,
            quality=quality,
            sensationalism=sensationalism,
            cover=sensationalism,
            satiation=state.satiation[i],
            entered=0.0,
            surge=0.0,
            growth=1.0,
            followed=False,
            sensitivity=sensitivity,
            click_propensity=0.0,
            gift_propensity=1.0,
            limit_s=math.inf,
        )
        mood = _Mood(satisfaction=state.satisfaction[i], fatigue=state.fatigue[i])
        probability = click_probability(a, mood, p)
        g = (1.0 if row.click else 0.0) - probability if passed_over else 0.0
        h = probability * (1.0 - probability) if passed_over else 0.0
        click_g += g
        click_h += h
        taste_g, taste_h = click_taste * g, click_taste**2 * h
        pair_g, pair_h = p.click_attachment * g, p.click_attachment**2 * h
        by_streamer[j, 0] += g
        by_streamer[j, 1] += h
        if row.click:
            log_watch = math.log(max(float(row.watch_s), SHORTEST_S))
            z = (log_watch - watch_log_mean(a, mood, p)) / std
            if censored[i]:
                hazard = _hazard(z)
                g, h = hazard / std, hazard * (hazard - z) / std**2
                squares += 1.0 + z * hazard
            else:
                g, h = z / std, 1.0 / std**2
                squares += z * z
            clicks += 1.0
            watch_g += g
            watch_h += h
            taste_g += watch_taste * g
            taste_h += watch_taste**2 * h
            pair_g += p.watch_attachment * g
            pair_h += p.watch_attachment**2 * h
            by_streamer[j, 2] += g
            by_streamer[j, 3] += h
        by_taste[v, k, 0] += taste_g
        by_taste[v, k, 1] += taste_h
        by_pair[pair[i], 0] += pair_g
        by_pair[pair[i], 1] += pair_h
    return click_g, click_h, watch_g, watch_h, squares, clicks


def estimate_latents(
    impressions: NDArray[Any],
    watch_limit_s: NDArray[np.floating[Any]],
    num_streamers: int,
    num_categories: int,
    config: SimulatorConfig,
    rng: np.random.Generator,
    highlight_share: float = WorldConfig().highlight_share,
    rounds: int = 4,
    steps: int = 6,
) -> Latents:
    """Fit the two regressions and all that is behind them.

    Args:
        impressions: (n,) ``IMPRESSION_DTYPE``, sorted by viewer, then time.
        watch_limit_s: (n,) longest possible watch: the room's end or the cap.
        num_streamers: S.
        num_categories: K.
        config: slopes and constants of the dynamics.
        rng: draws the attachments from their posterior.
        highlight_share: of the time.
        rounds: replays with better and better initial attachments and sensationalism.
        steps: Newton steps per round.
    """
    num_viewers = int(impressions["viewer"].max()) + 1
    key = impressions["viewer"].astype(np.int64) * num_streamers + impressions["streamer"]
    keys, pair = np.unique(key, return_inverse=True)
    censored = impressions["click"] & (impressions["watch_s"] >= watch_limit_s - 0.002)
    parameters = config_record(config)
    p = parameters[0]
    p["highlight_share"] = highlight_share  # none is logged: all have the mean
    world = WorldConfig()
    prior = np.diag([world.quality_std**-2, world.sensationalism_std**-2])

    taste = np.zeros((num_viewers, num_categories))
    appeal = np.zeros((num_streamers, 2))
    attachment = np.zeros(len(keys))
    by_taste = np.zeros((num_viewers, num_categories, 2))
    by_streamer = np.zeros((num_streamers, 4))
    by_pair = np.zeros((len(keys), 2))
    rate = impressions["click"].mean()
    passed_over = rate < 1.0  # else the log has clicks only, and says nothing of their odds
    if passed_over:
        p["click_bias"] = math.log(rate / (1 - rate))
    p["watch_bias"], p["watch_noise_std"] = 1.4, 2.6  # a log-normal of published watch times
    part = QUALITY_WEIGHT * AFFINITY_SCALE  # of quality in affinity
    # Who minds what is not told apart: all viewers have the mean sensitivity.
    by_cover = config.click_sensationalism - config.click_sensitivity * world.sensitivity_mean
    click_load = np.array([config.click_affinity * part, by_cover])
    watch_quality = config.watch_quality + config.watch_affinity * part
    by_loudness = config.watch_sensationalism - config.watch_sensitivity * world.sensitivity_mean
    watch_load = np.array([watch_quality, by_loudness])
    rows = kernel_array(impressions)
    met = np.bincount(pair)
    # A unit of attachment is worth about this many of affinity, to clicks as to watch times.
    scale = config.click_attachment / config.click_affinity
    pair_std = world.pair_affinity_std * AFFINITY_SCALE

    def sweep() -> tuple[float, ...]:
        return _sweep(
            *(rows, passed_over, censored, pair, state, parameters),
            *(taste, appeal, world.sensitivity_mean, by_taste, by_streamer, by_pair),
        )

    for _ in range(rounds):
        state = hidden_states(impressions, pair, attachment, appeal[:, 1], num_categories, config)
        for _ in range(steps):
            click_g, click_h, watch_g, watch_h, squares, clicks = sweep()
            if passed_over:
                p["click_bias"] += click_g / click_h
            p["watch_bias"] += watch_g / watch_h
            std = p["watch_noise_std"] * math.sqrt(squares / clicks)
            p["watch_noise_std"] = max(std, _LEAST_STD)
            # Tastes: standard normal a priori, mean 0 over those who were asked.
            sweep()
            taste += (by_taste[..., 0] - taste) / (by_taste[..., 1] + 1.0)
            asked = by_taste[..., 1] > 0
            mean = taste[asked].mean()
            taste[asked] -= mean
            for name in ("click", "watch"):
                p[f"{name}_bias"] += p[f"{name}_affinity"] * AFFINITY_SCALE * mean
            # Streamers: quality and sensationalism from their effects on clicks and watch times.
            sweep()
            gradient = np.outer(by_streamer[:, 0], click_load)
            gradient += np.outer(by_streamer[:, 2], watch_load) - appeal @ prior
            curvature = by_streamer[:, 1, None, None] * np.outer(click_load, click_load)
            curvature += by_streamer[:, 3, None, None] * np.outer(watch_load, watch_load) + prior
            appeal += np.linalg.solve(curvature, gradient[..., None])[..., 0]
        sweep()
        attachment = _draw_attachments(by_pair, attachment, met, _BLUR * pair_std / scale, rng)

    state = hidden_states(impressions, pair, attachment, appeal[:, 1], num_categories, config)
    sweep()
    # What is left over of a pair's appeal, in units of affinity.
    precision = by_pair[:, 1] / scale**2 + pair_std**-2
    return Latents(
        click_bias=float(p["click_bias"]),
        watch_bias=float(p["watch_bias"]),
        watch_noise_std=float(p["watch_noise_std"]),
        taste=taste,
        quality=appeal[:, 0],
        sensationalism=appeal[:, 1],
        pairs=np.stack([keys // num_streamers, keys % num_streamers], axis=1),
        pair_appeal=by_pair[:, 0] / scale / precision,
        attachment=attachment,
        hidden=state,
    )


def draw_places(cumulative: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.int64]:
    """A place in each row of running sums of weights (n, m), drawn by weight: (n,)."""
    u = rng.random(len(cumulative)) * cumulative[:, -1]
    return np.minimum((cumulative < u[:, None]).sum(axis=1), cumulative.shape[1] - 1)


def _draw_attachments(
    by_pair: NDArray[np.float64],
    current: NDArray[np.float64],
    met: NDArray[np.int64],
    pair_std: float,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Draw initial attachments from their posterior: with a spike at 0, else uniform.

    Drawn, not set to the most likely value, so that as many viewers know streamers, and as well,
    as the log suggests: most single pairs are too short of data to be sure. The share of the pairs
    that knew each other is found by expectation maximisation, among pairs that met about as often:
    a platform shows those again that a viewer knows.

    Args:
        by_pair: (P, 2) gradient and curvature of the log-likelihood at ``current``.
        current: (P,) attachments.
        met: (P,) impressions of each pair.
        pair_std: of the pairs' own normal appeal, in units of attachment, which is not attachment.
        rng: to draw with.
    """
    gradient, curvature = by_pair.T
    gradient = gradient + curvature * current  # at attachment 0
    blurred = 1.0 + curvature * pair_std**2  # by the pair's own appeal, integrated out
    gradient, curvature = gradient / blurred, curvature / blurred
    world = WorldConfig()
    grid = np.linspace(world.initial_strength_min, world.initial_strength_max, 15)
    evidence, strength = np.empty(len(by_pair)), np.empty(len(by_pair))
    for first in range(0, len(by_pair), _CHUNK):
        part = slice(first, first + _CHUNK)
        gain = gradient[part, None] * grid - 0.5 * curvature[part, None] * grid**2
        top = gain.max(axis=1)
        cumulative = np.cumsum(np.exp(gain - top[:, None]), axis=1)
        evidence[part] = np.log(cumulative[:, -1] / len(grid)) + top
        strength[part] = grid[draw_places(cumulative, rng)]
    group = np.minimum(np.log2(met).astype(np.int64), _MOST_MET)
    pairs = np.maximum(np.bincount(group, minlength=_MOST_MET + 1), 1)
    log_odds = np.full(len(by_pair), _ATTACHED_LOG_ODDS)
    for _ in range(30):
        share = np.bincount(group, expit(evidence + log_odds), _MOST_MET + 1) / pairs
        log_odds = logit(np.clip(share, 1e-4, 0.9))[group]
    return np.where(rng.random(len(by_pair)) < expit(evidence + log_odds), strength, 0.0)


def embeddings(
    latents: Latents, num_viewers: int, num_streamers: int, dimension: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Viewers' and streamers' embeddings: a truncated SVD of the pairs' left-over appeal.

    Returns:
        (V, d) of variance 1 and (S, d), such that their products have the standard deviation
        ``WorldConfig.pair_affinity_std``.
    """
    matrix = csr_matrix(
        (latents.pair_appeal, tuple(latents.pairs.T)), shape=(num_viewers, num_streamers)
    )
    rank = min(dimension, min(matrix.shape) - 1)
    viewer, _, streamer = svds(matrix, k=rank, v0=np.ones(min(matrix.shape)))
    spread = WorldConfig().pair_affinity_std / math.sqrt(dimension)
    return _normal(viewer, dimension), _normal(streamer.T, dimension) * spread


def _normal(vectors: NDArray[np.float64], dimension: int) -> NDArray[np.float64]:
    """Each column made standard normal by its ranks, and columns of 0 added up to ``dimension``.

    Singular vectors of sparse data live on few rows; affinities made of them would, too.
    """
    quantiles = (rankdata(vectors, axis=0) - 0.5) / len(vectors)
    normal = np.pad(norm.ppf(quantiles), ((0, 0), (0, dimension - vectors.shape[1])))
    return normal * math.sqrt(dimension) / np.linalg.norm(normal, axis=1, keepdims=True)
