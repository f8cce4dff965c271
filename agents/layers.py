"""Layers whose gradients are also written by hand.

Autograd notes every operation down and makes fresh memory for every result, which in networks as
small as these costs as much as the matrix products. Once :meth:`ByHand.bind` was called, a module
here computes with :mod:`agents.kernels` in inference mode, into memory of its own that its next
call overwrites, and ``backward`` writes the gradients where they belong. Elsewhere, as on a GPU, it
is an ordinary module with autograd, and gives the same numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from . import kernels

# Training needs two or three sizes of batches; evaluation may come with any number of them.
_MOST_SIZES = 8


class ByHand(nn.Module):
    """A module that can do without autograd."""

    _weights: tuple[np.ndarray, ...]
    _biases: tuple[np.ndarray, ...]
    _to_weights: tuple[np.ndarray, ...]
    _to_biases: tuple[np.ndarray, ...]

    def __init__(self) -> None:
        super().__init__()
        self._bound = False
        # Of the latest call; a list, because a module's attributes are slow to set.
        self._kept: list[Any] = []
        self._memory: dict[int, list[tuple[np.ndarray, ...]]] = {}

    def bind(self) -> None:
        """Compute by hand from now on, with parameters and gradients where they are now.

        Does nothing on other devices than the CPU.
        """
        tensors = [(parameter.detach(), parameter.grad) for parameter in self.parameters()]
        self._bound = all(weight.is_cpu and slope is not None for weight, slope in tensors)
        if self._bound:
            weights = [weight.numpy() for weight, _ in tensors]
            gradients = [slope.numpy() for _, slope in tensors if slope is not None]
            self._weights, self._biases = _by_dimensions(weights)
            self._to_weights, self._to_biases = _by_dimensions(gradients)

    @property
    def by_hand(self) -> bool:
        """Whether the next call computes by hand."""
        return self._bound and torch.is_inference_mode_enabled()

    def _results(self, rows: int, *widths: Sequence[int]) -> list[tuple[np.ndarray, ...]]:
        """A tuple of arrays ``(rows, width)`` per group of widths, the same for the same rows."""
        memory = self._memory.get(rows)
        if memory is None:
            if len(self._memory) == _MOST_SIZES:
                self._memory.clear()
            memory = self._memory[rows] = [
                tuple(np.empty((rows, width), dtype=np.float32) for width in group)
                for group in widths
            ]
        return memory


def _by_dimensions(arrays: list[np.ndarray]) -> list[tuple[np.ndarray, ...]]:
    """Those with two dimensions, and those with one."""
    return [tuple(array for array in arrays if array.ndim == count) for count in (2, 1)]


class Layers(ByHand):
    """Linear layers one after another, a ReLU after each, or after each but the last.

    Args:
        sizes: Units that come in, and those of each layer.
        relu_last: Whether a ReLU follows the last layer, too.
    """

    def __init__(self, sizes: Sequence[int], relu_last: bool = False) -> None:
        super().__init__()
        self.sizes = tuple(sizes)
        self.relu_last = relu_last
        self.linear = nn.ModuleList(nn.Linear(*pair) for pair in pairwise(sizes))

    def forward(self, x: Tensor) -> Tensor:
        """``(B, inputs)`` to ``(B, outputs)``."""
        if not self.by_hand:
            count = len(self.linear)
            for i, linear in enumerate(self.linear, start=1):
                x = linear(x).relu_() if i < count or self.relu_last else linear(x)
            return x
        rows = x.contiguous().numpy()
        outputs, to_inputs = self._results(len(rows), self.sizes[1:], self.sizes[:-1])
        kernels.forward(rows, self._weights, self._biases, self.relu_last, outputs)
        self._kept[:] = rows, outputs, to_inputs
        return torch.from_numpy(outputs[-1])

    def backward(self, gradient: Tensor, to_input: bool = True) -> Tensor:
        """Set the gradients of weights and biases from that of the latest output.

        Args:
            gradient: ``(B, outputs)``; overwritten if a ReLU follows.
            to_input: Whether to go on to the input.

        Returns:
            The gradient of the latest input, ``(B, inputs)``; nonsense unless ``to_input``.
        """
        rows, outputs, to_inputs = self._kept
        kernels.backward(
            rows,
            self._weights,
            self.relu_last,
            outputs,
            gradient.numpy(),
            to_input,
            to_inputs,
            self._to_weights,
            self._to_biases,
        )
        return torch.from_numpy(to_inputs[0])


class Embed(ByHand):
    """``relu(context + W candidate)`` for each of K candidates in the same context.

    Args:
        features: F, of a candidate.
        width: W, units of context and result.
    """

    def __init__(self, features: int, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(features, width, bias=False)

    def forward(self, context: Tensor, candidates: Tensor) -> Tensor:
        """``(B, W)`` and ``(B, K, F)`` to ``(B K, W)``."""
        if not self.by_hand:
            return (self.linear(candidates) + context[:, None]).relu_().flatten(0, 1)
        rows = candidates.contiguous().flatten(0, 1).numpy()
        ((hidden,),) = self._results(rows.shape[0], context.shape[1:])
        kernels.embed(context.numpy(), rows, self._weights[0], hidden)
        self._kept[:] = rows, hidden, torch.empty_like(context)
        return torch.from_numpy(hidden)

    def backward(self, gradient: Tensor) -> Tensor:
        """Set the weight's gradient from that of the latest result, which is overwritten.

        Returns:
            The gradient of the latest context, ``(B, W)``.
        """
        rows, hidden, to_context = self._kept
        (to_weight,) = self._to_weights
        kernels.embed_backward(rows, hidden, gradient.numpy(), to_weight, to_context.numpy())
        return to_context
