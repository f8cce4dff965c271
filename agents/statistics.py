"""Interquartile means and bootstrap intervals for scores of (training seeds x viewer-days).

What is estimated: how well an *algorithm* does, on viewers like these. Two things vary, the
training seed and the viewer-day, so both are resampled. Viewer-days are resampled for all agents
together, because all play the same ones; that keeps the pairing, and a difference between two
agents is not blurred by how lucrative the days were. Training seeds are resampled within each
agent (stratified): seed 3 of one algorithm has nothing in common with seed 3 of another.

A training seed's score is its *mean* over viewer-days (a day's reward has a heavy tail that is
part of the objective). Seeds are summarised by the interquartile mean (Agarwal et al., 2021,
"Deep reinforcement learning at the edge of the statistical precipice"). Percentile intervals over
few seeds are too narrow: nominal 95 % cover about 75 % with 3 seeds, 90 % with 5, 93 % with 10.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from scipy import stats

FEW_SEEDS = 10  # below it, intervals visibly under-cover


class Estimate(NamedTuple):
    """A value with its confidence interval."""

    value: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval lies on one side of zero."""
        return self.low > 0 or self.high < 0


def iqm(values: np.ndarray, axis: int = -1) -> np.ndarray:
    """Interquartile mean: the mean without the lowest and highest quarter (rounded down)."""
    return np.asarray(stats.trim_mean(values, 0.25, axis=axis))


def aggregate(scores: np.ndarray) -> float:
    """One number for an agent: scores (seeds, viewer-days) to the IQM of the seeds' means."""
    return float(iqm(np.asarray(scores, dtype=np.float64).mean(axis=1)))


def bootstrap(
    scores: Mapping[str, np.ndarray], resamples: int = 5000, seed: int = 0
) -> dict[str, np.ndarray]:
    """Joint bootstrap distribution of every agent's aggregate score.

    Since element ``b`` of every agent's result comes from the same viewer-days, a paired
    difference is ``result["a"] - result["b"]``, element by element.

    Args:
        scores: For each agent an array (its training seeds, viewer-days), with the same
            viewer-days in the same order.
        resamples: Bootstrap samples.
        seed: Seed of the resampling.

    Returns:
        For each agent an array (resamples,).

    Raises:
        ValueError: If the agents' numbers of viewer-days differ.
    """
    shapes = {name: np.shape(values) for name, values in scores.items()}
    if (
        any(len(shape) != 2 for shape in shapes.values())
        or len({s[1] for s in shapes.values()}) > 1
    ):
        raise ValueError(
            f"scores must be (seeds, viewer-days) with the same viewer-days, got shapes {shapes}"
        )
    rng = np.random.default_rng(seed)
    days = next(iter(shapes.values()))[1]
    # How often each day is drawn; a matrix product then gives all resampled means. In blocks, so
    # that many days do not fill the memory.
    means: dict[str, list[np.ndarray]] = {name: [] for name in scores}
    block = max(1, 4_000_000 // days)
    for start in range(0, resamples, block):
        counts = rng.multinomial(days, np.full(days, 1 / days), min(block, resamples - start))
        for name, values in scores.items():
            means[name].append(counts @ np.asarray(values, dtype=np.float64).T / days)
    result = {}
    for name, blocks in means.items():
        per_seed = np.concatenate(blocks)
        chosen = rng.integers(per_seed.shape[1], size=per_seed.shape)
        result[name] = iqm(np.take_along_axis(per_seed, chosen, axis=1), axis=1)
    return result


def interval(value: float, samples: np.ndarray, confidence: float = 0.95) -> Estimate:
    """A value with the percentile interval of its bootstrap samples."""
    tail = (1 - confidence) / 2
    low, high = np.quantile(samples, [tail, 1 - tail])
    return Estimate(float(value), float(low), float(high))


class Comparison:
    """Estimates for a set of agents that played the same viewer-days.

    Args:
        scores: For each agent an array (its training seeds, viewer-days).
        resamples: Bootstrap samples.
        seed: Seed of the resampling.
    """

    def __init__(
        self, scores: Mapping[str, np.ndarray], resamples: int = 5000, seed: int = 0
    ) -> None:
        self.value = {name: aggregate(values) for name, values in scores.items()}
        self.samples = bootstrap(scores, resamples, seed)

    def score(self, name: str) -> Estimate:
        """The aggregate score of one agent."""
        return interval(self.value[name], self.samples[name])

    def difference(self, name: str, other: str) -> Estimate:
        """How much better ``name`` is than ``other``, paired by viewer-day."""
        return interval(
            self.value[name] - self.value[other], self.samples[name] - self.samples[other]
        )

    def ratio(self, name: str, other: str) -> Estimate:
        """The score of ``name`` as a multiple of that of ``other``, paired by viewer-day."""
        return interval(
            self.value[name] / self.value[other], self.samples[name] / self.samples[other]
        )

    def normalised(self, name: str, low: str, high: str) -> Estimate:
        """The score on a scale where agent ``low`` is 0 and agent ``high`` is 1."""

        def scaled(of: Mapping[str, float] | Mapping[str, np.ndarray]) -> np.ndarray:
            return np.asarray((of[name] - of[low]) / (of[high] - of[low]))

        return interval(float(scaled(self.value)), scaled(self.samples))
