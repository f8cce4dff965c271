"""The native vector environment: many viewers in one call of the kernel.

``gymnasium.make_vec("LiveStreamRec-v0", num_envs=64, vectorization_mode="vector_entry_point")``
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.error import ResetNeeded
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from livestream_env.arguments import RENDER_MODES, EnvArguments, takes_env_arguments
from livestream_env.infos import OFFERED, info_of_many
from livestream_env.observation import ObservationLayout
from livestream_env.registration import SpecAttribute
from livestream_env.rendering import Renderer
from livestream_env.settings import check_flag, check_integer
from livestream_env.simulation import Observation, Simulation, check_options
from livestream_env.world import World

_NOWHERE = np.zeros(0, np.bool_)
# What a viewer's single environment would have: the same for all of them, or each her own.
_SHARED = {
    "observation_space": "single_observation_space",
    "action_space": "single_action_space",
    **{name: name for name in ("layout", "metadata", "render_mode", "spec", "world")},
}
_OWN = ("action_masks", "expected_response", "get_state", "render")


class Played(NamedTuple):
    """What a step of N viewers brought.

    Attributes:
        observations: (N, D), of new episodes where "SameStep" began one.
        outcomes: (N,) of the actions.
        truncated: (N,) bool, whether the time limit is reached.
        now: (N,) outcomes as of ``observations``: those of the reset where an episode began.
        ended: (N,) bool, where "SameStep" began an episode; (0,) if nowhere.
        last: (episodes ended, D), their last observations.
    """

    observations: NDArray[np.float32]
    outcomes: NDArray[Any]
    truncated: NDArray[np.bool_]
    now: NDArray[Any]
    ended: NDArray[np.bool_]
    last: NDArray[np.float32]


@takes_env_arguments
class LiveStreamRecVectorEnv(VectorEnv[Observation, NDArray[np.int64], NDArray[Any]]):
    """``num_envs`` viewers; slot i made with seed s plays what the single env does with s + i.

    Takes the arguments of :class:`livestream_env.env.LiveStreamRecEnv`, and ``num_envs``,
    ``max_episode_steps``, ``autoreset_mode`` and ``reuse_buffer``.

    Args:
        num_envs: viewers stepped in one call.
        {arguments}
        max_episode_steps: truncates an episode (``make_vec`` passes the registered limit); -1: no
            limit.
        autoreset_mode: ``"NextStep"``, ``"SameStep"`` or ``"Disabled"``, or Gymnasium's
            ``AutoresetMode``; with "Disabled" call ``reset(options={"reset_mask": mask})``.
        reuse_buffer: return the same observation array at every step, overwritten. Faster where
            observations are copied anyway; the default returns fresh arrays, as Gymnasium requires.
    """

    metadata = {  # noqa: RUF012 - Gymnasium's API
        "render_modes": list(RENDER_MODES),
        "render_fps": 2,
        "autoreset_mode": AutoresetMode.NEXT_STEP,
    }
    spec = SpecAttribute()

    def __init__(
        self,
        num_envs: int = 1,
        *,
        max_episode_steps: int | None = None,
        autoreset_mode: str | AutoresetMode = "NextStep",
        reuse_buffer: bool = False,
        **arguments: Any,
    ) -> None:
        given = EnvArguments.of(LiveStreamRecVectorEnv, arguments)
        check_integer("num_envs", num_envs, 1, 1_000_000)
        check_flag("reuse_buffer", reuse_buffer)
        if isinstance(max_episode_steps, (int, np.integer)) and max_episode_steps == -1:
            max_episode_steps = None  # as gymnasium.make takes it
        check_integer("max_episode_steps", max_episode_steps, 1, 2**31, optional=True)
        try:
            self.autoreset_mode = AutoresetMode(autoreset_mode)
        except ValueError:
            valid = ", ".join(repr(mode.value) for mode in AutoresetMode)
            raise ValueError(
                f"autoreset_mode must be one of {valid}, got {autoreset_mode!r}"
            ) from None
        self.simulation = Simulation(num_envs, given)
        self.num_envs = int(num_envs)
        self._limit = sys.maxsize if max_episode_steps is None else int(max_episode_steps)
        # Gymnasium's modes are enumerations, which take long to compare.
        self._waits = self.autoreset_mode == AutoresetMode.DISABLED
        self._goes_on = self.autoreset_mode == AutoresetMode.SAME_STEP
        self._everyone = np.ones(self.num_envs, np.bool_)
        self._num_candidates = self.simulation.layout.num_candidates
        self.metadata = {**type(self).metadata, "autoreset_mode": self.autoreset_mode}
        self.render_mode = given.render_mode
        self.single_observation_space = self.simulation.observation_space()
        self.single_action_space = spaces.Discrete(given.num_candidates)
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self._renderer = Renderer.for_mode(given.render_mode, self.simulation)
        self._buffer = self.simulation.empty_observation() if reuse_buffer else None
        self._attributes: dict[str, tuple[Any, ...]] = {}  # set by set_attr: for each viewer

    @property
    def layout(self) -> ObservationLayout:
        """Names of the observation's columns."""
        return self.simulation.layout

    @property
    def world(self) -> World:
        """The world that is played in."""
        return self.simulation.world

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin an episode in every slot, or in those of ``options["reset_mask"]``.

        Args:
            seed: slot i gets ``seed + i``; or a sequence with a seed or None per slot.
            options: ``"reset_mask"``, a bool array (num_envs,): the slots to reset. Info covers
                those only, but for masks and candidates, which are of every slot. ``"viewer"`` and
                ``"day"``, integers or arrays (num_envs,): what these slots play, as in the single
                env; the next episodes are drawn as usual.

        Raises:
            ValueError: an option is of the wrong type, shape or range.
        """
        checked = check_options(options, "reset_mask")
        mask = self._reset_mask(checked.get("reset_mask"))
        starts = self.simulation.starts(checked, mask)
        generators = self._generators(seed, mask)
        # Nothing has changed so far: what is refused leaves the slots as they are.
        if isinstance(seed, (int, np.integer)):
            super().reset(seed=int(seed))
        unseeded = self.simulation.slots["episode"] < 0
        for i in np.flatnonzero(mask).tolist():
            if (generator := generators[i]) is not None:
                self.simulation.seed(i, generator)
            elif unseeded[i]:
                self.simulation.seed(i, self.np_random)
        outcomes = self.simulation.reset(mask, starts)[0]
        if self._renderer is not None:
            self._renderer.after_reset()
        observations = self.simulation.observe(self._buffer)
        infos = info_of_many(outcomes, mask)
        infos |= dict.fromkeys((f"_{name}" for name in OFFERED), self._everyone.copy())
        return self.simulation.shaped(observations), infos

    def _generators(self, seed: Any, mask: NDArray[np.bool_]) -> list[np.random.Generator | None]:
        """Of each slot of ``mask`` that ``seed`` has a number for."""
        seeds: list[Any]
        if isinstance(seed, (int, np.integer)):
            seeds = [int(seed) + i for i in range(self.num_envs)]
        elif seed is None:
            seeds = [None] * self.num_envs
        elif (isinstance(seed, Sequence) and not isinstance(seed, (str, bytes))) or (
            isinstance(seed, np.ndarray) and seed.ndim == 1
        ):
            seeds = [int(one) if isinstance(one, np.integer) else one for one in seed]
        else:
            raise ValueError(f"seed must be an integer, a sequence of them or None, got {seed!r}")
        if len(seeds) != self.num_envs:
            raise ValueError(f"seed must have num_envs={self.num_envs} entries, got {len(seeds)}")
        return [
            seeding.np_random(one)[0] if resets and one is not None else None
            for one, resets in zip(seeds, mask.tolist(), strict=True)
        ]

    def _reset_mask(self, mask: Any) -> NDArray[np.bool_]:
        if mask is None:
            return np.ones(self.num_envs, np.bool_)
        array = np.asarray(mask)
        if array.dtype != np.bool_ or array.shape != (self.num_envs,) or not array.any():
            raise ValueError(
                "options['reset_mask'] must be a bool array of shape "
                f"({self.num_envs},) with at least one True, got {mask!r}"
            )
        return array.copy()

    def step(
        self, actions: NDArray[np.int64], *, out: NDArray[np.float32] | None = None
    ) -> tuple[
        Observation, NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]
    ]:
        """Show ``actions[i]`` to viewer i.

        Args:
            actions: (num_envs,) integers.
            out: (num_envs, D) float32, C-contiguous, writeable: where to write the observation (a
                row of a rollout buffer, say).

        Raises:
            ValueError: an action outside the space, or an unsuitable ``out``.
            ResetNeeded: before the first reset; with "Disabled", while a slot waits for its reset.
        """
        played = self.play(actions, out)
        infos = info_of_many(played.now, self._everyone.copy())
        if len(played.ended):
            infos |= self._final_infos(played)
        return (
            self.simulation.shaped(played.observations),
            self.rewards(played.outcomes),
            played.outcomes["terminated"].copy(),
            played.truncated,
            infos,
        )

    def rewards(self, outcomes: NDArray[Any]) -> NDArray[Any]:
        """What :meth:`step` returns as the reward for ``outcomes`` (N,)."""
        return np.array(outcomes["reward"])

    def play(self, actions: NDArray[np.int64], out: NDArray[np.float32] | None = None) -> Played:
        """:meth:`step`, but for the form of what it returns."""
        checked = self.check_actions(actions)
        if out is None:
            out = self._buffer
        else:
            self._check_out(out)
        simulation = self.simulation
        if self._waits and simulation.slots["ended"].any():
            waiting = np.flatnonzero(simulation.slots["ended"])
            raise ResetNeeded(f"slots {waiting.tolist()} have ended: reset them before step()")
        if self._renderer is not None:
            self._renderer.before_step()
        outcomes, observations = simulation.step(checked, out)
        if self._renderer is not None:
            self._renderer.after_step(checked, outcomes)
        slots = simulation.slots
        truncated = simulation.have_played(self._limit)
        if np.count_nonzero(truncated):  # rarely, and to write to all slots takes long
            slots["ended"] |= truncated
        ended, last, now = _NOWHERE, observations[:0], outcomes
        if self._goes_on and np.count_nonzero(slots["ended"]):
            ended = slots["ended"].copy()
            last, now = observations[ended], simulation.copied(outcomes)
            simulation.go_on(ended, now, observations)
        return Played(observations, outcomes, truncated, now, ended, last)

    def check_actions(self, actions: NDArray[np.int64]) -> NDArray[np.int64]:
        """The actions as :meth:`step` takes them, or ``ValueError``."""
        array = np.asarray(actions)
        if array.dtype.kind in "iu" and array.shape == (self.num_envs,):
            checked = np.ascontiguousarray(array, dtype=np.int64)
            # As unsigned numbers the negative ones are too large as well: one look for two. And
            # NumPy finds the place of the largest in half of the time of its value.
            unsigned = checked.view(np.uint64)
            if unsigned.item(unsigned.argmax()) < self._num_candidates:
                return checked
        raise ValueError(
            f"actions must be {self.num_envs} integers in [0, {self._num_candidates}), "
            f"got {actions!r}"
        )

    def _final_infos(self, played: Played) -> dict[str, Any]:
        """Last observations and infos of the slots that ended, in Gymnasium's form."""
        final_obs = np.full(self.num_envs, None, dtype=object)
        for row, i in enumerate(np.flatnonzero(played.ended).tolist()):
            final_obs[i] = self.simulation.shaped(played.last[row])
        final = self.simulation.copied(played.outcomes, played.ended)
        return {
            "final_obs": final_obs,
            "_final_obs": played.ended,
            "final_info": info_of_many(final, played.ended),
            "_final_info": played.ended,
        }

    def _check_out(self, out: NDArray[np.float32]) -> None:
        shape = (self.num_envs, self.layout.size)
        # Compiled code writes there, whatever it is. NumPy calls "carray" what is contiguous,
        # aligned and may be written to.
        if not isinstance(out, np.ndarray):
            got = repr(type(out))
        elif out.shape != shape or out.dtype != np.float32 or not out.flags.carray:
            flags = out.flags
            kinds = {
                "contiguous": flags.c_contiguous,
                "writeable": flags.writeable,
                "aligned": flags.aligned,
            }
            lacking = [kind for kind, is_so in kinds.items() if not is_so]
            got = ", not ".join([f"{out.dtype} {out.shape}", *lacking])
        else:
            return
        raise ValueError(
            f"out must be a writeable, C-contiguous float32 array of shape {shape}, got {got}"
        )

    def call(self, name: str, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
        """What the single environment of each viewer would answer, as ``SyncVectorEnv`` does.

        Args:
            name: ``"action_masks"``, ``"expected_response"``, ``"get_state"`` or ``"render"``; an
                attribute of the single environment (its spaces, ``"layout"``, ``"world"``, ...), or
                one set by :meth:`set_attr`.
            args: of the method; those here take none.
            kwargs: likewise.

        Raises:
            AttributeError: the viewers have nothing of that name.
        """
        if name in self._attributes:
            return self._attributes[name]
        if name in _SHARED:
            return (getattr(self, _SHARED[name]),) * self.num_envs
        if name not in _OWN:
            known = ", ".join((*_OWN, *_SHARED, *self._attributes))
            raise AttributeError(f"name must be one of {known}, got {name!r}")
        answer = getattr(self, name)(*args, **kwargs)
        if answer is None:
            return (None,) * self.num_envs
        if name in ("action_masks", "render"):
            return tuple(answer)
        # A single environment's answer is of one viewer, in arrays of length 1.
        parts = [slice(i, i + 1) for i in range(self.num_envs)]
        if name == "get_state":
            return tuple(answer[part] for part in parts)
        return tuple({key: value[part] for key, value in answer.items()} for part in parts)

    def get_attr(self, name: str) -> tuple[Any, ...]:
        """An attribute of each viewer's single environment; see :meth:`call`."""
        return self.call(name)

    def set_attr(self, name: str, values: list[Any] | tuple[Any, ...] | Any) -> None:
        """Attach something to each viewer, which :meth:`get_attr` gives back.

        Args:
            name: of an attribute that the environment does not have: viewers share one, whose
                arguments are set when it is made.
            values: a list or tuple with a value for each viewer, or one value for all.

        Raises:
            AttributeError: the environment has such an attribute.
            ValueError: there are not as many values as viewers.
        """
        if hasattr(self, name):
            raise AttributeError(
                f"{name} cannot be set: viewers share one environment, set it when it is made"
            )
        each = tuple(values) if isinstance(values, (list, tuple)) else (values,) * self.num_envs
        if len(each) != self.num_envs:
            raise ValueError(f"values must have num_envs={self.num_envs} entries, got {len(each)}")
        self._attributes[name] = each

    def action_masks(self) -> NDArray[np.bool_]:
        """Which slots may be chosen: bool (num_envs, N)."""
        return self.simulation.action_masks()

    def expected_response(self) -> dict[str, NDArray[np.float64]]:
        """What each candidate would bring, given the hidden state; see :class:`Simulation`."""
        return self.simulation.expected_response()

    def get_state(self) -> NDArray[Any]:
        """An exact snapshot of all slots, randomness included: structured (num_envs,)."""
        return self.simulation.get_state()

    def set_state(self, state: NDArray[Any]) -> Observation:
        """Put back a snapshot; returns the observations of its moment.

        Raises:
            ValueError: it is of another world or other settings, or damaged; nothing has changed.
        """
        self.simulation.set_state(state)
        if self._renderer is not None:
            self._renderer.after_reset()
        return self.simulation.shaped(self.simulation.observe(self._buffer))

    def render(self) -> tuple[Any, ...] | None:
        """One frame per viewer."""
        if self._renderer is None:
            gym.logger.warn("render() needs a render_mode: make_vec(..., render_mode='rgb_array')")
            return None
        self.simulation.require_reset("render()")
        return tuple(self._renderer.render(i) for i in range(self.num_envs))
