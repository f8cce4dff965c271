"""An estimate of the policy behind a log: a network fitted by behaviour cloning."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from agents.dqn.by_hand import Adam, flatten_parameters
from agents.dqn.networks import QNetwork
from livestream_env.decisions import Decisions

Mask = Callable[[Tensor], Tensor | None]


class BehaviourModel:
    """``pi(a | s)``, a softmax over the values of a network, over the valid actions.

    Args:
        network: Of any kind that a Q-network may be; fitted in place.
    """

    def __init__(self, network: QNetwork) -> None:
        self.network = network
        self._adam = Adam(*flatten_parameters(network))

    @torch.inference_mode()
    def fit(
        self,
        decisions: Decisions,
        num_updates: int,
        mask: Mask,
        seed: int | None,
        batch_size: int = 256,
        learning_rate: float = 1e-3,
        callback: Callable[[int], object] | None = None,
    ) -> float:
        """Fit to what was decided, by cross-entropy; Adam, a step size that falls to 0.

        Args:
            decisions: Logged ones.
            num_updates: Gradient steps.
            mask: Observations ``(B, D)`` to valid actions, bool ``(B, N)``.
            seed: Of the draws of rows.
            batch_size: Rows per step.
            learning_rate: The first step size.
            callback: Called with the number of steps after each; returning False ends it.

        Returns:
            Mean cross-entropy of the last tenth of the steps, in nats.
        """
        rng, losses = np.random.default_rng(seed), []
        device = next(self.network.parameters()).device
        for update in range(num_updates):
            rows = rng.choice(decisions.steps, batch_size)
            observation = torch.from_numpy(decisions.observations[rows]).to(device)
            action = torch.from_numpy(decisions.action[rows].astype(np.int64)).to(device)[:, None]
            valid = mask(observation)
            values, backward = self.network.all_with_backward(observation, valid)
            if valid is not None:
                values = values.masked_fill(~valid, -torch.inf)
            logs = values.log_softmax(dim=1)
            losses.append(-logs.gather(1, action).mean())
            gradient = logs.exp()
            gradient.scatter_add_(1, action, torch.full_like(gradient[:, :1], -1.0))
            backward(gradient / batch_size)
            self._adam.step(learning_rate * (1.0 - update / num_updates))
            if callback is not None and callback(update + 1) is False:
                break
        return float(torch.stack(losses[-max(num_updates // 10, 1) :]).mean())

    def log_probabilities(self, observation: Tensor, mask: Tensor | None) -> Tensor:
        """``(B, N)``; -inf for actions that are not valid."""
        values = self.network(observation, mask)
        if mask is not None:
            values = values.masked_fill(~mask, -torch.inf)
        return values.log_softmax(dim=1)

    def likely(self, observation: Tensor, mask: Tensor | None, threshold: float) -> Tensor:
        """Actions with ``pi(a | s) >= threshold * max pi`` (Fujimoto et al. 2019), bool (B, N)."""
        logs = self.log_probabilities(observation, mask)
        return logs >= logs.amax(dim=1, keepdim=True) + np.log(threshold)
