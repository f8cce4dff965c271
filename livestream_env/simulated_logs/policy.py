"""The behaviour policy behind simulated logs."""

from __future__ import annotations

from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from livestream_env.observation import ObservationLayout
from livestream_env.settings import check_number
from livestream_env.wrappers import column_changer, layout_under


def flat_layout(env: gym.Env | gym.vector.VectorEnv, policy: object) -> ObservationLayout:
    """The layout of what ``policy`` observes in ``env``, single or vector.

    Raises:
        ValueError: If the environment's observations are not flat, it has no layout, or a wrapper
            moves or rescales the columns.
    """
    name = type(policy).__name__
    layout = layout_under(env)
    if layout is None:
        raise ValueError(f"{name} needs a LiveStreamRec environment, whose columns it reads")
    if (wrapper := column_changer(env)) is not None:
        raise ValueError(
            f"{name} reads columns of the observation by their place, and {wrapper} moves or "
            "rescales them: leave it out"
        )
    space = getattr(env, "single_observation_space", env.observation_space)
    if not isinstance(space, gym.spaces.Box):
        raise ValueError(
            f"{name} reads flat observations, got {space}; "
            "make the environment with observation='flat'"
        )
    return layout


class LoggingPolicy:
    """The behaviour policy that produces logs: a noisy ranking by relevance, as in production.

    A softmax over relevance, so that every candidate has a known positive propensity. It is
    stochastic by nature: ``deterministic`` does not change it.

    Args:
        env: The environment to act in (single or vector), for its observation layout.
        seed: Seed of the policy's own random numbers.
        uniform_share: Share of decisions that are uniform over the candidates instead; logs of
            such a mixture cover what the ranking hardly ever shows.

    Raises:
        ValueError: If the environment's observations are not flat, or the share not in [0, 1].
    """

    RELEVANCE: ClassVar[dict[str, float]] = {
        "affinity": 3.6,
        "past_watch": 1.5,
        "viewers": 1.0,
    }
    TEMPERATURE = 1.0

    def __init__(
        self,
        env: gym.Env | gym.vector.VectorEnv,
        seed: int | None = None,
        uniform_share: float = 0.0,
    ) -> None:
        self.layout = flat_layout(env, self)
        self.rng = np.random.default_rng(seed)
        self.uniform_share = check_number("uniform_share", uniform_share, 0.0, 1.0)

    def _logits(self, observation: NDArray[np.float32]) -> NDArray[np.float64]:
        relevance = sum(
            weight * self.layout.candidate(observation, name).astype(np.float64)
            for name, weight in self.RELEVANCE.items()
        )
        return np.where(self.layout.action_mask(observation), relevance / self.TEMPERATURE, -np.inf)

    def propensities(self, observation: NDArray[np.float32]) -> NDArray[np.float64]:
        """The probability of showing each candidate: (B, D) to (B, N), rows sum to 1."""
        logits = self._logits(observation)
        weight = np.exp(logits - logits.max(axis=1, keepdims=True))
        ranked = weight / weight.sum(axis=1, keepdims=True)
        if not self.uniform_share:
            return np.asarray(ranked)
        possible = np.isfinite(logits)
        uniform = possible / possible.sum(axis=1, keepdims=True)
        return np.asarray(ranked + self.uniform_share * (uniform - ranked))

    def predict(
        self,
        observation: NDArray[np.float32],
        state: Any = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = False,
    ) -> tuple[Any, Any]:
        """Stable-Baselines3's ``predict``, for one observation (D,) or a batch (B, D)."""
        logits = self._logits(np.atleast_2d(observation))
        if self.uniform_share:
            uniform = self.rng.random(len(logits)) < self.uniform_share
            logits[uniform[:, None] & np.isfinite(logits)] = 0.0
        # Gumbel-max: the highest of the perturbed logits is a draw from the softmax.
        actions = (logits + self.rng.gumbel(size=logits.shape)).argmax(axis=1)
        return (actions if np.ndim(observation) == 2 else actions[0]), state
