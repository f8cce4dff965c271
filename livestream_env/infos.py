"""The kernel's outcomes in the form of Gymnasium's ``info``."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from livestream_env.reward import REWARD_COMPONENTS
from livestream_env.simulator.state import outcome_dtype

_FIELDS = cast(tuple[str, ...], outcome_dtype(1).names)
_COMPONENT_FIELDS = tuple(f"reward_{name}" for name in REWARD_COMPONENTS)
_INFO_FIELDS = _FIELDS[: _FIELDS.index(_COMPONENT_FIELDS[0])]
INFO_KEYS = (*_INFO_FIELDS, "reward_components")
_COMPONENT_MASKS = tuple(f"_{name}" for name in REWARD_COMPONENTS)
_INFO_MASKS = tuple(f"_{name}" for name in INFO_KEYS)


def info_of_one(outcome: tuple[Any, ...]) -> dict[str, Any]:
    """The info of one slot, whose outcome is given as a tuple of plain values."""
    # Written out, because a dict zipped from names takes a microsecond longer.
    (
        action_mask, candidate_rooms, candidate_streamers, click, watch_s, likes, comments,
        gift_value, follow, elapsed_s, clock_s, visit, visit_ended, invalid_action, viewer, room,
        streamer, of_watch, of_like, of_comment, of_gift, of_follow, _reward, _terminated,
    ) = outcome  # fmt: skip
    return {
        "action_mask": action_mask,
        "candidate_rooms": candidate_rooms,
        "candidate_streamers": candidate_streamers,
        "click": click,
        "watch_s": watch_s,
        "likes": likes,
        "comments": comments,
        "gift_value": gift_value,
        "follow": follow,
        "elapsed_s": elapsed_s,
        "clock_s": clock_s,
        "visit": visit,
        "visit_ended": visit_ended,
        "invalid_action": invalid_action,
        "viewer": viewer,
        "room": room,
        "streamer": streamer,
        "reward_components": {
            "watch": of_watch,
            "like": of_like,
            "comment": of_comment,
            "gift": of_gift,
            "follow": of_follow,
        },
    }


def info_of_many(outcomes: NDArray[Any], mask: NDArray[np.bool_]) -> dict[str, Any]:
    """The infos of all slots as Gymnasium's vector environments return them."""
    components = dict.fromkeys(_COMPONENT_MASKS, mask)
    for name, column in zip(REWARD_COMPONENTS, _COMPONENT_FIELDS, strict=True):
        components[name] = outcomes[column]
    infos: dict[str, Any] = dict.fromkeys(_INFO_MASKS, mask)
    for name in _INFO_FIELDS:
        infos[name] = outcomes[name]
    infos["reward_components"] = components
    return infos
