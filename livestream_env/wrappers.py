"""Wrappers around the single environment; and what other wrappers do to the observation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.vector import VectorEnv, VectorObservationWrapper, VectorWrapper
from gymnasium.wrappers import MaxAndSkipObservation
from numpy.typing import NDArray

from livestream_env.observation import ObservationLayout
from livestream_env.reward import REWARD_COMPONENTS, REWARD_FIELDS


class VectorReward(gym.Wrapper[Any, Any, Any, Any]):
    """Returns the reward's components as a vector, by MO-Gymnasium's convention.

    ``step`` returns a float32 array (5,) of the unweighted components in the order of
    ``REWARD_COMPONENTS`` (watch, like, comment, gift, follow); ``reward_space`` and ``reward_dim``
    describe it; ``info["scalar_reward"]`` holds the weighted sum. MO-Gymnasium's
    ``LinearReward(env, weight)`` turns it back into a scalar.

    Make the environment with ``disable_env_checker=True``: Gymnasium's checker wants a number.
    """

    def __init__(self, env: gym.Env[Any, Any]) -> None:
        super().__init__(env)
        self.reward_dim = len(REWARD_COMPONENTS)
        self.reward_space = spaces.Box(0.0, np.inf, (self.reward_dim,), np.float32)
        # MO-Gymnasium's wrappers look for both on the innermost environment.
        vars(env.unwrapped).update(reward_dim=self.reward_dim, reward_space=self.reward_space)

    def step(self, action: Any) -> tuple[Any, NDArray[np.float32], bool, bool, dict[str, Any]]:
        """The wrapped step, with a vector for a reward."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        vector = np.array([info[name] for name in REWARD_FIELDS], np.float32)
        return observation, vector, terminated, truncated, {**info, "scalar_reward": reward}


AnyEnv = gym.Env[Any, Any] | VectorEnv[Any, Any, Any]
# Wrappers whose observations can be others in the same space.
_CHANGE_OBSERVATIONS = (gym.ObservationWrapper, VectorObservationWrapper, MaxAndSkipObservation)


def layout_under(env: AnyEnv) -> ObservationLayout | None:
    """The layout of what the environment under all wrappers observes; None if it has none."""
    bases = (base for base in _bases(env) if hasattr(base, "layout"))
    return next((base.layout for base in bases), None)


def column_changer(env: AnyEnv) -> str | None:
    """The name of a wrapper after which columns are not where the layout says; None if none is.

    It is one that is made to change observations, or that has another observation space than what
    it wraps. Any other wrapper can do so, too: see :func:`check_columns`.
    """
    for wrapper in _wrappers(env):
        if isinstance(wrapper, _CHANGE_OBSERVATIONS) or _space(wrapper) != _space(wrapper.env):
            return type(wrapper).__name__
    return None


def check_columns(env: AnyEnv, observation: NDArray[np.float32]) -> None:
    """Compare what ``reset`` returned with what the environment under all wrappers observes.

    Args:
        env: Just reset.
        observation: ``(N, D)``, of the reset.

    Raises:
        ValueError: They differ: some wrapper rewrites observations.
    """
    names = [type(wrapper).__name__ for wrapper in _wrappers(env)]
    bases = [base for base in _bases(env) if hasattr(base, "simulation")]
    if not (names and bases):
        return
    truth = np.concatenate([base.simulation.observe() for base in bases])
    if truth.shape != observation.shape or not np.array_equal(truth, observation):
        raise ValueError(
            f"{' or '.join(dict.fromkeys(names))} rewrites the observation, of which the agent "
            "reads columns by their place: leave such a wrapper out"
        )


def _bases(env: AnyEnv) -> list[Any]:
    """What is under all wrappers: the vector environment, then the single ones that it steps."""
    base: Any = env.unwrapped
    return [base, *(single.unwrapped for single in getattr(base, "envs", []))]


def _wrappers(env: AnyEnv) -> Iterator[Any]:
    """From the outermost; those of a vector environment's single ones follow."""
    inner: Any = env
    while isinstance(inner, (gym.Wrapper, VectorWrapper)):
        yield inner
        inner = inner.env
    for single in getattr(inner, "envs", []):
        yield from _wrappers(single)


def _space(env: Any) -> spaces.Space[Any]:
    """Of one viewer's observation."""
    space: spaces.Space[Any] = getattr(env, "single_observation_space", env.observation_space)
    return space
