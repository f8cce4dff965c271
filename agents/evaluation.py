"""Playing the same viewer-days with every policy.

Common random numbers: the viewer-day that slot ``i`` of a vector environment plays as its
``k``-th episode depends on the seed, ``i`` and ``k`` only, never on the policy. Every slot plays
the same number of episodes, to their ends, so that two evaluations with the same seed and number
of episodes can be compared pair by pair (and no policy gets more of the short days).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import VectorEnv

import livestream_env  # noqa: F401  (registers the environments)
from agents.policy import Policy
from agents.vector import make_training_env

EVALUATION_SEED = 1_000_003  # far from the training seeds: held-out viewer-days

EPISODE_DTYPE = np.dtype(
    [
        ("reward", np.float64),
        ("watch_s", np.float64),
        ("clicks", np.int64),
        ("likes", np.int64),
        ("comments", np.int64),
        ("gifts", np.int64),
        ("gift_value", np.float64),
        ("follows", np.int64),
        ("impressions", np.int64),
        ("visits", np.int64),
    ]
)


def step_info(info: Mapping[str, Any], key: str) -> np.ndarray:
    """``info[key]`` of the step just taken, also for slots whose episode it ended.

    In SAME_STEP mode ``info`` describes the observation returned, which for an ended episode is
    the first of the next one; what the step brought is in ``info["final_info"]``.

    Args:
        info: The info of a vector environment's step.
        key: A key whose values are arrays over the slots.

    Returns:
        Array ``(num_envs, ...)``; ``info`` is left as it is.
    """
    if "final_info" not in info:
        return np.asarray(info[key])
    ended = info["_final_info"]
    values = np.array(info[key])
    values[ended] = info["final_info"][key][ended]
    return values


def _outcome(reward: np.ndarray, info: Mapping[str, Any], done: np.ndarray) -> dict[str, Any]:
    """What one step adds to the totals of each slot's episode."""
    gift_value = step_info(info, "gift_value")
    return {
        "reward": reward,
        "watch_s": step_info(info, "watch_s"),
        "clicks": step_info(info, "click"),
        "likes": step_info(info, "likes"),
        "comments": step_info(info, "comments"),
        "gifts": gift_value > 0,
        "gift_value": gift_value,
        "follows": step_info(info, "follow"),
        "impressions": step_info(info, "room") >= 0,
        # A visit that ends is followed by another one, unless it is the last.
        "visits": step_info(info, "visit_ended") & ~done,
    }


def evaluate(
    policy: Policy,
    env_id: str | gym.Env | VectorEnv = "LiveStreamRec-v0",
    env_kwargs: Mapping[str, Any] | None = None,
    episodes: int = 1000,
    seed: int = EVALUATION_SEED,
    num_envs: int = 256,
    on_step: Callable[[int], object] | None = None,
) -> np.ndarray:
    """Play viewer-days and total what happened in each.

    Args:
        policy: Acts with ``deterministic=True``.
        env_id: A registered environment of the family, or one made from it, which is made anew.
        env_kwargs: Its arguments.
        episodes: Viewer-days to play.
        seed: Seed of the viewer-days. A shorter evaluation plays the first of a longer one's.
        num_envs: Viewers per forward pass, part of what decides the viewer-days; all slots play
            the same number, and what is beyond ``episodes`` is left out.
        on_step: Called after each step with the number of episodes finished so far.

    Returns:
        Structured array ``(episodes,)`` of :data:`EPISODE_DTYPE`: element ``k * num_envs + i`` is
        the ``k``-th episode of slot ``i``.
    """
    if episodes < 1 or num_envs < 1:
        raise ValueError(
            f"episodes and num_envs must be at least 1, got episodes={episodes}, "
            f"num_envs={num_envs}"
        )
    num_envs = min(num_envs, episodes)
    rounds = -(-episodes // num_envs)
    venv = make_training_env(env_id, num_envs, env_kwargs)
    if hasattr(policy, "bind"):
        policy.bind(venv)

    totals = np.zeros((rounds, num_envs), EPISODE_DTYPE)
    totals["visits"] = 1
    played = np.zeros(num_envs, np.int64)  # episodes each slot has finished
    slots = np.arange(num_envs)
    state, episode_start = None, np.ones(num_envs, bool)
    observation, _ = venv.reset(seed=seed)
    while (playing := played < rounds).any():
        actions, state = policy.predict(
            observation, state=state, episode_start=episode_start, deterministic=True
        )
        observation, reward, terminated, truncated, info = venv.step(actions)
        done = terminated | truncated
        where = played[playing], slots[playing]
        for name, value in _outcome(reward, info, done).items():
            totals[name][where] += value[playing]
        played += done
        episode_start = done
        if on_step is not None:
            on_step(min(int(np.minimum(played, rounds).sum()), episodes))
    venv.close()
    return totals.reshape(-1)[:episodes]
