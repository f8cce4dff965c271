"""A policy plays many viewers at once, each to her end: what all logs of it are made from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from livestream_env.simulator.compiling import entry_point
from livestream_env.simulator.rng import mix, uniform
from livestream_env.simulator.state import kernel_array
from livestream_env.vector_env import LiveStreamRecVectorEnv

_POLICY_KEY = np.uint64(0x8EBC6AF09C88C6E3)  # arbitrary: sets the policy's luck apart


class Moment(NamedTuple):
    """An impression of each of B slots, before and after.

    Attributes:
        episode: int64 (B,) which episode a slot plays, as ``begin`` numbered it; -1: none, others
            pass the time with whom nobody logs.
        before: (B,) the slots' state before, a copy.
        observation: (B, D) flat, before; overwritten by the next moment.
        propensities: (B, N) of each candidate; None: the policy does not say.
        actions: int64 (B,).
        outcomes: (B,) of the step.
        next_observation: (B, D) flat, after, the last one where the episode ended; overwritten by
            the next moment.
    """

    episode: NDArray[np.int64]
    before: NDArray[Any]
    observation: NDArray[np.float32]
    propensities: NDArray[np.float64] | None
    actions: NDArray[np.int64]
    outcomes: NDArray[Any]
    next_observation: NDArray[np.float32]


def play(
    policy: Any,
    env: LiveStreamRecVectorEnv,
    begin: Callable[[NDArray[np.int64]], NDArray[np.int64]],
) -> Iterator[Moment]:
    """Play until no slot has an episode that is to be logged.

    Args:
        policy: what chooses. If it has ``propensities(observation)``, (B, D) to probabilities
            (B, N), actions are drawn from these; else it is asked by Stable-Baselines3's
            ``predict(..., deterministic=True)``. ``bind(env)`` is called first if it exists.
        env: its autoreset mode and step limit play no role, its state is overwritten.
        begin: given slots that are free, int64 (m,), begins the next episodes in the first of them
            and returns their numbers, as many as it began; is asked whenever a slot is free.

    Raises:
        ValueError: the policy's answer is no choice.
    """
    simulation, count = env.simulation, env.num_envs
    if hasattr(policy, "bind"):
        policy.bind(env)
    before, after = simulation.empty_observation(), simulation.empty_observation()
    state = None
    episode = np.full(count, -1)
    free = np.arange(count)
    while True:
        episode[free] = -1
        numbers = begin(free) if len(free) else free
        begun = free[: len(numbers)]
        episode[begun] = numbers
        episode_start = np.zeros(count, np.bool_)
        episode_start[begun] = True
        if not (episode >= 0).any():
            break
        observation = simulation.shaped(simulation.observe(before))
        propensities = None
        if hasattr(policy, "propensities"):
            propensities = _checked(env, policy.propensities(observation))
            actions = _draw(env, propensities)
        else:
            actions, state = policy.predict(
                observation, state=state, episode_start=episode_start, deterministic=True
            )
            actions = env.check_actions(actions)
        slots = simulation.slots.view(np.uint8).copy().view(simulation.slots.dtype)
        outcomes = simulation.step(actions, after)[0]
        yield Moment(episode.copy(), slots, before, propensities, actions, outcomes, after)
        free = np.flatnonzero(outcomes["terminated"])


def _checked(env: LiveStreamRecVectorEnv, propensities: ArrayLike) -> NDArray[np.float64]:
    given = np.ascontiguousarray(propensities, np.float64)
    shape = (env.num_envs, env.layout.num_candidates)
    if given.shape != shape or not (given >= 0).all() or (abs(given.sum(axis=1) - 1) > 1e-6).any():
        raise ValueError(
            f"propensities must be {shape} probabilities whose rows sum to 1, got {propensities!r}"
        )
    return given


def _draw(env: LiveStreamRecVectorEnv, propensities: NDArray[np.float64]) -> NDArray[np.int64]:
    """An action per slot, drawn from ``propensities`` (B, N)."""
    actions = np.zeros(env.num_envs, np.int64)
    parameters = env.simulation.kernel_arguments[1]
    _choose(propensities, kernel_array(env.simulation.slots), parameters, actions)
    return actions


@entry_point
def _choose(propensities, slots, parameters, actions):  # type: ignore[no-untyped-def]
    """Inverse distribution function, at a number that depends on viewer and impression only.

    Writes ``actions`` (B,). ``parameters`` are there for the name of their type: machine code on
    disk is not used after a change of the code that this one calls.
    """
    for i in range(propensities.shape[0]):
        left = uniform(mix(_POLICY_KEY, slots[i].episode_key), slots[i].impression)
        for j in range(propensities.shape[1]):
            if propensities[i, j] > 0.0:  # else rounding could choose what has no chance
                actions[i] = j
                left -= propensities[i, j]
                if left < 0.0:
                    break
    return actions
