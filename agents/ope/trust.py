"""Whether an estimate may be believed: what can be told from the log alone."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from agents.ope.estimators import Weights
from agents.ope.trajectories import Array, Trajectories
from agents.ope.weights import WINDOW, effective_sample_size, largest_share

LEAST_EFFECTIVE = 50.0  # episodes
MOST_SHARE = 0.1  # of the weight, on one episode
LOW_PROPENSITY = 0.01
MOST_UNCOVERED = 0.05
LONGEST = 20.0  # decisions: mean length of episodes that a window of a few decisions may stand for

WHOLE, STEPS, RECENT, MARGINAL, NONE = range(5)  # which weights an estimator multiplies with
_WEIGHTS_OF = {
    "is": WHOLE,
    "snis": WHOLE,
    "pdis": STEPS,
    "snpdis": STEPS,
    "phis": RECENT,
    "dm": NONE,
    "dr": STEPS,
    "wdr": STEPS,
    "mis": MARGINAL,
    "drl": MARGINAL,
}
_MODEL = {
    "dm": "its interval leaves out what the fitted model gets wrong",
    "mis": "its weights rest on the fitted model: states of like value are taken to go on alike",
    "drl": "weights and values rest on the fitted model: states of like value go on alike",
}


class Diagnosis(NamedTuple):
    """What an estimate rests on.

    Attributes:
        effective_sample_size: Episodes that as many equal weights would be; the least over the
            steps in which nine tenths of all decisions fall. NaN without weights; of a window's
            weights, which only running episodes have, as a share of those, times all.
        largest_share: Of one episode in the weight, the most over the same steps; NaN likewise.
        uncovered: Share of the target's decisions that were logged with a propensity below
            :data:`LOW_PROPENSITY`.
        warnings: Why the estimate should not be believed; empty if nothing speaks against it.
    """

    effective_sample_size: float
    largest_share: float
    uncovered: float
    warnings: tuple[str, ...]


def uncovered_share(target: NDArray[np.float32], behaviour: NDArray[np.float32]) -> float:
    """Mean over decisions of the target's probability of what was hardly ever logged.

    Args:
        target: (T, N) probabilities.
        behaviour: (T, N) propensities.
    """
    return float(np.where(behaviour < LOW_PROPENSITY, target, 0.0).sum(axis=1).mean())


def diagnose(
    estimator: str, log: Trajectories, weights: Weights, uncovered: float, value: float
) -> Diagnosis:
    """What speaks against an estimate.

    Args:
        estimator: Its key.
        log: What it was made from.
        weights: Of the target.
        uncovered: Of :func:`uncovered_share`.
        value: The estimate.
    """
    reasons = [] if math.isfinite(value) else ["it is undefined: no episode has a weight"]
    kind = _WEIGHTS_OF[estimator]
    size = share = math.nan
    if kind != NONE:
        used = _used(kind, log, weights)
        sizes, shares = effective_sample_size(used), largest_share(used)
        if kind == RECENT:  # compared with all that are running, of whom there are ever fewer
            running = log.running.mean(axis=0)[: len(sizes)]
            sizes, shares = sizes / running, shares * running
        size, share = float(sizes.min()), float(shares.max())
        if size < LEAST_EFFECTIVE:
            short = int(np.argmax(sizes < LEAST_EFFECTIVE)) + 1
            reasons.append(
                f"effective sample size {size:.0f} of {log.num_episodes:,} episodes: "
                f"below {LEAST_EFFECTIVE:.0f} after {short} decisions"
            )
        if share > MOST_SHARE:
            reasons.append(f"one episode has {share:.0%} of the weight")
    if uncovered > MOST_UNCOVERED:
        reasons.append(
            f"{uncovered:.0%} of its choices had a propensity below {LOW_PROPENSITY:.0%}"
        )
    length = float(log.running.sum(axis=1).mean())
    if kind == RECENT and length > LONGEST:
        reasons.append(
            f"horizon: episodes of {length:.0f} decisions, of which its weights know the last "
            f"{WINDOW}"
        )
    if estimator in _MODEL:
        reasons.append(_MODEL[estimator])
    return Diagnosis(size, share, uncovered, tuple(reasons))


def _used(kind: int, log: Trajectories, weights: Weights) -> Array:
    """(E, steps), those that matter."""
    steps = slice(log.common_steps)
    if kind == WHOLE:
        # Of whole episodes alone it looks fine where long ones have lost all weight to short ones.
        return np.concatenate([weights.cumulative[:, steps], weights.cumulative[:, -1:]], axis=1)
    if kind == RECENT:
        return np.where(log.running, weights.recent, 0.0)[:, steps]
    if kind == MARGINAL:
        assert weights.marginal is not None
        return weights.marginal[:, steps]
    return weights.cumulative[:, steps]
