"""The ids with a vector for a reward, and MO-Gymnasium's wrappers on them."""

from __future__ import annotations

import warnings

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.vector import AutoresetMode

from livestream_env.multi_objective import MOLiveStreamRecVectorEnv
from livestream_env.reward import DEFAULT_WEIGHTS
from tests.helpers import IDS, LIVELY, assert_same, play

WEIGHTS = np.array(list(DEFAULT_WEIGHTS.values()))


@pytest.mark.parametrize("env_id", IDS)
def test_rewards_are_the_components_whose_weighted_sum_is_the_reward(env_id):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        env = gym.make(f"mo-{env_id}", config=LIVELY)
        scalar = gym.make(env_id, config=LIVELY)
        total = np.zeros(5)
        for ours, theirs in zip(play(env, 3, 60), play(scalar, 3, 60), strict=True):
            reward = ours[1]
            assert env.unwrapped.reward_space.contains(reward)
            assert reward @ WEIGHTS == pytest.approx(theirs[1], rel=1e-5)
            assert_same((ours[0], *ours[2:]), (theirs[0], *theirs[2:]))
            total += reward
    assert (total[:3] > 0).all()
    assert env.spec.max_episode_steps == scalar.spec.max_episode_steps
    again = gym.make(EnvSpec.from_json(env.spec.to_json()))
    assert_same(env.reset(seed=1), again.reset(seed=1))


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_the_vector_env_is_the_single_one_many_times(mode):
    kwargs = {"num_envs": 4, "vectorization_mode": "vector_entry_point", "config": LIVELY,
              "autoreset_mode": mode}  # fmt: skip
    env = gym.make_vec("mo-LiveStreamRecSession-v0", **kwargs)
    scalar = gym.make_vec("LiveStreamRecSession-v0", **kwargs)
    assert isinstance(env, MOLiveStreamRecVectorEnv)
    env.reset(seed=0)
    scalar.reset(seed=0)
    ended = np.zeros(4, bool)
    for step in range(40):
        if mode == AutoresetMode.DISABLED and ended.any():
            for each in (env, scalar):
                each.reset(options={"reset_mask": ended})
        ours, theirs = (each.step(np.full(4, step % 10)) for each in (env, scalar))
        assert ours[1].shape == (4, env.reward_dim) and ours[1].dtype == np.float32
        np.testing.assert_allclose(ours[1] @ WEIGHTS, theirs[1], rtol=1e-5)
        assert_same((ours[0], *ours[2:]), (theirs[0], *theirs[2:]))
        ended = ours[2]


class TestMOGymnasium:
    @pytest.fixture(autouse=True)
    def mo(self):
        self.mo = pytest.importorskip("mo_gymnasium")

    def test_make_and_wrappers(self):
        wrappers = self.mo.wrappers
        env = self.mo.make("livestream_env:mo-LiveStreamRec-v0", config=LIVELY)
        env = wrappers.MORecordEpisodeStatistics(env, gamma=0.99)
        env = wrappers.MONormalizeReward(wrappers.MOClipReward(env, idx=1, min_r=0, max_r=1), idx=0)
        env = wrappers.LinearReward(env, weight=WEIGHTS)
        env.reset(seed=0)
        ended = False
        while not ended:
            _, reward, ended, _, info = env.step(env.action_space.sample())
            assert np.isscalar(reward) and info["vector_reward"].shape == (5,)
        assert info["episode"]["r"].shape == (5,)

    def test_vector_envs(self):
        vector = self.mo.wrappers.vector
        serial = vector.MOSyncVectorEnv(
            [lambda: self.mo.make("mo-LiveStreamRecSession-v0", config=LIVELY)] * 3
        )
        native = gym.make_vec("mo-LiveStreamRecSession-v0", 3, "vector_entry_point", config=LIVELY)
        native = vector.MORecordEpisodeStatistics(native)
        serial.reset(seed=2)
        native.reset(seed=2)
        for step in range(30):
            ours, theirs = (env.step(np.full(3, step % 10)) for env in (native, serial))
            np.testing.assert_array_equal(ours[0], theirs[0])
            np.testing.assert_array_equal(ours[1], theirs[1])
