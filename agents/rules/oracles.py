"""Policies that read the environment's hidden state: yardsticks, not contestants.

``greedy-oracle`` knows every latent and maximises the expected immediate reward.
``farsighted-oracle`` is the same minus a price on clicks to sensational rooms, one number that
stands for planning; it takes prices on what the other mechanisms gain, too. The best of them, which
the normalised score puts at 1, is :class:`agents.rules.planner.Planner`, whose price depends on the
state.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.rules.far_sighted import EPISODES, tune_weight


class GreedyOracle:
    """Clairvoyant greedy: shows the room with the highest expected immediate reward."""

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
        reward = self._expected()["reward"]
        return reward, reward

    def _expected(self) -> dict[str, NDArray[np.float64]]:
        """What showing each candidate brings in expectation: (N, candidates) each.

        Returns:
            ``reward``, now, -inf for empty slots; ``click``, its probability; and what it does
            for later: ``harm``, sensationalism clicked on times the viewer's sensitivity;
            ``bond``, growth of the sum that loyalty is made of; ``breadth``, growth of the mean
            familiarity with a category.
        """
        if self._env is None:
            raise ValueError("an oracle reads an environment: call bind(env) before predict()")
        response = self._env.expected_response()
        click = response["click_probability"]
        return {
            "reward": np.where(self._env.action_masks(), response["expected_reward"], -np.inf),
            "click": click,
            "harm": click * response["harm"],
            "bond": click * response["bond"],
            "breadth": response["breadth"],
        }

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
    """Clairvoyant greedy with prices on what an impression does to the days to come.

    Shows the candidate with the highest

        E[reward] - ``weight`` E[harm] + ``bond`` E[bond] + ``breadth`` E[breadth],

    the terms of :meth:`_expected`; prices are in reward per unit of them. :meth:`learn` tunes
    ``weight`` alone, the one that pays in the default world.

    Args:
        env: To tune the weight for.
        seed: Not needed: it draws nothing.
        episodes: Played with each weight when it is tuned.
    """

    weight = 4.0  # of harm; until it is tuned: of a day of the default world
    bond = 0.0
    breadth = 0.0
    weights = (0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0)

    def __init__(self, env: Any = None, seed: int = 0, episodes: int = EPISODES) -> None:
        super().__init__(env, seed)
        self.env = env
        self.episodes = episodes

    def values(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """See :meth:`GreedyOracle.values`."""
        expected = self._expected()
        reward = expected["reward"]
        gained = self.bond * expected["bond"] + self.breadth * expected["breadth"]
        return reward - self.weight * expected["harm"] + gained, reward

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


class OnePriceOracle(FarsightedOracle):
    """Far-sighted, but takes everybody to be as sensitive as the mean viewer of the world."""

    def _expected(self) -> dict[str, NDArray[np.float64]]:
        expected = super()._expected()
        world = self._env.world
        sensationalism = world.streamers["sensationalism"][self._env.get_state()["streamer"]]
        sensitivity = world.viewers["sensitivity"].mean(dtype=np.float64)
        return expected | {"harm": expected["click"] * sensitivity * sensationalism}
