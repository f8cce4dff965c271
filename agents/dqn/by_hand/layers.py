"""Layers whose gradients are also written by hand.

Once :meth:`ByHand.bind` was called, a module here computes with :mod:`agents.dqn.by_hand.kernels`
in inference mode, into memory of its own that its next call overwrites, and ``backward`` writes the
gradients where they belong. Elsewhere it is an ordinary module with autograd.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from agents.dqn.by_hand import kernels

# Training needs two or three sizes of batches; evaluation may come with any number of them.
_MOST_SIZES = 8


class _Memory:
    """Arrays to write results into, the same ones for the same shapes."""

    def __init__(self) -> None:
        self._groups: dict[Any, list[tuple[np.ndarray, ...]]] = {}

    def __len__(self) -> int:
        return len(self._groups)

    def __call__(self, rows: int, *widths: tuple[int, ...]) -> list[tuple[np.ndarray, ...]]:
        """A tuple of arrays ``(rows, width)`` per group of widths."""
        groups = self._groups.get((rows, widths))
        if groups is None:
            if len(self) == _MOST_SIZES:
                self._groups.clear()
            groups = self._groups[rows, widths] = [
                tuple(np.empty((rows, width), dtype=np.float32) for width in group)
                for group in widths
            ]
        return groups


class BoundArrays(NamedTuple):
    """A module's parameters and gradients, as the kernels take them: views, one per layer.

    Attributes:
        weights: float32 ``(outputs, inputs)`` each, the memory of the module's parameters.
        biases: float32 ``(outputs,)`` each; none if the layers have no bias.
        weight_gradients: Like ``weights``, the memory of their ``grad``.
        bias_gradients: Like ``biases``, the memory of their ``grad``.
    """

    weights: tuple[np.ndarray, ...]
    biases: tuple[np.ndarray, ...]
    weight_gradients: tuple[np.ndarray, ...]
    bias_gradients: tuple[np.ndarray, ...]


class ByHand(nn.Module):
    """A module that can do without autograd.

    Attributes:
        arrays: What the kernels read and write; there once :meth:`bind` found all of it on a CPU.
    """

    arrays: BoundArrays

    def __init__(self) -> None:
        super().__init__()
        self._bound = False
        # Of the latest call; a list, because a module's attributes are slow to set.
        self._kept: list[Any] = []
        self._memory = _Memory()

    def bind(self) -> None:
        """Compute by hand from now on, with parameters and gradients where they are now.

        Does nothing on other devices than the CPU.
        """
        tensors = [(parameter.detach(), parameter.grad) for parameter in self.parameters()]
        self._bound = all(weight.is_cpu and slope is not None for weight, slope in tensors)
        if self._bound:
            weights = [weight.numpy() for weight, _ in tensors]
            gradients = [slope.numpy() for _, slope in tensors if slope is not None]
            self.arrays = BoundArrays(*_by_dimensions(weights), *_by_dimensions(gradients))

    @property
    def by_hand(self) -> bool:
        """Whether the next call computes by hand."""
        return self._bound and torch.is_inference_mode_enabled()


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
        outputs, to_inputs = self._memory(len(rows), self.sizes[1:], self.sizes[:-1])
        weights, biases, _, _ = self.arrays
        kernels.forward(rows, weights, biases, self.relu_last, outputs)
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
        weights, _, to_weights, to_biases = self.arrays
        kernels.backward(
            rows,
            weights,
            self.relu_last,
            outputs,
            gradient.numpy(),
            to_input,
            to_inputs,
            to_weights,
            to_biases,
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
        self.features = features
        self.linear = nn.Linear(features, width, bias=False)

    def forward(self, context: Tensor, candidates: Tensor) -> Tensor:
        """``(B, W)`` and ``(B, K, F)`` to ``(B K, W)``."""
        if not self.by_hand:
            return (self.linear(candidates) + context[:, None]).relu_().flatten(0, 1)
        rows = candidates.contiguous().flatten(0, 1).numpy()
        ((hidden,),) = self._memory(rows.shape[0], context.shape[1:])
        kernels.embed(context.numpy(), rows, self.arrays.weights[0], hidden)
        self._kept[:] = rows, hidden, torch.empty_like(context)
        return torch.from_numpy(hidden)

    def backward(self, gradient: Tensor) -> Tensor:
        """Set the weight's gradient from that of the latest result, which is overwritten.

        Returns:
            The gradient of the latest context, ``(B, W)``.
        """
        rows, hidden, to_context = self._kept
        (to_weight,) = self.arrays.weight_gradients
        kernels.embed_backward(rows, hidden, gradient.numpy(), to_weight, to_context.numpy())
        return to_context


class SlotScorer:
    """A candidate network's context, embedding and scorer, by hand in one compiled call each way.

    It computes what the three modules compute one after the other, with their parameters; calling
    each of them, and what lies between, takes almost half as long as the matrix products.

    Args:
        context: From the shared columns to the context, ``(B, S)`` to ``(B, W)``.
        embed: Adds candidates to it, ``(B, K, F)``.
        scorer: From one sum to one value.
    """

    def __init__(self, context: Layers, embed: Embed, scorer: Layers) -> None:
        self.context = context
        self.embed = embed
        self.scorer = scorer
        self._per_observation, self._per_slot = _Memory(), _Memory()
        # What goes in and the context's gradient, outputs, gradients of inputs; then per slot.
        ends = (context.sizes[0], context.sizes[-1])
        self._context_widths = ends, context.sizes[1:], context.sizes[:-1]
        ends = (embed.features, scorer.sizes[0])
        self._scorer_widths = ends, scorer.sizes[1:], scorer.sizes[:-1]
        self._kept: tuple[Any, ...] = ()

    @property
    def by_hand(self) -> bool:
        """Whether the modules compute by hand; elsewhere this class is of no use."""
        return self.embed.by_hand

    def __call__(self, observation: Tensor, first: Tensor, count: int) -> Tensor:
        """Values of ``count`` adjacent slots.

        Args:
            observation: ``(B, S + N F)``: the shared columns, then those of each slot.
            first: The first of the slots, int64 ``(B,)``.
            count: K.

        Returns:
            ``(B, K)``, overwritten by the next call.

        Raises:
            IndexError: If there are no such slots.
        """
        context, embed, scorer = self.context.arrays, self.embed.arrays, self.scorer.arrays
        rows = observation.contiguous().numpy()
        per_observation = self._per_observation(len(rows), *self._context_widths)
        per_slot = self._per_slot(len(rows) * count, *self._scorer_widths)
        self._kept = per_observation, per_slot
        (shared, _), contexts, _ = per_observation
        (candidates, hidden), scores, _ = per_slot
        kernels.score(
            rows,
            first.numpy(),
            shared,
            (context.weights, context.biases, contexts),
            (candidates, embed.weights[0], hidden),
            (scorer.weights, scorer.biases, scores),
        )
        return torch.from_numpy(scores[-1]).view(-1, count)

    def backward(self, gradient: Tensor) -> None:
        """Set the gradients of all three modules from that of the latest values, ``(B, K)``."""
        weights, _, to_weights, to_biases = self.context.arrays
        scorer_weights, _, to_scorer_weights, to_scorer_biases = self.scorer.arrays
        (to_embedding,) = self.embed.arrays.weight_gradients
        per_observation, per_slot = self._kept
        (shared, to_context), contexts, to_shared = per_observation
        (candidates, hidden), scores, to_hidden = per_slot
        kernels.score_backward(
            gradient.reshape(-1, 1).numpy(),
            shared,
            (weights, contexts, to_shared, to_weights, to_biases),
            (candidates, hidden, to_embedding, to_context),
            (scorer_weights, scores, to_hidden, to_scorer_weights, to_scorer_biases),
        )
