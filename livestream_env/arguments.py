"""The environment's arguments, written once.

:class:`EnvArguments` has a field for each: its name, type, default, check and meaning. Both
environments, their signatures and help pages, and the simulation take them from there. A further
argument is a further field, and code where it is used.
"""

from __future__ import annotations

import inspect
import os
import re
import textwrap
import typing
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self, TypeVar

from livestream_env.config import SYNTHETIC_WORLDS, SimulatorConfig, WorldConfig
from livestream_env.observation import OBSERVE
from livestream_env.reward import WATCH_FORMS, weight_vector
from livestream_env.settings import (
    Settings,
    check_integer,
    check_names,
    choice,
    flag,
    integer,
    setting,
)
from livestream_env.simulator.state import HORIZONS
from livestream_env.world import World

OBSERVATIONS = ("flat", "dict", "rows")
RENDER_MODES = ("ansi", "rgb_array")
_Class = TypeVar("_Class", bound=type)


def _check_world(name: str, value: object) -> object:
    if not isinstance(value, (str, os.PathLike, World)):
        named = ", ".join(map(repr, SYNTHETIC_WORLDS))
        raise ValueError(f"{name} must be one of {named}, a path or a World, got {value!r}")
    if isinstance(value, str) and value.startswith("World("):  # from the JSON of an EnvSpec
        raise ValueError(
            f"{name} was given as an object where this was written, and only described: {value}; "
            "store such a world by World.save and give its path"
        )
    return value


def _check_horizon(name: str, value: object) -> object:
    if isinstance(value, str) and value in HORIZONS:
        return value
    try:
        return check_integer(name, value, 1)
    except ValueError:
        raise ValueError(
            f"{name} must be one of {', '.join(map(repr, HORIZONS))}, or a number of days of at "
            f"least 1, got {value!r}"
        ) from None


def _check_reward_weights(name: str, value: Any) -> object:
    weight_vector(value)
    return None if value is None else dict(value)


def _check_config(name: str, value: object) -> object:
    if value is None:
        return None
    if isinstance(value, (SimulatorConfig, WorldConfig)):
        return value.to_dict()
    if not isinstance(value, Mapping):
        raise ValueError(f"{name} must be a mapping of parameters, got {value!r}")
    valid = WorldConfig.names() + SimulatorConfig.names()
    check_names(value, valid, "config has no parameter")
    return dict(value)


@dataclass(frozen=True, kw_only=True, repr=False)
class EnvArguments(Settings):
    """What both environments take; fields that fit alone may still not fit each other.

    Raises:
        ValueError: an argument is of the wrong type or out of range.
    """

    world: str | os.PathLike[str] | World = setting(  # noqa: RUF009 - makes a field
        "default",
        _check_world,
        '``"default"`` or ``"plain"`` (synthetic), the path of a world\'s ``.npz``, or a '
        ":class:`World`.",
    )
    world_seed: int = integer(0, 0, 2**63 - 1, "of the synthetic world.", whole_floats=False)
    horizon: str | int = setting(
        "day",
        _check_horizon,
        '``"day"``, ``"visit"`` or ``"week"``, set by the registered ids; or a number of days, at '
        "most those of the world (a long one wants a larger ``max_episode_steps``).",
    )
    num_candidates: int = integer(
        10, 2, 1_000, "N, rooms offered at an impression.", whole_floats=False
    )
    history_length: int = integer(
        8, 1, 1_000, "H, impressions in the observation.", whole_floats=False
    )
    reward_weights: Mapping[str, float] | None = setting(
        None, _check_reward_weights, "component → weight; those not named keep their default."
    )
    watch: str = choice(
        "log", WATCH_FORMS, '``"log"`` or ``"minutes"``: form of the watch component.'
    )
    observation: str = choice(
        "flat",
        OBSERVATIONS,
        '``"flat"`` (Box); ``"dict"`` (its blocks, flat) or ``"rows"`` (with a row per candidate).',
    )
    observe: str = choice(
        "partial", OBSERVE, '``"partial"``, or ``"full"`` to append the hidden state.'
    )
    traces: bool = flag(
        True,
        "whether to append what the logs tell beyond the last impressions: decayed sums over the "
        "episode, fan clubs, rooms entered before, regret in the past.",
    )
    satiation: bool = flag(True, "whether watching a category sates.")
    satisfaction: bool = flag(True, "whether the hidden satisfaction moves.")
    attachment: bool = flag(True, "whether viewers are attached to streamers.")
    curiosity: bool = flag(True, "whether breadth of familiar categories brings viewers back.")
    audience: bool = flag(True, "whether audiences move, and draw viewers and gifts.")
    highlights: bool = flag(True, "whether content changes; off: every moment is average.")
    availability: bool = flag(
        True, "whether rooms go live and end; off: each streamer is always live."
    )
    config: Mapping[str, float] | SimulatorConfig | WorldConfig | None = setting(  # noqa: RUF009
        None,
        _check_config,
        "parameter → value, names of :class:`livestream_env.config.SimulatorConfig` and, for the "
        "synthetic world, :class:`livestream_env.config.WorldConfig`; or one of these, whole.",
    )
    render_mode: str | None = choice(None, RENDER_MODES, '``"ansi"`` or ``"rgb_array"``.')

    @classmethod
    def of(cls, owner: type, given: Mapping[str, Any]) -> Self:
        """The arguments ``given`` to the constructor of ``owner``, a class that takes them.

        Raises:
            TypeError: ``owner`` takes no argument of such a name.
        """
        refusal = f"{owner.__name__}() got an unexpected keyword argument"
        check_names(given, tuple(inspect.signature(owner).parameters), refusal, TypeError)
        return cls(**given)

    @property
    def days(self) -> int:
        """Days that an episode takes, or, for one visit, on which it begins."""
        return HORIZONS[self.horizon] if isinstance(self.horizon, str) else self.horizon

    def make_world(self) -> tuple[World, SimulatorConfig]:
        """The world that the arguments ask for, and its parameters with those of ``config``.

        Raises:
            ValueError: they do not fit the world, or each other.
            FileNotFoundError: ``world`` names a file that does not exist.
        """
        named = SYNTHETIC_WORLDS.get(self.world) if isinstance(self.world, str) else None
        config: dict[str, Any] = dict(named or {})
        config.update(self.config or {})  # type: ignore[arg-type]
        of_world = {name: config.pop(name) for name in WorldConfig.names() if name in config}
        if named is not None:
            made = World.synthetic(WorldConfig().replace(of_world), self.world_seed)
        elif of_world or self.world_seed:
            name = next(iter(of_world), "world_seed")
            raise ValueError(
                f"{name} shapes the synthetic world: it needs world='default' or another name, got "
                f"{self.world!r}"
            )
        else:
            made = self.world if isinstance(self.world, World) else World.load(self.world)
        simulator = made.simulator.replace(config)
        return made if self.availability else made.always_live(), simulator


def takes_env_arguments(cls: _Class) -> _Class:
    """Class decorator: show :class:`EnvArguments` where the constructor has ``**arguments``.

    ``inspect.signature`` and ``help`` then list them one by one, before the constructor's own
    keywords; a line ``{arguments}`` of the class's docstring becomes their descriptions.
    """
    # On the constructor, not on the class: a subclass with its own constructor has its own.
    init = vars(cls)["__init__"]
    signature = inspect.signature(init, eval_str=True)
    types = typing.get_type_hints(EnvArguments)
    shared = [
        inspect.Parameter(
            spec.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=spec.default,
            annotation=types[spec.name],
        )
        for spec in fields(EnvArguments)
    ]
    own = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
    parameters = sorted([*shared, *own], key=lambda parameter: parameter.kind)
    init.__signature__ = signature.replace(parameters=parameters)
    if cls.__doc__:  # there is none with python -OO
        line = re.compile(r"^( *)\{arguments\}$", re.MULTILINE)
        cls.__doc__ = line.sub(lambda match: _described(match[1]), cls.__doc__)
    return cls


def _described(indent: str) -> str:
    wrapper = textwrap.TextWrapper(
        100,
        initial_indent=indent,
        subsequent_indent=indent + "    ",
        break_on_hyphens=False,
        break_long_words=False,
    )
    entries = (f"{spec.name}: {spec.metadata['doc']}" for spec in fields(EnvArguments))
    return "\n".join(map(wrapper.fill, entries))
