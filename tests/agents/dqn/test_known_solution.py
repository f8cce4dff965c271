"""Small worlds whose Q* value iteration gives: the DQN must find it.

Rewards are of the order of 1, values of 1 to 4. Behaviour is uniformly random, so that every action
of every state is seen often. The tolerance is on the largest error over all of them.
"""

from __future__ import annotations

import numpy as np
import pytest

from agents.dqn import DQN
from agents.dqn.config import PRESETS, DQNConfig
from tests.agents.small_envs import chain, optimal_q, small_platform

TOLERANCE = 0.05
SETTINGS = {
    "hidden_sizes": (32, 32),
    "batch_size": 64,
    "learning_starts": 500,
    "replay_size": 20_000,
    "train_interval": 8,
    "target_interval": 40,
    "learning_rate": 2e-3,
    "learning_rate_schedule": "linear",
    "epsilon_end": 1.0,
    "n_step": 1,  # longer windows follow the random policy, and would not find Q*
    "discount": "step",
    "seed": 1,
}


def largest_error(agent: DQN, truth: np.ndarray) -> float:
    """Over all valid actions of all states that do not end the episode."""
    living = ~agent.env.terminal
    learned = agent.learner.q_values(agent.env.observation[living])
    valid = ~np.isneginf(learned)
    return float(np.abs(learned - truth[living])[valid].max())


@pytest.mark.parametrize(
    ("preset", "options"),
    [
        ("article", {}),
        ("plain", {"network": "mlp"}),
        (
            "plain",
            {
                "network": "mlp",
                "dueling": True,
                "prioritized": True,
                "priority_beta_start": 1.0,
                "target_update": "soft",
                "target_tau": 0.03,
                "max_grad_norm": 10.0,
            },
        ),
    ],
    ids=["article", "plain", "dueling-prioritized-soft-clipped"],
)
def test_chain(preset, options):
    env = chain()
    agent = DQN(env, DQNConfig.preset(preset, **SETTINGS | {"gamma": 0.9} | options))
    agent.learn(16_000)
    truth = optimal_q(env.transition, env.reward, env.terminal, 0.9)
    assert largest_error(agent, truth) < TOLERANCE


def test_chain_in_continuous_time_and_cut_off():
    # The optimal values know nothing of the time limit: bootstrapping at truncation keeps them.
    durations_s = np.random.default_rng(0).uniform(10.0, 120.0, (7, 2))
    env = chain(elapsed_s=durations_s, max_steps=3)
    settings = {"network": "mlp", "gamma": 0.9, "discount": "semi-markov", "tau_s": 60.0}
    config = DQNConfig(**SETTINGS | settings)
    agent = DQN(env, config)
    agent.learn(16_000)
    truth = optimal_q(env.transition, env.reward, env.terminal, 0.9 ** (durations_s / 60.0))
    assert largest_error(agent, truth) < TOLERANCE


@pytest.mark.parametrize(
    "options",
    [{}, {"summary": True}, {"q_form": "click", "inverse_variance": 2.0}, PRESETS["default"]],
    ids=["{}", "summary", "click", "default"],
)
def test_small_platform(options):
    env = small_platform()
    mask = env.layout.action_mask(env.observation)
    mask[env.terminal] = True
    truth = optimal_q(env.transition, env.reward, env.terminal, 0.8, mask)
    agent = DQN(env, DQNConfig(**options | SETTINGS | {"gamma": 0.8}))
    agent.learn(12_000)
    assert largest_error(agent, truth) < TOLERANCE

    # And it plans: what pays most now is often not what the agent has learned to show.
    states = np.flatnonzero(~env.terminal)
    best = np.where(mask, truth, -np.inf).max(axis=1)[states]
    greedy = np.where(mask, env.reward, -np.inf).argmax(axis=1)[states]
    chosen, _ = agent.predict(env.observation[states], deterministic=True)
    assert (best - truth[states, chosen]).max() < TOLERANCE
    assert (best - truth[states, greedy]).max() > 1.0
