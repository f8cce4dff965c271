"""What is searched for each learner, as its entry in :data:`agents.policy.AGENTS` names it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agents.dqn.config import DQNConfig
from livestream_env.extras import needs

with needs("tune", __name__):
    from optuna.distributions import (
        BaseDistribution,
        CategoricalDistribution,
        FloatDistribution,
    )


@dataclass(frozen=True)
class Space:
    """What is searched for one agent.

    Attributes:
        defaults: The first trial: the library's defaults, or our preset.
        distributions: What each hyperparameter is drawn from; its default is among that.
        hidden_layers: How many layers of ``width`` units the network has.
    """

    defaults: Mapping[str, Any]
    distributions: Mapping[str, BaseDistribution]
    hidden_layers: int = 2

    def settings(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """The agent's arguments: ``width`` becomes ``hidden_sizes``, the rest are their names."""
        others = {name: value for name, value in parameters.items() if name != "width"}
        return {**others, "hidden_sizes": (parameters["width"],) * self.hidden_layers}


def _choice(*values: Any) -> CategoricalDistribution:
    return CategoricalDistribution(values)


# What every learner has.
_COMMON: dict[str, BaseDistribution] = {
    "learning_rate": FloatDistribution(5e-5, 3e-3, log=True),
    "learning_rate_schedule": _choice("constant", "linear"),
    "width": _choice(64, 128, 256),
    "gamma": _choice(0.95, 0.98, 0.99, 0.995, 0.999),
}
_PRESET = DQNConfig.preset("default")
_SB3_DQN_DEFAULTS: dict[str, Any] = {
    "learning_rate": 1e-4,
    "learning_rate_schedule": "constant",
    "width": 64,
    "gamma": 0.99,
    "n_steps": 1,
    "batch_size": 32,
    "train_freq": 4,
    "target_update_interval": 10_000,
    "exploration_fraction": 0.1,
}
_SB3_DQN: dict[str, BaseDistribution] = {
    **_COMMON,
    "n_steps": _choice(1, 3, 5),
    "batch_size": _choice(32, 64, 128),
    "train_freq": _choice(4, 8),
    "target_update_interval": _choice(500, 2_000, 10_000),
    "exploration_fraction": FloatDistribution(0.005, 0.5),
}
DQN = Space(
    {
        "width": _PRESET.hidden_sizes[0],
        "learning_rate": _PRESET.learning_rate,
        "learning_rate_schedule": _PRESET.learning_rate_schedule,
        "gamma": _PRESET.gamma,
        "n_step": _PRESET.n_step,
        "batch_size": _PRESET.batch_size,
        "train_interval": _PRESET.train_interval,
        "target_interval": _PRESET.target_interval,
        "epsilon_fraction": _PRESET.epsilon_fraction,
    },
    {
        **_COMMON,
        "n_step": _choice(1, 3, 5),
        "batch_size": _choice(128, 256, 512),
        "train_interval": _choice(8, 16, 32),
        "target_interval": _choice(100, 200, 500, 1_000),
        "epsilon_fraction": FloatDistribution(0.005, 0.5),
    },
    hidden_layers=1,
)
SB3_DQN = Space(_SB3_DQN_DEFAULTS, _SB3_DQN)
# The library's default of 200 quantiles would take three times as long as 50 (230 instead of
# 740 steps/s), and twenty times with larger batches.
SB3_QRDQN = Space(
    _SB3_DQN_DEFAULTS | {"learning_rate": 5e-5, "exploration_fraction": 0.005, "n_quantiles": 50},
    {**_SB3_DQN, "n_quantiles": _choice(25, 50)},
)
# MaskablePPO has no space: with all slots filled, as in v0, it is PPO bit for bit. Nor has
# SB3's DQN with our network, which takes our preset's settings.
SB3_PPO = Space(
    {
        "learning_rate": 3e-4,
        "learning_rate_schedule": "constant",
        "width": 64,
        "gamma": 0.99,
        "n_steps": 32,
        "batch_size": 64,
        "n_epochs": 10,
        "ent_coef": 0.0,
    },
    {
        **_COMMON,
        "n_steps": _choice(16, 32, 64, 128),  # of each of 64 viewers
        "batch_size": _choice(64, 256, 1_024),
        "n_epochs": _choice(4, 10, 20),
        "ent_coef": _choice(0.0, 0.003, 0.01, 0.03),
    },
)
