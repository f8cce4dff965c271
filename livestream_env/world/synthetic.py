"""Drawing a synthetic world; every magnitude is a field of ``WorldConfig``."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livestream_env.code_cache import cached_njit
from livestream_env.config import HOURLY_ACTIVITY, WorldConfig
from livestream_env.world.chunks import chunks
from livestream_env.world.room_index import CONTENT_STEP_S
from livestream_env.world.tables import (
    AGE_RANGES,
    DAY_S,
    GENDERS,
    INITIAL_ATTACHMENTS,
    ROOM_DTYPE,
    streamer_dtype,
    viewer_dtype,
)

_LIKING = 1.2  # of an affinity in the log odds of being known beforehand; assumed
_DEMOGRAPHIC_STD = 0.98  # of .8 age + .6 gender, as viewers are drawn


def draw_world(config: WorldConfig, seed: int) -> dict[str, Any]:
    """The arrays of a world, by their names in :class:`livestream_env.world.World`."""
    # One stream per part: a larger timetable leaves the viewers as they are.
    rngs = np.random.default_rng(seed).spawn(6)
    taste_rng, streamer_rng, room_rng, content_rng, community_rng, trait_rng = rngs
    streamers = _draw_streamers(config, streamer_rng, community_rng)
    rooms = _draw_rooms(config, streamers, room_rng)
    content = draw_content(rooms, config.highlight_share, config.highlight_mean_s, content_rng)
    return {
        "viewers": _draw_viewers(config, streamers, taste_rng, trait_rng),
        "streamers": streamers,
        "rooms": rooms,
        "content": content,
        "hourly_activity": _normalised_activity(),
    }


def _normalised_activity() -> NDArray[np.float64]:
    activity = np.array(HOURLY_ACTIVITY)
    return activity / activity.sum()


def _draw_streamers(
    config: WorldConfig, rng: np.random.Generator, community_rng: np.random.Generator
) -> NDArray[Any]:
    count = config.num_streamers
    streamers = np.zeros(count, streamer_dtype(config.embedding_dim))
    streamers["category"] = rng.integers(config.num_categories, size=count)
    streamers["popularity"] = rng.lognormal(0.0, config.popularity_std, count)
    # Strong communities are built by streamers who are neither loud nor polished (assumed).
    z_quality, z_loud = rng.normal(0.0, 1.0, (2, count))
    z_community, z_cover, z_fans = community_rng.normal(0.0, 1.0, (3, count))
    loud = seen_with(z_community, config.community_sensationalism, z_loud)
    cover = seen_with(loud, config.cover_correlation, z_cover)
    quality = seen_with(z_community, config.community_quality, z_quality)
    streamers["quality"] = config.quality_std * quality
    streamers["sensationalism"] = config.sensationalism_std * loud
    streamers["cover"] = config.sensationalism_std * cover
    streamers["community"] = config.community_std * z_community
    streamers["fan_club"] = seen_with(z_community, config.fan_club_correlation, z_fans)
    hours = rng.choice(24, size=count, p=_normalised_activity())
    streamers["home_hour"] = hours + rng.random(count)
    # The dot product with a viewer's standard normal embedding has s.d. pair_affinity_std.
    scale = config.pair_affinity_std / np.sqrt(config.embedding_dim)
    streamers["embedding"] = rng.normal(0.0, scale, (count, config.embedding_dim))
    return streamers


def seen_with(
    true: NDArray[np.float64], correlation: float, noise: NDArray[np.float64]
) -> NDArray[np.float64]:
    """What has this correlation with ``true``; all three are of mean 0 and variance 1."""
    return correlation * true + np.sqrt(1.0 - correlation**2) * noise


def viewer_activity(
    place: NDArray[np.floating[Any]], log_mean: float, log_std: float
) -> NDArray[np.float64]:
    """Activities of viewers who are so many standard deviations from the mean, on a log scale."""
    log_activity = log_mean + log_std * np.asarray(place, np.float64)
    return np.asarray(np.exp(np.clip(log_activity, -5.0, 4.0)))


def draw_satiation_gain(
    config: WorldConfig, shape: tuple[int, ...], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Log-normal, of mean 1."""
    spread = config.satiation_gain_log_std
    return rng.lognormal(-0.5 * spread**2, spread, shape)


def draw_sensitivity(
    config: WorldConfig,
    age: NDArray[np.integer[Any]],
    gender: NDArray[np.integer[Any]],
    rng: np.random.Generator,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How much viewers mind sensational rooms, and how often they were seen to: (n,) each.

    In part it goes by age and gender; the platform's logs of the past show it, with an error.
    """
    z_age, z_gender = _demographics(age, gender)
    own, error = rng.normal(0.0, 1.0, (2, len(z_age)))
    demographic = (0.8 * z_age + 0.6 * z_gender) / _DEMOGRAPHIC_STD
    z = seen_with(demographic, config.sensitivity_demographic, own)
    sensitivity = config.sensitivity_mean + config.sensitivity_std * z
    past_regret = seen_with(z, config.past_regret_correlation, error)
    return np.asarray(np.maximum(sensitivity, config.sensitivity_min)), past_regret


def _demographics(
    age: NDArray[np.integer[Any]], gender: NDArray[np.integer[Any]]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Age and gender on a scale of about mean 0 and variance 1, (n,) each."""
    return np.asarray((age - 3.3) / 1.6), np.array([-1.0, 1.0, 0.0])[gender] - 0.09


def watched_before(strength: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Seconds after which the growth law 1 - exp(-seconds / 3,000) has come to an attachment."""
    return np.asarray(-3000.0 * np.log1p(-np.minimum(strength, 0.98)))


def _draw_viewers(
    config: WorldConfig,
    streamers: NDArray[Any],
    rng: np.random.Generator,
    trait_rng: np.random.Generator,
) -> NDArray[Any]:
    count, categories = config.num_viewers, config.num_categories
    viewers = np.zeros(count, viewer_dtype(categories, config.embedding_dim))
    viewers["age"] = rng.choice(
        len(AGE_RANGES), size=count, p=(0.01, 0.06, 0.2, 0.25, 0.25, 0.13, 0.1)
    )
    viewers["gender"] = rng.choice(len(GENDERS), size=count, p=(0.44, 0.53, 0.03))

    # Demographics shift tastes: categories differ in their appeal by age and gender (assumed).
    age = (viewers["age"] - 3.3) / 1.6
    gender = np.array([-1.0, 1.0, 0.0])[viewers["gender"]]
    loadings = rng.normal(0.0, 0.5, (2, categories))
    concentration = config.taste_concentration * np.exp(
        age[:, None] * loadings[0] + gender[:, None] * loadings[1]
    )
    taste = rng.gamma(concentration)
    taste /= np.maximum(taste.sum(1, keepdims=True), 1e-300)
    viewers["taste"] = (taste - taste.mean(0)) / np.maximum(taste.std(0), 1e-9)
    viewers["embedding"] = rng.normal(0.0, 1.0, (count, config.embedding_dim))
    viewers["satiation_gain"] = draw_satiation_gain(config, (count, categories), rng)

    # Activity, device and gifts go together (assumed correlations); margins stay as configured.
    z_activity, z_wealth, z_social, z_gift = rng.normal(0.0, 1.0, (4, count))
    activity = 0.95 * z_activity + 0.3122 * np.clip(age, -2, 2)
    activity /= np.sqrt(0.95**2 + 0.3122**2)
    viewers["activity"] = viewer_activity(
        activity, config.activity_log_mean, config.activity_log_std
    )
    viewers["device_price"] = np.searchsorted([-0.9, -0.1, 0.6, 1.4], z_wealth)
    gift = 0.8 * z_gift + 0.6 * z_wealth
    spread = config.gift_propensity_log_std
    viewers["gift_propensity"] = np.exp(spread * gift - 0.5 * spread**2)
    viewers["follow_count"] = np.floor(np.exp(3.5 + 0.6 * activity + 1.2 * z_social))
    viewers["is_streamer"] = (z_social + 0.5 * activity + rng.normal(0.0, 1.0, count)) > 2.2
    viewers["fan_count"] = np.floor(
        np.exp(1.5 + 1.5 * z_social + 1.5 * viewers["is_streamer"] + 0.3 * activity)
    )
    _draw_hidden_traits(config, viewers, trait_rng)
    _draw_attachments(config, viewers, streamers, rng)
    return viewers


def _draw_hidden_traits(
    config: WorldConfig, viewers: NDArray[Any], rng: np.random.Generator
) -> None:
    """What only shows in how a viewer reacts."""
    count, categories = viewers["taste"].shape
    viewers["sensitivity"], viewers["past_regret"] = draw_sensitivity(
        config, viewers["age"], viewers["gender"], rng
    )
    viewers["click_propensity"] = rng.normal(0.0, config.click_propensity_std, count)
    viewers["interest"] = rng.normal(0.0, config.interest_std, (count, categories))
    # Familiar with what one likes: by the shares that retrieval gives the categories, on average.
    liked = np.exp(viewers["taste"].astype(float))
    liked /= liked.mean(1, keepdims=True)
    mean = np.minimum(config.initial_familiarity, 0.99)
    odds = mean / (1.0 - mean) * liked
    viewers["familiarity"] = odds / (1.0 + odds)


def _draw_attachments(
    config: WorldConfig,
    viewers: NDArray[Any],
    streamers: NDArray[Any],
    rng: np.random.Generator,
) -> None:
    """Give each viewer ``1 + Poisson`` streamers, popular ones that she likes first."""
    count = len(viewers)
    known = np.minimum(1 + rng.poisson(config.initial_attachments, count), INITIAL_ATTACHMENTS)
    known = np.minimum(known, len(streamers))
    viewers["attached_streamer"] = -1
    _attach_to_liked(viewers, streamers, rng)
    beyond = np.arange(INITIAL_ATTACHMENTS) >= known[:, None]
    between = config.initial_strength_min, config.initial_strength_max
    strength = rng.uniform(*between, (count, INITIAL_ATTACHMENTS))
    # Who likes something much watches more, and would be attached more after some weeks.
    strongest = viewers["taste"].max(1, keepdims=True).astype(float)
    strength *= np.exp(config.initial_strength_taste * (strongest - strongest.mean()))
    strength = np.minimum(strength, 1.0)
    # With an error: what was watched before is a proxy of the attachment, not the attachment.
    watched = watched_before(strength)
    watched *= rng.lognormal(0.0, 0.5, watched.shape)
    followed = rng.random(strength.shape) < strength
    viewers["attached_strength"] = np.where(beyond, 0.0, strength)
    viewers["attached_watch_s"] = np.where(beyond, 0.0, watched)
    viewers["attached_followed"] = np.where(beyond, 0, followed)
    viewers["attached_streamer"][beyond] = -1


def _attach_to_liked(
    viewers: NDArray[Any], streamers: NDArray[Any], rng: np.random.Generator
) -> None:
    """Fill ``attached_streamer``: draws without replacement, by popularity and affinity.

    Those of the highest scores, which are log weights with Gumbel noise (Gumbel top-k).
    """
    popularity = streamers["popularity"].astype(float)
    length = np.linalg.norm(viewers["embedding"], axis=1)
    streamer_length = np.linalg.norm(streamers["embedding"], axis=1)
    # No affinity is above taste.max() + ab, of embeddings of lengths a and b, and
    # 2 ab <= ta^2 + b^2 / t for any t; this one makes them equal for ordinary lengths.
    t = max(float(streamer_length.mean() / length.mean()), 1e-9)
    reach = np.exp(_LIKING * (viewers["taste"].max(1) + 0.5 * t * length.astype(float) ** 2))
    streamer_reach = popularity * np.exp(0.5 * _LIKING / t * streamer_length.astype(float) ** 2)
    log_popularity = np.log(popularity)
    most = min(INITIAL_ATTACHMENTS, len(streamers))
    for part in chunks(len(viewers), len(streamers)):
        _race(
            rng.random((part.stop - part.start, len(streamers))),
            viewers["taste"][part],
            viewers["embedding"][part],
            reach[part],
            streamers["category"],
            streamers["embedding"],
            log_popularity,
            streamer_reach,
            viewers["attached_streamer"][part, :most],
            np.empty(most),
        )


def _draw_rooms(
    config: WorldConfig, streamers: NDArray[Any], rng: np.random.Generator
) -> NDArray[Any]:
    """Timetable of days -1 .. days + 1, so that it runs out on no day of an episode."""
    count, all_days = config.num_streamers, config.days + 3
    per_day = rng.poisson(config.rooms_per_day, (count, all_days))
    streamer, day = np.repeat(np.indices(per_day.shape).reshape(2, -1), per_day.ravel(), axis=1)
    start_h = streamers["home_hour"][streamer] + rng.normal(0.0, config.room_start_std_h, len(day))
    start = (day - 1) * DAY_S + start_h * 3600.0
    minutes = config.room_minutes_median * rng.lognormal(0.0, config.room_minutes_log_std, len(day))
    length = np.clip(minutes * 60.0, 300.0, config.room_hours_max * 3600.0)
    if not len(day):
        raise ValueError(
            "config: num_streamers, rooms_per_day and days gave not one room; a world needs some"
        )
    _serialise(streamer, start, length, 600.0)
    rooms = np.zeros(len(start), ROOM_DTYPE)
    rooms["streamer"], rooms["start_s"], rooms["end_s"] = streamer, start, start + length
    place_rooms(rooms, streamers)
    return rooms


def place_rooms(rooms: NDArray[Any], streamers: NDArray[Any]) -> None:
    """Fill in where each streamer's rooms are, and each room's content bits."""
    bounds = np.searchsorted(rooms["streamer"], np.arange(len(streamers) + 1))
    streamers["first_room"], streamers["num_rooms"] = bounds[:-1], np.diff(bounds)
    cells = np.ceil((rooms["end_s"] - rooms["start_s"]) / CONTENT_STEP_S).astype(np.int64)
    rooms["content"] = np.concatenate([[0], np.cumsum(cells)[:-1]])


def draw_content(
    rooms: NDArray[Any], share: float, mean_s: float, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Two-state Markov chain per room: highlights of mean ``mean_s``, a ``share`` of the time."""
    last = rooms[-1]
    cells = int(last["content"]) + int(np.ceil((last["end_s"] - last["start_s"]) / CONTENT_STEP_S))
    leave = min(1.0, CONTENT_STEP_S / mean_s)
    enter = min(1.0, leave * share / (1.0 - share))
    bounds = np.append(rooms["content"], cells)
    content = np.zeros(-(-cells // 8), np.uint8)
    for part in chunks(len(rooms), cells / len(rooms)):
        first = bounds[part.start : part.stop + 1] - bounds[part.start]
        byte, bit = divmod(int(bounds[part.start]), 8)
        states = np.zeros(bit + first[-1], np.uint8)
        uniform = rng.random(first[-1], dtype=np.float32)
        _markov_chain(states[bit:], first, uniform, enter, leave, share)
        packed = np.packbits(states, bitorder="little")
        content[byte : byte + len(packed)] |= packed
    return content


def endless_rooms(streamers: NDArray[Any], days: int) -> NDArray[Any]:
    """One room per streamer that is always live; its place is written into ``streamers``."""
    rooms = np.zeros(len(streamers), ROOM_DTYPE)
    rooms["streamer"] = np.arange(len(streamers))
    rooms["start_s"] = -DAY_S
    rooms["end_s"] = (days + 2) * DAY_S
    place_rooms(rooms, streamers)
    return rooms


@cached_njit(no_cfunc_wrapper=True)
def _serialise(streamer, start, length, pause_s):  # type: ignore[no-untyped-def]
    """Rooms of one streamer in order, by insertion, and one at a time.

    A start during the previous room waits for its end and a pause.
    """
    for later in range(1, streamer.shape[0]):
        i = later
        while i > 0 and streamer[i] == streamer[i - 1] and start[i] < start[i - 1]:
            start[i], start[i - 1] = start[i - 1], start[i]
            length[i], length[i - 1] = length[i - 1], length[i]
            i -= 1
    for i in range(1, streamer.shape[0]):
        if streamer[i] == streamer[i - 1]:
            start[i] = max(start[i], start[i - 1] + length[i - 1] + pause_s)


@cached_njit(no_cfunc_wrapper=True)
def _markov_chain(states, first, uniform, enter, leave, share):  # type: ignore[no-untyped-def]
    """Write a state for each of ``uniform``; a room begins at each of ``first``, the last ends."""
    for i in range(uniform.shape[0]):  # what would come after 0, and 2 x what would after 1
        states[i] = np.uint8(uniform[i] < enter) | np.uint8(uniform[i] >= leave) << 1
    for room in range(first.shape[0] - 1):
        state = np.uint8(uniform[first[room]] < share)
        states[first[room]] = state
        for i in range(first[room] + 1, first[room + 1]):
            state = (states[i] >> state) & 1
            states[i] = state


@cached_njit(no_cfunc_wrapper=True)
def _race(  # type: ignore[no-untyped-def]
    uniform,
    taste,
    embedding,
    reach,
    category,
    streamer_embedding,
    log_popularity,
    streamer_reach,
    best,
    score,
):
    """Write the streamers of the highest scores into ``best`` (viewers, most), best first.

    Scores are ``log_popularity + _LIKING * affinity - log(-log(1 - uniform))``; none is above
    ``log(reach * streamer_reach / uniform)``. So most streamers are out of the race at a glance.
    """
    most = best.shape[1]
    for i in range(uniform.shape[0]):
        score[:] = -np.inf
        limit = np.inf
        for j in range(uniform.shape[1]):
            u = uniform[i, j]
            if u > limit * streamer_reach[j]:
                continue
            dot = np.float32(0.0)
            for k in range(embedding.shape[1]):  # rounded as by BLAS's fused multiply-add
                product = np.float64(embedding[i, k]) * np.float64(streamer_embedding[j, k])
                dot = np.float32(product + np.float64(dot))
            liking = np.float32(_LIKING) * (taste[i, category[j]] + dot)
            new = log_popularity[j] + np.float64(liking) - math.log(-math.log(1.0 - u))
            if new <= score[most - 1]:
                continue
            place = most - 1
            while place > 0 and score[place - 1] < new:
                score[place], best[i, place] = score[place - 1], best[i, place - 1]
                place -= 1
            score[place], best[i, place] = new, j
            # With a margin for rounding.
            limit = 1.001 * reach[i] * math.exp(-score[most - 1])
