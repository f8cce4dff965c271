"""Importance weights: how much likelier the target is to do what was done, and to get there."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from agents.ope.trajectories import Array

WINDOW = 2  # decisions
MOST_CELLS = 20
LEAST_PER_CELL = 25  # episodes: a weight is their mean


def cumulative_weights(ratio: Array) -> Array:
    """``rho_{0:t}``, the product of the ratios up to each step (Precup et al. 2000).

    Args:
        ratio: (E, H) of target to logging probability of the logged action, 1 after an episode's
            end: a finished one keeps its weight.

    Returns:
        (E, H); infinite where it is beyond double precision.
    """
    with np.errstate(divide="ignore", over="ignore"):
        return np.asarray(np.exp(np.cumsum(np.log(ratio), axis=1)))


def recent_weights(ratio: Array, window: int = WINDOW) -> Array:
    """``rho_{t-window+1:t}``, the ratios of the last decisions only.

    Partial-history importance weighting (Hu & Wager 2023, "Off-policy evaluation in partially
    observed Markov decision processes under sequential ignorability"). It asks for no state: what
    is biased is what older decisions cause, and the bias fades with the window as their effect
    does.

    Args:
        ratio: (E, H) as for :func:`cumulative_weights`.
        window: Decisions that count.

    Returns:
        (E, H).
    """
    weights = ratio.copy()
    with np.errstate(over="ignore", invalid="ignore"):
        for ago in range(1, min(window, ratio.shape[1])):
            weights[:, ago:] *= ratio[:, :-ago]
    return weights


def marginal_weights(ratio: Array, running: NDArray[np.bool_], cells: NDArray[np.int64]) -> Array:
    """``w_t(s) rho_t``: how much likelier the target is to be there, times the last choice alone.

    Marginalised importance sampling (Xie, Ma & Wang 2019): ``w_{t+1}(x')``, the ratio of the
    densities of the cell x' at step t+1, is the mean of ``w_t(x_t) rho_t`` over the episodes that
    came there. Averaging at each step keeps the weights from growing as their product does. It is
    exact where cells tell all that matters for what follows, and biased as far as they do not.

    Args:
        ratio: (E, H) as for :func:`cumulative_weights`.
        running: (E, H).
        cells: (E, H) of each episode's state at each step; see :func:`value_cells`.

    Returns:
        (E, H), of mean 1 over the episodes before the last choice.
    """
    weights = np.empty_like(ratio)
    state = np.ones(len(ratio))
    for t in range(ratio.shape[1]):
        live = np.flatnonzero(running[:, t])
        cell = cells[live, t]
        state[live] = (np.bincount(cell, state[live]) / np.bincount(cell).clip(1))[cell]
        mean = state.mean()
        state /= mean if mean > 0.0 else 1.0
        state = weights[:, t] = state * ratio[:, t]
    return weights


def value_cells(state_value: Array, running: NDArray[np.bool_]) -> NDArray[np.int64]:
    """States by their estimated value under the target: quantiles among those at the same step.

    What follows depends on the cell only, as far as states of like value go on alike.

    Args:
        state_value: (E, H).
        running: (E, H).

    Returns:
        (E, H), from 0; at most :data:`MOST_CELLS` a step, each of :data:`LEAST_PER_CELL` episodes
        or more.
    """
    cells = np.zeros(running.shape, np.int64)
    for t in range(running.shape[1]):
        live = np.flatnonzero(running[:, t])
        count = int(np.clip(len(live) // LEAST_PER_CELL, 1, MOST_CELLS))
        rank = np.empty(len(live), np.int64)
        rank[np.argsort(state_value[live, t], kind="stable")] = np.arange(len(live))
        cells[live, t] = rank * count // max(len(live), 1)
    return cells


def effective_sample_size(weights: Array) -> Array:
    """``(sum w)^2 / sum w^2`` over the episodes (Kish 1965): weights (E, ...) to (...).

    0 where all weights are 0, or one is infinite.
    """
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        scaled = weights / weights.max(axis=0)
        size = scaled.sum(axis=0) ** 2 / (scaled**2).sum(axis=0)
    return np.nan_to_num(np.asarray(size), nan=0.0)


def largest_share(weights: Array) -> Array:
    """The share of the largest weight in their sum: (E, ...) to (...); 1 where undefined."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.nan_to_num(weights.max(axis=0) / weights.sum(axis=0), nan=1.0)
