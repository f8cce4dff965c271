"""Shared fixtures: a small world, in the shapes of the default one.

Numba compiles the kernel once per (categories, embedding, candidates, history): tests keep to the
default shape unless the shape is what they test.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from livestream_env import LiveStreamRecEnv, LiveStreamRecVectorEnv, World, WorldConfig
from tests.helpers import SMALL

# The same examples in every run, and no limit per example: the first may compile the kernel.
_COMMON = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("repeatable", max_examples=100, derandomize=True, **_COMMON)
settings.register_profile("explore", max_examples=2_000, **_COMMON)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))


@pytest.fixture(scope="session")
def small_world() -> World:
    """300 viewers, 200 streamers, 8 days."""
    return World.synthetic(WorldConfig(**SMALL), seed=0)


@pytest.fixture
def make_env(small_world: World) -> Callable[..., LiveStreamRecEnv]:
    """The bare single env in the small world."""

    def make(**kwargs: Any) -> LiveStreamRecEnv:
        return LiveStreamRecEnv(**{"world": small_world, **kwargs})

    return make


@pytest.fixture
def make_venv(small_world: World) -> Callable[..., LiveStreamRecVectorEnv]:
    """The native vector env in the small world."""

    def make(num_envs: int = 4, **kwargs: Any) -> LiveStreamRecVectorEnv:
        return LiveStreamRecVectorEnv(num_envs, **{"world": small_world, **kwargs})

    return make
