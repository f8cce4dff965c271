"""The far-sighted rule's one weight, and how it is tuned.

The rule shows the candidate with the highest ``reward - weight * P(click) * harm``, harm being
the room's sensationalism times the viewer's sensitivity: such a click brings its reward now and
costs goodwill later, and the weight is the price of goodwill. How high it is depends on the
environment: without satisfaction it is 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

import gymnasium as gym

from agents.evaluation import evaluate
from agents.policy import Policy

TUNING_SEED = 1_500_007  # far from the seeds of training and of evaluation
EPISODES = 512
NUM_ENVS = 64
Weight = TypeVar("Weight")


class WeightedPolicy(Protocol[Weight]):
    """A policy that reads its ``weight`` whenever it predicts: a number, or several."""

    weight: Weight

    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: Any = None,
        deterministic: bool = False,
    ) -> tuple[Any, Any]:
        """See :class:`agents.policy.Policy`."""
        ...


def tuning_reward(policy: Policy, env: gym.Env | gym.vector.VectorEnv, episodes: int) -> float:
    """Mean reward in episodes that are neither trained nor evaluated on: the same at every call."""
    played = evaluate(policy, env, episodes=episodes, seed=TUNING_SEED, num_envs=NUM_ENVS)
    return float(played["reward"].mean())


def tune_weight(
    policy: WeightedPolicy[Weight],
    env: gym.Env | gym.vector.VectorEnv,
    weights: Sequence[Weight],
    episodes: int = EPISODES,
) -> Weight:
    """Set the policy's weight to the one with the highest mean reward.

    All weights play the same episodes, which are neither trained nor evaluated on: the choice is
    the same at every call.

    Args:
        policy: Its weight is changed; if it has ``bind``, it ends up bound to another environment.
        env: What to tune for: made anew, if it was made from an id.
        weights: To choose from; the first of equals is chosen.
        episodes: Played with each weight.

    Returns:
        The weight.
    """
    rewards = []
    for weight in weights:
        policy.weight = weight
        rewards.append(tuning_reward(policy, env, episodes))
    policy.weight = weights[max(range(len(weights)), key=rewards.__getitem__)]
    return policy.weight
