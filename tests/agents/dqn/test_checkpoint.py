from __future__ import annotations

import json

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode

from agents.dqn import DQN
from agents.dqn.checkpoint import read_checkpoint, write_checkpoint
from agents.dqn.config import DQNConfig
from livestream_env.files import array_from_bytes, array_to_bytes
from tests.agents.small_envs import chain, small_platform

SMALL = {
    "hidden_sizes": (8,),
    "batch_size": 16,
    "learning_starts": 60,
    "replay_size": 400,
    "train_interval": 4,
    "target_interval": 10,
    "seed": 0,
}
ALL = {
    "double": True,
    "dueling": True,
    "prioritized": True,
    "n_step": 3,
    "discount": "semi-markov",
    "target_update": "soft",
    "max_grad_norm": 1.0,
    "summary": True,
}
CLICK = {"q_form": "click", "crosses": True, "inverse_variance": 8.0}
CLICK |= {"n_step": 3, "prioritized": True}


def everything(agent):
    """All that training depends on, by name."""
    parts = {
        "learner": agent.learner.state_dict(),
        "replay": agent.replay.state_dict(),
        "episodes": agent._episodes.state_dict(),
    }
    state = {f"{part}/{k}": v for part, arrays in parts.items() for k, v in arrays.items()}
    state["observation"] = agent._observation
    state["env"] = agent.env.get_state()
    for name, generator in agent._rng.items():
        state["rng/" + name] = np.array(json.dumps(generator.bit_generator.state))
    clock = (agent.num_timesteps, agent.learner.num_updates, agent._horizon)
    state["clock"] = np.array(clock)
    return state


def assert_resumes(make_env, config, tmp_path, total, stops):
    straight = DQN(make_env(), config).learn(total)

    agent = DQN(make_env(), config)
    done = 0
    for stop in (*stops, total):
        # A training of `total` steps, interrupted; the process could end here.
        agent.learn(
            total - done,
            callback=lambda a, stop=stop: a.num_timesteps < stop,
            reset_num_timesteps=done == 0,
        )
        done = agent.num_timesteps
        agent.save_checkpoint(tmp_path / "run")
        agent = DQN.load_checkpoint(tmp_path / "run", make_env())
    assert straight.learner.num_updates > 50
    expected, resumed = everything(straight), everything(agent)
    assert expected.keys() == resumed.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(resumed[name], value, err_msg=name)


@pytest.mark.parametrize("mode", list(AutoresetMode))
@pytest.mark.parametrize("settings", [{}, ALL, CLICK], ids=["plain", "all", "click"])
def test_resuming_equals_never_stopping(mode, settings, tmp_path):
    config = DQNConfig(**SMALL | settings)
    # The first stop is before any update, the others before and after the memory is full.
    assert_resumes(
        lambda: small_platform(5, max_steps=7, mode=mode), config, tmp_path, 700, (20, 150, 500)
    )


def test_resuming_on_the_livestream_env(tmp_path):
    pytest.importorskip("livestream_env")

    def make_env():
        return gym.make_vec(
            "LiveStreamRec-v0",
            num_envs=8,
            vectorization_mode="vector_entry_point",
            autoreset_mode="SameStep",
        )

    assert_resumes(make_env, DQNConfig(**SMALL), tmp_path, 800, (300,))


def test_a_checkpoint_of_another_world_or_with_a_damaged_state_is_refused(tmp_path):
    config = {"num_viewers": 60, "num_streamers": 80, "days": 8}

    def make_env(**arguments):
        kwargs = {"config": config, **arguments}
        return gym.make_vec("LiveStreamRec-v0", 4, "vector_entry_point", **kwargs)

    path = tmp_path / "run"
    DQN(make_env(), DQNConfig(**SMALL)).learn(40).save_checkpoint(path)
    DQN.load_checkpoint(path, make_env())
    others = {
        "world": {"world_seed": 1},
        "horizon": {"horizon": "week"},
        "config": {"config": {**config, "browse_s": 9}},
    }
    for name, arguments in others.items():
        with pytest.raises(ValueError, match=f"state is of an environment with another {name}"):
            DQN.load_checkpoint(path, make_env(**arguments))
    arrays, description = read_checkpoint(path, "checkpoint")
    for name, value in {"next_viewer": 10**6, "time_s": np.inf, "num_attached": 1000}.items():
        state = array_from_bytes(arrays["env/state"]).copy()
        state[name] = value
        damaged = {**arrays, "env/state": array_to_bytes(state)}
        write_checkpoint(tmp_path / "damaged", "checkpoint", damaged, description)
        with pytest.raises(ValueError, match=f"state: {name} must be"):
            DQN.load_checkpoint(tmp_path / "damaged", make_env())


def test_an_env_without_state_goes_on_in_new_episodes(tmp_path):
    agent = DQN("CartPole-v1", DQNConfig(**SMALL, network="mlp", num_envs=4)).learn(200)
    agent.save_checkpoint(tmp_path / "run")
    resumed = DQN.load_checkpoint(tmp_path / "run", gym.make_vec("CartPole-v1", 4))
    assert resumed._observation is None
    held = len(resumed.replay)
    resumed.learn(100, reset_num_timesteps=False)
    assert resumed.num_timesteps >= 300
    assert len(resumed.replay) > held


def test_a_checkpoint_restores_torchs_generator(tmp_path):
    agent = DQN(chain(4), DQNConfig(**SMALL, network="mlp")).learn(100)
    agent.save_checkpoint(tmp_path / "run")
    drawn = torch.rand(3)
    DQN.load_checkpoint(tmp_path / "run", chain(4))
    assert torch.equal(torch.rand(3), drawn)


@pytest.mark.parametrize(
    "settings", [{}, {"network": "mlp"}, {"dueling": True, "summary": True}, CLICK]
)
def test_a_saved_model_predicts_the_same_without_its_env(settings, tmp_path):
    env = small_platform(5)
    agent = DQN(env, DQNConfig(**SMALL | settings)).learn(400)
    agent.save(tmp_path / "model")
    loaded = DQN.load(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(
        loaded.learner.q_values(env.observation), agent.learner.q_values(env.observation)
    )
    mine, theirs = (a.predict(env.observation, deterministic=True)[0] for a in (agent, loaded))
    np.testing.assert_array_equal(mine, theirs)
    assert loaded.config == agent.config
    assert loaded.exploration_rate == agent.exploration_rate
    with pytest.raises(ValueError, match="no environment"):
        loaded.learn(10)
    with pytest.raises(ValueError, match="no training to save"):
        loaded.save_checkpoint(tmp_path / "run")

    again = DQN.load(tmp_path / "model", small_platform(3))
    again.learn(90)
    assert again.num_timesteps == 90


def test_a_loaded_model_owes_no_updates_for_steps_that_it_has_not_kept(tmp_path):
    config = DQNConfig(**SMALL)
    agent = DQN(small_platform(5), config).learn(1_000)
    agent.save(tmp_path / "model")
    made = agent.learner.num_updates
    assert made == config.updates_due(1_000) == 235

    def more(num_envs):
        return DQN.load(tmp_path / "model", small_platform(num_envs))

    again = more(5)
    assert (again.num_timesteps, again.learner.num_updates) == (1_000, made)
    again.learn(60, reset_num_timesteps=False)
    assert again.learner.num_updates == made  # it has yet to gather learning_starts
    again.learn(100, reset_num_timesteps=False)
    assert again.num_timesteps == 1_160
    assert again.learner.num_updates == made + config.updates_due(160) == made + 25

    # From its checkpoint it goes on to the same bits.
    def stopping():
        again = more(5)
        again.learn(200, callback=lambda a: a.num_timesteps < 1_100, reset_num_timesteps=False)
        return again

    straight = more(5).learn(200, reset_num_timesteps=False)
    stopped = stopping()
    stopped.save_checkpoint(tmp_path / "run")
    resumed = DQN.load_checkpoint(tmp_path / "run", small_platform(5))
    resumed.learn(1_200 - resumed.num_timesteps, reset_num_timesteps=False)
    for name, value in everything(straight).items():
        np.testing.assert_array_equal(everything(resumed)[name], value, err_msg=name)

    # A memory that was dropped is empty as well; a new training begins with nothing owed.
    again.set_env(small_platform(3))
    again.learn(61, reset_num_timesteps=False)
    assert again.learner.num_updates == made + 25
    assert again.learn(100).learner.num_updates == config.updates_due(again.num_timesteps)


def test_a_mask_function_is_given_again(tmp_path):
    def second_only(observation):
        return np.tile([False, True], (len(observation), 1))

    agent = DQN(chain(4), DQNConfig(**SMALL, network="mlp"), mask_fn=second_only).learn(40)
    assert (agent.predict(np.eye(7))[0] == 1).all()
    agent.save(tmp_path / "model")
    loaded = DQN.load(tmp_path / "model", mask_fn=second_only)
    assert (loaded.predict(np.eye(7))[0] == 1).all()


def test_the_file_says_what_it_is(tmp_path):
    DQN(chain(4), DQNConfig(**SMALL, network="mlp")).save(tmp_path / "deep" / "model")
    _, metadata = read_checkpoint(tmp_path / "deep" / "model.safetensors", "model")
    assert metadata["config"]["hidden_sizes"] == [8]
    assert metadata["observation_size"] == 7
    assert metadata["num_actions"] == 2
    assert {"python", "torch", "numpy", "gymnasium"} <= metadata["versions"].keys()


def test_wrong_files_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nothing\.safetensors"):
        DQN.load(tmp_path / "nothing")
    (tmp_path / "text.safetensors").write_text("this is no tensor file")
    with pytest.raises(ValueError, match=r"text\.safetensors is not a model of a DQN"):
        DQN.load(tmp_path / "text")
    agent = DQN(chain(4), DQNConfig(**SMALL, network="mlp")).learn(100)
    agent.save_checkpoint(tmp_path / "run")
    with pytest.raises(ValueError, match=r"run\.safetensors is not .*must hold .*'model'"):
        DQN.load(tmp_path / "run")
    with pytest.raises(
        ValueError,
        match=r"run\.safetensors does not fit env, which has 8 environments, the checkpoint 4",
    ):
        DQN.load_checkpoint(tmp_path / "run", chain(8))


def test_a_failed_write_leaves_the_old_file(tmp_path):
    write_checkpoint(tmp_path / "file", "model", {"a": np.arange(3)}, {"n": 1})
    with pytest.raises(TypeError):
        write_checkpoint(tmp_path / "file", "model", {"a": np.zeros(3)}, {"n": object()})
    with pytest.raises(Exception, match="object"):
        write_checkpoint(tmp_path / "file", "model", {"a": np.array([object()])}, {"n": 2})
    assert [path.name for path in tmp_path.iterdir()] == ["file.safetensors"]
    arrays, metadata = read_checkpoint(tmp_path / "file", "model")
    np.testing.assert_array_equal(arrays["a"], np.arange(3))
    assert metadata["n"] == 1


def test_arrays_keep_shape_and_type(tmp_path):
    arrays = {
        "scalar": np.array(2.5),
        "empty": np.zeros((0, 3), dtype=np.float32),
        "flags": np.array([True, False]),
        "columns": np.arange(6).reshape(2, 3).T,
    }
    write_checkpoint(tmp_path / "file", "model", arrays, {})
    loaded, _ = read_checkpoint(tmp_path / "file", "model")
    for name, array in arrays.items():
        assert loaded[name].shape == array.shape
        assert loaded[name].dtype == array.dtype
        np.testing.assert_array_equal(loaded[name], array)
