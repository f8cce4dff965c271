"""Policies that read the environment's hidden state: yardsticks, not contestants.

``greedy-oracle`` knows every latent and maximises the expected immediate reward. The normalised
score puts it at 1. ``farsighted-oracle`` is the same minus a penalty on clicks to sensational
rooms, one number that stands for planning: a score above 1 needs it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


class GreedyOracle:
    """Clairvoyant greedy: shows the room with the highest expected immediate reward."""

    penalty = 0.0

    def __init__(self, env: Any = None, seed: int = 0) -> None:
        self._env = env.unwrapped if env is not None else None

    def bind(self, env: Any) -> None:
        """Read the hidden state of ``env``, single or vector, from now on."""
        self._env = env.unwrapped

    def predict(
        self,
        observation: NDArray[np.float32],
        state: Any = None,
        episode_start: Any = None,
        deterministic: bool = False,
    ) -> tuple[Any, Any]:
        """Actions for the moment that the bound environment is in; ignores ``observation``.

        Raises:
            ValueError: no environment is bound.
        """
        if self._env is None:
            raise ValueError("an oracle reads an environment: call bind(env) before predict()")
        response = self._env.expected_response()
        value = response["expected_reward"] - self.penalty * (
            response["click_probability"] * response["sensationalism"]
        )
        actions = np.where(self._env.action_masks(), value, -np.inf).argmax(axis=1)
        return (actions if np.ndim(observation) == 2 else actions[0]), state


class FarsightedOracle(GreedyOracle):
    """Clairvoyant greedy minus ``penalty`` x P(click) x sensationalism."""

    penalty = 0.8
