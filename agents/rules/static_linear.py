"""The best fixed linear rule on what is observed of the candidates: a yardstick for learners.

It knows neither who watches nor what happened before. What a trained agent earns beyond it is what
reading the viewer is worth; an agent that does not pass it has learnt a ranking, not to recommend.
"""

from __future__ import annotations

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from agents.rules.baselines import ScoringPolicy
from agents.rules.far_sighted import tuning_reward
from livestream_env.settings import check_integer


class StaticLinearPolicy(ScoringPolicy):
    """Shows the candidate with the highest weighted sum of its observed features.

    The weights are found by the cross-entropy method (Rubinstein 1999): of vectors drawn from a
    normal distribution, the best are kept and the next ones drawn around them. All play the same
    viewer-days, which are neither trained nor evaluated on.

    Args:
        env: The environment to act in, for its layout and, in :meth:`learn`, to tune in.
        seed: Of the vectors.
        rounds: Of drawing.
        vectors: Drawn in each round.
        episodes: Played with each vector; with the best ones of the last round, four times as many.
    """

    ELITE = 8
    FIRST_STD = 0.4  # beside affinity's weight of 1, where the search begins

    def __init__(
        self,
        env: gym.Env | gym.vector.VectorEnv,
        seed: int | None = None,
        rounds: int = 5,
        vectors: int = 48,
        episodes: int = 256,
    ) -> None:
        super().__init__(env, seed)
        self.rounds = check_integer("rounds", rounds, 1)
        self.vectors = check_integer("vectors", vectors, self.ELITE)
        self.episodes = check_integer("episodes", episodes, 1)
        columns = self.layout.column_names
        self.names = [columns[i].partition(".")[2] for i in self.layout.candidate_columns[0]]
        self.weights = np.array([name == "affinity" for name in self.names], np.float64)

    def learn(self, total_timesteps: int | None = None) -> StaticLinearPolicy:
        """Tune the weights, however many ``total_timesteps`` the learners are given."""
        first = mean = self.weights
        std = np.full(len(mean), self.FIRST_STD)
        for _ in range(self.rounds):
            drawn = np.concatenate(
                [[mean], self.rng.normal(mean, std, (self.vectors - 1, len(mean)))]
            )
            elite = self._best_first(drawn, self.episodes)[: self.ELITE]
            mean, std = elite.mean(axis=0), elite.std(axis=0)
        self.weights = self._best_first(np.array([first, mean, *elite]), 4 * self.episodes)[0]
        return self

    def _best_first(self, vectors: NDArray[np.float64], episodes: int) -> NDArray[np.float64]:
        """The vectors (n, F), by the mean reward that each earns."""
        rewards = []
        for weights in vectors:
            self.weights = weights
            rewards.append(tuning_reward(self, self.env, episodes))
        return vectors[np.argsort(rewards)[::-1]]

    def scores(self, observation: np.ndarray, deterministic: bool) -> np.ndarray:
        """The weighted sums."""
        return self.features(observation) @ self.weights
