import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode
from stable_baselines3 import DQN
from stable_baselines3.common.vec_env import VecMonitor

import livestream_env  # noqa: F401
from livestream_env.sb3_vec_env import LiveStreamRecVecEnv
from livestream_env.wrappers import VectorReward


def make_vec(num_envs, **kwargs):
    kwargs = {"autoreset_mode": "SameStep"} | kwargs
    return gym.make_vec(
        "LiveStreamRec-v0",
        num_envs=num_envs,
        vectorization_mode="vector_entry_point",
        **kwargs,
    )


def test_vector_reward_is_the_components_whose_weighted_sum_is_the_reward():
    weights = {"watch": 1.0, "like": 2.0, "comment": 3.0, "gift": 4.0, "follow": 5.0}
    env = VectorReward(
        gym.make("LiveStreamRec-v0", reward_weights=weights, disable_env_checker=True)
    )
    env.reset(seed=3)
    total = 0.0
    for step in range(60):
        _, reward, terminated, _, info = env.step(step % 10)
        assert reward.shape == (env.reward_dim,)
        assert env.reward_space.contains(reward)
        assert info["scalar_reward"] == pytest.approx(float(reward @ list(weights.values())), 1e-5)
        total += info["scalar_reward"]
        if terminated:
            env.reset()
    assert total > 0


def test_vec_env_passes_on_what_the_vector_env_returns():
    venv = LiveStreamRecVecEnv(make_vec(8), info_keys=("watch_s",))
    reference = make_vec(8)
    venv.seed(11)
    observation = venv.reset()
    expected, _ = reference.reset(seed=11)
    np.testing.assert_array_equal(observation, expected)
    ended = 0
    for step in range(200):
        actions = np.full(8, step % 10)
        observation, reward, done, infos = venv.step(actions)
        expected, reward_64, terminated, truncated, info = reference.step(actions)
        np.testing.assert_array_equal(observation, expected)
        np.testing.assert_array_equal(reward, reward_64.astype(np.float32))
        np.testing.assert_array_equal(done, terminated | truncated)
        for i in range(8):
            assert ("terminal_observation" in infos[i]) == done[i]
            if done[i]:
                ended += 1
                np.testing.assert_array_equal(
                    infos[i]["terminal_observation"], info["final_obs"][i]
                )
                assert infos[i]["TimeLimit.truncated"] is False
                assert infos[i]["watch_s"] == info["final_info"]["watch_s"][i]
            else:
                assert infos[i]["watch_s"] == info["watch_s"][i]
    assert ended > 0
    np.testing.assert_array_equal(venv.env_method("action_masks"), venv.env.action_masks())


def test_vec_env_marks_truncation():
    venv = LiveStreamRecVecEnv(make_vec(4, max_episode_steps=2))
    venv.seed(0)  # four viewers whose day does not end with the first impression
    venv.reset()
    venv.step(np.zeros(4, np.int64))
    *_, done, infos = venv.step(np.zeros(4, np.int64))
    assert done.all()
    assert any(info["TimeLimit.truncated"] for info in infos)


def test_stable_baselines3_learns_on_the_vec_env():
    venv = VecMonitor(LiveStreamRecVecEnv(make_vec(8)))
    model = DQN("MlpPolicy", venv, learning_starts=64, buffer_size=1000, seed=0)
    model.learn(800)
    assert model.num_timesteps >= 800
    assert len(model.ep_info_buffer) > 0


def test_vec_env_refuses_what_it_cannot_do():
    with pytest.raises(ValueError, match=r"SameStep.*NextStep"):
        LiveStreamRecVecEnv(make_vec(2, autoreset_mode=AutoresetMode.NEXT_STEP))
    venv = LiveStreamRecVecEnv(make_vec(2))
    with pytest.raises(AttributeError, match="horizon"):
        venv.set_attr("horizon", "week")
    with pytest.raises(AttributeError, match="get_state"):
        venv.env_method("get_state")
