"""Wrappers around the single environment."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from livestream_env.reward import REWARD_COMPONENTS


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
        components = info["reward_components"]
        vector = np.array([components[name] for name in REWARD_COMPONENTS], np.float32)
        return observation, vector, terminated, truncated, {**info, "scalar_reward": reward}
