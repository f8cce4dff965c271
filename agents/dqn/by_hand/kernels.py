"""The arithmetic of small layers, their gradients and Adam on a CPU.

Compiled by Numba: around matrix products this small, calling one operation after the other takes
longer than the products themselves. All arrays are float32 and contiguous; results are
written into the arguments that are named last.

Shapes in this file: B rows, K candidates per row, F features of each, W units.
"""

# Numba infers the types; annotations would only repeat the docstrings.
# mypy: allow-untyped-defs, allow-incomplete-defs

from __future__ import annotations

import math

import numpy as np

from livestream_env.code_cache import cached_njit

# Sums in any order, and divisions that cannot raise: what a loop needs to be vectorised.
_jit = cached_njit(nogil=True, fastmath={"reassoc", "contract", "arcp"}, error_model="numpy")


@_jit
def forward(x, weights, biases, relu_last, outputs):
    """Layers ``x @ weight.T + bias``, a ReLU after each, or after each but the last.

    ``weights``, ``biases`` and ``outputs`` are tuples with an array per layer.
    """
    for layer in range(len(weights)):
        output, bias = outputs[layer], biases[layer]
        np.dot(x, weights[layer].T, output)
        floor = np.float32(0.0 if relu_last or layer < len(weights) - 1 else -np.inf)
        for i in range(len(output)):
            for j in range(output.shape[1]):
                output[i, j] = max(output[i, j] + bias[j], floor)
        x = output


@_jit
def backward(x, weights, relu_last, outputs, gradient, to_input, to_inputs, to_weights, to_biases):
    """The gradients of :func:`forward`'s arguments from that of its last output, ``(B, W)``.

    ``gradient`` is overwritten if ``relu_last``. ``to_inputs`` are the gradients of what each layer
    got; that of ``x`` is computed only if ``to_input``.
    """
    for layer in range(len(weights) - 1, -1, -1):
        if relu_last or layer < len(weights) - 1:
            relu_backward(outputs[layer], gradient)
        to_bias = to_biases[layer]
        to_bias[:] = 0.0
        for i in range(len(gradient)):
            for j in range(gradient.shape[1]):
                to_bias[j] += gradient[i, j]
        np.dot(gradient.T, outputs[layer - 1] if layer > 0 else x, to_weights[layer])
        if layer > 0 or to_input:
            np.dot(gradient, weights[layer], to_inputs[layer])
            gradient = to_inputs[layer]


@_jit
def relu_backward(output, gradient):
    """Take a gradient back through a ReLU with that output, in place, both ``(B, W)``."""
    for i in range(len(gradient)):
        for j in range(gradient.shape[1]):
            if output[i, j] <= 0.0:
                gradient[i, j] = 0.0


@_jit
def embed(context, candidates, weight, hidden):
    """``relu(context + candidates @ weight.T)``: ``(B, W)`` and ``(B K, F)`` to ``(B K, W)``."""
    np.dot(candidates, weight.T, hidden)
    count = len(candidates) // len(context)
    for i in range(len(context)):
        shared = context[i]
        for k in range(i * count, (i + 1) * count):
            row = hidden[k]
            for j in range(len(row)):
                row[j] = max(row[j] + shared[j], np.float32(0.0))


@_jit
def embed_backward(candidates, hidden, gradient, to_weight, to_context):
    """The gradients of :func:`embed`'s arguments from that of its output, ``(B K, W)``.

    ``gradient`` is overwritten.
    """
    relu_backward(hidden, gradient)
    np.dot(gradient.T, candidates, to_weight)
    count = len(candidates) // len(to_context)
    to_context[:] = 0.0
    for i in range(len(to_context)):
        shared = to_context[i]
        for k in range(i * count, (i + 1) * count):
            row = gradient[k]
            for j in range(len(row)):
                shared[j] += row[j]


@_jit
def score(observation, slot, shared, context, embedding, scorer):
    """Values of K adjacent candidates of each observation, ``(B, D)``.

    ``slot``, int64 ``(B,)``, is the first of them. ``observation`` has the shared columns first and
    then the candidates'; what is needed is copied to ``shared`` and ``candidates``. ``context``
    and ``scorer`` are ``(weights, biases, outputs)``, ``embedding`` is ``(candidates, weight,
    hidden)``.
    """
    context_weights, context_biases, contexts = context
    candidates, weight, hidden = embedding
    scorer_weights, scorer_biases, scores = scorer
    width, chosen = shared.shape[1], candidates.reshape(len(observation), -1)
    for i in range(len(observation)):
        row, first = observation[i], width + slot[i] * candidates.shape[1]
        if slot[i] < 0 or first + chosen.shape[1] > len(row):
            raise IndexError("a slot must be one of the observation's")
        # Loops, because Numba's slices take several times as long.
        for j in range(width):
            shared[i, j] = row[j]
        for j in range(chosen.shape[1]):
            chosen[i, j] = row[first + j]
    forward(shared, context_weights, context_biases, False, contexts)
    embed(contexts[-1], candidates, weight, hidden)
    forward(hidden, scorer_weights, scorer_biases, False, scores)


@_jit
def score_backward(gradient, shared, context, embedding, scorer):
    """The gradients of :func:`score`'s weights and biases from that of its values, ``(B K, 1)``.

    ``context`` and ``scorer`` are ``(weights, outputs, to_inputs, to_weights, to_biases)``,
    ``embedding`` is ``(candidates, hidden, to_weight, to_context)``.
    """
    candidates, hidden, to_weight, to_context = embedding
    weights, outputs, to_inputs, to_weights, to_biases = scorer
    backward(hidden, weights, False, outputs, gradient, True, to_inputs, to_weights, to_biases)
    embed_backward(candidates, hidden, to_inputs[0], to_weight, to_context)
    weights, outputs, to_inputs, to_weights, to_biases = context
    backward(shared, weights, False, outputs, to_context, False, to_inputs, to_weights, to_biases)


@_jit
def valid_actions(observation, columns, mask):
    """Which of these columns of each observation exceed 1/2, or all where none does, ``(B, N)``."""
    if columns.max() >= observation.shape[1]:
        raise IndexError("observations must have all columns of their layout")
    for i in range(len(observation)):
        none = True
        for j in range(len(columns)):
            mask[i, j] = observation[i, columns[j]] > 0.5
            none &= not mask[i, j]
        if none:
            mask[i] = True


@_jit
def adam(gradient, learning_rate, steps, max_norm, mean, square, weights):
    """One step of Adam, after clipping the gradient's norm to ``max_norm``; all arrays ``(P,)``.

    ``steps`` counts from 1. Constants as in :class:`agents.dqn.by_hand.adam.Adam`.
    """
    total = np.float32(0.0)
    for i in range(len(gradient)):
        total += gradient[i] * gradient[i]
    scale = np.float32(1.0 / max(1.0, math.sqrt(total) / max_norm))
    rate = np.float32(learning_rate / (1.0 - 0.9**steps))
    correction = np.float32(1.0 / math.sqrt(1.0 - 0.999**steps))
    for i in range(len(weights)):
        slope = gradient[i] * scale
        new_mean = mean[i] + np.float32(0.1) * (slope - mean[i])
        new_square = square[i] + np.float32(0.001) * (slope * slope - square[i])
        weights[i] -= rate * new_mean / (np.sqrt(new_square) * correction + np.float32(1e-8))
        mean[i], square[i] = new_mean, new_square
