"""Stable-Baselines3's DQN as the baseline to beat.

Two settings besides the tuned ones: SB3's own defaults, and ``matched``, which takes from our
preset everything that SB3 can express (network size, batch, replay, exploration, learning rate,
updates per step), so that what remains is the algorithm: SB3 has one network over the flat
observation, the Huber loss, no double Q-learning, and no action masks.
"""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from stable_baselines3 import DQN

from agents.dqn.config import DQNConfig
from agents.sb3.base import SB3Agent


def matched_settings(config: DQNConfig) -> dict[str, Any]:
    """The arguments of :class:`SB3DQN` that come closest to ``config``."""
    return {
        "hidden_sizes": config.hidden_sizes,
        "learning_rate": config.learning_rate,
        "learning_rate_schedule": config.learning_rate_schedule,
        "gamma": config.gamma,
        "n_steps": config.n_step,
        "buffer_size": config.replay_size,
        "learning_starts": config.learning_starts,
        "batch_size": config.batch_size,
        "train_freq": config.train_interval,
        "gradient_steps": 1,
        "tau": config.target_tau if config.target_update == "soft" else 1.0,
        # SB3 counts environment steps here, we count updates.
        "target_update_interval": (
            1 if config.target_update == "soft" else config.target_interval * config.train_interval
        ),
        "exploration_initial_eps": config.epsilon_start,
        "exploration_final_eps": config.epsilon_end,
        "exploration_fraction": config.epsilon_fraction,
        "max_grad_norm": np.inf if config.max_grad_norm is None else config.max_grad_norm,
    }


class SB3DQN(SB3Agent):
    """Stable-Baselines3's DQN with an MLP policy.

    Args:
        env: A single environment.
        seed: Seed of the network, the exploration and the viewers it trains with.
        tuned: Take the settings found for LiveStreamRec-v0 instead of SB3's defaults.
        matched: Take the settings of our ``default`` preset instead.
        **settings: See :class:`agents.sb3.base.SB3Agent`.
    """

    model_class = DQN
    name = "sb3-dqn"

    def __init__(
        self,
        env: gym.Env,
        seed: int | None = None,
        tuned: bool = False,
        matched: bool = False,
        **settings: Any,
    ) -> None:
        if matched:
            settings = {**matched_settings(DQNConfig.preset("default")), **settings}
        super().__init__(env, seed, tuned, **settings)
