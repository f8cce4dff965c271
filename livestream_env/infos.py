"""The kernel's outcomes in the form of Gymnasium's ``info``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from livestream_env.reward import REWARD_COMPONENTS
from livestream_env.simulator.state import REWARD_FIELDS, outcome_dtype

_FIELDS = cast(tuple[str, ...], outcome_dtype(1).names)
_INFO_FIELDS = _FIELDS[: _FIELDS.index(REWARD_FIELDS[0])]
INFO_KEYS = (*_INFO_FIELDS, "reward_components")
_COMPONENT_MASKS = tuple(f"_{name}" for name in REWARD_COMPONENTS)
_INFO_MASKS = tuple(f"_{name}" for name in INFO_KEYS)


def _info_of_one() -> Callable[[tuple[Any, ...]], dict[str, Any]]:
    """``info_of_one`` with all names written out: a dict zipped from them takes half as long again.

    The source for two fields and a component "watch"::

        def info_of_one(outcome):
            click, reward_watch, reward, terminated = outcome
            return {"click": click, "reward_components": {"watch": reward_watch}}
    """
    components = ", ".join(map('"{}": {}'.format, REWARD_COMPONENTS, REWARD_FIELDS))
    entries = ", ".join(map('"{0}": {0}'.format, _INFO_FIELDS))
    source = f"""
def info_of_one(outcome):
    {", ".join(_FIELDS)} = outcome
    return {{{entries}, "reward_components": {{{components}}}}}
"""
    names: dict[str, Any] = {}
    exec(source, names)
    function: Callable[[tuple[Any, ...]], dict[str, Any]] = names["info_of_one"]
    return function


info_of_one = _info_of_one()
"""The info of one slot, whose outcome is given as ``outcomes.item()``."""


def info_of_many(outcomes: NDArray[Any], mask: NDArray[np.bool_]) -> dict[str, Any]:
    """The infos of all slots as Gymnasium's vector environments return them."""
    components = dict.fromkeys(_COMPONENT_MASKS, mask)
    for name, field in zip(REWARD_COMPONENTS, REWARD_FIELDS, strict=True):
        components[name] = outcomes[field]
    infos: dict[str, Any] = dict.fromkeys(_INFO_MASKS, mask)
    for name in _INFO_FIELDS:
        infos[name] = outcomes[name]
    infos["reward_components"] = components
    return infos
