"""d3rlpy's discrete conservative Q-learning (Kumar et al. 2020) as it is: a baseline.

d3rlpy asks for another Gymnasium than this project, so that no extra brings it; docs/offline.md
has the commands for an environment of its own.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Self

import gymnasium as gym
import numpy as np

from livestream_env.decisions import Decisions
from livestream_env.decisions.loaders import to_d3rlpy
from livestream_env.settings import check_integer, check_names

try:
    import d3rlpy
    import structlog
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f"{__name__} needs d3rlpy, which docs/offline.md says how to install", name=error.name
    ) from error


class DiscreteCQL:
    """A model of d3rlpy: a flat network, a discount per step, no masks.

    Args:
        env: Plays no role: sizes are those of the decisions.
        seed: Of PyTorch's, NumPy's and Python's global random numbers, which d3rlpy draws from.
        **settings: Fields of ``d3rlpy.algos.DiscreteCQLConfig`` that replace its defaults.
    """

    def __init__(self, env: gym.Env, seed: int | None = None, **settings: Any) -> None:
        config = d3rlpy.algos.DiscreteCQLConfig
        check_names(settings, list(config.__dataclass_fields__), "DiscreteCQL has no setting")
        if seed is not None:
            d3rlpy.seed(seed)
        self.model = config(**settings).create(device="cpu:0")

    def learn_offline(
        self,
        decisions: Decisions,
        num_updates: int,
        callback: Callable[[int], object] | None = None,
        progress_bar: bool = False,
    ) -> Self:
        """Learn from logged decisions; see :meth:`agents.dqn.DQN.learn_offline`.

        What ``callback`` returns plays no role.
        """
        check_integer("num_updates", num_updates, 1)
        # It tells the terminal of every epoch.
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
        self.model.fit(
            to_d3rlpy(decisions),
            n_steps=num_updates,
            n_steps_per_epoch=num_updates,
            logger_adapter=d3rlpy.logging.NoopAdapterFactory(),
            show_progress=progress_bar,
            callback=lambda _, epoch, updates: callback and callback(updates),
        )
        return self

    def predict(
        self,
        observation: np.ndarray,
        state: Any = None,
        episode_start: np.ndarray | None = None,
        deterministic: bool = False,
    ) -> tuple[Any, Any]:
        """See :class:`agents.policy.Policy`; greedy, whatever ``deterministic`` says."""
        actions = self.model.predict(np.atleast_2d(observation))
        return (actions if np.ndim(observation) == 2 else actions[0]), state
