"""Logs of simulated viewers: who was shown what, how likely that was, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from livestream_env.settings import check_integer
from livestream_env.simulator.compiling import entry_point
from livestream_env.simulator.response import appeal
from livestream_env.simulator.rng import mix, uniform
from livestream_env.simulator.state import kernel_array
from livestream_env.vector_env import LiveStreamRecVectorEnv

_POLICY_KEY = np.uint64(0x8EBC6AF09C88C6E3)  # arbitrary: sets the policy's luck apart
_OF_THE_STEP = ("click", "watch_s", "likes", "comments", "gift_value", "follow", "terminated")


def exposure_dtype(num_candidates: int) -> np.dtype[Any]:
    """One row per impression at which a room was shown; ids are row numbers of the world."""
    return np.dtype(
        [
            ("clock_s", "f8"),  # moment of the impression, seconds from midnight of day 0
            ("viewer", "i4"),
            ("visit", "i4"),  # of the viewer, from 0
            ("step", "i4"),  # impression of the viewer, from 0; empty screens count but have no row
            ("room", "i4"),
            ("streamer", "i4"),
            ("slot", "i4"),  # of the room shown, in candidate_rooms
            ("candidate_rooms", "i4", (num_candidates,)),  # -1 where empty
            ("propensity", "f8"),  # probability of showing this one; NaN: the policy does not say
            ("click", "?"),
            ("watch_s", "f8"),
            ("likes", "i4"),
            ("comments", "i4"),
            ("gift_value", "f8"),
            ("follow", "?"),
            ("terminated", "?"),  # the viewer's last impression
            # Hidden state at the impression, before the response
            ("satisfaction", "f4"),
            ("satiation", "f4"),  # with the category of the room shown
            ("attachment", "f4"),  # to its streamer
            ("highlight", "f4"),  # 1 during one, else 0
        ],
        align=True,
    )


def simulate_logs(
    policy: Any,
    env: LiveStreamRecVectorEnv,
    viewers: ArrayLike,
    seed: int,
    chunk_rows: int = 2**18,
    on_step: Callable[[int], object] | None = None,
) -> Iterator[NDArray[Any]]:
    """Play each of ``viewers`` once, from day 0 for the horizon of ``env``, and log what is shown.

    What happens to a viewer depends on the world, the policy and ``(seed, viewer)`` only, not on
    ``env.num_envs``, ``chunk_rows`` or the other viewers. (Unless the policy draws random numbers
    of its own in ``predict``: then on ``env.num_envs``, too.)

    Args:
        policy: what chooses. If it has ``propensities(observation)``, (B, D) to probabilities
            (B, N), actions are drawn from these and their probabilities logged; else it is asked by
            Stable-Baselines3's ``predict(..., deterministic=True)``, and propensities are NaN.
            ``bind(env)`` is called first if it exists.
        env: at most as many slots as viewers; a twentieth as many keeps all slots busy to the end.
            Its autoreset mode and step limit play no role, its state is overwritten.
        viewers: (V,) distinct row numbers of the world's viewers.
        seed: at least 0.
        chunk_rows: rows to collect before they are handed out.
        on_step: called after each step with the number of viewers who have finished.

    Yields:
        Exposures, (n,) :func:`exposure_dtype`: of a viewer in order of time, but viewers mixed.

    Raises:
        ValueError: an argument is out of range, or the policy's answer is no choice.
    """
    order = _check(env, viewers, seed, chunk_rows)
    # The most active first: whoever comes last should not keep all other slots waiting.
    order = order[np.argsort(-env.world.viewers["activity"][order], kind="stable")]
    if hasattr(policy, "bind"):
        policy.bind(env)
    return _simulate(policy, env, order, seed, chunk_rows, on_step)


def _check(
    env: LiveStreamRecVectorEnv, viewers: ArrayLike, seed: int, chunk_rows: int
) -> NDArray[np.int64]:
    chosen, count = np.asarray(viewers), len(env.world.viewers)
    if (
        chosen.dtype.kind not in "iu"
        or chosen.ndim != 1
        or not len(chosen)
        or chosen.min() < 0
        or chosen.max() >= count
        or len(np.unique(chosen)) < len(chosen)
    ):
        raise ValueError(f"viewers must be distinct integers in [0, {count - 1}], got {viewers!r}")
    if env.num_envs > len(chosen):
        raise ValueError(
            f"env must have at most as many slots as there are viewers, {len(chosen)}, "
            f"got num_envs={env.num_envs}"
        )
    check_integer("seed", seed, 0)
    check_integer("chunk_rows", chunk_rows, 1)
    return chosen.astype(np.int64)


def _simulate(
    policy: Any,
    env: LiveStreamRecVectorEnv,
    order: NDArray[np.int64],
    seed: int,
    chunk_rows: int,
    on_step: Callable[[int], object] | None,
) -> Iterator[NDArray[Any]]:
    simulation, count = env.simulation, env.num_envs
    dtype = exposure_dtype(simulation.layout.num_candidates)
    buffer = simulation.empty_observation()
    state = None
    begun = 0  # viewers, of ``order``
    playing = np.zeros(count, np.bool_)  # others pass the time with whom nobody logs
    ended = np.ones(count, np.bool_)
    chunk: list[NDArray[Any]] = []
    rows_in_chunk = 0
    while True:
        playing &= ~ended
        episode_start = np.zeros(count, np.bool_)
        if ended.any() and begun < len(order):
            episode_start[np.flatnonzero(ended)[: len(order) - begun]] = True
            next_begun = begun + int(episode_start.sum())
            _begin(env, episode_start, order[begun:next_begun], seed)
            begun = next_begun
            playing |= episode_start
        if not playing.any():
            break
        observation = simulation.shaped(simulation.observe(buffer))
        if hasattr(policy, "propensities"):
            actions, propensity = _draw(env, policy.propensities(observation))
        else:
            actions, state = policy.predict(
                observation, state=state, episode_start=episode_start, deterministic=True
            )
            actions, propensity = env.check_actions(actions), np.full(count, np.nan)
        rows = _exposures(env, actions, dtype)
        rows["propensity"] = propensity
        outcomes = simulation.step(actions, buffer)[0]
        for name in _OF_THE_STEP:
            rows[name] = outcomes[name]
        ended = outcomes["terminated"]
        chunk.append(rows[playing & (rows["room"] >= 0)])
        rows_in_chunk += len(chunk[-1])
        if rows_in_chunk >= chunk_rows:
            yield np.concatenate(chunk)
            chunk, rows_in_chunk = [], 0
        if on_step is not None:
            on_step(begun - int((playing & ~ended).sum()))
    if rows_in_chunk:
        yield np.concatenate(chunk)


def _begin(
    env: LiveStreamRecVectorEnv,
    mask: NDArray[np.bool_],
    viewers: NDArray[np.int64],
    seed: int,
) -> None:
    """Begin the episodes of ``viewers`` on day 0, in the slots of ``mask``."""
    simulation = env.simulation
    for slot, viewer in zip(np.flatnonzero(mask).tolist(), viewers.tolist(), strict=True):
        simulation.seed(slot, np.random.default_rng([seed, viewer]))
    who = np.full(env.num_envs, -1)
    who[mask] = viewers
    simulation.reset(mask, starts=simulation.starts({"viewer": who, "day": 0}, mask))


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


def _draw(
    env: LiveStreamRecVectorEnv, propensities: ArrayLike
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Draw an action per slot from ``propensities`` (B, N); the actions and their propensities."""
    given = np.ascontiguousarray(propensities, np.float64)
    shape = (env.num_envs, env.layout.num_candidates)
    if given.shape != shape or not (given >= 0).all() or (abs(given.sum(axis=1) - 1) > 1e-6).any():
        raise ValueError(
            f"propensities must be {shape} probabilities whose rows sum to 1, got {propensities!r}"
        )
    actions = np.zeros(env.num_envs, np.int64)
    parameters = env.simulation.kernel_arguments[1]
    _choose(given, kernel_array(env.simulation.slots), parameters, actions)
    return actions, given[np.arange(env.num_envs), actions]


@entry_point
def _describe(  # type: ignore[no-untyped-def]
    slots,
    actions,
    w,
    parameters,
    out,
):
    p = parameters[0]
    for i in range(slots.shape[0]):
        s, row, slot = slots[i], out[i], actions[i]
        row.room = s.room[slot]
        if row.room < 0:
            continue
        row.clock_s = s.time_s
        row.viewer = s.viewer
        row.visit = s.visit
        row.step = s.impression
        row.streamer = s.streamer[slot]
        row.slot = slot
        for j in range(s.room.shape[0]):
            row.candidate_rooms[j] = s.room[j]
        a = appeal(s, w, p, slot)
        row.satisfaction = s.satisfaction
        row.satiation = a.satiation
        row.attachment = a.attachment
        row.highlight = a.highlight


def _exposures(
    env: LiveStreamRecVectorEnv, actions: NDArray[np.int64], dtype: np.dtype[Any]
) -> NDArray[Any]:
    """What is known of the impressions before the step; (N,), room -1 where none is shown."""
    world, parameters = env.simulation.kernel_arguments
    rows = np.zeros(env.num_envs, dtype)
    _describe(kernel_array(env.simulation.slots), actions, world, parameters, kernel_array(rows))
    return rows
