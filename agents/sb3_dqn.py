"""Stable-Baselines3's DQN as the baseline to beat, behind the same interface as ours.

Two settings: SB3's own defaults, and ``matched``, which takes from our preset everything that SB3
can express (network size, batch, replay, exploration, learning rate, updates per step), so that
what remains is the algorithm: SB3 has one network over the flat observation, the Huber loss, no
double Q-learning, and no action masks.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import gymnasium as gym
import numpy as np
from stable_baselines3 import DQN as SB3Model
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import configure
from stable_baselines3.common.utils import LinearSchedule

from .dqn_config import DQNConfig
from .policy import Callback


def matched_settings(config: DQNConfig) -> dict[str, Any]:
    """The arguments of SB3's DQN that come closest to ``config``."""
    rate = config.learning_rate
    return {
        "policy_kwargs": {"net_arch": list(config.hidden_sizes)},
        "learning_rate": (
            LinearSchedule(rate, 0.0, 1.0) if config.learning_rate_schedule == "linear" else rate
        ),
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


class SB3DQN:
    """Stable-Baselines3's DQN with an MLP policy.

    Args:
        env: A single environment.
        seed: Seed of the network, the exploration and the viewers it trains with.
        matched: Take the settings of our ``default`` preset instead of SB3's defaults.
        **settings: Arguments of :class:`stable_baselines3.DQN` that replace the above.
    """

    def __init__(
        self,
        env: gym.Env,
        seed: int | None = None,
        matched: bool = False,
        **settings: Any,
    ) -> None:
        chosen = matched_settings(DQNConfig.preset("default")) if matched else {}
        dict_space = isinstance(env.observation_space, gym.spaces.Dict)
        self.model = SB3Model(
            "MultiInputPolicy" if dict_space else "MlpPolicy",
            env,
            seed=seed,
            # On a graphics card networks this small are slower.
            **{"device": "cpu", **chosen, **settings},
        )

    @property
    def num_timesteps(self) -> int:
        """Environment steps trained for so far."""
        return int(self.model.num_timesteps)

    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: np.ndarray | None = None,
        deterministic: bool = False,
    ) -> tuple[np.ndarray, Any]:
        """See :class:`agents.policy.Policy`."""
        return self.model.predict(observation, state, episode_start, deterministic)

    def learn(
        self,
        total_timesteps: int,
        callback: Callback | None = None,
        progress_bar: bool = False,
        log_dir: str | Path | None = None,
    ) -> Self:
        """Train.

        Args:
            total_timesteps: Environment steps to make.
            callback: Called with the agent after each of them; returning False ends training.
            progress_bar: Show one.
            log_dir: Where to write ``progress.csv`` and TensorBoard's events.

        Returns:
            The agent.
        """
        if log_dir is not None:
            self.model.set_logger(configure(str(log_dir), ["csv", "tensorboard"]))
        self.model.learn(
            total_timesteps,
            callback=None if callback is None else _Call(self, callback),
            log_interval=100,
            progress_bar=progress_bar,
        )
        return self

    def save(self, path: str | Path) -> None:
        """Store the model as SB3 does, in ``path`` (``.zip`` is appended if it is missing)."""
        self.model.save(path)

    @classmethod
    def load(cls, path: str | Path, env: gym.Env | None = None) -> Self:
        """A stored agent; ``env`` is needed to train on, not to predict."""
        agent = cls.__new__(cls)
        agent.model = SB3Model.load(path, env=env, device="cpu")
        return agent


class _Call(BaseCallback):
    """Hands each step to a function of the agent."""

    def __init__(self, agent: SB3DQN, function: Callback) -> None:
        super().__init__()
        self.agent = agent
        self.function = function

    def _on_step(self) -> bool:
        return self.function(self.agent) is not False
