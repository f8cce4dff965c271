"""The registered ids."""

from __future__ import annotations

from typing import Any

from gymnasium.envs.registration import register, registry

# Time limits are safety nets that ordinary play does not reach: a day has about 35 impressions.
_IDS: dict[str, tuple[int, dict[str, Any]]] = {
    "LiveStreamRec-v0": (5_000, {"horizon": "day"}),
    "LiveStreamRecSession-v0": (2_000, {"horizon": "visit"}),
    "LiveStreamRecWeek-v0": (20_000, {"horizon": "week"}),
}


def register_envs() -> None:
    """Register the ids with Gymnasium; calling it twice does no harm."""
    for name, (max_episode_steps, kwargs) in _IDS.items():
        if name not in registry:
            register(
                id=name,
                entry_point="livestream_env.env:LiveStreamRecEnv",
                vector_entry_point="livestream_env.vector_env:LiveStreamRecVectorEnv",
                max_episode_steps=max_episode_steps,
                kwargs=kwargs,
            )
