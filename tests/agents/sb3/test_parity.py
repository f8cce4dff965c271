"""The same work as Stable-Baselines3's DQN: the same weights after the same batches."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from stable_baselines3.common.type_aliases import ReplayBufferSamples

from agents.dqn.learner import QLearner
from agents.dqn.replay_memory import Batch
from scripts.speed_agents import PlainEnv, PlainVectorEnv, plain_config, sb3_model

GAMMA = 0.99


class Given:
    """A replay memory that hands out given batches."""

    def __init__(self) -> None:
        self.next: Batch | None = None

    def sample(self, size: int, env: object = None) -> ReplayBufferSamples:
        batch = self.next
        assert batch is not None and len(batch.action) == size
        columns = (batch.action, batch.discount == 0.0, batch.reward)
        actions, dones, rewards = (torch.as_tensor(column)[:, None] for column in columns)
        return ReplayBufferSamples(
            batch.observation, actions, batch.next_observation, dones.float(), rewards
        )


def batch(size: int, rng: np.random.Generator) -> Batch:
    rows = [torch.from_numpy(rng.normal(size=(size, 128)).astype(np.float32)) for _ in range(2)]
    return Batch(
        rows[0],
        rng.integers(0, 20, size),
        (30.0 * rng.normal(size=size)).astype(np.float32),  # large enough to be clipped
        np.where(rng.random(size) < 0.1, 0.0, GAMMA).astype(np.float32),
        rows[1],
        None,
        np.arange(size),
    )


@pytest.mark.parametrize("sizes", [(64, 64), (256, 256)])
def test_50_updates_on_the_same_batches(sizes: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    config = replace(plain_config(sizes, 64, 1), target_interval=7, max_grad_norm=0.5)
    theirs, ours = sb3_model(PlainEnv(), config), QLearner(config, 128, 20)
    theirs.max_grad_norm = config.max_grad_norm
    theirs.replay_buffer = given = Given()
    theirs._setup_learn(1)
    with torch.no_grad():
        for network in (ours.q_net, ours.target_net):
            pairs = zip(network.parameters(), theirs.q_net.parameters(), strict=True)
            for mine, yours in pairs:
                mine.copy_(yours)
    before = ours.state_dict()["weights"].copy()

    rng = np.random.default_rng(0)
    for _ in range(50):
        given.next = batch(64, rng)
        ours.update(given.next, config.learning_rate)
        theirs.train(1, 64)
        theirs._on_step()

    for mine, yours in ((ours.q_net, theirs.q_net), (ours.target_net, theirs.q_net_target)):
        for weight, other in zip(mine.parameters(), yours.parameters(), strict=True):
            torch.testing.assert_close(weight, other, rtol=1e-4, atol=1e-5)
    moved = np.abs(ours.state_dict()["weights"] - before).max()
    assert moved > 10 * config.learning_rate  # it was a real training


def test_the_two_plain_environments_are_one() -> None:
    single, vector = PlainEnv(), PlainVectorEnv(1)
    row = single.reset(seed=0)[0]
    np.testing.assert_array_equal(vector.reset(seed=0)[0][0], row)
    rng = np.random.default_rng(1)
    for t in range(1, 201):
        action = int(rng.integers(20))
        mine, theirs = single.step(action), vector.step(np.array([action]))
        observation = theirs[4]["final_obs"] if t == 200 else theirs[0]
        np.testing.assert_array_equal(observation[0], mine[0])
        assert (theirs[1][0], theirs[2][0], theirs[3][0]) == mine[1:4]
    assert mine[3]
