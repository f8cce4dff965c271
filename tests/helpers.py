"""What several test modules share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gymnasium as gym
import numpy as np

IDS = ("LiveStreamRec-v0", "LiveStreamRecSession-v0", "LiveStreamRecWeek-v0")
SMALL = {"num_viewers": 300, "num_streamers": 200, "days": 8}
LONG = {"exit_bias": -20.0}  # nobody leaves: an episode of at least a few dozen impressions
# Everything happens often: long watches, gifts, follows, leaving, returning.
LIVELY = {
    **SMALL, "num_viewers": 100, "num_streamers": 120,
    "click_bias": 0.0, "watch_bias": 3.0, "watch_noise_std": 1.5, "like_per_min": 0.5,
    "comment_per_min": 0.5, "gift_per_min": 0.3, "follow_per_click": 0.1, "exit_bias": -1.5,
    "visits_per_day": 20.0,
}  # fmt: skip
# Every mechanism at work that is off by default, more or less as in a deeper world under way.
DEEP = {
    "cover_correlation": 0.85, "community_std": 1.5, "community_sensationalism": -0.3,
    "community_quality": -0.4, "interest_std": 0.4, "sensitivity_mean": 0.6,
    "sensitivity_std": 1.0, "click_propensity_std": 0.3, "click_sensitivity": 0.1,
    "watch_sensitivity": 0.25, "click_seen": 0.3, "click_audience": 0.1, "gift_audience": 0.1,
    "gift_price_propensity": 1.2, "gift_price_tier": 0.42, "satisfaction_limit": 1.5,
    "satisfaction_harm": 5.0, "return_loyalty": 8.0, "return_breadth": 4.0, "return_limit": 1.15,
    "notification": 0.7, "retrieval_memory": 8, "audience_rhythm": 0.7, "audience_age": 0.8,
    "audience_highlight": 0.3, "audience_noise_std": 0.3,
}  # fmt: skip


def play(env: gym.Env[Any, Any], seed: int, steps: int) -> Iterator[tuple[Any, ...]]:
    """Yield what ``steps`` random valid actions bring, resetting at episode ends."""
    rng = np.random.default_rng(seed)
    _, info = env.reset(seed=seed)
    for _ in range(steps):
        action = np.int64(rng.choice(np.flatnonzero(info["action_mask"])))
        result = env.step(action)
        yield result
        info = result[-1]
        if result[2] or result[3]:
            _, info = env.reset()


def assert_same(a: Any, b: Any) -> None:
    """Equality of nested dicts, arrays and numbers, types included."""
    assert type(a) is type(b), (a, b)
    if isinstance(a, dict):
        assert a.keys() == b.keys()
        for key in a:
            assert_same(a[key], b[key])
    elif isinstance(a, np.ndarray) and a.dtype == object:
        assert a.shape == b.shape
        for x, y in zip(a, b, strict=True):
            assert_same(x, y)
    elif isinstance(a, np.ndarray):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)
    elif isinstance(a, tuple | list):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            assert_same(x, y)
    else:
        assert a == b


def same_state(a: Any, b: Any) -> bool:
    """Equality of two snapshots; a bare bool, for a mismatch would print thousands of numbers."""
    return bool(a.dtype == b.dtype and (a == b).all())
