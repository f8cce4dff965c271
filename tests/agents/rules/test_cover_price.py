"""The rule of two weights: what it scores, and that tuning finds what pays."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest

from agents.evaluation import evaluate
from agents.policy import agent_spec
from agents.rules.cover_price import CoverPricePolicy
from tests.helpers import SMALL


@pytest.mark.parametrize("traces", [False, True])
def test_the_price_of_a_cover_rises_with_past_regret_where_it_is_observed(traces):
    env = gym.make("LiveStreamRecSession-v0", config=SMALL, traces=traces)
    policy = CoverPricePolicy(env)
    policy.weight = (0.5, 4.0)
    observation, _ = env.reset(seed=3)
    layout = policy.layout
    affinity, cover = (layout.candidate(observation, n) for n in ("affinity", "cover_appeal"))
    price = 0.5 + (4.0 * observation[layout.slices["past"]][0] if traces else 0.0)
    np.testing.assert_allclose(
        policy.scores(observation[None], True)[0], affinity - price * cover, rtol=1e-6
    )


@pytest.mark.parametrize("traces", [False, True])
def test_tuning_is_no_worse_on_its_own_days_than_affinity(traces):
    env = gym.make("LiveStreamRecSession-v0", config=SMALL, traces=traces)
    policy = CoverPricePolicy(env, episodes=64).learn()
    assert traces or policy.weight[1] == 0.0

    def reward():
        return evaluate(policy, env, episodes=64, seed=1_500_007, num_envs=64)["reward"].mean()

    tuned = reward()
    policy.weight = (0.0, 0.0)
    assert tuned >= reward()


def test_by_name_and_what_is_refused():
    env = gym.make("LiveStreamRecSession-v0", config=SMALL)
    assert agent_spec("cover-price?episodes=5").make(env, 0).episodes == 5
    with pytest.raises(ValueError, match="episodes must be"):
        CoverPricePolicy(env, episodes=0)
