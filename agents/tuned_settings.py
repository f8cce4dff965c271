"""Settings of the Stable-Baselines3 agents, found for LiveStreamRec-v0."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

TUNED: dict[str, Mapping[str, Any]] = {
    "sb3-dqn": {},
    "sb3-qrdqn": {},
    "sb3-ppo": {},
    "sb3-maskable-ppo": {},
}
