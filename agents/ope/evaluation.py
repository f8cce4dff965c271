"""What policies would have earned, with intervals, and whether to believe it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from agents.ope.estimators import (
    ESTIMATORS,
    WITHOUT_VALUES,
    Estimator,
    Values,
    estimators,
    variants,
    weights_of,
)
from agents.ope.targets import TargetPolicy, target_probabilities
from agents.ope.trajectories import Array, Trajectories, decision_rows
from agents.ope.trust import Diagnosis, diagnose, uncovered_share
from livestream_env.decisions import Decisions
from livestream_env.extras import needs
from livestream_env.settings import check_integer

with needs("agents", __name__):
    from agents.ope.fitted_q import FittedQ

_CONFIDENCE = 0.95
_BLOCK = 2**23  # counts at once: 64 MB


@dataclass(frozen=True)
class OffPolicyEstimate:
    """One estimator's answer for one policy: mean (discounted) reward per episode.

    Attributes:
        policy: Its name.
        estimator: A key of :data:`agents.ope.estimators.ESTIMATORS`.
        value: The estimate.
        low: Of the 95 % interval, a percentile bootstrap over viewers; of ``phis`` see
            :func:`agents.ope.estimators.variants`.
        high: Likewise.
        diagnosis: What it rests on, and why it should not be believed.
    """

    policy: str
    estimator: str
    value: float
    low: float
    high: float
    diagnosis: Diagnosis

    @property
    def trusted(self) -> bool:
        """Whether nothing in the log speaks against it."""
        return not self.diagnosis.warnings


def evaluate_off_policy(
    decisions: Decisions,
    targets: Mapping[str, TargetPolicy],
    horizon: int | None = None,
    gamma: float = 1.0,
    tau_s: float | None = None,
    resamples: int = 1_000,
    seed: int = 0,
    keys: Collection[str] = tuple(ESTIMATORS),
) -> list[OffPolicyEstimate]:
    """All estimators for all targets.

    Memory: about 250 bytes per episode and step of the longest one; take ``decisions.first(...)``
    of a log of millions.

    Args:
        decisions: Logged, with propensities.
        targets: Name → policy. The features are learned once for all; adding a target changes no
            other's estimates.
        horizon: Decisions that count of an episode; None: all.
        gamma: Discount per step, or per ``tau_s`` seconds.
        tau_s: Seconds that cost one factor ``gamma``; None: a step does.
        resamples: Of the bootstrap.
        seed: Of features, folds and bootstrap.
        keys: Of the estimators that are wanted. Without one that needs fitted values nothing is
            learned, which is what takes long.

    Returns:
        One entry per target and estimator, in their orders.

    Raises:
        ValueError: An argument is out of range, there is no target or no such estimator, the log
            has no propensities, or a target cannot act on its observations.
    """
    check_estimators("keys", keys)
    check_integer("resamples", resamples, 1)
    check_integer("seed", seed, 0)
    if not targets:
        raise ValueError("targets must name at least one policy, got none")
    log = Trajectories.of(decisions, horizon, gamma, tau_s)
    rows = decision_rows(decisions, horizon)
    behaviour, action = decisions.propensity[rows], decisions.action[rows]
    chances = np.stack(
        [target_probabilities(target, decisions, rows) for target in targets.values()], axis=2
    )
    layout = next(iter(targets.values())).layout
    fitted: Sequence[Values | None] = [None] * len(targets)
    if set(keys) - set(WITHOUT_VALUES):
        fitted = FittedQ(decisions, log, chances, layout, horizon, seed).fit()
    found = []
    for k, (name, values) in enumerate(zip(targets, fitted, strict=True)):
        chosen = log.padded(chances[np.arange(len(rows)), action, k], 1.0)
        weights = weights_of(log, chosen, values)
        uncovered = uncovered_share(chances[..., k], behaviour)
        made = estimators(log, weights, values)
        made = {key: made[key] for key in ESTIMATORS if key in keys}
        others = variants(log, chosen) if "phis" in made else None
        answers = interval(made, log, resamples, seed, others)
        for key in made:
            value = answers[key][0]
            diagnosis = diagnose(key, log, weights, uncovered, value)
            found.append(OffPolicyEstimate(name, key, *answers[key], diagnosis))
    return found


def most_precise(estimates: Sequence[OffPolicyEstimate]) -> OffPolicyEstimate | None:
    """Of those that may be believed the one with the narrowest interval; None if there is none."""
    trusted = [estimate for estimate in estimates if estimate.trusted]
    return min(trusted, key=lambda e: e.high - e.low, default=None)


def check_estimators(name: str, keys: Collection[str]) -> None:
    """Raise a ValueError that names the argument unless all are keys of :data:`ESTIMATORS`."""
    if not keys or set(keys) - set(ESTIMATORS):
        raise ValueError(f"{name} must be some of {', '.join(ESTIMATORS)}, got {list(keys)}")


def interval(
    made: Mapping[str, Estimator],
    log: Trajectories,
    resamples: int,
    seed: int,
    others: Mapping[str, Sequence[Estimator]] | None = None,
) -> dict[str, tuple[float, float, float]]:
    """Value and 95 % interval of each estimator: viewers are resampled with all their episodes.

    The bounds are percentiles of those resamples in which the estimate is defined; with ``others``
    of its key, the lowest and the highest of theirs and its own.
    """
    once = np.ones((1, log.num_episodes))
    asked = {key: [estimator, *(others or {}).get(key, ())] for key, estimator in made.items()}
    drawn: dict[str, list[Array]] = {key: [] for key in made}
    for counts in _counts(log, resamples, seed):
        for key, several in asked.items():
            drawn[key].append(np.stack([estimator(counts) for estimator in several]))
    answers = {}
    for key, estimator in made.items():
        bounds = np.array([_percentiles(one) for one in np.concatenate(drawn[key], axis=1)])
        low, high = np.fmin.reduce(bounds[:, 0]), np.fmax.reduce(bounds[:, 1])
        answers[key] = (float(estimator(once)[0]), float(low), float(high))
    return answers


def _percentiles(samples: Array) -> Array:
    """The bounds (2,) that cut off the same share of the finite ones at either end; else NaN."""
    samples = samples[np.isfinite(samples)]
    tail = (1 - _CONFIDENCE) / 2
    return np.quantile(samples, [tail, 1 - tail]) if len(samples) else np.full(2, np.nan)


def _counts(log: Trajectories, resamples: int, seed: int) -> Iterator[Array]:
    """How often each episode is in a resample, (B, E), block by block; the same for all targets."""
    rng = np.random.default_rng(seed)
    viewers = int(log.cluster.max()) + 1
    size = max(1, _BLOCK // log.num_episodes)
    for start in range(0, resamples, size):
        block = min(size, resamples - start)
        counts = rng.multinomial(viewers, np.full(viewers, 1 / viewers), block)
        yield counts[:, log.cluster].astype(np.float64)
