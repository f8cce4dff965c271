"""Estimates of single parameters: value, standard error, and how far a log settles them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livestream_env.calibration.indirect import Solution
from livestream_env.calibration.timetable import browsing_s, gift_prices, room_length
from livestream_env.config import SimulatorConfig, WorldConfig
from livestream_env.logs import Logs
from livestream_env.world import DAY_S, World

IDENTIFIED, WEAK, ASSUMED = "identified", "weakly identified", "assumed"
FEWEST = 100  # observations from which on something is called identified
WORST_MISFIT = 3.0  # standard errors between simulated and logged moment that still pass
_ATOM = 20  # clicks of the longest watch time that make it a cap

# What only some convention, or a distribution that is assumed, separates from something else.
_WEAK_BECAUSE = {
    "visits_per_day": "given a median log activity as in WorldConfig",
    "gift_per_min": "given the spread of gift propensities; few viewers give most",
    "watch_bias": "given the spread of the hidden parts of affinity",
}


@dataclass(frozen=True)
class Estimate:
    """A parameter as a log has it.

    Attributes:
        value: the estimate; the simulator's default where nothing in the log speaks of it.
        stderr: standard error of sampling, None where there is none to be had. What is assumed
            of other parameters is not in it.
        status: ``"identified"``, ``"weakly identified"`` or ``"assumed"``.
        note: from what, or why not.
    """

    value: float
    stderr: float | None
    status: str
    note: str = ""


def _of_sample(value: float, stderr: float, count: int, note: str) -> Estimate:
    return Estimate(value, stderr, IDENTIFIED if count >= FEWEST else WEAK, f"{note} ({count})")


def watching_estimates(impressions: NDArray[Any]) -> dict[str, Estimate]:
    """How long an impression takes, and how long one may watch."""
    estimates = {}
    gaps = browsing_s(impressions)
    if len(gaps):
        low, value, high = np.quantile(gaps, [0.25, 0.5, 0.75])
        stderr = 1.2533 * (high - low) / 1.349 / math.sqrt(len(gaps))  # of a median
        value = float(np.clip(value, *SimulatorConfig.bounds()["browse_s"]))
        estimates["browse_s"] = _of_sample(
            value, float(stderr), len(gaps), "median gap after an impression passed over"
        )
    longest = float(impressions["watch_s"].max())
    at_cap = int((impressions["watch_s"] >= longest - 0.0015).sum())
    cap = float(np.clip(longest, *SimulatorConfig.bounds()["watch_cap_s"]))
    if at_cap >= _ATOM:
        estimates["watch_cap_s"] = Estimate(cap, 0.0, IDENTIFIED, f"{at_cap} watches end there")
    else:
        default = SimulatorConfig().watch_cap_s
        estimates["watch_cap_s"] = Estimate(
            max(default, cap), None, ASSUMED, "no watch time at which many end"
        )
    return estimates


def gift_price_estimates(logs: Logs, rng: np.random.Generator) -> dict[str, Estimate]:
    """Log-normal prices; nothing without gifts of at least three prices."""
    mean, std, count = gift_prices(logs, rng)
    if math.isnan(mean):
        return {}
    bounds = SimulatorConfig.bounds()
    highest = max(SimulatorConfig().gift_price_max, float(logs.gift["gift_price"].max()))  # type: ignore[index]
    return {
        "gift_price_log_mean": _of_sample(
            float(np.clip(mean, *bounds["gift_price_log_mean"])),
            std / math.sqrt(count), count, "gifts, rounded up",
        ),
        "gift_price_log_std": _of_sample(
            float(np.clip(std, *bounds["gift_price_log_std"])),
            std / math.sqrt(2 * count), count, "gifts, rounded up",
        ),
        "gift_price_max": Estimate(highest, None, ASSUMED, "the highest seen, or the default"),
    }  # fmt: skip


def room_estimates(
    logs: Logs, num_streamers: int, days: int, rng: np.random.Generator
) -> dict[str, Estimate]:
    """Length and frequency of rooms: what a synthetic world would need to be like this one."""
    mean, std, count = room_length(logs, rng)
    if not count:
        return {}
    start_s = logs.local_s(logs.room["start_timestamp"].to_numpy())
    rooms = int(((start_s >= 0) & (start_s < days * DAY_S)).sum())
    per_day = rooms / num_streamers / days
    median = math.exp(mean)
    return {
        "room_minutes_median": _of_sample(
            median, median * std / math.sqrt(count), count, "rooms whose end is known"
        ),
        "room_minutes_log_std": _of_sample(
            std, std / math.sqrt(2 * count), count, "rooms whose end is known"
        ),
        "rooms_per_day": _of_sample(
            per_day, math.sqrt(rooms) / num_streamers / days, rooms, "rooms"
        ),
    }


def of_solution(solution: Solution) -> dict[str, Estimate]:
    """The parameters found by indirect inference."""
    estimates = {}
    columns = (solution.values.tolist(), solution.stderr.tolist(), solution.misfit.tolist())
    for name, value, stderr, misfit in zip(solution.names, *columns, strict=True):
        if abs(misfit) > WORST_MISFIT or not math.isfinite(stderr):
            status, note = WEAK, f"its moment is missed by {misfit:.1f} standard errors"
        elif name in _WEAK_BECAUSE:
            status, note = WEAK, _WEAK_BECAUSE[name]
        else:
            status, note = IDENTIFIED, "indirect inference"
        estimates[name] = Estimate(value, stderr if math.isfinite(stderr) else None, status, note)
    return estimates


def spread_estimates(world: World) -> dict[str, Estimate]:
    """How much viewers and streamers differ; estimation errors add to it."""
    note = "of estimates, whose errors are in it"
    return {
        "activity_log_std": Estimate(
            float(np.log(world.viewers["activity"]).std()), None, WEAK, note
        ),
        "popularity_std": Estimate(
            float(np.log(world.streamers["popularity"]).std()), None, WEAK, note
        ),
    }


def assumed(known: Mapping[str, Estimate], config: SimulatorConfig) -> dict[str, Estimate]:
    """Everything that a log says nothing of, with the value that the world has."""
    estimates = {}
    for group in (config, WorldConfig()):
        for spec in dataclasses.fields(group):
            if spec.name not in known and spec.name not in _FACTS:
                value = float(getattr(group, spec.name))
                estimates[spec.name] = Estimate(value, None, ASSUMED, spec.metadata["doc"])
    return estimates


# Parameters of synthetic worlds that a world learnt from a log has no use for.
_FACTS = (
    *("num_viewers", "num_streamers", "num_categories", "embedding_dim", "days"),
    *("taste_concentration", "initial_attachments", "room_start_std_h", "room_hours_max"),
)
