"""A world held against published statistics, as the logs that these describe were taken.

KuaiLive's 21 days are of users who clicked, commented, liked and gave, few of them for the number
of streamers. So a log of 21 days is simulated and these viewers are chosen from it. What depends on
how many streamers there are, and on how sparsely they are sampled, is compared in a second world:
the same parameters, but ``LARGE_CATALOGUE`` streamers, whose viewers are thinned to KuaiLive's
number per streamer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livestream_env.calibration.log_statistics import impression_statistics, world_statistics
from livestream_env.calibration.published import PublishedStatistic
from livestream_env.calibration.resampling import Statistic
from livestream_env.calibration.selection import (
    active_viewers,
    sparse_samples,
    viewers_per_streamer,
)
from livestream_env.calibration.simulated import log_impressions, slots_for
from livestream_env.config import SYNTHETIC_WORLDS
from livestream_env.simulated_logs.policy import LoggingPolicy
from livestream_env.vector_env import LiveStreamRecVectorEnv
from livestream_env.world import World

LOG_DAYS = 21  # of KuaiLive
LARGE_CATALOGUE = 100_000  # streamers; KuaiLive has 452,621
_SYNTHETIC_VIEWERS = 10_000  # at least, so that a log's viewers are the same for any number

Described = dict[tuple[str, str], dict[str, Statistic]]  # (viewers, catalogue) → statistics


def log_samples(
    viewers: int,
    large_viewers: int,
    seed: int,
    env_kwargs: Mapping[str, Any],
    on_step: Callable[[int], object] | None = None,
) -> tuple[Described, dict[str, Any]]:
    """Statistics of a world's log of 21 days, of each choice of viewers and catalogue.

    Args:
        viewers: that play the world itself.
        large_viewers: that play the one with the large catalogue. A world that was not drawn by
            name has no such twin: its own log serves.
        seed: of viewers and policy.
        env_kwargs: arguments of the environment.
        on_step: called with the number of viewers who have finished.

    Returns:
        ``(viewers, catalogue)``, as :class:`PublishedStatistic` has them → statistics; and what
        was described: ``days``, numbers of ``viewers``, ``active`` ones among them,
        ``large_viewers`` and ``samples`` of them, and the ``density`` of these.

    Raises:
        ValueError: hardly anybody in the log did all that KuaiLive's users did.
    """
    world, everyone = play_log(viewers, seed, env_kwargs, on_step=on_step)
    days = min(LOG_DAYS, world.days)
    active = _active(everyone)
    described: Described = {
        ("everyone", "own"): world_statistics(world, everyone, days),
        ("active", "own"): impression_statistics(active, days),
    }
    facts: dict[str, Any] = {"days": days, "viewers": _count(everyone), "active": _count(active)}
    if is_drawn(env_kwargs):
        _, everyone = play_log(
            large_viewers,
            seed,
            env_kwargs,
            {"num_streamers": LARGE_CATALOGUE, "num_viewers": large_viewers},
            None if on_step is None else lambda done: on_step(viewers + done),
        )
        active = _active(everyone)
    samples = sparse_samples(active, seed=seed)
    described["everyone", "large"] = impression_statistics(everyone, days)
    described["active", "large"] = _mean([impression_statistics(rows, days) for rows in samples])
    facts["large_viewers"], facts["samples"] = _count(everyone), len(samples)
    facts["density"] = np.mean([viewers_per_streamer(rows) for rows in samples])
    return described, facts


def play_log(
    viewers: int,
    seed: int,
    env_kwargs: Mapping[str, Any],
    config: Mapping[str, Any] | None = None,
    on_step: Callable[[int], object] | None = None,
) -> tuple[World, NDArray[Any]]:
    """Let viewers play 21 days (or all that the world has) under the logging policy.

    Args:
        viewers: how many, or all that the world has.
        seed: of viewers and policy.
        env_kwargs: arguments of the environment.
        config: further parameters of a world that is drawn by name.
        on_step: called with the number of viewers who have finished.

    Returns:
        The world, and impressions (n,) ``IMPRESSION_DTYPE``, sorted by viewer, then time.
    """
    env, chosen = log_env(viewers, env_kwargs, config)
    return env.world, log_impressions(LoggingPolicy(env, seed), env, chosen, seed, on_step)


def log_env(
    viewers: int, env_kwargs: Mapping[str, Any], config: Mapping[str, Any] | None = None
) -> tuple[LiveStreamRecVectorEnv, NDArray[np.int64]]:
    """The environment of a log of 21 days, and the numbers of its viewers, as in play_log."""
    kwargs = dict(env_kwargs)
    if is_drawn(env_kwargs):
        drawn = {"days": LOG_DAYS, "num_viewers": max(viewers, _SYNTHETIC_VIEWERS)}
        made = drawn | dict(kwargs.get("config") or {}) | dict(config or {})
        kwargs["config"], days, there_are = made, made["days"], made["num_viewers"]
    else:
        world = kwargs["world"]
        kwargs["world"] = world if isinstance(world, World) else World.load(world)
        days, there_are = kwargs["world"].days, len(kwargs["world"].viewers)
    chosen = np.arange(min(viewers, there_are))
    kwargs["horizon"] = min(LOG_DAYS, days)
    return LiveStreamRecVectorEnv(slots_for(len(chosen)), **kwargs), chosen


def is_drawn(env_kwargs: Mapping[str, Any]) -> bool:
    """Whether the world of an environment is drawn by name, and can be drawn larger."""
    world = env_kwargs.get("world", "default")
    return isinstance(world, str) and world in SYNTHETIC_WORLDS


def compared(published: Iterable[PublishedStatistic], described: Described) -> dict[str, Statistic]:
    """Of each published statistic, the simulated one of the same viewers and catalogue."""
    return {
        row.statistic: described[row.viewers, row.catalogue][row.statistic] for row in published
    }


def _active(impressions: NDArray[Any]) -> NDArray[Any]:
    chosen = active_viewers(impressions)
    if not len(chosen):
        raise ValueError(
            f"none of {_count(impressions)} viewers clicked, commented, liked and gave, as "
            "KuaiLive's users did: simulate more of them"
        )
    return chosen


def _count(impressions: NDArray[Any]) -> int:
    return len(np.unique(impressions["viewer"]))


def _mean(samples: Sequence[Mapping[str, Statistic]]) -> dict[str, Statistic]:
    return {
        name: Statistic(np.mean([sample[name].value for sample in samples], axis=0))
        for name in samples[0]
    }
