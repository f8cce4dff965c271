"""How fast the hand-written DQN is: against Stable-Baselines3's, and against its own arithmetic.

    python -m scripts.speed_agents

Every line compares two ways of doing the same work in one process, on one core, in rounds that
take turns; times are CPU times, and the ratio is the median over the rounds, so that neither the
machine nor its other users matter much. A ratio above 1 means faster than the reference.
"""

from __future__ import annotations

import dataclasses
import os
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import gymnasium as gym
import numpy as np
import torch

from agents.dqn import DQN
from agents.dqn_config import DQNConfig
from agents.networks import CandidateQNetwork
from agents.replay import ReplayBuffer
from scripts.arguments import described_parser, positive_int

ENV_ID = "LiveStreamRec-v0"
# Name, hidden sizes, batch size, environment steps per update.
CASES = (
    ("256-256, batch 128, update per 4 steps", (256, 256), 128, 4),
    ("256-256, batch 64, update per step", (256, 256), 64, 1),
    ("64-64, batch 128, update per 4 steps", (64, 64), 128, 4),
    ("64-64, batch 64, update per step", (64, 64), 64, 1),
)
_STARTS = 1_000  # environment steps before the first update


@dataclasses.dataclass(frozen=True)
class Line:
    """One comparison.

    Attributes:
        name: What is compared with what.
        ours: Median CPU time of ours, microseconds per unit of work.
        reference: That of the reference.
        ratio: Median of reference / ours over the rounds.
    """

    name: str
    ours: float
    reference: float
    ratio: float


def compare(name: str, ours: Callable[[], Any], reference: Callable[[], Any], rounds: int) -> Line:
    """Time two callables in turns; each returns the units of work done, or None for one."""
    times = np.array([[_time_us(ours), _time_us(reference)] for _ in range(rounds)])
    ratio = float(np.median(times[:, 1] / times[:, 0]))
    return Line(name, *np.median(times, axis=0).tolist(), ratio)


def _time_us(work: Callable[[], Any]) -> float:
    start = time.process_time()
    units = work()
    return (time.process_time() - start) / (units or 1) * 1e6


def repeated(function: Callable[[], Any], times: int) -> Callable[[], int]:
    """A callable that calls ``function`` that often."""

    def work() -> int:
        for _ in range(times):
            function()
        return times

    return work


def plain_config(sizes: tuple[int, ...], batch_size: int, train_interval: int) -> DQNConfig:
    """SB3's defaults in our terms: what makes the two do the same work."""
    return DQNConfig(
        network="mlp",
        hidden_sizes=sizes,
        double=False,
        loss="huber",
        learning_rate=1e-4,
        learning_rate_schedule="constant",
        max_grad_norm=10.0,
        gamma=0.99,
        batch_size=batch_size,
        replay_size=50_000,
        learning_starts=_STARTS,
        train_interval=train_interval,
        target_interval=10_000 // train_interval,
        epsilon_fraction=0.1,
        mask_actions=False,
        num_envs=4,
        device="cpu",
        seed=0,
    )


def sb3_model(env: gym.Env, config: DQNConfig) -> Any:
    """SB3's DQN with its defaults but for the sizes that ``config`` sets."""
    from stable_baselines3 import DQN as SB3Model

    return SB3Model(
        "MlpPolicy",
        env,
        policy_kwargs={"net_arch": list(config.hidden_sizes)},
        batch_size=config.batch_size,
        buffer_size=config.replay_size,
        learning_starts=config.learning_starts,
        train_freq=config.train_interval,
        seed=config.seed,
        device="cpu",
    )


def full_loop(
    name: str, sizes: tuple[int, ...], batch_size: int, train_interval: int, rounds: int
) -> Line:
    """Act, step, store, sample, update, sync: CPU time per environment step, ours and SB3's."""
    config = plain_config(sizes, batch_size, train_interval)
    ours, theirs = DQN(ENV_ID, config), sb3_model(gym.make(ENV_ID), config)
    learners = [partial(agent.learn, reset_num_timesteps=False) for agent in (ours, theirs)]
    for learn in learners:
        learn(_STARTS + 200)
    steps = 400 if train_interval == 1 else 1_000

    def work(learn: Callable[[int], Any]) -> int:
        learn(steps)
        return steps

    line = compare(
        f"full loop, {name}: ours / SB3", *(partial(work, learn) for learn in learners), rounds
    )
    done = (ours.learner.num_updates, theirs._n_updates)
    assert abs(done[0] - done[1]) <= 1, f"unequal work: {done} updates"
    return line
