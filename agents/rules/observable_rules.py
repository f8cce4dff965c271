"""What industry ships, and its far-sighted variant: rules on estimates from what is observed.

Both estimate the immediate reward of each candidate, fitted once to logged impressions. ``greedy``
shows the best one; ``farsighted`` subtracts a price for clicks on sensational covers, as
:class:`agents.rules.oracles.FarsightedOracle` does with the hidden state.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np

from agents.evaluation import step_info
from agents.rules.baselines import RandomPolicy, ScoringPolicy, fit_logistic
from agents.rules.far_sighted import EPISODES, tune_weight
from agents.vector import make_training_env
from livestream_env.extras import needs
from livestream_env.settings import check_integer

with needs("agents", __name__):
    import torch
    from scipy.special import expit

    from agents.dqn.by_hand import flatten_parameters
    from agents.dqn.columns import ColumnLayout
    from agents.dqn.networks import CandidateQNetwork
    from agents.dqn.regression import fit_values


class Impressions(NamedTuple):
    """Logged impressions.

    Attributes:
        observations: float32 ``(n, S + F)``: what is observed of viewer and moment, then of the
            candidate that was shown.
        rewards: ``(n,)``.
        clicks: ``(n,)`` of 0 and 1.
    """

    observations: np.ndarray
    rewards: np.ndarray
    clicks: np.ndarray


class GreedyPolicy(ScoringPolicy):
    """Shows the candidate with the highest estimated immediate reward.

    The estimate is the DQN's candidate network, fitted by squared error to the rewards of
    impressions logged under the uniform policy (so that no feature is confounded with what was
    shown).

    Args:
        env: The environment to act in, for its layout and, in :meth:`learn`, to log in.
        seed: Of the viewers it logs, the network's weights, and the order of training.
        impressions: Logged at most.
    """

    HIDDEN_SIZES = (64, 64)
    EPOCHS = 3
    NUM_ENVS = 256

    def __init__(
        self,
        env: gym.Env | gym.vector.VectorEnv,
        seed: int | None = None,
        impressions: int = 300_000,
    ) -> None:
        super().__init__(env, seed)
        self.seed = seed
        self.impressions = impressions
        shared, features = len(self.layout.shared_columns), self.layout.candidate_columns.shape[1]
        self._one_candidate = ColumnLayout(
            np.arange(shared), shared + np.arange(features)[None], np.array([shared])
        )
        self.network = self._make_network(self.layout)
        flatten_parameters(self.network)

    def _make_network(self, layout: Any) -> CandidateQNetwork:
        with torch.random.fork_rng(devices=[]):  # leaves the caller's random numbers alone
            torch.default_generator.manual_seed(0 if self.seed is None else self.seed)
            return CandidateQNetwork(layout, self.HIDDEN_SIZES)

    def learn(self, total_timesteps: int | None = None) -> GreedyPolicy:
        """Log at most ``total_timesteps`` impressions, and fit the estimate to them."""
        check_integer("total_timesteps", total_timesteps, 1, optional=True)
        count = self.impressions if total_timesteps is None else total_timesteps
        self._fit(self._log_impressions(min(count, self.impressions)))
        return self

    def _fit(self, log: Impressions) -> None:
        """Fit the network: with one candidate it has the same weights as with all of them."""
        network = self._make_network(self._one_candidate)
        slot = np.zeros(len(log.rewards), np.int64)
        fit_values(network, log.observations, slot, log.rewards, epochs=self.EPOCHS, seed=self.seed)
        self.network.load_state_dict(network.state_dict())

    def _log_impressions(self, count: int) -> Impressions:
        """At least ``count`` impressions under the uniform policy."""
        venv = make_training_env(self.env, self.NUM_ENVS)
        behaviour = RandomPolicy(venv, self.seed)
        shared, candidates = self.layout.shared_columns, self.layout.candidate_columns
        slots = np.arange(venv.num_envs)[:, None]
        observations, rewards, clicks = [], [], []
        observation, _ = venv.reset(seed=self.seed)
        for _ in range(-(-count // venv.num_envs)):
            actions, _ = behaviour.predict(observation)
            shown = observation[slots, candidates[actions]]
            observations.append(np.concatenate([observation[:, shared], shown], axis=1))
            observation, reward, _, _, info = venv.step(actions)
            rewards.append(reward)
            clicks.append(step_info(info, "click"))
        venv.close()
        return Impressions(*map(np.concatenate, (observations, rewards, clicks)))

    @torch.inference_mode()
    def expected_reward(self, observation: np.ndarray) -> np.ndarray:
        """The estimate for each candidate: (B, D) to (B, N)."""
        tensor = torch.from_numpy(np.ascontiguousarray(observation, dtype=np.float32))
        return self.network(tensor).numpy().astype(np.float64)

    def scores(self, observation: np.ndarray, deterministic: bool) -> np.ndarray:
        """The estimated immediate reward."""
        return self.expected_reward(observation)


class FarsightedPolicy(GreedyPolicy):
    """Greedy's estimate minus ``weight`` x estimated P(click) x the cover's sensationalism.

    The click probability is a logistic regression on the candidate's features, fitted to the same
    impressions; the weight is tuned on further episodes.

    Args:
        env: As for greedy.
        seed: As for greedy.
        impressions: Logged at most.
        episodes: Played with each weight when it is tuned.
    """

    weight = 2.4  # until it is tuned
    weights = (0.0, 1.5, 3.0, 4.5, 6.0, 7.5, 9.0, 12.0)  # the oracle's: covers are in 3 units
    RIDGE = 1.0

    def __init__(
        self,
        env: gym.Env | gym.vector.VectorEnv,
        seed: int | None = None,
        impressions: int = 300_000,
        episodes: int = EPISODES,
    ) -> None:
        super().__init__(env, seed, impressions)
        self.episodes = episodes
        self.click_weights = np.zeros(self.layout.candidate_columns.shape[1])

    def learn(self, total_timesteps: int | None = None) -> FarsightedPolicy:
        """Fit both estimates to at most ``total_timesteps`` impressions, and tune the weight."""
        super().learn(total_timesteps)
        tune_weight(self, self.env, self.weights, self.episodes)
        return self

    def _fit(self, log: Impressions) -> None:
        super()._fit(log)
        shown = log.observations[:, len(self.layout.shared_columns) :].astype(np.float64)
        self.click_weights = fit_logistic(shown, log.clicks, self.RIDGE)

    def scores(self, observation: np.ndarray, deterministic: bool) -> np.ndarray:
        """The estimated reward, less the price of the goodwill that a click would cost."""
        clicks = expit(self.features(observation) @ self.click_weights)
        cover = self.layout.candidate(observation, "cover_appeal")
        return self.expected_reward(observation) - self.weight * clicks * cover
