"""The policies that are judged: their probabilities of every candidate."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.policy import Policy
from livestream_env.decisions import Decisions
from livestream_env.observation import ObservationLayout
from livestream_env.settings import check_number

_BLOCK = 2**10  # observations at a time; networks keep memory for each of eight sizes


class TargetPolicy:
    """A policy that says how likely it shows each candidate, and draws what it shows from that.

    Importance weights are made of these probabilities. Of a deterministic policy they are 0 and 1,
    and a log of many steps hardly ever has all that it would have done; ``epsilon`` or
    ``temperature`` make a neighbour of it that a log can tell more about.

    Args:
        policy: If it has ``propensities(observation)``, these; else what it does deterministically.
        layout: Of the observations.
        epsilon: Share of decisions that are uniform over the candidates instead.
        temperature: Softmax over the policy's scores (``scores``, or the Q-values of our DQN)
            divided by this instead of the highest; None: as the policy is.
        seed: Of the draws in :meth:`predict`.

    Raises:
        ValueError: An argument is out of range, the policy reads hidden state, which no log has,
            or it has no scores for a temperature.
    """

    def __init__(
        self,
        policy: Policy,
        layout: ObservationLayout,
        epsilon: float = 0.0,
        temperature: float | None = None,
        seed: int | None = None,
    ) -> None:
        self.policy = policy
        self.layout = layout
        self.epsilon = check_number("epsilon", epsilon, 0.0, 1.0)
        self.temperature = check_number("temperature", temperature, 1e-6, 1e6, optional=True)
        self._rng = np.random.default_rng(seed)
        name = type(policy).__name__
        if hasattr(policy, "bind"):
            raise ValueError(
                f"policy must act on observations, {name} reads the environment's hidden state, "
                "which is in no log: judge a clone of it (agents.dqn.cloning:BehaviourCloning)"
            )
        if temperature is not None and not _has_scores(policy):
            raise ValueError(f"temperature must be None for {name}, which has no scores")

    def propensities(self, observation: NDArray[np.float32]) -> NDArray[np.float64]:
        """The probability of showing each candidate: (B, D) to (B, N), rows sum to 1."""
        valid = self.layout.action_mask(observation)
        valid = valid | ~valid.any(axis=1, keepdims=True)  # no candidate: any slot, all are empty
        chances = self._own(observation, valid)
        if self.epsilon:
            uniform = valid / valid.sum(axis=1, keepdims=True)
            chances = chances + self.epsilon * (uniform - chances)
        return chances

    def _own(
        self, observation: NDArray[np.float32], valid: NDArray[np.bool_]
    ) -> NDArray[np.float64]:
        policy: Any = self.policy
        if self.temperature is not None:
            logits = np.where(valid, _scores(policy, observation) / self.temperature, -np.inf)
            weight = np.exp(logits - logits.max(axis=1, keepdims=True))
            return np.asarray(weight / weight.sum(axis=1, keepdims=True))
        if hasattr(policy, "propensities"):
            return np.asarray(policy.propensities(observation), np.float64)
        actions, _ = policy.predict(observation, deterministic=True)
        chances = np.zeros(valid.shape)
        chances[np.arange(len(chances)), actions] = 1.0
        return chances

    def predict(
        self,
        observation: NDArray[np.float32],
        state: Any = None,
        episode_start: Any = None,
        deterministic: bool = False,
    ) -> tuple[Any, Any]:
        """See :class:`agents.policy.Policy`; always drawn from the probabilities."""
        chances = self.propensities(np.atleast_2d(observation))
        with np.errstate(divide="ignore"):  # Gumbel-max
            actions = (np.log(chances) + self._rng.gumbel(size=chances.shape)).argmax(axis=1)
        return (actions if np.ndim(observation) == 2 else actions[0]), state


def target_probabilities(
    target: TargetPolicy, decisions: Decisions, rows: NDArray[np.int64]
) -> NDArray[np.float32]:
    """What the target would have done at the logged observations: (T, N) for T ``rows``."""
    chances = np.empty((len(rows), decisions.description.num_actions), np.float32)
    for start in range(0, len(rows), _BLOCK):
        block = slice(start, start + _BLOCK)
        chances[block] = target.propensities(decisions.observations[rows[block]])
    return chances


def _has_scores(policy: Any) -> bool:
    return hasattr(policy, "scores") or hasattr(getattr(policy, "learner", None), "q_values")


def _scores(policy: Any, observation: NDArray[np.float32]) -> NDArray[np.float64]:
    if hasattr(policy, "scores"):
        return np.asarray(policy.scores(observation, True), np.float64)
    return np.asarray(policy.learner.q_values(observation), np.float64)
