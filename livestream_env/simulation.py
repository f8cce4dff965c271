"""N viewers in play: what the single and the vector environment share.

Owns the slots, and calls the kernel.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from statistics import NormalDist
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.error import ResetNeeded
from numpy.typing import NDArray

from livestream_env.arguments import EnvArguments
from livestream_env.code_cache import compiling
from livestream_env.observation import ObservationLayout, valid_actions
from livestream_env.reward import weight_vector
from livestream_env.settings import check_integer, check_names
from livestream_env.simulator import kernel
from livestream_env.simulator.compiling import machine_code
from livestream_env.simulator.expectation import expected_response
from livestream_env.simulator.snapshots import check_slots, made_for
from livestream_env.simulator.state import (
    EXPECTATION_DTYPE,
    SWITCHES,
    kernel_array,
    outcome_dtype,
    parameter_record,
    slot_dtype,
    slot_fields,
)
from livestream_env.simulator.world_arrays import WorldArrays, world_arrays

# Expectations over a watch time are sums over 32 equally likely quantiles.
_QUANTILES = np.array([NormalDist().inv_cdf((i + 0.5) / 32) for i in range(32)])

_START_OPTIONS = ("viewer", "day")

# Viewer and day per slot (N,), -1 where they are to be drawn.
Starts = tuple[NDArray[np.int64], NDArray[np.int64]]
Observation = NDArray[np.float32] | dict[str, NDArray[np.float32]]


def check_options(options: Any, *more: str) -> Mapping[str, Any]:
    """A reset's ``options`` as a mapping: "viewer", "day" and those of ``more``.

    Raises:
        ValueError: they are neither a dict nor None, or there is no such option.
    """
    if options is None:
        return {}
    if not isinstance(options, Mapping):
        raise ValueError(f"options must be a dict or None, got {options!r}")
    check_names(options, (*_START_OPTIONS, *more), "options has no key")
    return options


class Simulation:
    """The state of ``num_slots`` viewers and the kernel that moves it.

    Raises:
        ValueError: ``num_slots`` is out of range, or the arguments do not fit each other.
        FileNotFoundError: ``world`` names a file that does not exist.
    """

    def __init__(self, num_slots: int, arguments: EnvArguments) -> None:
        check_integer("num_slots", num_slots, 1, 1_000_000)
        num_candidates, days = arguments.num_candidates, arguments.days
        self.world, self.config = arguments.make_world()
        if num_candidates > len(self.world.streamers):
            raise ValueError(
                f"num_candidates must be at most {len(self.world.streamers)}, the world's number "
                f"of streamers (each has at most one live room), got {num_candidates}"
            )
        if days > self.world.days:
            raise ValueError(
                f"horizon={arguments.horizon!r} needs a world of {days} days, "
                f"this has {self.world.days}"
            )

        categories = self.world.num_categories
        self.num_slots = int(num_slots)
        self.flat = arguments.observation == "flat"
        self.in_rows = arguments.observation == "rows"
        self.layout = ObservationLayout(
            num_candidates=num_candidates,
            num_categories=categories,
            history_length=arguments.history_length,
            full=arguments.observe == "full",
            traces=arguments.traces,
        )
        self._parameters = parameter_record(
            self.world,
            self.config,
            arguments.horizon,
            weight_vector(arguments.reward_weights),
            arguments.watch == "minutes",
            {name: getattr(arguments, name) for name in SWITCHES},
            num_candidates,
            self.layout.full,
            self.layout.traces,
        )
        self._world = world_arrays(self.world)
        self._outcome_dtype = outcome_dtype(num_candidates)
        self._outcome_bytes = self.num_slots * self._outcome_dtype.itemsize
        self._observation_shape = (self.num_slots, self.layout.size)
        self._shape = (categories, num_candidates, arguments.history_length)
        self.slots = self._unbegun(self.num_slots)
        self._first_days = self.world.days - days + 1
        self._begun = False  # whether every slot is known to have an episode
        self._most_played = 0  # no slot has played more impressions in its episode

    def _unbegun(self, count: int) -> NDArray[Any]:
        """So many slots before their first reset."""
        slots = np.zeros(count, slot_dtype(*self._shape))
        for name in ("episode", "next_viewer", "next_day", "room", "streamer"):
            slots[name] = -1
        return slots

    @property
    def bytes_per_slot(self) -> int:
        """Memory that a slot takes, and what a step returns of it beside the observation."""
        return int(self.slots.itemsize + self._outcome_dtype.itemsize)

    @property
    def kernel_arguments(self) -> tuple[WorldArrays, NDArray[Any]]:
        """The world's arrays and the parameters, as compiled functions take them."""
        return self._world, self._parameters

    # Moving the state

    def require_reset(self, what: str) -> None:
        """Raise ``ResetNeeded`` if a slot has no episode yet."""
        if not self._begun:
            if self.slots["episode"].min() < 0:
                raise ResetNeeded(f"call reset() before {what}")
            self._begun = True

    def seed(self, slot: int, generator: np.random.Generator) -> None:
        """Give a slot a key from ``generator``; its next episode is its first."""
        self.slots["key"][slot] = generator.integers(2**64, dtype=np.uint64)
        self.slots["episode"][slot] = -1
        self._begun = False

    def starts(self, options: Mapping[str, Any], mask: NDArray[np.bool_]) -> Starts | None:
        """The viewers and days that ``options["viewer"]`` and ``["day"]`` name for ``mask`` (N,).

        Raises:
            ValueError: a slot of ``mask`` cannot play such a viewer or day.
        """
        if not options:
            return None
        viewers = self._chosen("viewer", options.get("viewer"), len(self.world.viewers), mask)
        return viewers, self._chosen("day", options.get("day"), self._first_days, mask)

    def _chosen(
        self, name: str, value: Any, count: int, mask: NDArray[np.bool_]
    ) -> NDArray[np.int64]:
        if value is None:
            return np.full(self.num_slots, -1)
        given = np.asarray(value)
        if given.dtype.kind in "iu" and given.shape in ((), (self.num_slots,)):
            chosen = np.broadcast_to(given, self.num_slots)
            if ((chosen[mask] >= 0) & (chosen[mask] < count)).all():
                return np.where(mask, chosen, -1).astype(np.int64)
        shape = "" if self.num_slots == 1 else f", or {self.num_slots} of them"
        raise ValueError(
            f"options[{name!r}] must be an integer in [0, {count - 1}]{shape}, got {value!r}"
        )

    def reset(
        self, mask: NDArray[np.bool_], starts: Starts | None = None
    ) -> tuple[NDArray[Any], NDArray[np.float32]]:
        """Begin an episode in each slot of ``mask`` (N,); what ``starts`` does not name is drawn.

        Returns:
            Outcomes (N,), for the other slots zeros but for what they are offered, and flat
            observations (N, D) of all slots.
        """
        if starts is not None:
            self.slots["next_viewer"], self.slots["next_day"] = starts
        outcomes, observations = self._new_outcomes(), self.empty_observation()
        actions = np.where(mask, kernel.RESET, kernel.LOOK)
        self._advance(self.slots, actions, outcomes, observations)
        if not mask.all():
            outcomes["action_mask"] = self.action_masks()
            outcomes["candidate_rooms"] = self.slots["room"]
            outcomes["candidate_streamers"] = self.slots["streamer"]
        return outcomes, observations

    def go_on(
        self,
        ended: NDArray[np.bool_],
        outcomes: NDArray[Any],
        observations: NDArray[np.float32],
    ) -> None:
        """Begin an episode in each slot of ``ended`` (N,), over the results of a step."""
        actions = np.where(ended, kernel.RESET, kernel.PASS)
        self._advance(self.slots, actions, outcomes, observations)

    def step(
        self, actions: NDArray[np.int64], out: NDArray[np.float32] | None = None
    ) -> tuple[NDArray[Any], NDArray[np.float32]]:
        """Play ``actions`` (N,); slots that have ended begin their next episode instead.

        Returns:
            Outcomes (N,) and flat observations (N, D), which are ``out`` if given.
        """
        if not self._begun:
            self.require_reset("step()")
        self._most_played += 1
        outcomes = self._new_outcomes()
        observations = np.empty(self._observation_shape, np.float32) if out is None else out
        self._advance(self.slots, actions, outcomes, observations)
        return outcomes, observations

    def have_played(self, impressions: int) -> NDArray[np.bool_]:
        """Which slots have played so many in their episode, (N,)."""
        if self._most_played < impressions:  # mostly: to look at all slots takes long
            return np.zeros(self.num_slots, np.bool_)
        played = self.slots["impression"]
        self._most_played = int(played.max())
        return np.asarray(played >= impressions)

    def observe(
        self, out: NDArray[np.float32] | None = None, slots: NDArray[Any] | None = None
    ) -> NDArray[np.float32]:
        """Flat observations (N, D) of all slots, or of ``slots``; written to ``out`` if given."""
        if slots is None:
            slots = self.slots
        if out is None:
            out = self.empty_observation(len(slots))
        nothing = np.empty(0, self._outcome_dtype)
        self._advance(slots, np.full(len(slots), kernel.LOOK), nothing, out)
        return out

    def action_masks(self) -> NDArray[np.bool_]:
        """Which slots may be chosen, by :func:`valid_actions`: (N, candidates)."""
        return valid_actions(self.slots["room"] >= 0)

    def _new_outcomes(self) -> NDArray[Any]:
        """Zeros (N,)."""
        # NumPy's own zeros() and copy() of records go through all fields, at four times the time.
        return np.ndarray(self.num_slots, self._outcome_dtype, bytearray(self._outcome_bytes))

    def copied(self, outcomes: NDArray[Any], mask: NDArray[np.bool_] | None = None) -> NDArray[Any]:
        """A copy of ``outcomes`` (N,); zeros where ``mask`` (N,) is given and false."""
        copy = bytearray(outcomes.base)  # type: ignore[arg-type]
        if mask is not None:
            np.frombuffer(copy, np.uint8).reshape(self.num_slots, -1)[~mask] = 0
        return np.ndarray(self.num_slots, self._outcome_dtype, copy)

    @property
    def _compiled_for(self) -> str:
        """What compiled code depends on, beside the code."""
        layout = self.layout
        return (
            f"{layout.num_candidates} candidates, {layout.history_length} past impressions and "
            f"{layout.num_categories} categories"
        )

    @functools.cached_property
    def _kernel(self) -> Callable[..., None]:
        """The kernel for the types of this simulation's arrays, compiled or read at first use."""
        return machine_code(
            f"the simulator for {self._compiled_for}",
            kernel.advance,
            self.slots,
            np.zeros(1, np.int64),
            self._world,
            self._parameters,
            self._new_outcomes(),
            self.empty_observation(),
        )

    def _advance(
        self,
        slots: NDArray[Any],
        actions: NDArray[np.int64],
        outcomes: NDArray[Any],
        observations: NDArray[np.float32],
    ) -> None:
        self._kernel(slots, actions, self._world, self._parameters, outcomes, observations)

    def empty_observation(self, num_slots: int | None = None) -> NDArray[np.float32]:
        """Room for the flat observations of all slots, or of ``num_slots``."""
        count = self.num_slots if num_slots is None else num_slots
        return np.empty((count, self.layout.size), np.float32)

    def expected_response(self) -> dict[str, NDArray[np.float64]]:
        """What each candidate would bring now, given the hidden state; for oracles.

        Returns:
            Arrays (N, candidates), zeros for empty slots: ``click_probability``;
            ``expected_reward`` of the impression; given a click ``harm``, sensationalism times
            the viewer's sensitivity, and ``bond``, growth of the sum that loyalty is made of;
            ``breadth``, growth of the mean familiarity with a category.
        """
        out = np.zeros((self.num_slots, self.layout.num_candidates), EXPECTATION_DTYPE)
        slots, rows = kernel_array(self.slots), kernel_array(out)
        with compiling(f"the oracles' expectations for {self._compiled_for}"):
            expected_response(slots, self._world, self._parameters, _QUANTILES, rows)
        given_click = out["components"] @ np.asarray(self._parameters["reward_weights"][0])
        return {
            "click_probability": out["click_probability"],
            "expected_reward": out["click_probability"] * given_click,
            **{name: out[name] for name in ("harm", "bond", "breadth")},
        }

    # Copies and snapshots

    def __getstate__(self) -> dict[str, Any]:
        """All but the kernel and its tables, which simulations of a world share."""
        return {
            name: value for name, value in vars(self).items() if name not in ("_world", "_kernel")
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Find the tables again."""
        vars(self).update(state)
        self._world = world_arrays(self.world)

    @functools.cached_property
    def _origin(self) -> NDArray[np.uint64]:
        """What snapshots of this simulation are made for."""
        return made_for(self.world, np.asarray(self._parameters))

    def get_state(self) -> NDArray[Any]:
        """An exact copy of all slots, randomness included: (N,) structured."""
        state = self.slots.copy()
        state["made_for"] = self._origin
        return state

    def set_state(self, state: NDArray[Any]) -> None:
        """Put back a snapshot of :meth:`get_state`; one that is refused changes nothing.

        Raises:
            ValueError: it is not a snapshot of such a simulation, or was damaged since.
        """
        if (
            not isinstance(state, np.ndarray)
            or state.dtype != self.slots.dtype
            or state.shape != self.slots.shape
        ):
            raise ValueError(
                "state must be a snapshot by get_state() of an environment with the same "
                f"num_envs, num_candidates, history_length and categories, got {type(state)!r}"
            )
        slots = np.array(state, order="C", subok=False).view(self.slots.dtype)  # see state.py
        fields, unbegun = slot_fields(*self._shape), self._unbegun(1)
        check_slots(slots, unbegun, fields, self._origin, self.world, self._parameters)
        slots["made_for"] = 0  # as those that were never a snapshot have it
        self.slots = slots
        self._begun = False
        self._most_played = int(self.slots["impression"].max())

    # Spaces

    def observation_space(self) -> spaces.Space[Any]:
        """The Box or Dict space of one observation."""
        if self.flat:
            return spaces.Box(-1.0, 1.0, (self.layout.size,), np.float32)
        shapes = self.layout.shapes
        if not self.in_rows:
            shapes = {block: (math.prod(shape),) for block, shape in shapes.items()}
        return spaces.Dict(
            {block: spaces.Box(-1.0, 1.0, shape, np.float32) for block, shape in shapes.items()}
        )

    def shaped(self, observation: NDArray[np.float32]) -> Observation:
        """A flat observation (..., D) as the observation space has it."""
        if self.flat:
            return observation
        return (
            self.layout.to_rows(observation) if self.in_rows else self.layout.to_dict(observation)
        )
