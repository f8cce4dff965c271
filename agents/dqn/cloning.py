"""Behaviour cloning: does what the policy behind a log most likely does.

``python -m scripts.train --agent agents.dqn.cloning:BehaviourCloning --offline DATA``
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import gymnasium as gym
import numpy as np
import torch

from agents.dqn.agent import DQN
from livestream_env.decisions import Decisions
from livestream_env.progress import Progress
from livestream_env.settings import check_flag, check_integer


class BehaviourCloning:
    """The baseline of learning offline: supervised, and blind to rewards.

    Args:
        env: For the observation's layout.
        seed: Of weights, batches and draws.
        sample: Draw from the estimated policy; else show what it shows most likely.
        **settings: Fields of :class:`agents.dqn.DQNConfig` that shape the network.
    """

    def __init__(
        self, env: gym.Env, seed: int | None = None, sample: bool = False, **settings: Any
    ) -> None:
        # An agent that never learns by itself: its layout, masks and kind of network are wanted.
        self._agent = DQN(env, seed=seed, num_envs=1, **settings)
        self._rng = np.random.default_rng(seed)
        self.sample = check_flag("sample", sample)
        self.model = self._agent.learner.make_behaviour()

    def learn_offline(
        self,
        decisions: Decisions,
        num_updates: int,
        callback: Callable[[int], object] | None = None,
        progress_bar: bool = False,
    ) -> Self:
        """Fit the policy to what was decided; see :meth:`agents.dqn.DQN.learn_offline`."""
        check_integer("num_updates", num_updates, 1)
        learner = self._agent.learner
        seed = self._agent.config.seed
        with Progress(num_updates, "clone", "updates", show=progress_bar) as bar:

            def on_update(updates: int) -> object:
                bar.update()
                return None if callback is None else callback(updates)

            self.model.fit(decisions, num_updates, learner.action_mask, seed, callback=on_update)
        return self

    @torch.inference_mode()
    def propensities(self, observation: np.ndarray) -> np.ndarray:
        """The estimated probability of showing each candidate: (B, D) to (B, N)."""
        rows = np.ascontiguousarray(observation, np.float32)
        tensor = torch.from_numpy(rows).to(self._agent.learner.device)
        mask = self._agent.learner.action_mask(tensor)
        logs = self.model.log_probabilities(tensor, mask).double()
        return np.asarray((logs - logs.logsumexp(1, keepdim=True)).exp().cpu())

    def predict(
        self,
        observation: np.ndarray,
        state: Any = None,
        episode_start: np.ndarray | None = None,
        deterministic: bool = False,
    ) -> tuple[Any, Any]:
        """See :class:`agents.policy.Policy`; ``sample`` decides, not ``deterministic``."""
        chances = self.propensities(np.atleast_2d(observation))
        if self.sample:  # Gumbel-max: a draw from the probabilities
            with np.errstate(divide="ignore"):
                chances = np.log(chances) + self._rng.gumbel(size=chances.shape)
        actions = chances.argmax(axis=1)
        return (actions if np.ndim(observation) == 2 else actions[0]), state
