"""The reward: named components, weighted.

``reward = sum of weight * component``; the natural units are in ``info`` beside it.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping

import numpy as np
from numba import njit
from numpy.typing import NDArray

REWARD_COMPONENTS = ("watch", "like", "comment", "gift", "follow")
DEFAULT_WEIGHTS = {"watch": 1.0, "like": 0.5, "comment": 0.5, "gift": 0.5, "follow": 0.5}
WATCH_FORMS = ("log", "minutes")
MAX_COUNTED = 3  # likes, and comments, of one impression that count


def weight_vector(reward_weights: Mapping[str, float] | None) -> NDArray[np.float64]:
    """Weights in the order of ``REWARD_COMPONENTS``; components not named keep their default.

    Raises:
        ValueError: an unknown component, or a weight that is not a finite number.
    """
    weights = dict(DEFAULT_WEIGHTS)
    if reward_weights is not None and not isinstance(reward_weights, Mapping):
        raise ValueError(f"reward_weights must be a mapping, got {reward_weights!r}")
    for name, value in (reward_weights or {}).items():
        if name not in weights:
            raise ValueError(
                f"reward_weights has no component {name!r}; valid components are "
                f"{', '.join(REWARD_COMPONENTS)}"
            )
        number = isinstance(value, numbers.Real) and not isinstance(value, bool)
        if not number or not math.isfinite(value):
            raise ValueError(f"reward_weights[{name!r}] must be a finite number, got {value!r}")
        weights[name] = float(value)
    return np.array([weights[name] for name in REWARD_COMPONENTS])


@njit(nogil=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)  # type: ignore[call-overload]
def reward_components(watch_s, likes, comments, gift_value, followed, in_minutes):  # type: ignore[no-untyped-def]
    """The five components of one impression: watch, like, comment, gift, follow.

    watch: ``log1p(watch_s / 10)``, or minutes watched. like, comment: their number, at most 3.
    gift: ``log1p`` of the value in coins. follow: 0 or 1.
    """
    watch = watch_s / 60.0 if in_minutes else math.log1p(watch_s / 10.0)
    return (
        watch,
        float(min(likes, MAX_COUNTED)),
        float(min(comments, MAX_COUNTED)),
        math.log1p(gift_value),
        1.0 if followed else 0.0,
    )
