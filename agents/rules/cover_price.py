"""A rule of two weights, which one can write down: the yardstick that hurts.

Who passes over sensational rooms loses clicks now and keeps the viewer's goodwill. How much of it
is at stake shows in how often she left such rooms at once in the past; so the price of a cover is
``base + slope * past regret``. A learner is told neither which columns matter nor which to
multiply.
"""

from __future__ import annotations

import itertools

import gymnasium as gym
import numpy as np

from agents.rules.baselines import ScoringPolicy
from agents.rules.far_sighted import EPISODES, tune_weight
from livestream_env.observation import PastColumn
from livestream_env.settings import check_integer


class CoverPricePolicy(ScoringPolicy):
    """Shows the candidate with the highest affinity less the price of its cover.

    Both weights are the best of a grid on further viewer-days. Where nothing of the viewer's past
    is observed (``traces=False``), the price is the same for everyone.

    Args:
        env: The environment to act in, for its layout and, in :meth:`learn`, to tune in.
        seed: Not needed.
        episodes: Played with each pair of weights when they are tuned.
    """

    BASES = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5)
    SLOPES = (0.0, 2.0, 4.0, 6.0, 8.0)

    def __init__(
        self,
        env: gym.Env | gym.vector.VectorEnv,
        seed: int | None = None,
        episodes: int = EPISODES,
    ) -> None:
        super().__init__(env, seed)
        self.episodes = check_integer("episodes", episodes, 1)
        self.weight = (0.5, 0.0)  # base and slope of the price, until they are tuned

    def learn(self, total_timesteps: int | None = None) -> CoverPricePolicy:
        """Tune both weights, however many ``total_timesteps`` the learners are given."""
        slopes = self.SLOPES if self._knows_regret else (0.0,)
        pairs = list(itertools.product(self.BASES, slopes))
        tune_weight(self, self.env, pairs, self.episodes)
        return self

    @property
    def _knows_regret(self) -> bool:
        return "past" in self.layout.slices

    def scores(self, observation: np.ndarray, deterministic: bool) -> np.ndarray:
        """Affinity less the price of the cover."""
        base, slope = self.weight
        price: float | np.ndarray = base
        if self._knows_regret:
            past = observation[:, self.layout.slices["past"]]
            price = base + slope * past[:, [PastColumn.REGRET]]
        affinity = self.layout.candidate(observation, "affinity")
        return affinity - price * self.layout.candidate(observation, "cover_appeal")
