from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from agents.dqn.columns import ColumnLayout
from agents.dqn.config import DQNConfig
from agents.dqn.learner import QLearner
from agents.dqn.networks import MLPQNetwork, QNetwork
from agents.dqn.replay_memory import Batch
from tests.agents.small_envs import SlotLayout

SIZE, ACTIONS = 4, 3


def learner(mask_fn=None, **settings):
    config = DQNConfig(**{"network": "mlp", "hidden_sizes": (8,)} | settings)
    return QLearner(config, SIZE, ACTIONS, None, mask_fn, seed=0)


def constant(network, values):
    """Make a network answer the same Q-values to everything."""
    with torch.no_grad():
        for weight in network.parameters():
            weight.zero_()
        network.advantage.linear[-1].bias.copy_(torch.tensor(values))


def batch(size=4, seed=0, **columns):
    rng = np.random.default_rng(seed)
    random = {
        "observation": rng.normal(size=(size, SIZE)).astype(np.float32),
        "action": rng.integers(0, ACTIONS, size),
        "reward": rng.normal(size=size).astype(np.float32),
        "discount": rng.uniform(0.5, 1.0, size).astype(np.float32),
        "next_observation": rng.normal(size=(size, SIZE)).astype(np.float32),
        "weight": None,
        "cell": np.arange(size),
    }
    columns = random | columns
    for name in ("observation", "next_observation"):
        columns[name] = torch.from_numpy(columns[name])
    return Batch(**columns)


def test_targets_by_hand():
    reward = np.array([1.0, 2.0, 3.0, 4.0], dtype=np.float32)
    discount = np.array([0.9, 0.0, 0.5, 1.0], dtype=np.float32)
    one = batch(reward=reward, discount=discount)

    plain = learner(double=False)
    constant(plain.q_net, [9.0, 0.0, 1.0])
    constant(plain.target_net, [2.0, 5.0, -1.0])
    np.testing.assert_allclose(plain.targets(one), [1 + 0.9 * 5, 2, 3 + 0.5 * 5, 4 + 5])

    double = learner(double=True)  # the online network chooses action 0, the target values it
    constant(double.q_net, [9.0, 0.0, 1.0])
    constant(double.target_net, [2.0, 5.0, -1.0])
    np.testing.assert_allclose(double.targets(one), [1 + 0.9 * 2, 2, 3 + 0.5 * 2, 4 + 2])


def test_masks_in_the_target():
    rows = np.array([[0, 1, 1], [1, 0, 1], [0, 0, 1], [0, 0, 0]], dtype=np.int8)
    one = batch(reward=np.zeros(4, np.float32), discount=np.ones(4, np.float32))
    expected = {
        False: [5.0, 2.0, -1.0, 5.0],  # the best valid value; where nothing is valid, of all
        True: [-1.0, 2.0, -1.0, 2.0],  # the target's value of the best valid online action
    }
    for double, values in expected.items():
        masked = learner(lambda observation: rows, double=double)
        constant(masked.q_net, [9.0, 0.0, 1.0])
        constant(masked.target_net, [2.0, 5.0, -1.0])
        np.testing.assert_allclose(masked.targets(one), values)


def test_masks_come_from_function_or_layout_and_can_be_switched_off():
    observation = torch.zeros((2, SIZE))
    assert learner().action_mask(observation) is None
    only_first = np.array([[True, False, False]] * 2)
    mask = learner(lambda o: only_first).action_mask(observation)
    np.testing.assert_array_equal(mask, only_first)
    assert learner(lambda o: only_first, mask_actions=False).action_mask(observation) is None
    values = learner(lambda o: only_first).q_values(observation.numpy())
    np.testing.assert_array_equal(np.isneginf(values), ~only_first)

    layout = ColumnLayout.of(SlotLayout())
    candidate = QLearner(DQNConfig(), 12, 3, layout)
    seen = torch.zeros((1, 12))
    seen[0, 6] = 1.0  # slot 1 is valid
    np.testing.assert_array_equal(candidate.action_mask(seen), [[False, True, False]])


def test_masks_of_a_layout():
    layout = ColumnLayout.of(SlotLayout())
    candidate = QLearner(DQNConfig(), 12, 3, layout)
    observation = np.random.default_rng(0).random((200, 12), dtype=np.float32)
    valid = observation[:, layout.valid_columns] > 0.5
    none = ~valid.any(axis=1)
    assert 0 < none.sum() < 100
    expected = valid | none[:, None]
    for rows in (observation, np.asfortranarray(observation)):
        np.testing.assert_array_equal(candidate.action_mask(torch.from_numpy(rows)), expected)
    np.testing.assert_array_equal(~np.isneginf(candidate.q_values(observation)), expected)
    with pytest.raises(IndexError, match="columns"):
        candidate.action_mask(torch.zeros(1, 5))


@pytest.mark.parametrize("loss", ["squared", "huber"])
@pytest.mark.parametrize("double", [False, True])
@pytest.mark.parametrize("max_grad_norm", [None, 0.05])
def test_updates_equal_plain_pytorch(loss, double, max_grad_norm):
    """50 updates as a textbook writes them, on the same batches: the same weights."""
    ours = learner(
        loss=loss,
        double=double,
        max_grad_norm=max_grad_norm,
        hidden_sizes=(16, 16),
        target_interval=7,
    )
    online, target = (MLPQNetwork(SIZE, ACTIONS, (16, 16)) for _ in range(2))
    online.load_state_dict(ours.q_net.state_dict())
    target.load_state_dict(ours.q_net.state_dict())
    optimizer = torch.optim.Adam(online.parameters(), lr=1e-2)
    for update in range(1, 51):
        one = batch(32, seed=update)
        o, a, r, d, o2 = (torch.as_tensor(column) for column in one[:5])
        with torch.no_grad():
            best = online(o2).argmax(1, keepdim=True)
            value = target(o2).gather(1, best).squeeze(1) if double else target(o2).max(1).values
        q = online(o).gather(1, a[:, None]).squeeze(1)
        error = (
            F.mse_loss(q, r + d * value)
            if loss == "squared"
            else F.smooth_l1_loss(q, r + d * value)
        )
        optimizer.zero_grad()
        error.backward()
        if max_grad_norm is not None:
            torch.nn.utils.clip_grad_norm_(online.parameters(), max_grad_norm)
        optimizer.step()
        if update % 7 == 0:
            target.load_state_dict(online.state_dict())
        ours.update(one, 1e-2)
    for name, weight in online.state_dict().items():
        torch.testing.assert_close(ours.q_net.state_dict()[name], weight, rtol=1e-4, atol=1e-5)


class Plain(QNetwork):
    """A network of one's own: autograd does the rest."""

    def __init__(self):
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(SIZE, 16), torch.nn.ReLU(), torch.nn.Linear(16, ACTIONS)
        )

    def forward(self, observation, mask=None):
        return self.layers(observation)


@pytest.mark.parametrize("masked", [False, True])
def test_a_network_of_ones_own_learns_the_same(masked, monkeypatch):
    mask_fn = (lambda observation: observation[:, :ACTIONS] > -1.0) if masked else None
    ours = learner(mask_fn, hidden_sizes=(16,), max_grad_norm=0.5)
    monkeypatch.setattr("agents.dqn.learner.build_network", lambda *sizes: Plain())
    own = learner(mask_fn, hidden_sizes=(16,), max_grad_norm=0.5)
    own._weights.copy_(ours._weights)
    own._target_weights.copy_(ours._target_weights)
    for update in range(30):
        one = batch(32, seed=update, weight=np.linspace(0, 1, 32, dtype=np.float32))
        td_errors = [one_learner.update(one, 1e-2) for one_learner in (ours, own)]
        torch.testing.assert_close(*td_errors, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(own._weights, ours._weights, rtol=1e-4, atol=1e-5)


def test_returned_values_are_the_callers():
    ours = learner()
    observation = np.eye(SIZE, dtype=np.float32)
    values = ours.q_values(observation)
    kept = values.copy()
    ours.q_values(2.0 * observation)
    np.testing.assert_array_equal(values, kept)


def test_hard_target_is_copied_after_every_interval():
    ours = learner(target_interval=5)

    def same():
        pairs = zip(ours.q_net.parameters(), ours.target_net.parameters(), strict=True)
        return all(torch.equal(online, target) for online, target in pairs)

    assert same()
    for update in range(1, 16):
        ours.update(batch(seed=update), 1e-2)
        assert same() == (update % 5 == 0), update


def test_soft_target_follows_every_update():
    ours = learner(target_update="soft", target_tau=0.1)
    target = ours.target_net.advantage.linear[-1].bias.detach().clone()
    for update in range(5):
        ours.update(batch(seed=update), 1e-2)
        target = 0.9 * target + 0.1 * ours.q_net.advantage.linear[-1].bias.detach()
        torch.testing.assert_close(ours.target_net.advantage.linear[-1].bias.detach(), target)


def test_importance_weights_scale_the_loss():
    weight = np.array([1.0, 0.5, 0.0, 0.25], dtype=np.float32)
    ours = learner()
    constant(ours.q_net, [1.0, 1.0, 1.0])
    one = batch(reward=np.array([2.0, 3.0, 9.0, 5.0], np.float32), discount=np.zeros(4, np.float32))
    td_error = ours.update(one._replace(weight=weight), 1e-9)
    np.testing.assert_allclose(td_error, [-1.0, -2.0, -8.0, -4.0])
    metrics = ours.pop_metrics()
    assert metrics["train/loss"] == pytest.approx((1 * 1 + 0.5 * 4 + 0 + 0.25 * 16) / 4)
    assert metrics["train/q_mean"] == pytest.approx(1.0)
    assert np.isnan(ours.pop_metrics()["train/loss"])


def test_inverse_variance_weighs_large_values_less():
    ours = learner(inverse_variance=2.0)
    constant(ours.q_net, [0.0, 2.0, 6.0])
    action, reward = np.array([0, 1, 2, 0]), np.array([1.0, 3.0, 5.0, 0.0], np.float32)
    ours.update(batch(action=action, reward=reward, discount=np.zeros(4, np.float32)), 1e-9)
    weight = np.array([1.0, 0.5, 0.1, 1.0]) / 0.65
    assert ours.pop_metrics()["train/loss"] == pytest.approx((weight * [1, 1, 1, 0]).mean())


def test_double_learning_removes_most_of_the_optimism():
    """Ten actions worth nothing, noisy rewards: the maximum of estimates is too high."""
    rng = np.random.default_rng(0)
    bias = {}
    for double in (False, True):
        ours = QLearner(
            DQNConfig(network="mlp", hidden_sizes=(8,), double=double, target_interval=10**9), 2, 10
        )
        estimates = np.random.default_rng(1).normal(size=(300, 2, 10))
        values = []
        for online, target in estimates.tolist():
            constant(ours.q_net, online)
            constant(ours.target_net, target)
            one = batch(
                1,
                observation=rng.normal(size=(1, 2)).astype(np.float32),
                next_observation=rng.normal(size=(1, 2)).astype(np.float32),
                reward=np.zeros(1, np.float32),
                discount=np.ones(1, np.float32),
            )
            values.append(float(ours.targets(one)))
        bias[double] = np.mean(values)
    assert bias[False] > 1.0  # the expected maximum of ten normal numbers is 1.54
    assert abs(bias[True]) < 0.3


def test_same_seed_same_weights_without_touching_the_global_generator():
    torch.manual_seed(3)
    first = learner().network_state()
    drawn = torch.rand(1)
    torch.manual_seed(3)
    assert torch.equal(torch.rand(1), drawn)
    second = learner().network_state()
    other = QLearner(learner().config, SIZE, ACTIONS, seed=1).network_state()
    for name, weight in first.items():
        np.testing.assert_array_equal(weight, second[name])
        assert not np.array_equal(weight, other[name])


def test_settings_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="needs an environment with a layout"):
        QLearner(DQNConfig(), SIZE, ACTIONS)
    with pytest.raises(ValueError, match="3 candidate slots, the action space 5"):
        QLearner(DQNConfig(), 12, 5, ColumnLayout.of(SlotLayout()))
    with pytest.raises(ValueError, match="device must be"):
        learner(device="abacus")
