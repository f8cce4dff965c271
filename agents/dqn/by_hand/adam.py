"""Adam on one vector."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.optim.adam import adam

from agents.dqn.by_hand import kernels


class Adam:
    """Adam (Kingma and Ba 2015) on all parameters as one vector, with its usual settings.

    That is, as ``torch.optim.Adam``: betas 0.9 and 0.999, epsilon 1e-8. Making one of those loads
    PyTorch's compiler, which takes a second, and on a CPU its step takes five times as long.

    Args:
        weights: float32 ``(P,)``, changed by :meth:`step`.
        gradient: ``(P,)``, read by :meth:`step`.
        by_hand: Step in one compiled loop on a CPU; otherwise, and on other devices, PyTorch's
            own function makes the step.
    """

    def __init__(self, weights: Tensor, gradient: Tensor, by_hand: bool = True) -> None:
        self._weights = weights
        self._gradient = gradient
        self._mean = torch.zeros_like(weights)
        self._square = torch.zeros_like(weights)
        self._steps = torch.zeros((), device=weights.device)
        self._arrays: tuple[np.ndarray, ...] | None = None
        if by_hand and weights.is_cpu:
            vectors = (gradient, self._mean, self._square, weights)
            self._arrays = tuple(vector.numpy() for vector in vectors)

    def step(self, learning_rate: float, max_norm: float = torch.inf) -> None:
        """Go one step down the gradient, whose norm is clipped to ``max_norm`` first."""
        if self._arrays is not None:
            self._steps += 1
            gradient, *vectors = self._arrays
            kernels.adam(gradient, learning_rate, self._steps.item(), max_norm, *vectors)
        else:
            self._step_by_pytorch(learning_rate, max_norm)

    def _step_by_pytorch(self, learning_rate: float, max_norm: float) -> None:
        """The same with PyTorch's function; nothing here waits for a GPU."""
        adam(
            [self._weights],
            [self._gradient],
            [self._mean],
            [self._square],
            [],
            [self._steps],
            fused=True,
            grad_scale=(torch.linalg.vector_norm(self._gradient) / max_norm).clamp_(min=1.0),
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
