"""The reward: named components, weighted.

``reward = sum of weight * component``; the natural units are in ``info`` beside it.

A new component is an edit of three places: its default weight, which also names it and gives it its
place; what it is, in :func:`reward_components`; what it is in expectation, for oracles, in
``_given_watch`` of ``simulator/expectation.py``. (Its meaning goes into the documentation of
:class:`livestream_env.env.LiveStreamRecEnv`.)
"""

from __future__ import annotations

import math
import numbers
from collections import namedtuple
from collections.abc import Mapping
from typing import Any, cast

import numpy as np
from numba import njit
from numpy.typing import NDArray

from livestream_env.settings import hint

DEFAULT_WEIGHTS = {
    "watch": 1.0,
    "like": 0.5,
    "comment": 0.5,
    "gift": 0.5,
    "follow": 0.5,
}
REWARD_COMPONENTS = tuple(DEFAULT_WEIGHTS)
REWARD_FIELDS = tuple(f"reward_{name}" for name in REWARD_COMPONENTS)  # of outcomes and infos
RewardComponents = cast(Any, namedtuple("RewardComponents", REWARD_COMPONENTS))
NO_REWARD = RewardComponents(*(0.0 for _ in REWARD_COMPONENTS))
WATCH_FORMS = ("log", "minutes")
LARGEST_WEIGHT = 1e6  # beyond it sums of rewards, squared as losses are, would lose all digits
MAX_COUNTED = 3  # likes, and comments, of one impression that count


def weight_vector(reward_weights: Mapping[str, float] | None) -> NDArray[np.float64]:
    """Weights in the order of ``REWARD_COMPONENTS``; components not named keep their default.

    Raises:
        ValueError: an unknown component, or a weight outside [-1e6, 1e6].
    """
    weights = dict(DEFAULT_WEIGHTS)
    if reward_weights is not None and not isinstance(reward_weights, Mapping):
        raise ValueError(f"reward_weights must be a mapping, got {reward_weights!r}")
    for name, value in (reward_weights or {}).items():
        if name not in weights:
            raise ValueError(
                f"reward_weights has no component {name!r}{hint(name, weights)}; valid components "
                f"are {', '.join(REWARD_COMPONENTS)}"
            )
        number = isinstance(value, numbers.Real) and not isinstance(value, bool)
        if not number or not abs(value) <= LARGEST_WEIGHT:
            raise ValueError(
                f"reward_weights[{name!r}] must be a finite number in "
                f"[-{LARGEST_WEIGHT:g}, {LARGEST_WEIGHT:g}], got {value!r}"
            )
        weights[name] = float(value)
    return np.array([weights[name] for name in REWARD_COMPONENTS])


_compiled = njit(nogil=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)  # type: ignore[call-overload]


@_compiled
def watch_component(watch_s, in_minutes):  # type: ignore[no-untyped-def]
    """``log1p(watch_s / 10)``, or minutes watched."""
    return watch_s / 60.0 if in_minutes else math.log1p(watch_s / 10.0)


@_compiled
def gift_component(gift_value):  # type: ignore[no-untyped-def]
    """``log1p`` of the value in coins."""
    return math.log1p(gift_value)


@_compiled
def reward_components(response, in_minutes):  # type: ignore[no-untyped-def]
    """The :class:`RewardComponents` of an impression that was clicked.

    like, comment: their number, at most 3. follow: 0 or 1.
    """
    return RewardComponents(
        watch=watch_component(response.watch_s, in_minutes),
        like=float(min(response.likes, MAX_COUNTED)),
        comment=float(min(response.comments, MAX_COUNTED)),
        gift=gift_component(response.gift_value),
        follow=1.0 if response.follow else 0.0,
    )
