"""The bootstrap over whole viewers (or streamers), and statistics of weighted values.

What one viewer does is far from independent, so whole viewers are resampled. A resample is a
vector of weights, how often each viewer was drawn, and a statistic is a function of such weights,
for many resamples at once: sums are a matrix product, and quantiles come from a histogram per
viewer, whose bins are 0.05 % wide (quantiles are as precise).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

CONFIDENCE = 0.95
BIN_RATIO = 1.0005  # of a histogram: one edge to the next
_BLOCK = 4_000_000  # most weights held at once

Weights = NDArray[np.float64]  # (resamples, owners)
Values = dict[str, NDArray[np.float64]]  # name → (resamples,) or (resamples, k)


@dataclass(frozen=True)
class Statistic:
    """A value with its 95 % interval.

    Attributes:
        value: a number, or an array of several; NaN where it cannot be had.
        low: of the interval, in the shape of ``value``; NaN without a bootstrap.
        high: likewise.
        reason: why there is no value; empty if there is.
    """

    value: Any
    low: Any = math.nan
    high: Any = math.nan
    reason: str = ""


class Histogram:
    """Values of several owners, counted per owner in bins of equal width in the logarithm.

    Args:
        values: (n,), not negative; what is less than 0.001 is as good as that.
        owner: (n,) integers from 0 on, to whom each belongs.
        num_owners: how many there are.
        marked: (n,) bool; marked values are counted apart. By default none is.

    Attributes:
        values: (bins,), ascending: the means of the values in the bins that are not empty. So small
            whole numbers are themselves.
    """

    def __init__(
        self,
        values: NDArray[Any],
        owner: NDArray[Any],
        num_owners: int,
        marked: NDArray[np.bool_] | None = None,
    ) -> None:
        level = np.log(np.maximum(values, 1e-3)) / math.log(BIN_RATIO)
        level = np.floor(level - level.min(initial=np.inf)).astype(np.int64)
        size = np.bincount(level)
        used = np.flatnonzero(size)
        self.values = np.bincount(level, weights=values)[used] / size[used]
        place = (np.cumsum(size > 0) - 1)[level]
        shape = (len(used), num_owners)
        self._counts = []
        for of in (slice(None),) if marked is None else (~marked, marked):
            one = np.ones(len(place[of]))
            self._counts.append(sparse.csr_array((one, (place[of], owner[of])), shape=shape))

    def counts(self, weights: Weights, marked: bool = False) -> NDArray[np.float64]:
        """Weighted counts of the values that are, or are not, marked: (resamples, bins)."""
        return np.asarray((self._counts[marked] @ weights.T).T)


def weighted_quantile(values: NDArray[Any], weights: Weights, q: float) -> NDArray[np.float64]:
    """The smallest value that at least a share ``q`` of the weight does not exceed.

    Args:
        values: (n,), ascending.
        weights: (resamples, n), not negative.
        q: in (0, 1].

    Returns:
        (resamples,), NaN where all weights are 0.
    """
    below = np.cumsum(weights, axis=1)
    return _first_reaching(q, values, ratio(below, below[:, -1:]))


def kaplan_meier_quantile(
    values: NDArray[Any], ended: Weights, censored: Weights, q: float
) -> NDArray[np.float64]:
    """Quantile of durations of which some are only known to be longer.

    Args:
        values: (n,) durations, ascending.
        ended: (resamples, n) weights of those that ended.
        censored: (resamples, n) weights of those that may have gone on.
        q: in (0, 1].

    Returns:
        (resamples,), NaN where fewer than a share ``q`` are seen to end.
    """
    return _first_reaching(q, values, 1.0 - survival(ended, censored))


def survival(ended: Weights, censored: Weights) -> NDArray[Any]:
    """Kaplan and Meier's estimate of the share that lasts longer than each of ascending durations.

    Args:
        ended: (resamples, n) weights of those that ended then.
        censored: (resamples, n) weights of those that may have gone on.
    """
    at_risk = np.cumsum((ended + censored)[:, ::-1], axis=1)[:, ::-1]
    hazard = np.divide(ended, at_risk, out=np.zeros_like(ended), where=at_risk > 0)
    return np.cumprod(1.0 - hazard, axis=1)


def _first_reaching(q: float, values: NDArray[Any], share: NDArray[Any]) -> NDArray[np.float64]:
    if not len(values):
        return np.full(len(share), np.nan)
    reached = share >= q - 1e-9  # for sums that ought to be equal
    return np.where(reached.any(axis=1), values[reached.argmax(axis=1)], np.nan)


def weighted_gini(values: NDArray[Any], weights: Weights) -> NDArray[np.float64]:
    """Gini coefficient: 0 if all values are equal, towards 1 if one has everything.

    Args:
        values: (n,), ascending, not negative.
        weights: (resamples, n), not negative.

    Returns:
        (resamples,), NaN where nothing is to be shared.
    """
    if not len(values):
        return np.full(len(weights), np.nan)
    upto = np.cumsum(weights * values, axis=1)
    before = upto - weights * values
    area = (weights * (before + upto)).sum(axis=1)
    return 1.0 - ratio(area, weights.sum(axis=1) * upto[:, -1])


def top_share(values: NDArray[Any], weights: Weights, share: float) -> NDArray[np.float64]:
    """Share of the sum that the highest values have, by the Lorenz curve.

    Args:
        values: (n,), ascending, not negative.
        weights: (resamples, n), not negative.
        share: of the weight that the highest values bear, in (0, 1).

    Returns:
        (resamples,), NaN where nothing is to be shared.
    """
    below = np.cumsum(weights, axis=1)
    total = below[:, -1:] if len(values) else np.zeros((len(weights), 1))
    at_top = np.clip(below - (1.0 - share) * total, 0.0, weights)
    return ratio(at_top @ values, weights @ values)


def ascending(values: NDArray[Any], weights: Weights) -> tuple[NDArray[Any], Weights]:
    """What is not NaN, sorted, with its weights (B, n)."""
    order = np.argsort(values, kind="stable")
    order = order[: len(order) - np.isnan(values).sum()]  # NaN sorts last
    return values[order], weights[:, order]


def ratio(numerator: NDArray[Any], denominator: NDArray[Any]) -> NDArray[np.float64]:
    """``numerator / denominator``, NaN where that is 0."""
    result = np.full(np.broadcast_shapes(numerator.shape, denominator.shape), np.nan)
    return np.divide(numerator, denominator, out=result, where=denominator != 0)


def resamples(num_owners: int, count: int, seed: int) -> Iterator[Weights]:
    """``count`` bootstrap weights of ``num_owners``, in blocks that fit the memory."""
    rng = np.random.default_rng(seed)
    block = max(1, _BLOCK // max(num_owners, 1))
    for start in range(0, count, block):
        size = min(block, count - start)
        weights = np.empty((size, num_owners))
        for row in weights:
            row[:] = np.bincount(rng.integers(num_owners, size=num_owners), minlength=num_owners)
        yield weights


def bootstrapped(
    evaluate: Callable[[Weights], Values],
    num_owners: int,
    bootstrap: int,
    seed: int,
    reasons: Mapping[str, str],
) -> dict[str, Statistic]:
    """Values of statistics at weight 1, with percentile intervals.

    Args:
        evaluate: weights to the statistics' values.
        num_owners: length of a weight vector.
        bootstrap: resamples; 0 for no intervals.
        seed: of the resamples.
        reasons: of the statistics that the data cannot give: NaN, whatever ``evaluate`` says.

    Raises:
        ValueError: ``bootstrap`` is negative.
    """
    if bootstrap < 0:
        raise ValueError(f"bootstrap must be at least 0, got {bootstrap}")
    values = evaluate(np.ones((1, num_owners)))
    draws: dict[str, list[NDArray[np.float64]]] = {name: [] for name in values}
    for weights in resamples(num_owners, bootstrap, seed):
        for name, drawn in evaluate(weights).items():
            draws[name].append(drawn)
    statistics = {}
    for name, value in values.items():
        if name in reasons or np.isnan(value).all():
            reason = reasons.get(name, "there is nothing to compute it from")
            statistics[name] = Statistic(math.nan, reason=reason)
        else:
            low, high = _interval(draws[name])
            statistics[name] = Statistic(_plain(value[0]), _plain(low), _plain(high))
    return statistics


def _interval(draws: list[NDArray[np.float64]]) -> tuple[Any, Any]:
    drawn = [one for block in draws for one in block if not np.isnan(one).any()]
    if not drawn:
        return math.nan, math.nan
    tail = (1.0 - CONFIDENCE) / 2.0
    return tuple(np.quantile(drawn, [tail, 1.0 - tail], axis=0))


def _plain(value: Any) -> Any:
    return value if np.ndim(value) else float(value)
