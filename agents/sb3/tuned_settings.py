"""Settings of Stable-Baselines3's agents that were found for LiveStreamRec-v0.

``python -m scripts.tune``: the best of ten trials of 100,000 steps each, the first with the
library's defaults, scored on 512 viewer-days that no comparison plays. All trials are in
``data/tuning.csv``. Arguments as :class:`agents.sb3.base.SB3Agent` takes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_PPO: dict[str, Any] = {
    "hidden_sizes": (128, 128),
    "learning_rate": 2.1e-4,
    "ent_coef": 0.01,
}
TUNED: dict[str, Mapping[str, Any]] = {
    "sb3-dqn": {
        "learning_rate": 8e-5,
        "gamma": 0.98,
        "batch_size": 128,
        "target_update_interval": 500,
        "exploration_fraction": 0.32,
    },
    "sb3-qrdqn": {
        "learning_rate": 3e-4,
        "learning_rate_schedule": "linear",
        "gamma": 0.98,
        "batch_size": 128,
        "target_update_interval": 500,
        "exploration_fraction": 0.037,
        "n_quantiles": 25,
    },
    "sb3-ppo": _PPO,
    "sb3-maskable-ppo": _PPO,  # the same thing where no slot is empty
}
