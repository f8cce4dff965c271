"""The static linear rule: what it scores, and that tuning finds what pays."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest

from agents.evaluation import evaluate
from agents.policy import agent_spec
from agents.rules.static_linear import StaticLinearPolicy
from tests.helpers import SMALL


@pytest.fixture
def env():
    return gym.make("LiveStreamRecSession-v0", config=SMALL)


def test_begins_as_affinity_and_scores_weighted_sums(env):
    policy = StaticLinearPolicy(env, seed=0)
    observation, _ = env.reset(seed=3)
    affinity = policy.layout.candidate(observation, "affinity")
    np.testing.assert_array_equal(policy.scores(observation[None], True)[0], affinity)

    policy.weights[policy.names.index("cover_appeal")] = -0.5
    expected = affinity - 0.5 * policy.layout.candidate(observation, "cover_appeal")
    np.testing.assert_allclose(policy.scores(observation[None], True)[0], expected)


def test_tuning_is_reproducible_and_no_worse_on_its_own_days(env):
    def tuned():
        return StaticLinearPolicy(env, seed=1, rounds=2, vectors=10, episodes=64).learn()

    policy, again = tuned(), tuned()
    np.testing.assert_array_equal(policy.weights, again.weights)

    def reward(policy):
        return evaluate(policy, env, episodes=256, seed=1_500_007, num_envs=64)["reward"].mean()

    assert reward(policy) >= reward(StaticLinearPolicy(env, seed=1))


def test_by_name_and_what_is_refused(env):
    assert agent_spec("static-linear?rounds=1").make(env, 0).rounds == 1
    with pytest.raises(ValueError, match="vectors must be"):
        StaticLinearPolicy(env, vectors=3)
