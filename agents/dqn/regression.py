"""Fitting a network's values to numbers."""

from __future__ import annotations

import numpy as np
import torch

from agents.dqn.by_hand import Adam, flatten_parameters
from agents.dqn.networks import QNetwork


@torch.inference_mode()
def fit_values(
    network: QNetwork,
    observations: np.ndarray,
    actions: np.ndarray,
    targets: np.ndarray,
    *,
    epochs: int,
    seed: int | None,
    batch_size: int = 512,
    learning_rate: float = 1e-3,
) -> None:
    """Fit the values of given actions by squared error: Adam, a step size that falls to 0.

    Args:
        network: Changed in place.
        observations: float32 ``(n, D)``.
        actions: int64 ``(n,)``.
        targets: ``(n,)``, of the order of 1.
        epochs: How often each row is seen.
        seed: Of the order of the rows.
        batch_size: Rows per step; at most n are taken.
        learning_rate: Adam's first step size.
    """
    adam = Adam(*flatten_parameters(network))
    rng = np.random.default_rng(seed)
    targets = targets.astype(np.float32)
    size = min(batch_size, len(targets))
    steps = epochs * (len(targets) // size)
    order = np.concatenate(
        [rng.permutation(len(targets))[: steps // epochs * size] for _ in range(epochs)]
    )
    for step, rows in enumerate(order.reshape(steps, size)):
        values, backward = network.chosen_with_backward(
            torch.from_numpy(observations[rows]), torch.from_numpy(actions[rows])
        )
        backward((values - torch.from_numpy(targets[rows])) * (2.0 / size))
        adam.step(learning_rate * (1.0 - step / steps))
