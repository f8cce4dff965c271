"""A world of a large platform's size against the default one: lines for ``scripts.speed``."""

from __future__ import annotations

import functools
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from livestream_env import World, WorldConfig
from scripts.measuring import Line, Result, Steps, measure
from scripts.speed_env import ENV_ID, single, vector

# KuaiLive has 452,621 streamers and 11,613,708 rooms.
CONFIG = WorldConfig(num_streamers=450_000, days=19)
_SMALL = WorldConfig(num_viewers=100, num_streamers=100, days=1)
_MOST_SECONDS, _MOST_GIB = 90.0, 6.0
_AGAINST = "the default world"


@dataclass(frozen=True)
class Drawing:
    """A world, the processor seconds that it took, and the process's most memory until then."""

    world: World
    seconds: float
    gib: float

    def __str__(self) -> str:
        """One line."""
        return (
            f"a world of {len(self.world.streamers):,} streamers and {len(self.world.rooms):,} "
            f"rooms: drawn in {self.seconds:.1f} s (at most {_MOST_SECONDS:g}) "
            f"and {self.gib:.2f} GiB (at most {_MOST_GIB:g})"
        )

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return {"draw_s": self.seconds, "draw_gib": self.gib}


@functools.cache
def drawing() -> Drawing:
    """Draw the world, once."""
    World.synthetic(_SMALL)  # compiled code is read
    begin = time.process_time()
    world = World.synthetic(CONFIG)
    seconds = time.process_time() - begin
    peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return Drawing(world, seconds, peak_kib / 2**20)


def lines() -> list[Line]:
    """Steps in the large world against the same in the default one."""
    return [
        Line("large world, make", _AGAINST, 0.5, None, 4_000, lambda: _pair(single)),
        _vector_line(64, 600),
        _vector_line(1024, 50),
    ]


def results(rounds: int) -> list[Result]:
    """What is measured of them."""
    return measure(lines(), rounds)


def _vector_line(num_envs: int, steps: int) -> Line:
    def make() -> tuple[Steps, Steps]:
        return _pair(vector, num_envs)

    name = f"large world, vector {num_envs}"
    return Line(name, _AGAINST, 0.5, None, steps, make, items=num_envs)


def _pair(make: Callable[..., Steps], *args: int) -> tuple[Steps, Steps]:
    return make(ENV_ID, *args, world=drawing().world), make(ENV_ID, *args)
