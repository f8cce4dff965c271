"""LiveStreamRec: a Gymnasium environment for live-stream recommendation.

>>> import gymnasium as gym
>>> import livestream_env  # registers the ids
>>> env = gym.make("LiveStreamRec-v0")
>>> observation, info = env.reset(seed=0)
>>> observation.shape, int(env.action_space.n)
((323,), 10)

The classes are imported when asked for: who registers the ids, to list or to name them, has no need
of the simulator and its compiler yet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from livestream_env.extras import lazy_names
from livestream_env.registration import register_envs

if TYPE_CHECKING:
    from livestream_env.config import SimulatorConfig, WorldConfig
    from livestream_env.env import LiveStreamRecEnv
    from livestream_env.observation import ObservationLayout
    from livestream_env.vector_env import LiveStreamRecVectorEnv
    from livestream_env.world import World

__version__ = "0.2.0"
__all__ = [
    "LiveStreamRecEnv",
    "LiveStreamRecVectorEnv",
    "ObservationLayout",
    "SimulatorConfig",
    "World",
    "WorldConfig",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "LiveStreamRecEnv": "env",
        "LiveStreamRecVectorEnv": "vector_env",
        "ObservationLayout": "observation",
        "SimulatorConfig": "config",
        "World": "world",
        "WorldConfig": "config",
    },
)

register_envs()
