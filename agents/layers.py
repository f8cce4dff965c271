"""Layers whose gradients are also written by hand.

Autograd notes every operation down and makes fresh memory for every result, which in networks as
small as these costs as much as the matrix products. Once :meth:`ByHand.bind` was called, a layer
here computes with :mod:`agents.kernels` in inference mode, into memory of its own that its next
call overwrites, and ``backward`` writes the gradients where they belong. Elsewhere, as on a GPU, it
is an ordinary module with autograd, and gives the same numbers.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from . import kernels

_NOTHING = np.empty((0, 0), dtype=np.float32)


class Scratch:
    """Memory that is used again: fresh memory is in no cache."""

    # Training needs two or three sizes of batches; evaluation may come with any number of them.
    _MOST = 8

    def __init__(self) -> None:
        self._tensors: dict[tuple[str, int, int], Tensor] = {}

    def __call__(self, name: str, rows: int, columns: int) -> Tensor:
        """A float32 tensor of that shape, the same one for the same name and shape."""
        tensor = self._tensors.get((name, rows, columns))
        if tensor is None:
            if len(self._tensors) == self._MOST:
                self._tensors.clear()
            tensor = self._tensors[name, rows, columns] = torch.empty(rows, columns)
        return tensor


class ByHand(nn.Linear):
    """A linear layer that can do without autograd; what :class:`Layer` and :class:`Embed` share."""

    def __init__(self, inputs: int, outputs: int, bias: bool = True) -> None:
        super().__init__(inputs, outputs, bias)
        self._arrays: list[np.ndarray] = []  # parameters, then their gradients
        self._kept: list[Tensor] = []  # a list, because a module's attributes are slow to set
        self._scratch = Scratch()

    def bind(self) -> None:
        """Compute by hand from now on: to be called when parameters and gradients have their place.

        Does nothing on other devices than the CPU.
        """
        if self.weight.is_cpu:
            parameters = list(self.parameters())
            gradients = [parameter.grad for parameter in parameters]
            self._arrays = [tensor.detach().numpy() for tensor in (*parameters, *gradients)]

    @property
    def by_hand(self) -> bool:
        """Whether the next call computes by hand."""
        return bool(self._arrays) and torch.is_inference_mode_enabled()


class Layer(ByHand):
    """A linear layer, followed by a ReLU if ``relu``.

    Args:
        inputs: Units that come in.
        outputs: Units that go out.
        relu: Whether a ReLU follows.
    """

    def __init__(self, inputs: int, outputs: int, relu: bool = False) -> None:
        super().__init__(inputs, outputs)
        self.relu = relu

    def forward(self, x: Tensor) -> Tensor:
        """``(B, inputs)`` to ``(B, outputs)``."""
        if not self.by_hand:
            output = F.linear(x, self.weight, self.bias)
            return output.relu_() if self.relu else output
        weight, bias, *_ = self._arrays
        x = x.contiguous()
        output = self._scratch("output", len(x), self.out_features)
        kernels.linear(x.numpy(), weight, bias, self.relu, output.numpy())
        self._kept[:] = x, output
        return output

    @property
    def input(self) -> Tensor:
        """The latest input that was computed by hand, ``(B, inputs)``."""
        return self._kept[0]

    def backward(self, gradient: Tensor, to_input: bool = True) -> Tensor:
        """Set the gradients of weight and bias from that of the latest output.

        Args:
            gradient: ``(B, outputs)``; overwritten if a ReLU follows.
            to_input: Whether to go on to the input.

        Returns:
            The gradient of the latest input, ``(B, inputs)``; empty unless ``to_input``.
        """
        x, output = self._kept
        weight, _, to_weight, to_bias = self._arrays
        rows = len(x) if to_input else 0
        to_x = self._scratch("to_x", rows, self.in_features)
        kernels.linear_backward(
            x.numpy(),
            weight,
            self.relu,
            output.numpy(),
            gradient.numpy(),
            to_weight,
            to_bias,
            to_x.numpy(),
        )
        return to_x


class Layers(nn.Sequential):
    """Layers one after another, a ReLU after each, or after each but the last.

    Args:
        sizes: Units that come in, and those of each layer.
        relu_last: Whether a ReLU follows the last layer, too.
    """

    def __init__(self, sizes: Sequence[int], relu_last: bool = False) -> None:
        last = len(sizes) - 2
        super().__init__(
            *(Layer(sizes[i], sizes[i + 1], relu_last or i < last) for i in range(last + 1))
        )

    def backward(self, gradient: Tensor, to_input: bool = True) -> Tensor:
        """As :meth:`Layer.backward`, through all layers."""
        first, *others = self
        for layer in reversed(others):
            gradient = layer.backward(gradient)
        return first.backward(gradient, to_input)


class Embed(ByHand):
    """``relu(context + W candidate)`` for each of K candidates in the same context.

    Args:
        features: F, of a candidate.
        width: W, units of context and result.
    """

    def __init__(self, features: int, width: int) -> None:
        super().__init__(features, width, bias=False)

    def forward(self, context: Tensor, candidates: Tensor) -> Tensor:
        """``(B, W)`` and ``(B, K, F)`` to ``(B K, W)``."""
        if not self.by_hand:
            hidden = F.linear(candidates, self.weight) + context[:, None]
            return hidden.relu_().flatten(0, 1)
        candidates = candidates.contiguous().flatten(0, 1)
        hidden = self._scratch("hidden", len(candidates), self.out_features)
        kernels.embed(context.numpy(), candidates.numpy(), self._arrays[0], hidden.numpy())
        self._kept[:] = context, candidates, hidden
        return hidden

    def backward(self, gradient: Tensor) -> Tensor:
        """Set the weight's gradient from that of the latest result, which is overwritten.

        Returns:
            The gradient of the latest context, ``(B, W)``.
        """
        context, candidates, hidden = self._kept
        to_context = self._scratch("to_context", *context.shape)
        kernels.embed_backward(
            candidates.numpy(),
            hidden.numpy(),
            gradient.numpy(),
            self._arrays[1],
            to_context.numpy(),
        )
        return to_context
