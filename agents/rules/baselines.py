"""Policies that do not plan: each scores the candidates and shows the best one.

They see what any agent sees, the observation; :mod:`agents.rules.oracles` has the ones that look
behind it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import gymnasium as gym
import numpy as np

from agents.evaluation import step_info
from agents.policy import Callback
from agents.vector import make_training_env
from livestream_env.extras import needs
from livestream_env.progress import Progress
from livestream_env.settings import check_choice, check_integer
from livestream_env.simulated_logs.policy import LoggingPolicy, flat_layout

with needs("agents", __name__):
    from scipy.special import expit

__all__ = [
    "ColumnPolicy",
    "LinUCB",
    "LoggingPolicy",
    "MaxCTRPolicy",
    "PopularityPolicy",
    "RandomPolicy",
    "ScoringPolicy",
    "fit_logistic",
]


class ScoringPolicy(ABC):
    """Shows the valid candidate with the highest score; ties go to the lower slot.

    Args:
        env: The environment to act in (single or vector), for its observation layout.
        seed: Seed of the policy's own random numbers.

    Raises:
        ValueError: If the environment's observations are not flat.
    """

    def __init__(self, env: gym.Env | gym.vector.VectorEnv, seed: int | None = None) -> None:
        self.env = env
        self.layout = flat_layout(env, self)
        self.rng = np.random.default_rng(seed)

    @abstractmethod
    def scores(self, observation: np.ndarray, deterministic: bool) -> np.ndarray:
        """A score for each candidate: observations (B, D) to scores (B, N)."""

    def predict(
        self,
        observation: np.ndarray,
        state: Any = None,
        episode_start: np.ndarray | None = None,
        deterministic: bool = False,
    ) -> tuple[Any, Any]:
        """See :class:`agents.policy.Policy`."""
        batch = np.atleast_2d(observation)
        scores = self.scores(batch, deterministic)
        actions = np.where(self.layout.action_mask(batch), scores, -np.inf).argmax(axis=1)
        return (actions if np.ndim(observation) == 2 else actions[0]), state

    def features(self, observation: np.ndarray) -> np.ndarray:
        """The features of each candidate, (B, D) to (B, N, F) float64.

        The feature ``valid`` is 1 for every candidate that can be shown: the intercept.
        """
        return observation[:, self.layout.candidate_columns].astype(np.float64)


class RandomPolicy(ScoringPolicy):
    """Uniform over the valid candidates, whatever ``deterministic`` says."""

    def scores(self, observation: np.ndarray, deterministic: bool) -> np.ndarray:
        """Independent uniform numbers."""
        return self.rng.random((len(observation), self.layout.num_candidates))

    def propensities(self, observation: np.ndarray) -> np.ndarray:
        """The probability of showing each candidate: (B, D) to (B, N), rows sum to 1."""
        valid = self.layout.action_mask(observation).astype(np.float64)
        return np.asarray(valid / valid.sum(axis=1, keepdims=True))


class ColumnPolicy(ScoringPolicy):
    """Shows the candidate with the highest value of one column.

    Args:
        env: As for :class:`ScoringPolicy`.
        seed: Plays no role.
        column: Of the candidates' features, for example ``affinity``.

    Raises:
        ValueError: There is no such column.
    """

    def __init__(
        self,
        env: gym.Env | gym.vector.VectorEnv,
        seed: int | None = None,
        column: str = "affinity",
    ) -> None:
        super().__init__(env, seed)
        self.column = check_choice("column", column, self.layout.names["candidates"])

    def scores(self, observation: np.ndarray, deterministic: bool) -> np.ndarray:
        """That column."""
        return np.asarray(self.layout.candidate(observation, self.column))


class PopularityPolicy(ColumnPolicy):
    """Shows the room with the most viewers."""

    def __init__(self, env: gym.Env | gym.vector.VectorEnv, seed: int | None = None) -> None:
        super().__init__(env, seed, "viewers")


class MaxCTRPolicy(ScoringPolicy):
    """Shows the candidate with the highest estimated click probability.

    The estimate is a logistic regression on the candidate's features, fitted to impressions
    logged under the uniform policy (so that no feature is confounded with what was shown). What
    does not differ between candidates cannot change their order, so the viewer's own features are
    left out.
    """

    IMPRESSIONS = 20_000
    RIDGE = 1.0
    NUM_ENVS = 64

    def __init__(self, env: gym.Env | gym.vector.VectorEnv, seed: int | None = None) -> None:
        super().__init__(env, seed)
        self.seed = seed
        self.weights = np.zeros(self.layout.candidate_columns.shape[1])

    def learn(
        self,
        total_timesteps: int = IMPRESSIONS,
        callback: Callback | None = None,
        progress_bar: bool = False,
    ) -> MaxCTRPolicy:
        """Log at most :attr:`IMPRESSIONS` impressions and fit the click model to them."""
        check_integer("total_timesteps", total_timesteps, 1)
        features, clicks = self._log_impressions(min(total_timesteps, self.IMPRESSIONS))
        self.weights = fit_logistic(features, clicks, self.RIDGE)
        return self

    def _log_impressions(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Features (n, F) and clicks (n,) of ``n >= count`` impressions under RandomPolicy."""
        venv = make_training_env(self.env, self.NUM_ENVS)
        behaviour = RandomPolicy(venv, self.seed)
        slots = np.arange(venv.num_envs)
        features, clicks = [], []
        observation, _ = venv.reset(seed=self.seed)
        for _ in range(-(-count // venv.num_envs)):
            actions, _ = behaviour.predict(observation)
            features.append(self.features(observation)[slots, actions])
            observation, _, _, _, info = venv.step(actions)
            clicks.append(step_info(info, "click"))
        venv.close()
        return np.concatenate(features), np.concatenate(clicks)

    def click_probability(self, observation: np.ndarray) -> np.ndarray:
        """The estimate for each candidate: (B, D) to (B, N)."""
        return np.asarray(expit(self.features(observation) @ self.weights))

    def scores(self, observation: np.ndarray, deterministic: bool) -> np.ndarray:
        """The estimated click probability."""
        return self.click_probability(observation)


def fit_logistic(
    features: np.ndarray, labels: np.ndarray, ridge: float, tolerance: float = 1e-8
) -> np.ndarray:
    """Logistic regression with an L2 penalty, by Newton's method.

    Args:
        features: (n, F).
        labels: (n,) of 0 and 1.
        ridge: Penalty ``ridge/2 * |w|^2``; more than 0, so that the optimum is finite and unique.
        tolerance: Stop once no weight moves by more.

    Returns:
        Weights (F,).
    """
    weights = np.zeros(features.shape[1])
    for _ in range(100):
        probability = expit(features @ weights)
        gradient = features.T @ (probability - labels) + ridge * weights
        curvature = features.T * (probability * (1.0 - probability)) @ features
        step = np.linalg.solve(curvature + ridge * np.eye(len(weights)), gradient)
        weights -= step
        if np.abs(step).max() < tolerance:
            break
    return weights


class LinUCB(ScoringPolicy):
    """Linear contextual bandit with upper confidence bounds (Li et al., 2010, equation 5).

    One weight vector shared by all rooms, over the candidate's features: rooms come and go too
    fast for weights of their own. It is greedy for the expected immediate reward and explores by
    uncertainty while it learns; ``predict(deterministic=True)`` leaves the bonus out.

    Args:
        env: The environment to act in, for its layout and, in :meth:`learn`, to train in.
        seed: Seed of the viewers it trains with.
        alpha: Width of the confidence bound, in units of reward.
        ridge: Prior precision of the weights.
        num_envs: Viewers served between two updates while learning.
    """

    def __init__(
        self,
        env: gym.Env | gym.vector.VectorEnv,
        seed: int | None = None,
        alpha: float = 1.0,
        ridge: float = 1.0,
        num_envs: int = 64,
    ) -> None:
        super().__init__(env, seed)
        self.seed = seed
        self.alpha = alpha
        self.num_envs = num_envs
        self.num_timesteps = 0
        size = self.layout.candidate_columns.shape[1]
        self.precision = ridge * np.eye(size)
        self.response = np.zeros(size)
        self._solve()

    def update(self, features: np.ndarray, rewards: np.ndarray) -> None:
        """Learn from a batch: features (n, F) of what was shown, rewards (n,)."""
        self.precision += features.T @ features
        self.response += features.T @ rewards
        self._solve()

    def _solve(self) -> None:
        # The inverse of the Cholesky factor L gives both the weights and the width:
        # x' A^-1 x = |L^-1 x|^2.
        self._whitening = np.linalg.inv(np.linalg.cholesky(self.precision))
        self.weights = self._whitening.T @ (self._whitening @ self.response)

    def scores(self, observation: np.ndarray, deterministic: bool) -> np.ndarray:
        """Expected reward, plus ``alpha`` standard errors of it unless deterministic."""
        features = self.features(observation)
        expected = features @ self.weights
        if deterministic:
            return expected
        return expected + self.alpha * np.linalg.norm(features @ self._whitening.T, axis=2)

    def learn(
        self,
        total_timesteps: int,
        callback: Callback | None = None,
        progress_bar: bool = False,
    ) -> LinUCB:
        """Serve viewers for ``total_timesteps`` impressions, updating after each batch."""
        check_integer("total_timesteps", total_timesteps, 0)
        venv = make_training_env(self.env, self.num_envs)
        slots = np.arange(venv.num_envs)
        observation, _ = venv.reset(seed=self.seed)
        end = self.num_timesteps + total_timesteps
        with Progress(total_timesteps, "linucb", show=progress_bar) as bar:
            while self.num_timesteps < end:
                actions, _ = self.predict(observation)
                shown = self.features(observation)[slots, actions]
                observation, rewards, _, _, _ = venv.step(actions)
                self.update(shown, rewards)
                self.num_timesteps += venv.num_envs
                bar.update(venv.num_envs)
                if callback is not None:
                    callback(self)
        venv.close()
        return self
