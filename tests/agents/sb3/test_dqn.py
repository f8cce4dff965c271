from pathlib import Path

import gymnasium as gym
import numpy as np
import pandas as pd
from stable_baselines3 import DQN

import livestream_env  # noqa: F401
from agents.dqn.config import DQNConfig
from agents.sb3.dqn import SB3DQN, matched_settings


def test_matched_settings_count_in_sb3s_units() -> None:
    config = DQNConfig.preset(
        "default", hidden_sizes=(32, 16), train_interval=8, target_interval=100, learning_rate=1e-3
    )
    env = gym.make("LiveStreamRec-v0")
    model = SB3DQN(env, **matched_settings(config)).model
    assert model.policy.net_arch == [32, 16]
    assert (model.train_freq.frequency, model.gradient_steps) == (8, 1)
    assert model.target_update_interval == 800  # environment steps
    assert (model.batch_size, model.buffer_size) == (config.batch_size, config.replay_size)
    assert model.lr_schedule(1.0) == 1e-3 and model.lr_schedule(0.5) == 5e-4
    assert model.exploration_schedule(0.0) == config.epsilon_end
    soft = DQNConfig.preset("default", target_update="soft", target_tau=0.01)
    assert matched_settings(soft)["tau"] == 0.01


def test_defaults_are_sb3s() -> None:
    env = gym.make("LiveStreamRec-v0")
    ours, theirs = SB3DQN(env, seed=0).model, DQN("MlpPolicy", env)
    for name in ("learning_rate", "buffer_size", "batch_size", "gamma", "train_freq", "tau",
                 "learning_starts", "target_update_interval", "exploration_fraction"):  # fmt: skip
        assert getattr(ours, name) == getattr(theirs, name), name
    assert ours.policy.net_arch == theirs.policy.net_arch


def test_learns_logs_stops_and_saves(tmp_path: Path) -> None:
    env = gym.make("LiveStreamRecSession-v0")
    agent = SB3DQN(env, seed=1, buffer_size=2000)
    agent.learn(2000, callback=lambda a: a.num_timesteps < 1500, log_dir=tmp_path)
    assert agent.num_timesteps == 1500
    assert "time/total_timesteps" in pd.read_csv(tmp_path / "progress.csv")
    assert list(tmp_path.glob("events.out.tfevents*"))

    agent.save(tmp_path / "model")
    again = SB3DQN.load(tmp_path / "model.zip", trust_pickle=True)
    observations = np.stack([env.reset(seed=s)[0] for s in range(20)])
    actions, _ = agent.predict(observations, deterministic=True)
    assert np.array_equal(again.predict(observations, deterministic=True)[0], actions)


def test_dict_observations() -> None:
    env = gym.make("LiveStreamRec-v0", observation="dict")
    action, _ = SB3DQN(env, seed=0, buffer_size=100).predict(env.reset(seed=0)[0])
    assert env.action_space.contains(action)
