"""One viewer slot on the bench: the simulator's functions called on their own."""

from __future__ import annotations

from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
from numba import njit
from numba.core.registry import CPUDispatcher

from livestream_env import LiveStreamRecEnv
from livestream_env.simulator import rng
from livestream_env.simulator.response import Appeal
from livestream_env.simulator.state import kernel_array
from livestream_env.simulator.world_arrays import WorldArrays

KEY = np.uint64(20260101)


def callable_functions(module: ModuleType) -> SimpleNamespace:
    """The functions of a module of the simulator, which are compiled without Python wrappers."""

    def wrapped(function: CPUDispatcher) -> Any:
        return njit(lambda *args: function(*args))

    return SimpleNamespace(
        **{
            name: wrapped(value) if isinstance(value, CPUDispatcher) else value
            for name, value in vars(module).items()
        }
    )


RNG = callable_functions(rng)


def keys(count: int, key: np.uint64 = KEY) -> list[np.uint64]:
    """``count`` keys, as of so many impressions."""
    return [np.uint64(RNG.mix(key, i)) for i in range(count)]


class Bench:
    """The records that the simulator's functions take: ``s`` slot, ``w`` world, ``p`` parameters.

    Writing to ``s`` writes to the environment's state.
    """

    def __init__(self, env: LiveStreamRecEnv, seed: int = 0) -> None:
        env.reset(seed=seed)
        self.env = env
        self.slots = kernel_array(env.simulation.slots)
        self.s = self.slots[0]
        self.w = WorldArrays(*env.simulation._world)
        self.p = env.simulation._parameters[0]
        self.config = env.simulation.config

    def viewer(self) -> Any:
        return self.env.world.viewers[self.s["viewer"]]


def an_appeal(**changes: float) -> Appeal:
    """An average candidate, with changes."""
    average = {
        "affinity": 0.0, "attachment": 0.0, "highlight": 0.0, "quality": 0.0,
        "sensationalism": 0.0, "cover": 0.0, "satiation": 0.0, "entered": 0.0, "surge": 0.0,
        "growth": 1.0, "followed": False, "sensitivity": 1.0, "click_propensity": 0.0,
        "gift_propensity": 1.0, "limit_s": 3600.0,
    }  # fmt: skip
    return Appeal(**{**average, **changes})
