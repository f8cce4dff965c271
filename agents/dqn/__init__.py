"""The hand-written DQN.

``from agents.dqn import DQN, DQNConfig, Diagnostics``. They are imported when asked for: settings
and lists of agents are read by command lines that never need PyTorch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from livestream_env.extras import lazy_names

if TYPE_CHECKING:
    from agents.dqn.agent import DQN
    from agents.dqn.config import DQNConfig
    from agents.dqn.diagnostics import Diagnostics

__all__ = ["DQN", "DQNConfig", "Diagnostics"]

__getattr__, __dir__ = lazy_names(
    __name__, {"DQN": "agent", "DQNConfig": "config", "Diagnostics": "diagnostics"}, extra="agents"
)
