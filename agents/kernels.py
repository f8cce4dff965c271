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
from numba import njit

# The error model: a division that may raise keeps a loop from being vectorised.
_jit = njit(cache=True, nogil=True, fastmath=True, error_model="numpy")


@_jit
def linear(x, weight, bias, relu, output):
    """``x @ weight.T + bias``, and a ReLU on top if ``relu``: ``(B, inputs)`` to ``(B, W)``."""
    np.dot(x, weight.T, output)
    for row in output:
        for j in range(len(row)):
            value = row[j] + bias[j]
            row[j] = max(value, np.float32(0.0)) if relu else value


@_jit
def linear_backward(x, weight, relu, output, gradient, to_weight, to_bias, to_x):
    """The gradients of :func:`linear`'s arguments from that of its output, ``(B, W)``.

    ``gradient`` is overwritten if ``relu``. With no rows in ``to_x`` that one is left out.
    """
    if relu:
        relu_backward(output, gradient)
    to_bias[:] = 0.0
    for row in gradient:
        for j in range(len(row)):
            to_bias[j] += row[j]
    np.dot(gradient.T, x, to_weight)
    if len(to_x) > 0:
        np.dot(gradient, weight, to_x)


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
    for i in range(len(hidden)):
        for j in range(hidden.shape[1]):
            value = hidden[i, j] + context[i // count, j]
            hidden[i, j] = max(value, np.float32(0.0))


@_jit
def embed_backward(candidates, hidden, gradient, to_weight, to_context):
    """The gradients of :func:`embed`'s arguments from that of its output, ``(B K, W)``.

    ``gradient`` is overwritten.
    """
    relu_backward(hidden, gradient)
    np.dot(gradient.T, candidates, to_weight)
    count = len(candidates) // len(to_context)
    to_context[:] = 0.0
    for i in range(len(gradient)):
        for j in range(gradient.shape[1]):
            to_context[i // count, j] += gradient[i, j]


@_jit
def adam(gradient, learning_rate, steps, max_norm, mean, square, weights):
    """One step of Adam, after clipping the gradient's norm to ``max_norm``; all arrays ``(P,)``.

    ``steps`` counts from 1. Constants as in :class:`agents.adam.Adam`.
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
