"""A tiny world of three states and two actions, in which the value of every policy is known."""

from __future__ import annotations

import numpy as np

from agents.ope.estimators import Values
from agents.ope.trajectories import Trajectories

STATES, ACTIONS, HORIZON = 3, 2, 4
MOVES = np.array(  # P(s' | s, a); what is missing to 1 ends the episode
    [
        [[0.5, 0.3, 0.1], [0.1, 0.2, 0.6]],
        [[0.2, 0.5, 0.1], [0.3, 0.3, 0.3]],
        [[0.1, 0.1, 0.6], [0.4, 0.2, 0.3]],
    ]
)
REWARD = np.array([[1.0, 0.0], [0.5, 2.0], [3.0, -1.0]])
START = np.array([0.5, 0.3, 0.2])
GAMMA = 0.9
BEHAVIOUR = np.array([[0.6, 0.4], [0.5, 0.5], [0.3, 0.7]])
TARGET = np.array([[0.3, 0.7], [0.8, 0.2], [0.6, 0.4]])


def action_values(policy: np.ndarray) -> np.ndarray:
    """Q (H, S, A) of decisions left counted down: ``q[t]`` at step t."""
    q = np.zeros((HORIZON + 1, STATES, ACTIONS))
    for t in reversed(range(HORIZON)):
        q[t] = REWARD + GAMMA * MOVES @ (policy * q[t + 1]).sum(axis=1)
    return q[:HORIZON]


def value(policy: np.ndarray) -> float:
    """The true value."""
    return float(START @ (policy * action_values(policy)[0]).sum(axis=1))


def play(episodes: int, seed: int) -> tuple[Trajectories, np.ndarray, np.ndarray]:
    """Log the behaviour policy; trajectories, states and actions (E, H)."""
    rng = np.random.default_rng(seed)
    running = np.zeros((episodes, HORIZON), bool)
    state, action = np.zeros((2, episodes, HORIZON), int)
    now, live = rng.choice(STATES, episodes, p=START), np.ones(episodes, bool)
    for t in range(HORIZON):
        running[:, t] = live
        state[:, t] = now
        action[:, t] = rng.random(episodes) > BEHAVIOUR[now, 0]
        ends = np.cumsum(MOVES[now, action[:, t]], axis=1)
        after = (rng.random((episodes, 1)) > ends).sum(axis=1)
        live &= after < STATES
        now = np.where(live, after, 0)
    reward = np.where(running, REWARD[state, action] + rng.normal(0, 0.5, running.shape), 0.0)
    discount = np.full(running.shape, GAMMA) * running
    discount[:, -1] = 0.0
    discount[:, :-1] *= running[:, 1:]
    behaviour = np.where(running, BEHAVIOUR[state, action], 1.0)
    log = Trajectories(running, reward, discount, behaviour, np.arange(episodes))
    return log, state, action


def fitted(log: Trajectories, state: np.ndarray, action: np.ndarray, q: np.ndarray) -> Values:
    """Values of the target as given by ``q`` (H, S, A)."""
    steps = np.arange(HORIZON)
    v = (TARGET * q).sum(axis=2)[steps, state]
    chosen = q[steps, state, action]
    return Values(v * log.running, chosen * log.running, np.zeros(len(state)))
