"""An ensemble is what its members are alone, each with its share of the data; its mean acts."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from agents.dqn.config import DQNConfig
from agents.dqn.learner import QLearner
from agents.dqn.replay_memory import Batch
from tests.agents.dqn.test_networks import ADJACENT, SLOTS, observations

SIZE = observations().shape[1]
SETTINGS = [
    {"network": "mlp", "hidden_sizes": (8,), "loss": "huber"},
    {"hidden_sizes": (8,), "dueling": True, "summary": True, "gradients": "autograd"},
    {"hidden_sizes": (8,), "q_form": "click", "double": False, "inverse_variance": None},
    {"hidden_sizes": (8,), "cql_weight": 0.3},
]


def learner(seed: int = 0, **settings: object) -> QLearner:
    config = DQNConfig(**{"target_interval": 3, "batch_size": 12} | settings)
    return QLearner(config, SIZE, SLOTS, ADJACENT, seed=seed)


def batch(size: int, seed: int) -> Batch:
    rng = np.random.default_rng(seed)
    both = rng.normal(size=(2, size, SIZE)).astype(np.float32)
    return Batch(
        observation=torch.from_numpy(both[0]),
        action=rng.integers(0, SLOTS, size),
        reward=rng.normal(size=size).astype(np.float32),
        discount=rng.uniform(0.5, 1.0, size).astype(np.float32),
        next_observation=torch.from_numpy(both[1]),
        weight=None,
        cell=np.arange(size),
        click=rng.random(size) < 0.5,
    )


@pytest.mark.parametrize("settings", SETTINGS, ids=["mlp", "dueling", "click", "cql"])
def test_members_learn_as_they_would_alone(settings: dict[str, object]) -> None:
    ensemble = learner(ensemble_size=3, **settings)
    alone = [learner(**settings) for _ in range(3)]
    for one, member in zip(alone, ensemble.q_net.members, strict=True):
        one.load_network_state({name: w.numpy().copy() for name, w in member.state_dict().items()})
    first = alone[0].network_state()
    assert any(not np.array_equal(first[name], w) for name, w in alone[1].network_state().items())
    for update in range(8):
        whole = batch(12, update)
        td_errors = ensemble.update(whole, 1e-2)
        parts = [whole.rows(slice(k, k + 4)) for k in (0, 4, 8)]
        expected = [one.update(part, 1e-2).clone() for one, part in zip(alone, parts, strict=True)]
        torch.testing.assert_close(td_errors, torch.cat(expected), rtol=1e-4, atol=1e-5)
    losses = [one.pop_metrics() for one in alone]
    for name, value in ensemble.pop_metrics().items():
        assert value == pytest.approx(np.mean([loss[name] for loss in losses]), rel=1e-4)
    seen = observations().numpy()
    values = np.mean([one.q_values(seen) for one in alone], axis=0)
    np.testing.assert_allclose(ensemble.q_values(seen), values, rtol=1e-4, atol=1e-5)


def test_rows_that_do_not_divide() -> None:
    """As the diagnostics' batches may be: every row is some member's."""
    ensemble = learner(ensemble_size=3, network="mlp", hidden_sizes=(8,))
    for size in (1, 2, 7):
        assert ensemble.td_errors(batch(size, 0)).shape == (size,)


def test_a_batch_is_shared_evenly() -> None:
    with pytest.raises(ValueError, match="ensemble_size must divide batch_size, 32, got 5"):
        DQNConfig(batch_size=32, ensemble_size=5)
    assert DQNConfig(batch_size=30, ensemble_size=5).of_behaviour.ensemble_size == 1
