"""The two ways to the gradients, by hand and by autograd, train the same network."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from agents.dqn import DQN
from agents.dqn.by_hand import ByHand
from agents.dqn.checkpoint import read_checkpoint, write_checkpoint
from agents.dqn.columns import ColumnLayout
from agents.dqn.config import DQNConfig
from agents.dqn.learner import QLearner
from agents.dqn.replay_memory import Batch
from tests.agents.small_envs import SlotLayout, small_platform

SIZE, ACTIONS, ROWS = 12, 3, 32
SMALL = {
    "hidden_sizes": (8,),
    "batch_size": 16,
    "learning_starts": 60,
    "replay_size": 400,
    "train_interval": 4,
    "target_interval": 10,
    "seed": 0,
}
VARIANTS = {
    "plain": {},
    "dueling": {"dueling": True},
    "summary": {"summary": True},
    "crosses": {"crosses": True},
    "huber": {"loss": "huber"},
    "clip": {"max_grad_norm": 0.05},
    "single": {"double": False},
    "soft": {"target_update": "soft", "target_tau": 0.1},
    "weighted": {"inverse_variance": 0.5},
    "click": {"q_form": "click"},
    "click, all": {
        "q_form": "click", "summary": True, "crosses": True, "inverse_variance": 0.5,
        "max_grad_norm": 0.05, "loss": "huber", "click_weight": 0.3,
    },
    "all": {"dueling": True, "summary": True, "loss": "huber", "max_grad_norm": 0.05},
}  # fmt: skip


def learner(gradients, **settings):
    config = DQNConfig(gradients=gradients, hidden_sizes=(16, 8), target_interval=7, **settings)
    return QLearner(config, SIZE, ACTIONS, ColumnLayout.of(SlotLayout()), seed=0)


def batch(seed, weighted):
    rng = np.random.default_rng(seed)
    # Of both signs: a unit that is active in every slot has a bias that dueling cancels.
    rows = rng.normal(size=(2, ROWS, SIZE)).astype(np.float32)
    observation, next_observation = torch.from_numpy(rows)
    return Batch(
        observation=observation,
        action=rng.integers(0, ACTIONS, ROWS),
        reward=rng.normal(size=ROWS).astype(np.float32),
        discount=rng.uniform(0.5, 1.0, ROWS).astype(np.float32),
        next_observation=next_observation,
        weight=rng.uniform(0.1, 1.0, ROWS).astype(np.float32) if weighted else None,
        cell=np.arange(ROWS),
        click=rng.random(ROWS) < 0.4,
    )


def assert_close(actual, expected, err_msg=""):
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-5, err_msg=err_msg)


def computes_by_hand(network):
    modules = [module for module in network.modules() if isinstance(module, ByHand)]
    with torch.inference_mode():
        states = {module.by_hand for module in modules}
    (state,) = states
    return state


@pytest.mark.parametrize("network", ["mlp", "candidate"])
@pytest.mark.parametrize("weighted", [False, True], ids=["uniform", "prioritized"])
@pytest.mark.parametrize("settings", VARIANTS.values(), ids=VARIANTS)
def test_both_ways_learn_the_same_from_the_same_batches(network, weighted, settings):
    if network == "mlp" and "q_form" in settings:
        pytest.skip("is a candidate network's")
    ours, plain = (learner(way, network=network, **settings) for way in ("by_hand", "autograd"))
    before = ours.state_dict()["weights"].copy()
    for update in range(50):
        one = batch(update, weighted)
        td_errors = [each.update(one, 1e-3) for each in (ours, plain)]
        if update == 0:
            torch.testing.assert_close(*td_errors, rtol=1e-5, atol=1e-5)
    assert np.abs(ours.state_dict()["weights"] - before).max() > 0.01
    for name in ("mean", "square", "steps"):
        assert_close(plain.state_dict()[name], ours.state_dict()[name])
    for by_hand, autograd in ((ours.q_net, plain.q_net), (ours.target_net, plain.target_net)):
        expected, weights = by_hand.state_dict(), autograd.state_dict()
        if network == "candidate" and settings.get("dueling"):
            # Subtracting the mean cancels a constant of all advantages. Its gradient is zero but
            # for rounding, which Adam turns into steps, and no Q-value depends on it.
            for state in (expected, weights):
                assert state.pop("scorer.linear.1.bias").numel() == 1
        for name, weight in expected.items():
            assert_close(weights[name], weight, err_msg=name)
    observation = batch(99, weighted).observation.numpy()
    assert_close(plain.q_values(observation), ours.q_values(observation))
    assert plain.pop_metrics() == pytest.approx(ours.pop_metrics(), rel=1e-4)


@pytest.mark.parametrize(
    "form", [{"network": "mlp"}, {"network": "candidate"}, {"q_form": "click"}], ids=str
)
def test_both_ways_train_the_same_agent_with_prioritised_replay(form):
    settings = SMALL | form | {"prioritized": True, "loss": "huber", "n_step": 3}
    trained = {}
    for way in ("by_hand", "autograd"):
        agent = DQN(small_platform(5, max_steps=7), DQNConfig(gradients=way, **settings))
        agent.learn(260)
        assert agent.learner.num_updates == 50
        trained[way] = agent.learner.state_dict()["weights"]
    assert_close(trained["autograd"], trained["by_hand"])


@pytest.mark.parametrize("dueling", [False, True])
@pytest.mark.parametrize("network", ["mlp", "candidate"])
def test_the_setting_decides_who_differentiates(network, dueling, monkeypatch):
    ours, plain = (
        learner(way, network=network, dueling=dueling) for way in ("by_hand", "autograd")
    )
    for each in (ours.q_net, ours.target_net):
        assert computes_by_hand(each)
    for each in (plain.q_net, plain.target_net):
        assert not computes_by_hand(each)

    calls = []
    differentiate = torch.Tensor.backward
    monkeypatch.setattr(
        torch.Tensor, "backward", lambda *args: (calls.append(1), differentiate(*args))
    )
    ours.update(batch(0, False), 1e-3)
    assert not calls
    plain.update(batch(0, False), 1e-3)
    assert calls == [1]


def test_files_keep_the_setting_and_older_ones_are_by_hand(tmp_path):
    config = DQNConfig(gradients="autograd", **SMALL)
    agent = DQN(small_platform(5, max_steps=7), config).learn(100)
    agent.save(tmp_path / "model")
    agent.save_checkpoint(tmp_path / "run")
    resumed = DQN.load_checkpoint(tmp_path / "run", small_platform(5, max_steps=7))
    for loaded in (DQN.load(tmp_path / "model"), resumed):
        assert loaded.config.gradients == "autograd"
        assert not computes_by_hand(loaded.learner.q_net)

    arrays, metadata = read_checkpoint(tmp_path / "model", "model")
    del metadata["config"]["gradients"]  # as before there was a choice
    write_checkpoint(tmp_path / "older", "model", arrays, metadata)
    older = DQN.load(tmp_path / "older")
    assert older.config.gradients == "by_hand"
    assert computes_by_hand(older.learner.q_net)
    observation = np.random.default_rng(0).random((9, agent.observation_size), dtype=np.float32)
    assert_close(older.learner.q_values(observation), agent.learner.q_values(observation))
