"""Adam on one vector."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.optim.adam import adam


class Adam:
    """Adam (Kingma and Ba 2015) with its usual settings, on all parameters as one vector.

    ``torch.optim.Adam`` does the same around the same kernel. Making one loads PyTorch's compiler,
    which takes a second, and each of its steps costs as much again as the arithmetic.

    Args:
        weights: float ``(P,)``, changed by :meth:`step`.
        gradient: ``(P,)``, read by :meth:`step`.
    """

    def __init__(self, weights: Tensor, gradient: Tensor) -> None:
        self._weights = weights
        self._gradient = gradient
        self._mean = torch.zeros_like(weights)
        self._square = torch.zeros_like(weights)
        self._steps = torch.zeros((), device=weights.device)

    def step(self, learning_rate: float) -> None:
        """Go one step down the gradient."""
        adam(
            [self._weights],
            [self._gradient],
            [self._mean],
            [self._square],
            [],
            [self._steps],
            fused=True,
            amsgrad=False,
            beta1=0.9,
            beta2=0.999,
            lr=learning_rate,
            weight_decay=0.0,
            eps=1e-8,
            maximize=False,
        )

    def state(self) -> dict[str, Tensor]:
        """Moments and step count: the tensors themselves, not copies."""
        return {"mean": self._mean, "square": self._square, "steps": self._steps}
