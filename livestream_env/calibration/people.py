"""Viewers and streamers of a world, from a log's tables and what was estimated of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import beta, rankdata

from livestream_env.calibration.latents import Latents, draw_places, embeddings
from livestream_env.config import SimulatorConfig, WorldConfig
from livestream_env.logs import range_midpoint
from livestream_env.simulator.compiling import plain
from livestream_env.simulator.response import gift_hazard
from livestream_env.world import (
    AGE_RANGES,
    DAY_S,
    DEVICE_PRICES,
    GENDERS,
    INITIAL_ATTACHMENTS,
    streamer_dtype,
    viewer_dtype,
)
from livestream_env.world.synthetic import draw_satiation_gain, viewer_activity, watched_before

EMBEDDING_DIM = WorldConfig().embedding_dim
_ASSUMED = WorldConfig()
_FEW = 5.0  # impressions: differences between smaller numbers are chance


def viewer_table(
    user: pd.DataFrame,
    latents: Latents,
    impressions: NDArray[Any],
    num_visits: NDArray[np.integer[Any]],
    config: SimulatorConfig,
    rng: np.random.Generator,
) -> NDArray[Any]:
    """(V,) :func:`viewer_dtype`, in the order of ``user``; their ``num_visits`` are (V,), too.

    Every quantity of a viewer is scaled as in a synthetic world: tastes to variance 1, log activity
    to its median and standard deviation, gift propensity to mean 1.
    """
    count, categories = latents.taste.shape
    viewers = np.zeros(count, viewer_dtype(categories, EMBEDDING_DIM))
    _features(viewers, user)

    viewers["taste"] = _standardised(latents.taste)
    viewers["satiation_gain"] = draw_satiation_gain(_ASSUMED, (count, categories), rng)

    log_visits = np.log(num_visits + 0.5)
    # By the median: those who visit too rarely to be in a log would have been at the lower end.
    place = (log_visits - np.median(log_visits)) / max(log_visits.std(), 1e-6)
    mean, std = _ASSUMED.activity_log_mean, _ASSUMED.activity_log_std
    viewers["activity"] = viewer_activity(place, mean, std)

    viewers["gift_propensity"] = _gift_propensity(latents, impressions, count, config, rng)

    viewers["attached_streamer"] = -1
    known = np.flatnonzero(latents.attachment > 0)
    owner, streamer = latents.pairs[known].T
    strength = latents.attachment[known]
    order = np.lexsort((-strength, owner))
    owner, streamer, strength = owner[order], streamer[order], strength[order]
    rank = np.arange(len(owner)) - np.searchsorted(owner, owner)
    kept = rank < INITIAL_ATTACHMENTS
    owner, rank, strength = owner[kept], rank[kept], strength[kept]
    viewers["attached_streamer"][owner, rank] = streamer[kept]
    viewers["attached_strength"][owner, rank] = strength
    viewers["attached_watch_s"][owner, rank] = watched_before(strength)  # which is not logged
    viewers["attached_followed"][owner, rank] = rng.random(len(strength)) < strength
    return viewers


def with_activity_spread(viewers: NDArray[Any], log_std: float) -> NDArray[Any]:
    """A copy of a :func:`viewer_table` in which activities differ more, or less."""
    mean = _ASSUMED.activity_log_mean
    place = (np.log(viewers["activity"]) - mean) / _ASSUMED.activity_log_std
    viewers = viewers.copy()
    viewers["activity"] = viewer_activity(place, mean, log_std)
    return viewers


def _standardised(taste: NDArray[np.float64]) -> NDArray[np.float64]:
    """Tastes (V, K) of mean 0 and variance 1 over viewers, as skewed as in a synthetic world.

    The order of the viewers is what was estimated; the distribution, that of Dirichlet shares,
    is assumed: most viewers like one or two categories a lot.
    """
    count, categories = taste.shape
    quantiles = (rankdata(taste, axis=0) - 0.5) / count
    alpha = _ASSUMED.taste_concentration
    shares = beta.ppf(quantiles, alpha, alpha * max(categories - 1, 1))
    return np.asarray((shares - shares.mean(axis=0)) / np.maximum(shares.std(axis=0), 1e-6))


def _features(viewers: NDArray[Any], user: pd.DataFrame) -> None:
    """Fill in the columns of user.csv; the most frequent value where one is missing."""
    viewers["age"] = _in_ranges(user, "age", AGE_RANGES)
    viewers["device_price"] = _in_ranges(user, "device_price", DEVICE_PRICES)
    gender = _column(user, "gender").str.upper()
    viewers["gender"] = gender.map({"F": 0, "M": 1}).fillna(GENDERS.index("unknown"))
    viewers["is_streamer"] = _column(user, "is_live_streamer").isin(["1", "1.0", "True", "true"])
    for name, source in (("follow_count", "follow_num"), ("fan_count", "fans_num")):
        viewers[name] = np.nan_to_num(range_midpoint(_column(user, source)))


def _column(user: pd.DataFrame, name: str) -> pd.Series:
    if name not in user:
        return pd.Series("", index=user.index, dtype=str)
    return user[name].astype(str)


def _in_ranges(user: pd.DataFrame, name: str, ranges: tuple[str, ...]) -> NDArray[np.int64]:
    """The range that each value, a number or a range itself, falls in."""
    lowest = [float(text.split("-")[0].rstrip("+")) for text in ranges]
    middle = range_midpoint(_column(user, name))
    place = np.clip(np.searchsorted(lowest, middle, side="right") - 1, 0, len(ranges) - 1)
    known = ~np.isnan(middle)
    if not known.any():
        return np.full(len(user), len(ranges) // 2)
    return np.where(known, place, np.bincount(place[known]).argmax())


def _gift_propensity(
    latents: Latents,
    impressions: NDArray[Any],
    num_viewers: int,
    config: SimulatorConfig,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Drawn from its posterior given the viewer's gifts; log-normal prior of mean 1.

    Drawn, because most viewers never give: their posterior means would have far too little spread.
    """
    watch_s = impressions["watch_s"].astype(np.float64)
    hazard = plain(gift_hazard)(1.0, latents.hidden.attachment, config, watch_s)
    exposure = np.bincount(impressions["viewer"], hazard, num_viewers)
    gifts = np.bincount(impressions["viewer"], impressions["gift_value"] > 0, num_viewers)
    std = _ASSUMED.gift_propensity_log_std
    log_grid = np.linspace(-4.0, 4.0, 81) * std - 0.5 * std**2
    prior = -0.5 * ((log_grid + 0.5 * std**2) / std) ** 2
    rate = max(gifts.sum(), 0.5) / max(exposure.sum(), 1e-9)
    for _ in range(20):  # expectation maximisation for the rate of the average viewer
        log_weight = prior + gifts[:, None] * log_grid
        log_weight = log_weight - rate * exposure[:, None] * np.exp(log_grid)
        weight = np.exp(log_weight - log_weight.max(axis=1, keepdims=True))
        mean = weight @ np.exp(log_grid) / weight.sum(axis=1)
        rate = max(gifts.sum(), 0.5) / max(exposure @ mean, 1e-9)
    cumulative = np.cumsum(weight, axis=1)
    return np.asarray(np.exp(log_grid[draw_places(cumulative, rng)]))


def streamer_table(
    latents: Latents,
    impressions: NDArray[Any],
    rooms: NDArray[Any],
    category: NDArray[np.integer[Any]],
    span_s: float,
) -> NDArray[Any]:
    """(S,) :func:`streamer_dtype`, without the place of their rooms.

    Popularity is impressions per hour live within ``[0, span_s)``, its log of mean 0.
    """
    count = len(category)
    streamers = np.zeros(count, streamer_dtype(EMBEDDING_DIM))
    streamers["category"] = category
    live_s = np.clip(rooms["end_s"], 0, span_s) - np.clip(rooms["start_s"], 0, span_s)
    hours = np.bincount(rooms["streamer"], live_s, count) / 3600.0
    shown = np.bincount(impressions["streamer"], minlength=count)
    log_rate = np.log((shown + 0.5) / (hours + 0.5))
    streamers["popularity"] = np.exp(log_rate - log_rate.mean())
    for name, std in (
        ("quality", _ASSUMED.quality_std),
        ("sensationalism", _ASSUMED.sensationalism_std),
    ):
        values = getattr(latents, name) - getattr(latents, name).mean()
        streamers[name] = values * std / max(values.std(), 1e-6)
    hour = rooms["start_s"] % DAY_S / 3600.0
    angle = np.bincount(rooms["streamer"], np.cos(2 * np.pi * hour / 24), count) + 1j * np.bincount(
        rooms["streamer"], np.sin(2 * np.pi * hour / 24), count
    )
    streamers["home_hour"] = np.angle(angle) % (2 * np.pi) * 24 / (2 * np.pi)
    return streamers


def with_popularity(
    streamers: NDArray[Any], logged: NDArray[np.integer[Any]], simulated: NDArray[np.integer[Any]]
) -> NDArray[Any]:
    """A copy in which those are more popular who were shown too rarely in a simulation.

    How often a streamer is shown is not all popularity: the policy looks at more. Once is not
    enough, because viewers turn to others then.

    Args:
        streamers: :func:`streamer_table`, S rows.
        logged: (S,) impressions of each.
        simulated: (S,) the same.
    """
    share = simulated.sum() / max(logged.sum(), 1)
    change = np.log((simulated + _FEW) / (logged * share + _FEW))
    log_popularity = np.log(streamers["popularity"]) - change
    streamers = streamers.copy()
    streamers["popularity"] = np.exp(log_popularity - log_popularity.mean())
    return streamers


def add_embeddings(viewers: NDArray[Any], streamers: NDArray[Any], latents: Latents) -> None:
    """Fill in the embeddings of both."""
    viewers["embedding"], streamers["embedding"] = embeddings(
        latents, len(viewers), len(streamers), EMBEDDING_DIM
    )
