from __future__ import annotations

import numpy as np
import pytest

from agents.dqn import DQN, Diagnostics, DQNConfig
from agents.dqn.diagnostics import _Played, _to_go, diagnose, seed_noise, td_errors
from livestream_env.reward import REWARD_COMPONENTS
from tests.agents.small_envs import chain, small_platform

KWARGS = {"config": {"num_viewers": 100, "num_streamers": 60, "days": 2}}
SMALL = {
    "hidden_sizes": (8,),
    "batch_size": 16,
    "learning_starts": 50,
    "replay_size": 2_000,
    "train_interval": 4,
    "seed": 0,
}


@pytest.fixture(scope="module")
def agent():
    agent = DQN("LiveStreamRec-v0", DQNConfig(**SMALL, num_envs=8), env_kwargs=KWARGS)
    return agent.learn(800)


@pytest.fixture(scope="module")
def found(agent):
    return diagnose(agent, env_kwargs=KWARGS, episodes=24)


def test_returns_are_those_of_each_episode_to_its_end():
    rng = np.random.default_rng(0)
    reward, discount, q = rng.random((3, 6, 2))
    lengths = (6, 3)
    for episode, length in enumerate(lengths):
        discount[length - 1, episode] = 0.0
    playing = np.arange(6)[:, None] < np.array(lengths)
    mine = _to_go(_Played(list(q), list(reward), list(discount), list(playing), [], {}))
    for t, episode, *values in zip(*np.nonzero(playing), *mine, strict=True):
        factor, expected = 1.0, np.zeros(2)
        for later in range(t, lengths[episode]):
            expected += factor * np.array([reward[later, episode], 1.0])
            factor *= discount[later, episode]
        np.testing.assert_allclose(values, [q[t, episode], *expected, lengths[episode] - t])


def test_who_knows_the_values_has_no_bias(monkeypatch):
    env = small_platform()
    config = DQNConfig(
        gamma=0.8, discount="step", hidden_sizes=(32, 32), batch_size=64, learning_starts=500,
        train_interval=8, target_interval=40, learning_rate=2e-3, epsilon_end=1.0, seed=1,
    )  # fmt: skip
    agent = DQN(env, config).learn(12_000)
    monkeypatch.setattr(
        "agents.dqn.diagnostics._make", lambda env_id, kwargs, n: small_platform(n, max_steps=60)
    )
    right = diagnose(agent, episodes=64)
    # The last steps before the limit lack what would have followed.
    assert right.bias == pytest.approx(0.0, abs=0.12)
    assert 0.0 < right.slot_spread < 2.0
    assert right.undiscounted_horizon == pytest.approx(30.5)
    assert right.horizon == pytest.approx(5.0, rel=0.1)  # 1 / (1 - gamma)
    assert np.isnan(right.shares).all()  # there is one number only
    agent.learner._weights.mul_(1.5)
    assert diagnose(agent, episodes=64).bias > 0.3


def test_on_the_livestream_env(found):
    assert found.shares.shape == (len(REWARD_COMPONENTS),)
    assert found.shares.sum() == pytest.approx(1.0)
    assert found.shares[REWARD_COMPONENTS.index("watch")] > 0.5
    q, returns = found.calibration.T
    assert (np.diff(q) >= 0).all()
    assert returns.mean() == pytest.approx(found.returns, rel=0.05)
    assert 1.0 < found.horizon < found.undiscounted_horizon
    assert found.td_fresh > 0 and found.td_replayed > 0
    assert -1.0 <= found.correlation <= 1.0
    empty = np.isnan(found.probe)
    assert found.probe.shape == (8 * 64, 10) and empty.mean() < 0.5 and not empty.all(axis=1).any()


def test_diagnosing_changes_nothing_and_repeats(agent, found):
    def state():
        parts = {**agent.learner.state_dict(), **agent.replay.state_dict()}
        generators = {k: str(v.bit_generator.state) for k, v in agent._rng.items()}
        return {k: v.copy() for k, v in parts.items()}, generators

    (arrays, generators), again = state(), diagnose(agent, env_kwargs=KWARGS, episodes=24)
    after, drawn = state()
    assert drawn == generators
    for name, array in arrays.items():
        np.testing.assert_array_equal(after[name], array)
    for name, value in vars(found).items():
        np.testing.assert_array_equal(getattr(again, name), value, err_msg=name)


def test_files(found, tmp_path):
    found.save(tmp_path / "diagnostics.npz")
    loaded = Diagnostics.load(tmp_path / "diagnostics.npz")
    for name, value in vars(found).items():
        np.testing.assert_array_equal(getattr(loaded, name), value, err_msg=name)
    assert loaded.bias == found.bias
    (tmp_path / "other.npz").write_text("no numbers")
    with pytest.raises(ValueError, match="not diagnostics of a run"):
        Diagnostics.load(tmp_path / "other.npz")
    with pytest.raises(FileNotFoundError):
        Diagnostics.load(tmp_path / "none.npz")


def test_td_errors_need_a_memory():
    agent = DQN(chain(4), DQNConfig(**SMALL, network="mlp"))
    assert np.isnan(td_errors(agent)).all()
    agent.learn(400)
    fresh, replayed = td_errors(agent)
    assert 0.0 < fresh < 2.0 and 0.0 < replayed < 2.0


def test_the_noise_of_seeds_is_what_they_disagree_on():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(2_000, 10))

    def probes(noise, count=4):
        level = rng.normal(size=(count, 2_000, 1))  # of a screen: orders nothing
        return list(truth + level + noise * rng.normal(size=(count, 2_000, 10)))

    assert seed_noise(probes(0.0)) == pytest.approx(0.0, abs=1e-6)
    assert seed_noise(probes(1.0)) == pytest.approx(0.5, abs=0.02)
    gaps = probes(1.0)
    for probe in gaps:
        probe[:, 7:] = np.nan
    assert seed_noise(gaps) == pytest.approx(0.5, abs=0.02)
    assert np.isnan(seed_noise(probes(1.0, count=1)))
