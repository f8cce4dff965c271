"""Policies that read the environment's hidden state: yardsticks, not contestants.

``greedy-oracle`` knows every latent and maximises the expected immediate reward.
``farsighted-oracle`` is the same minus a price on clicks to sensational rooms, one number that
stands for planning. The best of them, which the normalised score puts at 1, is
:class:`agents.rules.planner.Planner`, whose price depends on the state.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.rules.far_sighted import EPISODES, tune_weight


class GreedyOracle:
    """Clairvoyant greedy: shows the room with the highest expected immediate reward."""

    weight = 0.0

    def __init__(self, env: Any = None, seed: int = 0) -> None:
        self._env: Any = env.unwrapped if env is not None else None

    def bind(self, env: Any) -> None:
        """Read the hidden state of ``env``, single or vector, from now on."""
        self._env = env.unwrapped

    def values(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Of each candidate of the moment that the bound environment is in.

        Returns:
            The rule's value and the expected immediate reward, (N, candidates) each; -inf for
            empty slots.

        Raises:
            ValueError: no environment is bound.
        """
        reward, goodwill = self._expected()
        return reward - self.weight * goodwill, reward

    def _expected(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Expected reward, -inf for empty slots, and loss of goodwill: (N, candidates) each."""
        if self._env is None:
            raise ValueError("an oracle reads an environment: call bind(env) before predict()")
        response = self._env.expected_response()
        reward = np.where(self._env.action_masks(), response["expected_reward"], -np.inf)
        return reward, response["click_probability"] * response["harm"]

    def predict(
        self,
        observation: NDArray[np.float32] | dict[str, NDArray[np.float32]],
        state: Any = None,
        episode_start: Any = None,
        deterministic: bool = False,
    ) -> tuple[Any, Any]:
        """Actions for the moment that the bound environment is in; ignores ``observation``.

        But for its shape: a single one gets a single action.

        Raises:
            ValueError: no environment is bound.
        """
        actions = self.values()[0].argmax(axis=1)
        rows = observation["viewer"] if isinstance(observation, dict) else observation
        return (actions if np.ndim(rows) == 2 else actions[0]), state


class FarsightedOracle(GreedyOracle):
    """Clairvoyant greedy minus ``weight`` x P(click) x harm (sensationalism times sensitivity).

    Args:
        env: To tune the weight for.
        seed: Not needed: it draws nothing.
        episodes: Played with each weight when it is tuned.
    """

    weight = 4.0  # until it is tuned: of a day of the default world
    weights = (0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0)

    def __init__(self, env: Any = None, seed: int = 0, episodes: int = EPISODES) -> None:
        super().__init__(env, seed)
        self.env = env
        self.episodes = episodes

    def learn(self, total_timesteps: int | None = None) -> FarsightedOracle:
        """Tune the weight, however many ``total_timesteps`` the learners are given.

        Raises:
            ValueError: it was made without an environment.
        """
        if self.env is None:
            raise ValueError("env must be given to tune the weight for, got None")
        tune_weight(self, self.env, self.weights, self.episodes)
        self.bind(self.env)
        return self
