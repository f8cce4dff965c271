"""Checks of the environment's arguments, and the world that they ask for."""

from __future__ import annotations

import numbers
import os
from collections.abc import Mapping

from livestream_env.config import SimulatorConfig, WorldConfig
from livestream_env.settings import check_integer, check_names
from livestream_env.simulator.state import HORIZONS
from livestream_env.world import World


def horizon_days(horizon: object) -> int:
    """Days that an episode takes, or, for one visit, on which it begins."""
    if isinstance(horizon, str) and horizon in HORIZONS:
        return HORIZONS[horizon]
    whole = isinstance(horizon, numbers.Integral) and not isinstance(horizon, bool)
    if not whole or int(horizon) < 1:  # type: ignore[call-overload]
        raise ValueError(
            f"horizon must be one of {', '.join(map(repr, HORIZONS))}, or a number of days of at "
            f"least 1, got {horizon!r}"
        )
    return int(horizon)  # type: ignore[call-overload]


def make_world(
    world: str | os.PathLike[str] | World, world_seed: int, config: Mapping[str, float] | None
) -> tuple[World, SimulatorConfig]:
    """The world that the arguments ask for, and its parameters with those of ``config``."""
    if config is not None and not isinstance(config, Mapping):
        raise ValueError(f"config must be a mapping of parameters, got {config!r}")
    check_integer("world_seed", world_seed, 0, 2**63 - 1)
    config = dict(config or {})
    check_names(config, WorldConfig.names() + SimulatorConfig.names(), "config has no parameter")
    of_world = {name: config.pop(name) for name in WorldConfig.names() if name in config}
    if isinstance(world, str) and world == "default":
        made = World.synthetic(WorldConfig().replace(of_world), int(world_seed))
    elif of_world or world_seed:
        name = next(iter(of_world), "world_seed")
        raise ValueError(
            f"{name} shapes the synthetic world: it needs world='default', got {world!r}"
        )
    elif isinstance(world, World):
        made = world
    elif isinstance(world, (str, os.PathLike)):
        made = World.load(world)
    else:
        raise ValueError(f"world must be 'default', a path or a World, got {world!r}")
    return made, made.simulator.replace(config)
