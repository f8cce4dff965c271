"""Fully connected layers whose gradients are also written by hand.

Autograd notes every operation down and makes fresh memory for every result, which in networks as
small as these costs as much as the matrix products. In inference mode a layer here writes its
results into memory of its own, which its next call overwrites, and ``backward`` writes the
gradients where they belong. Elsewhere it is an ordinary module, and gives the same numbers.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Scratch:
    """Memory that is used again: fresh memory is in no cache."""

    # Training needs two or three sizes of batches; evaluation may come with any number of them.
    _MOST = 16

    def __init__(self) -> None:
        self._tensors: dict[tuple[str | int, ...], Tensor] = {}

    def __call__(self, name: str, like: Tensor, *shape: int) -> Tensor:
        """A tensor of that shape, the same one for the same name and shape."""
        tensor = self._tensors.get((name, *shape))
        if tensor is None:
            if len(self._tensors) == self._MOST:
                self._tensors.clear()
            tensor = self._tensors[name, *shape] = like.new_empty(shape)
        return tensor


class Layer(nn.Linear):
    """A linear layer, followed by a ReLU if ``relu``.

    Args:
        inputs: Units that come in.
        outputs: Units that go out.
        relu: Whether a ReLU follows.

    Attributes:
        kept: The latest input ``(B, inputs)`` and output ``(B, outputs)`` in inference mode.
    """

    def __init__(self, inputs: int, outputs: int, relu: bool = False) -> None:
        super().__init__(inputs, outputs)
        self.relu = relu
        self.kept: list[Tensor] = []  # a list, because a module's attributes are slow to set
        self._scratch = Scratch()

    def forward(self, x: Tensor) -> Tensor:
        """``(B, inputs)`` to ``(B, outputs)``."""
        if not torch.is_inference_mode_enabled():
            output = F.linear(x, self.weight, self.bias)
            return output.relu_() if self.relu else output
        output = self._scratch("output", x, len(x), self.out_features)
        torch.addmm(self.bias, x, self.weight.t(), out=output)
        if self.relu:
            output.relu_()
        self.kept[:] = x, output
        return output

    def backward(self, gradient: Tensor, to_input: bool = True) -> Tensor | None:
        """Set the gradients of weight and bias from that of the latest output.

        Args:
            gradient: ``(B, outputs)``; overwritten if a ReLU follows.
            to_input: Whether to go on to the input.

        Returns:
            The gradient of the latest input, ``(B, inputs)``, or None.
        """
        x, output = self.kept
        if self.relu:
            relu_backward_(gradient, output)
        torch.mm(gradient.t(), x, out=self.weight.grad)
        torch.sum(gradient, 0, out=self.bias.grad)
        if not to_input:
            return None
        to_x = self._scratch("to_x", x, len(x), self.in_features)
        return torch.mm(gradient, self.weight, out=to_x)


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

    def backward(self, gradient: Tensor, to_input: bool = True) -> Tensor | None:
        """As :meth:`Layer.backward`, through all layers."""
        first, *others = self
        for layer in reversed(others):
            gradient = layer.backward(gradient)
        return first.backward(gradient, to_input)


def relu_backward_(gradient: Tensor, output: Tensor) -> Tensor:
    """Take a gradient back through a ReLU with that output, in place."""
    return torch.ops.aten.threshold_backward.grad_input(gradient, output, 0, grad_input=gradient)
