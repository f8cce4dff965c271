"""Indirect inference: parameters for which simulated logs look like the real ones.

Each parameter is paired with one moment of the log that it moves most (Gouriéroux, Monfort and
Renault 1993). The moments of logs simulated in the fitted world are brought to those of the real
logs by Newton's method; the Jacobian is by finite differences under common random numbers. What
regressions on the log alone would get wrong (hidden states, tastes that are only estimated, a
policy that chooses what is seen) is in the simulated logs too, and so cancels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livestream_env.calibration.hidden_states import visits
from livestream_env.config import SimulatorConfig, WorldConfig

Moment = Callable[[Mapping[str, Any]], Any]
Table = Mapping[str, NDArray[np.float64]]
Simulate = Callable[[dict[str, float]], Table]


def _logit(share: Any) -> Any:
    return np.log(share) - np.log1p(-share)


def _log_std(total: Any, total_of_squares: Any, count: Any) -> Any:
    return 0.5 * np.log(total_of_squares / count - (total / count) ** 2)


# Parameter → the moment that identifies it, a function of sums over viewers (see `sums`).
MOMENTS: dict[str, Moment] = {
    "click_bias": lambda t: _logit(t["clicks"] / t["impressions"]),
    "watch_bias": lambda t: t["log_watch"] / t["clicks"],
    "watch_noise_std": lambda t: _log_std(t["log_watch"], t["log_watch_squared"], t["clicks"]),
    "like_per_min": lambda t: np.log(t["likes"] / t["minutes"]),
    "comment_per_min": lambda t: np.log(t["comments"] / t["minutes"]),
    "gift_per_min": lambda t: np.log(t["gifts"] / t["clicks"]),
    "visits_per_day": lambda t: np.log(t["visits"]),
    "exit_bias": lambda t: np.log(t["visits"] / t["impressions"]),
    "activity_log_std": lambda t: _log_std(t["log_visits"], t["log_visits_squared"], t["viewers"]),
}
BOUNDS = {**WorldConfig.bounds(), **SimulatorConfig.bounds()}
# Their logs are searched for.
POSITIVE = frozenset(name for name in MOMENTS if not name.endswith("_bias"))
# What a viewer does in a watch changes no other moment, and its own in proportion.
_ONLY_THEMSELVES = ("like_per_min", "comment_per_min", "gift_per_min")
_STEP = 0.2  # of the finite differences
_LONGEST_STEP = 1.0  # of Newton
_CLOSE = 0.1  # standard errors: closer need nothing come
_CLOSEST = 1e-3  # where there is no standard error
_RESAMPLES = 200  # of the bootstrap
_FLOOR_S = 0.1  # watch times below count as this: real clocks are coarse


def sums(
    impressions: NDArray[Any], num_viewers: int, browse_s: float
) -> dict[str, NDArray[np.float64]]:
    """Per viewer (V,): what the moments are made of."""
    viewer, click = impressions["viewer"], impressions["click"]

    def total(values: NDArray[Any]) -> NDArray[np.float64]:
        return np.bincount(viewer, values, num_viewers).astype(np.float64)

    log_watch = np.log(np.maximum(impressions["watch_s"], _FLOOR_S).astype(np.float64)) * click
    began = total(visits(impressions, browse_s))
    log_visits = np.log(began + 0.5)
    return {
        "viewers": np.ones(num_viewers),
        "impressions": total(np.ones(len(viewer))),
        "visits": began,
        "log_visits": log_visits,
        "log_visits_squared": log_visits**2,
        "clicks": total(click),
        "log_watch": total(log_watch),
        "log_watch_squared": total(log_watch**2),
        "minutes": total(impressions["watch_s"] / 60.0),
        "likes": total(impressions["likes"]),
        "comments": total(impressions["comments"]),
        "gifts": total(impressions["gift_value"] > 0),
    }


def moments(
    table: Table, names: list[str], weights: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """The moments of ``names``: (M,), or (B, M) for weights (B, V) of a bootstrap over viewers."""
    totals = {
        name: values.sum() if weights is None else weights @ values
        for name, values in table.items()
    }
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.stack([MOMENTS[name](totals) for name in names], axis=-1)


@dataclass(frozen=True)
class Solution:
    """Parameters that bring the moments together; arrays (M,).

    Attributes:
        names: of the parameters.
        values: of the parameters.
        stderr: standard errors, by the delta method from a bootstrap over viewers.
        misfit: what is left between simulated and logged moments, in standard errors.
    """

    names: list[str]
    values: NDArray[np.float64]
    stderr: NDArray[np.float64]
    misfit: NDArray[np.float64]


def solve(
    logged: Table,
    simulate: Simulate,
    start: Mapping[str, float],
    rng: np.random.Generator,
    *,
    rough_rounds: int = 4,
    rounds: int = 4,
    adapt: Callable[[], object] = lambda: None,
) -> Solution:
    """Find the parameters of :data:`MOMENTS` under which ``simulate`` gives ``logged`` moments.

    Parameters whose moment the log does not have (no negatives: no click rate; no gifts: no
    rate of gifts), or no log simulated on the way, are left out.

    Args:
        logged: :func:`sums` of the log.
        simulate: parameters → :func:`sums` of a simulated log, with common random numbers.
        start: name → where to start.
        rng: of the bootstrap.
        rough_rounds: steps with the Jacobian as it is by and large: the identity.
        rounds: steps with the Jacobian as it is there.
        adapt: called after each rough step: what is simulated may still be changed.

    Raises:
        ValueError: nothing can be compared, or parameters move no moment.
    """
    names = [name for name in MOMENTS if np.isfinite(moments(logged, [name])).all()]
    while names:
        try:
            return _solve(names, logged, simulate, start, rng, rough_rounds, rounds, adapt)
        except _NothingToTell as missing:
            names.remove(missing.args[0])
    raise ValueError("the simulated log has nothing to compare: too few viewers or days to fit to")


class _NothingToTell(Exception):
    """The simulated log does not have the moment of this parameter."""


def _solve(
    names: list[str],
    logged: Table,
    simulate: Simulate,
    start: Mapping[str, float],
    rng: np.random.Generator,
    rough_rounds: int,
    rounds: int,
    adapt: Callable[[], object],
) -> Solution:
    target = moments(logged, names)
    noise = _noise(logged, names, rng)
    # Simulated viewers are as many and as varied: their noise is of the same size.
    error: NDArray[np.float64] = np.sqrt(2.0 * np.diag(noise))
    error[~(error > 0)] = _CLOSEST

    def at(theta: NDArray[np.float64]) -> NDArray[np.float64]:
        found = moments(simulate(_parameters(names, theta)), names)
        if not np.isfinite(found).all():
            raise _NothingToTell(names[int(np.isfinite(found).argmin())])
        return found

    theta = _clipped(names, np.array([_free(name, start[name]) for name in names]))
    for _ in range(rough_rounds):
        theta = _clipped(names, theta + _bounded(target - at(theta)))
        adapt()

    found = at(theta)
    jacobian = _jacobian(names, theta, found, at)
    best, best_found = theta, found
    for _ in range(rounds):
        if (np.abs(target - found) < _CLOSE * error).all():
            break
        theta = _clipped(names, theta + _bounded(_solved(jacobian, target - found, names)))
        found = at(theta)
        if np.linalg.norm((target - found) / error) < np.linalg.norm((target - best_found) / error):
            best, best_found = theta, found
    inverse = _solved(jacobian, np.eye(len(names)), names)
    spread = np.sqrt(np.diag(inverse @ (2.0 * noise) @ inverse.T))
    values = np.array(list(_parameters(names, best).values()))
    positive = np.array([name in POSITIVE for name in names])
    return Solution(
        names=names,
        values=values,
        stderr=np.where(positive, values * spread, spread),
        misfit=(best_found - target) / error,
    )


def num_simulations(rough_rounds: int = 4, rounds: int = 4) -> int:
    """How many logs :func:`solve` simulates, at most."""
    return rough_rounds + 1 + len(MOMENTS) - len(_ONLY_THEMSELVES) + rounds


def _noise(logged: Table, names: list[str], rng: np.random.Generator) -> NDArray[np.float64]:
    """Covariance of the moments, by a bootstrap over viewers."""
    count = len(next(iter(logged.values())))
    weights = rng.multinomial(count, np.full(count, 1 / count), size=_RESAMPLES).astype(np.float64)
    drawn = moments(logged, names, weights)
    drawn = drawn[np.isfinite(drawn).all(axis=1)]  # not those without a single gift
    if count < 2 or len(drawn) < 2:
        return np.full((len(names), len(names)), np.nan)
    return np.cov(drawn, rowvar=False).reshape(len(names), len(names))


def _jacobian(
    names: list[str],
    theta: NDArray[np.float64],
    found: NDArray[np.float64],
    at: Callable[[NDArray[np.float64]], NDArray[np.float64]],
) -> NDArray[np.float64]:
    jacobian = np.eye(len(names))
    for i, name in enumerate(names):
        if name in _ONLY_THEMSELVES:
            continue
        shifted = theta.copy()
        shifted[i] += _STEP
        if (_clipped(names, shifted) != shifted).any():
            shifted[i] -= 2 * _STEP  # at the upper bound
        jacobian[:, i] = (at(shifted) - found) / (shifted[i] - theta[i])
    return jacobian


def _solved(
    jacobian: NDArray[np.float64], right: NDArray[np.float64], names: list[str]
) -> NDArray[np.float64]:
    unmoved = [n for n, column in zip(names, jacobian.T, strict=True) if not column.any()]
    if unmoved:
        raise ValueError(f"simulated logs do not depend on {', '.join(unmoved)}")
    return np.asarray(np.linalg.lstsq(jacobian, right, rcond=None)[0])


def _bounded(step: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.clip(step, -_LONGEST_STEP, _LONGEST_STEP)


def _free(name: str, value: float) -> float:
    """A parameter on the scale of Newton's steps: the log of what must be positive."""
    return math.log(max(value, 1e-6)) if name in POSITIVE else value


def _parameters(names: list[str], theta: NDArray[np.float64]) -> dict[str, float]:
    return {
        name: math.exp(value) if name in POSITIVE else float(value)
        for name, value in zip(names, theta, strict=True)
    }


def _clipped(names: list[str], theta: NDArray[np.float64]) -> NDArray[np.float64]:
    """Within what the configuration admits, if rounding does not take it out again."""
    low, high = np.array([[_free(name, bound) for bound in BOUNDS[name]] for name in names]).T
    return np.clip(theta, low + 1e-9, high - 1e-9)
