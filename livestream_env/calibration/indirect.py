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

from livestream_env.calibration.replay import visits
from livestream_env.config import SimulatorConfig

Moment = Callable[[Mapping[str, Any]], Any]
Progress = Callable[[], object]


def _logit(share: Any) -> Any:
    return np.log(share) - np.log1p(-share)


# Parameter → the moment that identifies it, a function of sums over viewers (see `sums`).
MOMENTS: dict[str, Moment] = {
    "click_bias": lambda t: _logit(t["clicks"] / t["impressions"]),
    "watch_bias": lambda t: t["log_watch"] / t["clicks"],
    "watch_noise_std": lambda t: (
        0.5 * np.log(t["log_watch_squared"] / t["clicks"] - (t["log_watch"] / t["clicks"]) ** 2)
    ),
    "like_per_min": lambda t: np.log(t["likes"] / t["minutes"]),
    "comment_per_min": lambda t: np.log(t["comments"] / t["minutes"]),
    "gift_per_min": lambda t: np.log(t["gifts"] / t["clicks"]),
    "visits_per_day": lambda t: np.log(t["visits"]),
    "exit_bias": lambda t: np.log(t["visits"] / t["impressions"]),
}
_POSITIVE = {"watch_noise_std", "like_per_min", "comment_per_min", "gift_per_min", "visits_per_day"}
_STEP = 0.1  # of the finite differences
_LONGEST_STEP = 1.0  # of Newton
_FLOOR_S = 0.1  # watch times below count as this: real clocks are coarse


def sums(
    impressions: NDArray[Any], num_viewers: int, browse_s: float
) -> dict[str, NDArray[np.float64]]:
    """Per viewer (V,): what the moments are made of."""
    viewer, click = impressions["viewer"], impressions["click"]

    def total(values: NDArray[Any]) -> NDArray[np.float64]:
        return np.bincount(viewer, values, num_viewers).astype(np.float64)

    log_watch = np.log(np.maximum(impressions["watch_s"], _FLOOR_S).astype(np.float64)) * click
    return {
        "impressions": total(np.ones(len(viewer))),
        "visits": total(visits(impressions, browse_s)),
        "clicks": total(click),
        "log_watch": total(log_watch),
        "log_watch_squared": total(log_watch**2),
        "minutes": total(impressions["watch_s"] / 60.0),
        "likes": total(impressions["likes"]),
        "comments": total(impressions["comments"]),
        "gifts": total(impressions["gift_value"] > 0),
    }


def moments(
    table: Mapping[str, NDArray[np.float64]],
    names: list[str],
    weights: NDArray[np.float64] | None = None,
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
    logged: Mapping[str, NDArray[np.float64]],
    simulate: Callable[[dict[str, float]], Mapping[str, NDArray[np.float64]]],
    start: SimulatorConfig,
    rng: np.random.Generator,
    rounds: int = 5,
    resamples: int = 200,
    progress: Progress = lambda: None,
) -> Solution:
    """Find the parameters of :data:`MOMENTS` under which ``simulate`` gives ``logged`` moments.

    Parameters whose moment the log does not have (no negatives: no click rate; no gifts: no
    rate of gifts) are left out.

    Args:
        logged: :func:`sums` of the log.
        simulate: parameters → :func:`sums` of a simulated log, with common random numbers.
        start: where to start.
        rng: of the bootstrap.
        rounds: Newton steps.
        resamples: of the bootstrap.
        progress: called after each simulation, of which there are ``num_simulations``.
    """
    names = [name for name in MOMENTS if np.isfinite(moments(logged, [name])).all()]
    target = moments(logged, names)
    count = len(next(iter(logged.values())))
    weights = rng.multinomial(count, np.full(count, 1 / count), size=resamples).astype(np.float64)
    noise = np.cov(moments(logged, names, weights), rowvar=False).reshape(len(names), len(names))
    # Simulated viewers are as many and as varied: their noise is of the same size.
    error = np.sqrt(2.0 * np.diag(noise))

    def at(theta: NDArray[np.float64]) -> NDArray[np.float64]:
        found = moments(simulate(_parameters(names, theta)), names)
        progress()
        if not np.isfinite(found).all():
            raise ValueError(
                f"the simulated log has no {names[int(np.argmin(np.isfinite(found)))]}: "
                "too few viewers or days to fit to"
            )
        return found

    theta = np.array([_free(name, getattr(start, name)) for name in names])
    found = at(theta)
    jacobian = np.eye(len(names))
    for i in range(len(names)):
        shifted = theta.copy()
        shifted[i] += _STEP
        jacobian[:, i] = (at(shifted) - found) / _STEP
    for _ in range(rounds):
        step = np.linalg.solve(jacobian, target - found)
        theta = _clipped(names, theta + np.clip(step, -_LONGEST_STEP, _LONGEST_STEP))
        before, found = found, at(theta)
        # Broyden's update: the Jacobian learns from each step.
        moved = np.clip(step, -_LONGEST_STEP, _LONGEST_STEP)
        jacobian += np.outer(found - before - jacobian @ moved, moved) / max(moved @ moved, 1e-9)
        if (np.abs(target - found) < 0.1 * error).all():
            break
    inverse = np.linalg.inv(jacobian)
    spread = np.sqrt(np.diag(inverse @ (2.0 * noise) @ inverse.T))
    values = np.array(list(_parameters(names, theta).values()))
    positive = np.array([name in _POSITIVE for name in names])
    return Solution(
        names=names,
        values=values,
        stderr=np.where(positive, values * spread, spread),
        misfit=(found - target) / error,
    )


def num_simulations(rounds: int = 5) -> int:
    """How many logs :func:`solve` simulates, at most."""
    return 1 + len(MOMENTS) + rounds


def _free(name: str, value: float) -> float:
    """A parameter on the scale of Newton's steps: the log of what must be positive."""
    return math.log(value) if name in _POSITIVE else value


def _parameters(names: list[str], theta: NDArray[np.float64]) -> dict[str, float]:
    return {
        name: math.exp(value) if name in _POSITIVE else float(value)
        for name, value in zip(names, theta, strict=True)
    }


def _clipped(names: list[str], theta: NDArray[np.float64]) -> NDArray[np.float64]:
    """Within what :class:`SimulatorConfig` admits."""
    bounds = SimulatorConfig.bounds()
    low = [_free(n, max(bounds[n][0], 1e-6)) if n in _POSITIVE else bounds[n][0] for n in names]
    high = [_free(n, bounds[n][1]) for n in names]
    return np.clip(theta, low, high)
