"""Environments small enough to be solved, counted and compared exactly."""

from __future__ import annotations

from itertools import permutations
from typing import ClassVar

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space


class CountingEnv(gym.Env):
    """Observation 100 * episode + t, reward t; episodes of different lengths, every third cut off.

    Made for checking what is stored: each number occurs once.
    """

    observation_space = gym.spaces.Box(-1e6, 1e6, (1,), np.float32)
    action_space = gym.spaces.Discrete(2)

    def __init__(self, offset: int = 0) -> None:
        self.offset = offset
        self.episode = -1

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.episode += 1
        self.t = 0
        return self._observation(), {"elapsed_s": 0.0}

    def step(self, action):
        self.t += 1
        over = self.t == 1 + (self.episode + self.offset) % 4
        cut = self.episode % 3 == 2
        info = {"elapsed_s": 10.0 * self.t, "click": self.t % 2 == 1}
        return self._observation(), float(self.t), over and not cut, over and cut, info

    def _observation(self):
        return np.array([100 * self.episode + self.t], dtype=np.float32)


class TabularVectorEnv(VectorEnv):
    """A finite MDP, N copies side by side, in any autoreset mode.

    Args:
        num_envs: N.
        transition: ``(S, A, S)`` probabilities.
        reward: ``(S, A)``.
        observation: ``(S, D)``: what is seen of each state.
        terminal: bool ``(S,)``: states that end the episode.
        start: ``(S,)`` probabilities of the first state.
        elapsed_s: ``(S, A)``: duration of a step.
        click: bool ``(S, A)``: whether it brings a click.
        max_steps: truncates longer episodes.
        layout: the observation's layout, if it has one.
    """

    def __init__(
        self,
        num_envs,
        transition,
        reward,
        observation,
        terminal,
        start,
        elapsed_s=None,
        click=None,
        max_steps=10**9,
        layout=None,
        mode=AutoresetMode.SAME_STEP,
    ):
        self.num_envs = num_envs
        self.metadata = {"autoreset_mode": mode}
        self.transition, self.reward, self.terminal = transition, reward, terminal
        self.observation, self.start = observation.astype(np.float32), start
        self.elapsed_s = np.ones_like(reward) if elapsed_s is None else elapsed_s
        self.click = np.zeros(reward.shape, bool) if click is None else click
        self.max_steps, self.layout, self.mode = max_steps, layout, mode
        size = observation.shape[1]
        self.single_observation_space = gym.spaces.Box(-10, 10, (size,), np.float32)
        self.single_action_space = gym.spaces.Discrete(transition.shape[1])
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        fields = [("state", int), ("step", int), ("over", bool), ("seed", int), ("draws", int)]
        self.slots = np.zeros(num_envs, dtype=fields)

    def _uniform(self):
        """One number per slot, a function of seed and count: the state holds no generator."""
        self.slots["draws"] += 1
        first = self.slots[0]
        return np.random.default_rng([first["seed"], first["draws"]]).random(self.num_envs)

    def _begin(self, mask):
        first = (self._uniform()[:, None] > np.cumsum(self.start)).sum(axis=1)
        self.slots["state"][mask] = first[mask]
        self.slots["step"][mask] = 0
        self.slots["over"][mask] = False

    def reset(self, *, seed=None, options=None):
        mask = np.ones(self.num_envs, dtype=bool)
        if options and "reset_mask" in options:
            mask = options["reset_mask"]
        if seed is not None:
            self.slots["seed"] = seed
            self.slots["draws"] = 0
        self._begin(mask)
        return self.observation[self.slots["state"]], {"elapsed_s": np.zeros(self.num_envs)}

    def step(self, actions):
        before, was_over = self.slots["state"].copy(), self.slots["over"].copy()
        assert self.mode is not AutoresetMode.DISABLED or not was_over.any()
        cumulative = np.cumsum(self.transition[before, actions], axis=1)
        after = (self._uniform()[:, None] > cumulative).sum(axis=1)
        self.slots["state"] = np.where(was_over, before, np.minimum(after, len(self.terminal) - 1))
        self.slots["step"] += 1
        reward = np.where(was_over, 0.0, self.reward[before, actions])
        terminated = self.terminal[self.slots["state"]] & ~was_over
        truncated = (self.slots["step"] >= self.max_steps) & ~was_over
        ended = terminated | truncated
        elapsed_s, click = self.elapsed_s[before, actions], self.click[before, actions]
        info = {}
        if self.mode is AutoresetMode.NEXT_STEP:
            self.slots["over"] = ended
            if was_over.any():
                self._begin(was_over)
        elif self.mode is AutoresetMode.SAME_STEP and ended.any():
            final = np.full(self.num_envs, None, dtype=object)
            for i in np.flatnonzero(ended):
                final[i] = self.observation[self.slots["state"][i]]
            info = {"final_obs": final, "final_info": {"elapsed_s": elapsed_s, "click": click}}
            elapsed_s, click = np.where(ended, 0.0, elapsed_s), click & ~ended
            self._begin(ended)
        else:
            self.slots["over"] = ended
        info |= {"elapsed_s": elapsed_s, "click": click}
        return self.observation[self.slots["state"]], reward, terminated, truncated, info

    def get_state(self):
        return self.slots.copy()

    def set_state(self, state):
        self.slots[:] = state


def optimal_q(transition, reward, terminal, discount, mask=None):
    """Q* ``(S, A)`` by value iteration; ``discount`` is a number or ``(S, A)``."""
    q = np.zeros_like(reward, dtype=np.float64)
    for _ in range(10_000):
        value = np.where(terminal, 0.0, np.where(True if mask is None else mask, q, -np.inf).max(1))
        new = reward + discount * (transition @ value)
        if np.abs(new - q).max() < 1e-10:
            return new
        q = new
    raise AssertionError("value iteration did not converge")


def chain(num_envs=16, length=5, slip=0.1, **kwargs):
    """Walk left or right; a small reward at the left end, a large one at the right end."""
    states = length + 2  # the two ends are terminal
    transition = np.zeros((states, 2, states))
    reward = np.zeros((states, 2))
    for s in range(1, length + 1):
        for action, move in enumerate((-1, 1)):
            transition[s, action, s + move] += 1 - slip
            transition[s, action, s - move] += slip
    transition[0, :, 0] = transition[-1, :, -1] = 1.0
    reward[1] = transition[1, :, 0] * 0.3
    reward[length] += transition[length, :, -1] * 1.0
    terminal = np.zeros(states, dtype=bool)
    terminal[[0, -1]] = True
    start = np.where(terminal, 0.0, 1.0 / length)
    return TabularVectorEnv(num_envs, transition, reward, np.eye(states), terminal, start, **kwargs)


class SlotLayout:
    """Layout of :func:`small_platform`: three shared columns, then slots of three features."""

    num_candidates = 3
    size = 12
    shared_columns = np.arange(3)
    candidate_columns = np.arange(3, 12).reshape(3, 3)
    slices: ClassVar = {"past": slice(0, 1), "traces": slice(1, 3)}

    def candidate(self, observation, name):
        assert name == "valid"
        return observation[..., 3::3]

    def action_mask(self, observation):
        return self.candidate(observation, "valid") > 0.5


def small_platform(num_envs=16, **kwargs):
    """Live-stream recommendation in miniature: what pays now is not what keeps the viewer.

    A viewer is dissatisfied, neutral or satisfied, and is shown up to three rooms in random order,
    with empty slots. Sensational rooms pay more and cost one level of satisfaction, plain ones pay
    less and restore one; a dissatisfied viewer who is disappointed again leaves for good. Choosing
    an empty slot would pay enormously: only masks keep an agent from wanting it. Plain rooms are
    clicked, sensational ones are not.
    """
    empty, sensational, plain = range(3)
    offers = sorted(
        {
            order
            for rooms in [
                (empty, sensational, plain),
                (sensational, sensational, plain),
                (empty, plain, plain),
            ]
            for order in permutations(rooms)
        }
    )
    pays = {empty: 50.0, sensational: 1.0, plain: 0.6}
    change = {empty: 0, sensational: -1, plain: 1}
    states = [(level, offer) for level in range(3) for offer in offers]
    gone = len(states)

    transition = np.zeros((gone + 1, 3, gone + 1))
    reward = np.zeros((gone + 1, 3))
    click = np.zeros((gone + 1, 3), dtype=bool)
    observation = np.zeros((gone + 1, 12))
    transition[gone, :, gone] = 1.0
    for s, (level, offer) in enumerate(states):
        observation[s, level] = 1.0
        for slot, room in enumerate(offer):
            if room != empty:
                observation[s, 3 + 3 * slot] = observation[s, 3 + 3 * slot + room] = 1.0
            reward[s, slot], click[s, slot] = pays[room], room == plain
            level_after = min(level + change[room], 2)
            if level_after < 0:
                transition[s, slot, gone] = 1.0
            else:
                again = [i for i, state in enumerate(states) if state[0] == level_after]
                transition[s, slot, again] = 1 / len(offers)
    terminal = np.arange(gone + 1) == gone
    start = np.where(terminal, 0.0, 1.0 / gone)
    return TabularVectorEnv(
        num_envs,
        transition,
        reward,
        observation,
        terminal,
        start,
        click=click,
        layout=SlotLayout(),
        **kwargs,
    )
