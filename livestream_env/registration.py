"""The registered ids, and what ``env.spec`` keeps of an environment's arguments."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Mapping
from enum import Enum
from itertools import product
from typing import Any

import numpy as np
from gymnasium.envs.registration import EnvSpec, register, registry

from livestream_env.settings import Settings

# Time limits are safety nets that ordinary play does not reach: a day has about 35 impressions.
_IDS: dict[str, tuple[int, dict[str, Any]]] = {
    "LiveStreamRec-v0": (5_000, {"horizon": "day"}),
    "LiveStreamRecSession-v0": (2_000, {"horizon": "visit"}),
    "LiveStreamRecWeek-v0": (20_000, {"horizon": "week"}),
}


# Before a name → its single and its vector environment.
_FACES = {
    "": ("env:LiveStreamRecEnv", "vector_env:LiveStreamRecVectorEnv"),
    "mo-": ("multi_objective:MOLiveStreamRecEnv", "multi_objective:MOLiveStreamRecVectorEnv"),
}


def register_envs() -> None:
    """Register the ids with Gymnasium; calling it twice does no harm."""
    for (prefix, (single, vector)), (name, (limit, kwargs)) in product(
        _FACES.items(), _IDS.items()
    ):
        env_id = f"{prefix}{name}"
        if env_id in registry:
            continue
        register(
            id=env_id,
            entry_point=f"livestream_env.{single}",
            vector_entry_point=f"livestream_env.{vector}",
            max_episode_steps=limit,
            kwargs=kwargs,
            disable_env_checker=prefix == "mo-",  # which wants a number for a reward
        )
        # What Gymnasium's own vector environments have is a copy of it.
        registry[env_id].__class__ = LiveStreamRecSpec


class LiveStreamRecSpec(EnvSpec):
    """A specification whose arguments are objects, such as a :class:`World`.

    It keeps them, so that it is pickled and given to ``gymnasium.make`` as any other. As JSON, a
    world is what makes it: path, or seed and parameters. One that exists as an object only is
    described, and an environment cannot be made from the description.
    """

    def to_json(self) -> str:
        """The specification as JSON, which ``EnvSpec.from_json`` reads."""
        written = copy.copy(self)
        written.kwargs = json_arguments(self.kwargs)
        return EnvSpec.to_json(written)


class SpecAttribute:
    """An environment's ``spec``, which Gymnasium sets, kept in a form that has a JSON."""

    def __get__(self, env: Any, owner: type | None = None) -> EnvSpec | None:
        return None if env is None else vars(env).get("spec")

    def __set__(self, env: Any, spec: EnvSpec | None) -> None:
        if spec is not None:
            try:
                json.dumps(spec.kwargs)
            except TypeError:
                spec = copy.copy(spec)
                spec.__class__ = LiveStreamRecSpec
        vars(env)["spec"] = spec


def json_arguments(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The environment's arguments as JSON values, a world by what makes it."""
    from livestream_env.world import World  # with the compiler, which registering does without

    world = arguments.get("world")
    written = {name: _plain(value) for name, value in arguments.items()}
    if not isinstance(world, World):
        return written
    if world.recipe is None:
        return written | {"world": world.path or repr(world)}
    config, seed = world.recipe
    # None of the world's parameters can be in config already: they need a world by name.
    parameters = config.changes() | (written.get("config") or {})
    return written | {"world": "plain", "world_seed": seed, "config": parameters}


def _plain(value: Any) -> Any:
    """``value`` as JSON has it; what it has no word for as it is."""
    if isinstance(value, Settings):
        return value.to_dict()
    if isinstance(value, Mapping):
        return {name: _plain(entry) for name, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return value.value if isinstance(value, Enum) else value
