"""Logs of simulated viewers: who was shown what, how likely that was, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from livestream_env.settings import check_integer
from livestream_env.simulated_logs.playing import Moment, play
from livestream_env.simulator.compiling import entry_point
from livestream_env.simulator.response import appeal
from livestream_env.simulator.state import kernel_array
from livestream_env.vector_env import LiveStreamRecVectorEnv

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
    on_moment: Callable[[Moment], object] | None = None,
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
        on_moment: called after each step with all that is known of it.

    Yields:
        Exposures, (n,) :func:`exposure_dtype`: of a viewer in order of time, but viewers mixed.

    Raises:
        ValueError: an argument is out of range, or the policy's answer is no choice.
    """
    order = _check(env, viewers, seed, chunk_rows)
    # The most active first: whoever comes last should not keep all other slots waiting.
    order = order[np.argsort(-env.world.viewers["activity"][order], kind="stable")]
    return _simulate(policy, env, order, seed, chunk_rows, on_step, on_moment)


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
    on_moment: Callable[[Moment], object] | None,
) -> Iterator[NDArray[Any]]:
    dtype = exposure_dtype(env.layout.num_candidates)
    slots = np.arange(env.num_envs)
    begun = 0  # viewers, of ``order``

    def begin(free: NDArray[np.int64]) -> NDArray[np.int64]:
        nonlocal begun
        viewers = order[begun : begun + len(free)]
        begun += len(viewers)
        if len(viewers):
            _begin(env, free[: len(viewers)], viewers, seed)
        return viewers

    chunk: list[NDArray[Any]] = []
    rows_in_chunk = 0
    for moment in play(policy, env, begin):
        playing = moment.episode >= 0
        rows = _exposures(env, moment, dtype)
        chances = moment.propensities
        rows["propensity"] = np.nan if chances is None else chances[slots, moment.actions]
        for name in _OF_THE_STEP:
            rows[name] = moment.outcomes[name]
        chunk.append(rows[playing & (rows["room"] >= 0)])
        rows_in_chunk += len(chunk[-1])
        if rows_in_chunk >= chunk_rows:
            yield np.concatenate(chunk)
            chunk, rows_in_chunk = [], 0
        if on_moment is not None:
            on_moment(moment)
        if on_step is not None:
            on_step(begun - int((playing & ~moment.outcomes["terminated"]).sum()))
    if rows_in_chunk:
        yield np.concatenate(chunk)


def _begin(
    env: LiveStreamRecVectorEnv,
    slots: NDArray[np.int64],
    viewers: NDArray[np.int64],
    seed: int,
) -> None:
    """Begin the episodes of ``viewers`` (m,) on day 0, in ``slots`` (m,)."""
    simulation = env.simulation
    for slot, viewer in zip(slots.tolist(), viewers.tolist(), strict=True):
        simulation.seed(slot, np.random.default_rng([seed, viewer]))
    mask, who = np.zeros(env.num_envs, np.bool_), np.full(env.num_envs, -1)
    mask[slots], who[slots] = True, viewers
    simulation.reset(mask, starts=simulation.starts({"viewer": who, "day": 0}, mask))


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


def _exposures(env: LiveStreamRecVectorEnv, moment: Moment, dtype: np.dtype[Any]) -> NDArray[Any]:
    """What is known of the impressions before the step; (N,), room -1 where none is shown."""
    world, parameters = env.simulation.kernel_arguments
    rows = np.zeros(env.num_envs, dtype)
    _describe(kernel_array(moment.before), moment.actions, world, parameters, kernel_array(rows))
    return rows
