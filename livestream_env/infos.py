"""The kernel's outcomes in the form of Gymnasium's ``info``.

All values are numbers and arrays side by side, nothing is nested: what libraries collect.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from livestream_env.simulator.state import outcome_dtype

_FIELDS = cast(tuple[str, ...], outcome_dtype(1).names)
INFO_KEYS = _FIELDS[: _FIELDS.index("reward")]
OFFERED = ("action_mask", "candidate_rooms", "candidate_streamers")  # of the impression to come
_INFO_MASKS = tuple(f"_{name}" for name in INFO_KEYS)


def _info_of_one() -> Callable[[tuple[Any, ...]], dict[str, Any]]:
    """``info_of_one`` with all names written out: a dict zipped from them takes half as long again.

    The source for two fields::

        def info_of_one(outcome):
            click, reward_watch, reward, terminated = outcome
            return {"click": click, "reward_watch": reward_watch}
    """
    source = f"""
def info_of_one(outcome):
    {", ".join(_FIELDS)} = outcome
    return {{{", ".join(map('"{0}": {0}'.format, INFO_KEYS))}}}
"""
    names: dict[str, Any] = {}
    exec(source, names)
    function: Callable[[tuple[Any, ...]], dict[str, Any]] = names["info_of_one"]
    return function


info_of_one = _info_of_one()
"""The info of one slot, whose outcome is given as ``outcomes.item()``."""


def info_of_many(outcomes: NDArray[Any], mask: NDArray[np.bool_]) -> dict[str, Any]:
    """The infos of all slots as Gymnasium's vector environments return them."""
    infos: dict[str, Any] = dict.fromkeys(_INFO_MASKS, mask)
    for name in INFO_KEYS:
        infos[name] = outcomes[name]
    return infos
