"""Ten million steps of many viewers: every value inside its space, every reward finite."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest

from tests.helpers import LIVELY

pytestmark = pytest.mark.slow
STEPS = 10_000_000


@pytest.mark.parametrize(
    ("env_id", "num_envs", "kwargs", "share"),
    [
        ("LiveStreamRec-v0", 1024, {}, 0.4),
        ("LiveStreamRec-v0", 64, {"observe": "full", "config": LIVELY}, 0.2),
        ("LiveStreamRecSession-v0", 256, {"num_candidates": 20, "history_length": 16}, 0.2),
        ("LiveStreamRecWeek-v0", 512, {"watch": "minutes", "config": LIVELY}, 0.2),
    ],
)
def test_ten_million_steps(
    env_id: str, num_envs: int, kwargs: dict[str, object], share: float
) -> None:
    env = gym.make_vec(env_id, num_envs=num_envs, vectorization_mode="vector_entry_point", **kwargs)
    rng = np.random.default_rng(0)
    low, high = env.observation_space.low, env.observation_space.high
    observation, _ = env.reset(seed=0)
    steps = int(STEPS * share) // num_envs
    episodes = 0
    for _ in range(steps):
        # Any action: empty slots are shown too.
        actions = rng.integers(env.single_action_space.n, size=num_envs)
        observation, reward, terminated, truncated, _ = env.step(actions)
        assert ((observation >= low) & (observation <= high)).all()  # NaN is neither
        assert np.isfinite(reward).all() and not truncated.any()
        episodes += int(terminated.sum())
    assert episodes > num_envs
