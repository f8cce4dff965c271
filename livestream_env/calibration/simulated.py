"""Impressions of simulated viewers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from livestream_env.calibration.impressions import IMPRESSION_DTYPE
from livestream_env.env import LiveStreamRecEnv
from livestream_env.simulated_logs.policy import LoggingPolicy
from livestream_env.simulated_logs.simulation import simulate_logs
from livestream_env.vector_env import LiveStreamRecVectorEnv
from livestream_env.world import DAY_S, World

_MAX_ENVS = 1024


class ActsOnObservations(Protocol):
    """Anything with Stable-Baselines3's ``predict``."""

    def predict(self, observation: Any) -> tuple[Any, Any]:
        """Actions for a batch of observations, and a state that is ignored."""


def simulate_impressions(
    policy: ActsOnObservations,
    env: LiveStreamRecVectorEnv,
    episodes: int,
    seed: int,
    on_step: Callable[[int], object] | None = None,
) -> NDArray[Any]:
    """Play ``episodes`` with ``policy`` and log what was shown.

    Every viewer slot plays the same number of episodes (rounded up), so that short ones are not
    favoured.

    Args:
        policy: what chooses.
        env: a vector environment with ``autoreset_mode="NextStep"``.
        episodes: how many to play, at least.
        seed: of the viewer-days.
        on_step: called after each step with the number of episodes that are finished.

    Returns:
        Impressions, structured (n,) ``IMPRESSION_DTYPE``, sorted by viewer, then time. ``viewer``
        numbers the episodes, ``day`` counts from the start of each.
    """
    per_slot = math.ceil(episodes / env.num_envs)
    slots = np.arange(env.num_envs)
    done = np.zeros(env.num_envs, np.int64)
    observation, info = env.reset(seed=seed)
    ended = np.zeros(env.num_envs, np.bool_)
    log = []
    while (playing := done < per_slot).any():
        start_s = info["clock_s"]
        day = (start_s - env.simulation.slots["start_s"]) // DAY_S
        actions, _ = policy.predict(observation)
        observation, _, terminated, truncated, info = env.step(actions)
        shown = playing & ~ended & (info["room"] >= 0)
        rows = np.zeros(int(shown.sum()), IMPRESSION_DTYPE)
        rows["viewer"] = (done * env.num_envs + slots)[shown]
        rows["day"], rows["start_s"] = day[shown], start_s[shown]
        for name in ("streamer", "room", "click", "watch_s", "likes", "comments", "gift_value",
                     "follow"):  # fmt: skip
            rows[name] = info[name][shown]
        log.append(rows)
        ended = terminated | truncated
        done += ended
        if on_step is not None:
            on_step(min(int(np.minimum(done, per_slot).sum()), episodes))
    impressions = np.concatenate(log)
    impressions["category"] = env.world.streamers["category"][impressions["streamer"]]
    return impressions[np.argsort(impressions["viewer"], kind="stable")]


def simulate_world_impressions(
    world: World,
    policy: Callable[..., Any] = LoggingPolicy,
    viewers: ArrayLike | None = None,
    days: int | None = None,
    seed: int = 0,
    config: Mapping[str, float] | None = None,
    on_step: Callable[[int], object] | None = None,
) -> NDArray[Any]:
    """Play each of ``viewers`` once, from day 0 on, as :func:`simulate_logs` does.

    Args:
        world: to play in.
        policy: makes what chooses: called as ``policy(env, seed=seed)``, with a single environment.
        viewers: distinct row numbers of the world's viewers; by default all.
        days: by default all of the world's.
        seed: of viewers and policy; the same one gives common random numbers under any ``config``.
        config: parameters that differ from the world's.
        on_step: called after each step with the number of viewers who have finished.

    Returns:
        Impressions, structured (n,) ``IMPRESSION_DTYPE``, sorted by viewer, then time; viewers,
        streamers and rooms are row numbers of the world.
    """
    viewers = np.arange(len(world.viewers)) if viewers is None else np.asarray(viewers)
    env = LiveStreamRecVectorEnv(
        slots_for(len(viewers)), world=world, horizon=days or world.days, config=config
    )
    return log_impressions(
        policy(LiveStreamRecEnv(world=world), seed=seed), env, viewers, seed, on_step
    )


def slots_for(viewers: int) -> int:
    """Slots of a vector environment that plays so many viewers, as simulate_logs recommends."""
    return min(max(viewers // 20, 1), _MAX_ENVS)


def log_impressions(
    policy: Any,
    env: LiveStreamRecVectorEnv,
    viewers: ArrayLike,
    seed: int,
    on_step: Callable[[int], object] | None = None,
) -> NDArray[Any]:
    """Play each of ``viewers`` once in ``env``, from day 0 on, as :func:`simulate_logs` does.

    The arguments are those of :func:`simulate_logs`; the result is that of
    :func:`simulate_world_impressions`.
    """
    log = []
    for exposures in simulate_logs(policy, env, viewers, seed, on_step=on_step):
        rows = np.zeros(len(exposures), IMPRESSION_DTYPE)
        for name in set(IMPRESSION_DTYPE.names or ()) & set(exposures.dtype.names or ()):
            rows[name] = exposures[name]
        rows["start_s"] = exposures["clock_s"]
        log.append(rows)
    impressions = np.concatenate(log) if log else np.zeros(0, IMPRESSION_DTYPE)
    impressions["day"] = impressions["start_s"] // DAY_S
    impressions["category"] = env.world.streamers["category"][impressions["streamer"]]
    return impressions[np.argsort(impressions["viewer"], kind="stable")]
