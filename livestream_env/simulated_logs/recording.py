"""Logged decisions of a policy in the simulator: see :mod:`livestream_env.decisions`.

Needs the extra ``livestream-env[logs]``.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livestream_env.decisions import Description
from livestream_env.decisions.schema import COLUMNS, NO_ACTION, OBSERVATION, REWARD_FIELDS, Rows
from livestream_env.registration import json_arguments
from livestream_env.settings import check_integer
from livestream_env.simulated_logs.playing import Moment, play
from livestream_env.vector_env import LiveStreamRecVectorEnv

_PACKAGES = ("livestream-env", "gymnasium", "numba", "numpy", "pyarrow")
_CHUNK_ROWS = 2**15  # 40 MB of observations


def describe(
    env: LiveStreamRecVectorEnv,
    env_id: str,
    env_kwargs: Mapping[str, Any],
    behaviour: str,
    seed: int,
) -> Description:
    """The description of decisions logged in ``env``, which was made from id and arguments."""
    return Description(
        env_id=env_id,
        env_kwargs=json_arguments(env_kwargs),
        world_digest=env.world.digest,
        behaviour=behaviour,
        seed=seed,
        num_actions=env.layout.num_candidates,
        columns=env.layout.column_names,
        versions={"python": platform.python_version()} | {p: version(p) for p in _PACKAGES},
    )


def log_decisions(
    policy: Any,
    env: LiveStreamRecVectorEnv,
    num_steps: int,
    seed: int,
    on_step: Callable[[int], object] | None = None,
) -> Iterator[Rows]:
    """Play episodes of ``env`` and log every decision.

    Episodes are drawn as ``env.reset`` draws them. New ones begin until ``num_steps`` decisions
    are taken or under way; those begun are played to their ends, so that long episodes are as
    frequent as they are. Episode k is the same whenever it is played with this seed; how many
    there are, and their order, depends on ``env.num_envs``, too.

    Args:
        policy: as for :func:`livestream_env.simulated_logs.playing.play`.
        env: its autoreset mode and step limit play no role, its state is overwritten.
        num_steps: at least so many decisions.
        seed: at least 0.
        on_step: called after each step with the number of decisions so far.

    Yields:
        Rows for :class:`livestream_env.decisions.writing.DecisionWriter`.

    Raises:
        ValueError: an argument is out of range, or the policy's answer is no choice.
    """
    check_integer("num_steps", num_steps, 1)
    check_integer("seed", seed, 0)
    return _log_decisions(policy, env, num_steps, seed, on_step)


def _log_decisions(
    policy: Any,
    env: LiveStreamRecVectorEnv,
    num_steps: int,
    seed: int,
    on_step: Callable[[int], object] | None,
) -> Iterator[Rows]:
    simulation, recorder = env.simulation, DecisionRecorder(env)
    begun = 0

    def begin(free: NDArray[np.int64]) -> NDArray[np.int64]:
        nonlocal begun
        count = len(free) if recorder.num_steps < num_steps else 0
        numbers = np.arange(begun, begun + count)
        for slot, number in zip(free.tolist(), numbers.tolist(), strict=False):
            simulation.seed(slot, np.random.default_rng([seed, number]))
        if count:
            mask = np.zeros(env.num_envs, np.bool_)
            mask[free[:count]] = True
            simulation.reset(mask)
        begun += count
        return numbers

    for moment in play(policy, env, begin):
        recorder.record(moment)
        yield from recorder.ready()
        if on_step is not None:
            on_step(recorder.num_steps)
    yield from recorder.ready(all_of_it=True)


class DecisionRecorder:
    """Turns moments, of many episodes side by side, into rows, episode after episode.

    Args:
        env: that is played.

    Attributes:
        num_steps: decisions recorded so far.
    """

    def __init__(self, env: LiveStreamRecVectorEnv) -> None:
        self.num_steps = 0
        self._layout = env.layout
        self._parts: list[dict[str, NDArray[Any]]] = []
        self._waiting = self._in_progress = 0  # rows, and how many of them cannot be handed out
        self._steps = np.zeros(env.num_envs, np.int32)
        self._episode = np.full(env.num_envs, -1)

    def record(self, moment: Moment) -> None:
        """Take down a moment of the slots that play an episode."""
        self._steps[moment.episode != self._episode] = 0
        self._episode = moment.episode
        live = np.flatnonzero(moment.episode >= 0)
        # A column at a time: whole rows of the slots' state are long.
        outcomes, before = moment.outcomes, moment.before
        ended = outcomes["terminated"][live]
        chances = moment.propensities
        self._add(
            moment.episode[live],
            self._steps[live],
            {
                "viewer": outcomes["viewer"][live],
                "visit": before["visit"][live],
                "clock_s": before["time_s"][live],
                "action_mask": self._layout.action_mask(moment.observation[live]),
                "propensity": np.nan if chances is None else chances[live],
                "action": moment.actions[live],
                **{name: outcomes[name][live] for name in ("reward", *REWARD_FIELDS, "elapsed_s")},
                "terminated": ended,
                OBSERVATION: moment.observation[live],
            },
        )
        self._steps[live] += 1
        self.num_steps += len(live)
        if ended.any():
            last = live[ended]
            over = outcomes[last]
            self._add(
                moment.episode[last],
                self._steps[last],
                {
                    "viewer": over["viewer"],
                    "visit": over["visit"],
                    "clock_s": over["clock_s"],
                    "action_mask": over["action_mask"] > 0,
                    "propensity": np.nan,
                    "action": NO_ACTION,
                    OBSERVATION: moment.next_observation[last],
                },
            )

    def _add(
        self, episode: NDArray[np.int64], step: NDArray[np.int32], columns: dict[str, Any]
    ) -> None:
        rows: dict[str, NDArray[Any]] = {OBSERVATION: columns[OBSERVATION]}
        columns |= {"episode": episode, "step": step}
        for name, (dtype, many) in COLUMNS.items():
            rows[name] = np.zeros(
                (len(step), self._layout.num_candidates) if many else len(step), dtype
            )
            rows[name][:] = columns.get(name, 0)
        self._parts.append(rows)
        self._waiting += len(step)

    def ready(self, all_of_it: bool = False) -> Iterator[Rows]:
        """Rows of episodes that have ended, once they are many; their episodes follow each other.

        Args:
            all_of_it: however few they are: no episode goes on.
        """
        if not self._parts or (self._waiting < self._in_progress + _CHUNK_ROWS and not all_of_it):
            return
        names = list(self._parts[0])
        rows = {name: np.concatenate([part[name] for part in self._parts]) for name in names}
        self._parts = []
        over = np.isin(rows["episode"], rows["episode"][rows["action"] == NO_ACTION])
        going_on = np.flatnonzero(~over)
        if len(going_on):
            self._parts.append({name: column[going_on] for name, column in rows.items()})
        self._waiting = self._in_progress = len(going_on)
        # Within an episode rows are in order already.
        order = np.flatnonzero(over)
        order = order[np.argsort(rows["episode"][order], kind="stable")]
        if len(order):
            yield {name: rows.pop(name)[order] for name in names}
