"""The hand-written DQN.

``from agents.dqn import DQN, DQNConfig, Diagnostics``. They are imported when asked for: settings
and lists of agents are read by command lines that never need PyTorch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from livestream_env.extras import needs

if TYPE_CHECKING:
    from agents.dqn.agent import DQN
    from agents.dqn.config import DQNConfig
    from agents.dqn.diagnostics import Diagnostics

__all__ = ["DQN", "DQNConfig", "Diagnostics"]

_MODULES = {
    "DQN": "agents.dqn.agent",
    "DQNConfig": "agents.dqn.config",
    "Diagnostics": "agents.dqn.diagnostics",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    with needs("agents", __name__):
        return getattr(import_module(_MODULES[name]), name)
