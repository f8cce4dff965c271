"""The far-sighted rule's one weight, and how it is tuned.

The rule shows the candidate with the highest ``reward - weight * P(click) * harm``, harm being
the room's sensationalism times the viewer's sensitivity: such a click brings its reward now and
costs goodwill later, and the weight is the price of goodwill. How high it is depends on the
environment: without satisfaction it is 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import gymnasium as gym

from agents.evaluation import evaluate
from agents.policy import Policy

TUNING_SEED = 1_500_007  # far from the seeds of training and of evaluation
EPISODES = 512
NUM_ENVS = 64
Weight = TypeVar("Weight")


def tuning_reward(
    policy: Policy,
    env: gym.Env | gym.vector.VectorEnv,
    episodes: int,
    num_envs: int = NUM_ENVS,
) -> float:
    """Mean reward in episodes that are neither trained nor evaluated on: the same at every call."""
    played = evaluate(policy, env, episodes=episodes, seed=TUNING_SEED, num_envs=num_envs)
    return float(played["reward"].mean())


def tune_weight(
    policy: Policy,
    env: gym.Env | gym.vector.VectorEnv,
    weights: Sequence[Weight],
    episodes: int = EPISODES,
    name: str = "weight",
    num_envs: int = NUM_ENVS,
) -> Weight:
    """Set a weight of the policy to the value with the highest mean reward.

    All weights play the same episodes, which are neither trained nor evaluated on: the choice is
    the same at every call.

    Args:
        policy: Reads its weight whenever it predicts. If it has ``bind``, it ends up bound to
            another environment.
        env: What to tune for: made anew, if it was made from an id.
        weights: To choose from; the first of equals is chosen.
        episodes: Played with each weight.
        name: Of the attribute that is the weight: a policy with several has them tuned one by one.
        num_envs: Viewers at a time, part of what decides the episodes.

    Returns:
        The weight.
    """
    rewards = []
    for weight in weights:
        setattr(policy, name, weight)
        rewards.append(tuning_reward(policy, env, episodes, num_envs))
    best = weights[max(range(len(weights)), key=rewards.__getitem__)]
    setattr(policy, name, best)
    return best
