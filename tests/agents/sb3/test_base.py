import contextlib
import warnings
from pathlib import Path

import gymnasium as gym
import numpy as np
import pandas as pd
import pytest
import torch
from sb3_contrib import QRDQN, MaskablePPO
from stable_baselines3 import PPO

import livestream_env  # noqa: F401
from agents.dqn.config import DQNConfig
from agents.dqn.networks import CandidateQNetwork
from agents.evaluation import evaluate
from agents.sb3.base import SB3PPO, SB3QRDQN, SB3Agent, SB3MaskablePPO
from agents.sb3.candidate import SB3CandidateDQN
from agents.sb3.dqn import SB3DQN
from agents.sb3.tuned_settings import TUNED
from scripts.evaluate import main as evaluate_command
from scripts.simulate_logs import main as simulate_logs_command
from tests.agents.malicious import write_malicious_model

SMALL = {
    SB3PPO: {"num_envs": 8, "n_steps": 16},
    SB3MaskablePPO: {"num_envs": 8, "n_steps": 16},
    SB3QRDQN: {"buffer_size": 1000, "n_quantiles": 5, "learning_starts": 10},
    SB3DQN: {"buffer_size": 1000, "learning_starts": 10},
    SB3CandidateDQN: {"buffer_size": 1000, "learning_starts": 10, "batch_size": 8},
}


@pytest.fixture(scope="module")
def env() -> gym.Env:
    return gym.make("LiveStreamRecSession-v0")


def observations(env: gym.Env, count: int = 50) -> np.ndarray:
    return np.stack([env.reset(seed=seed)[0] for seed in range(count)])


@pytest.mark.parametrize("agent_class", list(SMALL))
def test_learns_logs_saves_and_goes_on(
    agent_class: type[SB3Agent], env: gym.Env, tmp_path: Path
) -> None:
    agent = agent_class(env, seed=1, **SMALL[agent_class])
    before = [weight.clone() for weight in agent.model.policy.parameters()]
    seen: list[int] = []
    agent.learn(256, callback=lambda a: seen.append(a.num_timesteps), log_dir=tmp_path)
    assert agent.num_timesteps == seen[-1] == 256
    assert not all(map(torch.equal, before, agent.model.policy.parameters()))
    assert (tmp_path / "progress.csv").exists()
    assert evaluate(agent, "LiveStreamRecSession-v0", episodes=4)["impressions"].min() >= 1

    agent.save(tmp_path / "model")
    assert [path.name for path in tmp_path.glob("*model*")] == ["model.zip"]
    again = agent_class.load(tmp_path / "model.zip", trust_pickle=True)
    actions, _ = agent.predict(observations(env), deterministic=True)
    assert np.array_equal(again.predict(observations(env), deterministic=True)[0], actions)
    more = agent_class.load(tmp_path / "model.zip", env, trust_pickle=True)
    assert more.learn(128).num_timesteps == 128


@pytest.mark.parametrize("agent_class", list(SMALL))
def test_the_same_seed_trains_the_same_agent(agent_class: type[SB3Agent], env: gym.Env) -> None:
    first, second, other = (
        agent_class(env, seed=seed, **SMALL[agent_class]).learn(128) for seed in (1, 1, 2)
    )
    weights = [agent.model.policy.state_dict() for agent in (first, second, other)]
    assert all(torch.equal(value, weights[1][name]) for name, value in weights[0].items())
    assert not all(torch.equal(value, weights[2][name]) for name, value in weights[0].items())


def test_a_callback_ends_training(env: gym.Env) -> None:
    agent = SB3PPO(env, seed=0, **SMALL[SB3PPO])
    assert agent.learn(10_000, callback=lambda a: a.num_timesteps < 80).num_timesteps == 80


@pytest.mark.parametrize(
    ("agent_class", "library", "changed"),
    [(SB3PPO, PPO, "n_steps"), (SB3MaskablePPO, MaskablePPO, "n_steps"), (SB3QRDQN, QRDQN, "")],
)
def test_defaults_are_the_librarys(
    agent_class: type[SB3Agent], library: type, changed: str, env: gym.Env
) -> None:
    ours, theirs = agent_class(env, seed=0).model, library("MlpPolicy", env)
    names = {"learning_rate", "batch_size", "gamma", "n_steps", "n_epochs", "ent_coef"}
    names |= {"buffer_size", "train_freq", "target_update_interval", "exploration_fraction"}
    for name in names - {changed}:
        assert getattr(ours, name, None) == getattr(theirs, name, None), name
    assert ours.n_envs * ours.n_steps == theirs.n_steps  # the same rollout, of more viewers
    assert ours.policy.net_arch == theirs.policy.net_arch


def test_our_own_settings_and_the_tuned_ones(env: gym.Env, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = {"hidden_sizes": [8], "learning_rate_schedule": "linear", "n_quantiles": 7}
    model = SB3QRDQN(env, buffer_size=10, learning_rate=1e-3, **chosen).model
    assert (model.policy.net_arch, model.policy.n_quantiles) == ([8], 7)
    assert (model.lr_schedule(1.0), model.lr_schedule(0.25)) == (1e-3, 2.5e-4)
    assert SB3PPO(env, learning_rate_schedule="linear").model.lr_schedule(1.0) == 3e-4

    monkeypatch.setitem(TUNED, "sb3-ppo", {"n_epochs": 3, "gamma": 0.5})
    model = SB3PPO(env, tuned=True, gamma=0.75).model
    assert (model.n_epochs, model.gamma) == (3, 0.75)
    assert SB3PPO(env).model.n_epochs == 10


@pytest.mark.parametrize("agent_class", [SB3PPO, SB3MaskablePPO, SB3QRDQN, SB3DQN])
def test_tuned_settings_fit_their_class(agent_class: type[SB3Agent], env: gym.Env) -> None:
    small = {} if issubclass(agent_class, SB3PPO) else {"buffer_size": 10}
    agent = agent_class(env, tuned=True, **small)
    assert env.action_space.contains(agent.predict(env.reset(seed=0)[0])[0])


def test_what_cannot_be_is_refused(env: gym.Env) -> None:
    with pytest.raises(ValueError, match="learning_rate_schedule"):
        SB3PPO(env, learning_rate_schedule="cosine")
    with pytest.raises(ValueError, match="num_envs"):
        SB3PPO(gym.make("CartPole-v1"))
    assert SB3PPO(gym.make("CartPole-v1"), num_envs=1).model.n_envs == 1
    dict_env = gym.make("LiveStreamRecSession-v0", observation="dict")
    for agent_class in (SB3MaskablePPO, SB3CandidateDQN):
        with pytest.raises(ValueError, match=agent_class.__name__):
            agent_class(dict_env)
    assert SB3PPO(dict_env, num_envs=4).learn(128).num_timesteps == 128


def test_maskable_ppo_never_chooses_an_empty_slot(env: gym.Env) -> None:
    layout = env.unwrapped.layout
    agent = SB3MaskablePPO(env, seed=0, **SMALL[SB3MaskablePPO])
    batch = observations(env)
    rows = np.arange(len(batch))
    valid = np.random.default_rng(0).random((len(batch), layout.num_candidates)) < 0.1
    valid[rows, rows % layout.num_candidates] = True
    columns = layout.candidate(np.arange(layout.size), "valid")
    batch[:, columns] = valid
    for deterministic in (False, True):
        actions, _ = agent.predict(batch, deterministic=deterministic)
        assert valid[rows, actions].all()
        action, _ = agent.predict(batch[0], deterministic=deterministic)
        assert valid[0, action]


def test_maskable_ppo_is_trained_with_masks() -> None:
    config = {"num_streamers": 12, "num_viewers": 50}  # too few to fill the slots
    env = gym.make("LiveStreamRecSession-v0", config=config)
    agent = SB3MaskablePPO(env, seed=0, **SMALL[SB3MaskablePPO]).learn(128)
    buffer = agent.model.rollout_buffer
    masks = buffer.action_masks.reshape(128, -1) == 1
    seen = buffer.observations.reshape(128, -1)
    assert np.array_equal(masks, env.unwrapped.layout.action_mask(seen))
    assert 0 < masks.mean() < 1
    chosen = masks[np.arange(128), buffer.actions.ravel().astype(int)]
    assert chosen[masks.any(1)].all()


def test_candidate_policy_holds_our_network_and_our_settings(env: gym.Env) -> None:
    agent = SB3CandidateDQN(env, seed=0, buffer_size=10)
    preset = DQNConfig.preset("default")
    model = agent.model
    assert (model.gamma, model.n_steps) == (preset.gamma, preset.n_step)
    networks = [model.q_net.q_net, model.q_net_target.q_net]
    assert all(isinstance(network, CandidateQNetwork) for network in networks)
    assert networks[0].scorer.sizes == (*preset.hidden_sizes, 1)
    assert all(map(torch.equal, networks[0].parameters(), networks[1].parameters()))
    assert len(model.policy.optimizer.param_groups[0]["params"]) == len(
        list(networks[0].parameters())
    )

    batch = observations(env)
    columns = env.unwrapped.layout.candidate_columns
    order = np.random.default_rng(0).permutation(len(columns))
    swapped = batch.copy()
    swapped[:, columns.ravel()] = batch[:, columns[order].ravel()]
    actions, others = (agent.predict(o, deterministic=True)[0] for o in (batch, swapped))
    assert np.array_equal(order[others], actions)


def test_rollouts_of_viewers_are_logged(env: gym.Env, tmp_path: Path) -> None:
    agent = SB3PPO(env, seed=0, num_envs=16, n_steps=32)
    agent.learn(1024, log_dir=tmp_path)
    log = pd.read_csv(tmp_path / "progress.csv")
    assert log["time/total_timesteps"].tolist() == [512, 1024]
    assert np.isfinite(log["rollout/ep_rew_mean"]).all()


@pytest.mark.parametrize("agent_class", list(SMALL))
def test_a_model_runs_nothing_unless_it_is_trusted(
    agent_class: type[SB3Agent], tmp_path: Path
) -> None:
    sign = tmp_path / "it-ran"
    write_malicious_model(tmp_path / "model.zip", sign)
    for options in ({}, {"trust_pickle": False}, {"trust_pickle": "no"}):
        with pytest.raises(ValueError, match=r"model\.zip .* pickled .* trust_pickle=True"):
            agent_class.load(tmp_path / "model.zip", **options)
    assert not sign.exists()
    with contextlib.suppress(Exception), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        agent_class.load(tmp_path / "model.zip", trust_pickle=True)
    assert sign.exists()  # the file is as bad as it says


def test_the_command_line_asks_for_trust_in_a_model(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sign = tmp_path / "it-ran"
    write_malicious_model(tmp_path / "model.zip", sign)
    model = ["--agent", "sb3-dqn", "--model", str(tmp_path / "model.zip")]
    logs = ["--policy", *model[1:], "--out", str(tmp_path / "logs")]
    for main, arguments in ((evaluate_command, model), (simulate_logs_command, logs)):
        with pytest.raises(SystemExit, match="2"):
            main(arguments)
        assert "--trust-pickle" in capsys.readouterr().err
    assert not sign.exists()


def test_the_command_line_loads_what_is_trusted(
    env: gym.Env, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    SB3DQN(env, seed=1, buffer_size=10).save(tmp_path / "model")
    model = ["--agent", "sb3-dqn", "--model", str(tmp_path / "model.zip"), "--episodes", "2"]
    assert evaluate_command([*model, "--trust-pickle"]) == 0
    assert "per viewer-day, 2 of them" in capsys.readouterr().out
