"""LiveStreamRec: a Gymnasium environment for live-stream recommendation.

>>> import gymnasium as gym
>>> import livestream_env  # registers the ids
>>> env = gym.make("LiveStreamRec-v0")
>>> observation, info = env.reset(seed=0)
>>> observation.shape, int(env.action_space.n)
((323,), 10)
"""

from livestream_env.config import SimulatorConfig, WorldConfig
from livestream_env.env import LiveStreamRecEnv
from livestream_env.observation import ObservationLayout
from livestream_env.registration import register_envs
from livestream_env.vector_env import LiveStreamRecVectorEnv
from livestream_env.world import World

__version__ = "0.1.0"
__all__ = [
    "LiveStreamRecEnv",
    "LiveStreamRecVectorEnv",
    "ObservationLayout",
    "SimulatorConfig",
    "World",
    "WorldConfig",
]

register_envs()
