"""Interquartile means, profiles and bootstrap intervals for scores of training seeds x viewer-days.

What is estimated: how well an *algorithm* does, on viewers like these. Two things vary, the
training seed and the viewer-day, so both are resampled. Viewer-days are resampled for all agents
together, because all play the same ones; that keeps the pairing, and a difference between two
agents is not blurred by how lucrative the days were. Training seeds are resampled within each
agent (stratified): seed 3 of one algorithm has nothing in common with seed 3 of another.

A training seed's score is its *mean* over viewer-days (a day's reward has a heavy tail that is
part of the objective). Seeds are summarised by the interquartile mean (Agarwal et al., 2021,
"Deep reinforcement learning at the edge of the statistical precipice"). Percentile intervals over
few seeds are too narrow: nominal 95 % cover about 75 % with 3 seeds, 90 % with 5, 93 % with 10.

What is undefined is NaN, without a warning: the mean of no viewer-days, a ratio to 0, a score that
is infinite, an interval for which there was nothing to resample.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from scipy import stats

FEW_SEEDS = 10  # below it, intervals visibly under-cover


# Numbers that mean nothing become NaN, which is said where they are shown.
_quiet = np.errstate(all="ignore")


class Estimate(NamedTuple):
    """A value with its confidence interval; NaN where one is undefined."""

    value: float
    low: float
    high: float

    @property
    def defined(self) -> bool:
        """Whether there is a value, be it without an interval."""
        return math.isfinite(self.value)

    @property
    def has_interval(self) -> bool:
        """Whether there are bounds, too."""
        return all(map(math.isfinite, self))

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval lies on one side of zero."""
        return self.low > 0 or self.high < 0


@_quiet
def iqm(values: np.ndarray, axis: int = -1) -> np.ndarray:
    """Interquartile mean: the mean without the lowest and highest quarter (rounded down)."""
    return np.asarray(stats.trim_mean(values, 0.25, axis=axis))


@_quiet
def seed_means(scores: np.ndarray) -> np.ndarray:
    """Scores (seeds, viewer-days) to each seed's mean, (seeds,); NaN of no viewer-days."""
    scores = np.asarray(scores, dtype=np.float64)
    return scores.mean(axis=1) if scores.shape[1] else np.full(len(scores), np.nan)


def aggregate(scores: np.ndarray) -> float:
    """One number for an agent: scores (seeds, viewer-days) to the IQM of the seeds' means."""
    return float(iqm(seed_means(scores)))


@_quiet
def area_under_curve(timesteps: np.ndarray, reward: np.ndarray) -> np.ndarray:
    """Mean height of learning curves: what an agent earned on average while it learned.

    Args:
        timesteps: ``(P,)``, of the evaluations, increasing.
        reward: ``(..., P)``, for example one row per training seed.

    Returns:
        ``(...)``: area by the trapezoid rule, divided by the timesteps that it spans; in the
        reward's unit. NaN if it spans none.
    """
    steps = np.asarray(timesteps, dtype=np.float64)
    span = steps[-1] - steps[0] if len(steps) else np.float64(0.0)
    return np.asarray(np.divide(np.trapezoid(reward, steps, axis=-1), span))


def probability_of_improvement(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """P(X > Y) for a run of each of two agents, ties counted half (Agarwal et al., 2021).

    It is the Mann-Whitney statistic U divided by the number of pairs; it says how often, not by
    how much.

    Args:
        x: ``(..., n)``, the scores of an agent's runs.
        y: ``(..., m)``, of the other's.

    Returns:
        ``(...)``, in [0, 1].
    """
    x, y = np.asarray(x)[..., :, None], np.asarray(y)[..., None, :]
    return np.asarray(((x > y) + 0.5 * (x == y)).mean(axis=(-2, -1)))


class Profile(NamedTuple):
    """A performance profile: arrays over the thresholds."""

    share: np.ndarray
    low: np.ndarray
    high: np.ndarray


def performance_profile(
    scores: np.ndarray,
    thresholds: np.ndarray,
    resamples: int = 2000,
    seed: int = 0,
    confidence: float = 0.95,
) -> Profile:
    """Share of runs with a score above each threshold (Agarwal et al., 2021).

    Args:
        scores: ``(runs, tasks)``; one task is ``(runs, 1)``.
        thresholds: ``(T,)``.
        resamples: Bootstrap samples.
        seed: Seed of the resampling.
        confidence: Of the pointwise interval, which resamples runs within each task.

    Returns:
        Share, lower and upper bound, each ``(T,)`` in [0, 1].

    Raises:
        ValueError: If ``scores`` is not two-dimensional.
    """
    if np.ndim(scores) != 2:
        raise ValueError(f"scores must be (runs, tasks), got shape {np.shape(scores)}")
    above = np.asarray(scores)[:, :, None] > np.asarray(thresholds)
    # Runs drawn with replacement enter by how often each is drawn in its task.
    runs, tasks, _ = above.shape
    drawn = np.random.default_rng(seed).multinomial(
        runs, np.full(runs, 1 / runs), (resamples, tasks)
    )
    samples = np.einsum("btr,rth->bh", drawn, above) / (runs * tasks)
    tail = (1 - confidence) / 2
    return Profile(above.mean(axis=(0, 1)), *np.quantile(samples, [tail, 1 - tail], axis=0))


@_quiet
def bootstrap(
    scores: Mapping[str, np.ndarray], resamples: int = 5000, seed: int = 0
) -> dict[str, np.ndarray]:
    """Joint bootstrap samples of every agent's seeds; NaN of no viewer-days.

    Since row ``b`` of every agent's result comes from the same viewer-days, a paired difference
    is ``iqm(result["a"]) - iqm(result["b"])``, element by element.

    Args:
        scores: For each agent an array (its training seeds, viewer-days), with the same
            viewer-days in the same order.
        resamples: Bootstrap samples.
        seed: Seed of the resampling.

    Returns:
        For each agent an array (resamples, its training seeds): mean scores over the resampled
        viewer-days, of the resampled seeds.

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
    days = next(iter(shapes.values()), (0, 0))[1]
    if days == 0:
        return {name: np.full((resamples, shape[0]), np.nan) for name, shape in shapes.items()}
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
        result[name] = np.take_along_axis(per_seed, chosen, axis=1)
    return result


@_quiet
def interval(value: float, samples: np.ndarray, confidence: float = 0.95) -> Estimate:
    """A value with the percentile interval of its bootstrap samples.

    All is NaN if the value is not finite, and the interval if it has a bound that is not.
    """
    tail = (1 - confidence) / 2
    low, high = np.quantile(samples, [tail, 1 - tail])
    if not np.isfinite(value):
        return Estimate(np.nan, np.nan, np.nan)
    if not (np.isfinite(low) and np.isfinite(high)):
        low = high = np.nan
    return Estimate(float(value), float(low), float(high))


@_quiet
def seed_interval(
    scores: np.ndarray, resamples: int = 2000, seed: int = 0, confidence: float = 0.95
) -> np.ndarray:
    """Pointwise interval of the interquartile mean over seeds, of a learning curve say.

    Args:
        scores: ``(seeds, points)``. Of two or three seeds the bounds are the extremes.
        resamples: Bootstrap samples.
        seed: Seed of the resampling, which draws whole rows.
        confidence: Of each interval.

    Returns:
        ``(2, points)``: lower and upper bounds.
    """
    chosen = np.random.default_rng(seed).integers(len(scores), size=(resamples, len(scores)))
    tail = (1 - confidence) / 2
    samples = iqm(np.asarray(scores)[chosen], axis=1)
    return np.asarray(np.quantile(samples, [tail, 1 - tail], axis=0))


class Comparison:
    """Estimates for a set of agents that played the same viewer-days.

    Attributes:
        value: For each agent its aggregate score.
        seeds: For each agent its training seeds' mean scores, (seeds,).

    Args:
        scores: For each agent an array (its training seeds, viewer-days).
        resamples: Bootstrap samples.
        seed: Seed of the resampling.
    """

    def __init__(
        self, scores: Mapping[str, np.ndarray], resamples: int = 5000, seed: int = 0
    ) -> None:
        self.seeds = {name: seed_means(values) for name, values in scores.items()}
        self.days = {name: np.shape(values)[1] for name, values in scores.items()}
        self.seed_samples = bootstrap(scores, resamples, seed)
        self.value = {name: aggregate(values) for name, values in scores.items()}
        self.samples = {name: iqm(values) for name, values in self.seed_samples.items()}

    def score(self, name: str) -> Estimate:
        """The aggregate score of one agent."""
        return self._interval(self.value[name], self.samples[name], name)

    @_quiet
    def difference(self, name: str, other: str) -> Estimate:
        """How much better ``name`` is than ``other``, paired by viewer-day."""
        value = self.value[name] - self.value[other]
        samples = self.samples[name] - self.samples[other]
        return self._interval(value, samples, name, other)

    @_quiet
    def ratio(self, name: str, other: str) -> Estimate:
        """The score of ``name`` as a multiple of that of ``other``, paired by viewer-day."""
        value = float(np.divide(self.value[name], self.value[other]))
        samples = self.samples[name] / self.samples[other]
        return self._interval(value, samples, name, other)

    def probability(self, name: str, other: str) -> Estimate:
        """Probability that a training seed of ``name`` scores above one of ``other``.

        Undefined where neither was played with two seeds, as then nothing is more or less
        probable, and where a score is undefined.
        """
        known = np.isfinite(self.value[name]) and np.isfinite(self.value[other])
        if max(len(self.seeds[name]), len(self.seeds[other])) < 2 or not known:
            return Estimate(np.nan, np.nan, np.nan)
        return interval(
            float(probability_of_improvement(self.seeds[name], self.seeds[other])),
            probability_of_improvement(self.seed_samples[name], self.seed_samples[other]),
        )

    def normalised(self, name: str, low: str, high: str) -> Estimate:
        """The score on a scale where agent ``low`` is 0 and agent ``high`` is 1."""

        @_quiet
        def scaled(of: Mapping[str, float] | Mapping[str, np.ndarray]) -> np.ndarray:
            zero, one = np.asarray(of[low]), np.asarray(of[high])
            return np.asarray(np.divide(of[name] - zero, one - zero))

        return self._interval(float(scaled(self.value)), scaled(self.samples), name, low, high)

    def _interval(self, value: float, samples: np.ndarray, *names: str) -> Estimate:
        """With its interval, unless one viewer-day of one seed leaves nothing to resample."""
        estimate = interval(value, samples)
        if all(self.days[name] == 1 and len(self.seeds[name]) == 1 for name in names):
            estimate = estimate._replace(low=np.nan, high=np.nan)
        return estimate
