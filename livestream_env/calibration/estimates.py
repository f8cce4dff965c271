"""Estimates of single parameters: value, standard error, and how far a log settles them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livestream_env.calibration.indirect import BOUNDS, POSITIVE, Solution
from livestream_env.calibration.timetable import browsing_s, gift_prices, room_length
from livestream_env.config import SimulatorConfig, WorldConfig
from livestream_env.logs import Logs
from livestream_env.world import DAY_S, World

IDENTIFIED, WEAK, ASSUMED = "identified", "weakly identified", "assumed"
FEWEST = 100  # observations from which on something is called identified
WORST_MISFIT = 3.0  # standard errors between simulated and logged moment that still pass
FEWEST_VIEWERS = 30  # likewise
LARGEST_STDERR = 0.3  # of a logarithm or log-odds, likewise
_ATOM = 20  # clicks of the longest watch time that make it a cap

# What only some convention, or a distribution that is assumed, separates from something else.
_WEAK_BECAUSE = {
    "click_bias": "given click_affinity and the other assumed slopes; sure is the click rate",
    "visits_per_day": "given a median log activity as in WorldConfig",
    "gift_per_min": "given the spread of gift propensities; few viewers give most",
    "watch_bias": "given the spread of the hidden parts of affinity",
    "activity_log_std": "given how satisfaction and chance spread returns",
}
# Root mean square errors in round trips beyond those of sampling (of a logarithm, or of log-odds):
# the tastes and attachments of the fitted world are estimates, too. See docs/calibration.md.
_MODEL_ERROR = {
    "click_bias": 0.06,
    "watch_bias": 0.05,
    "watch_noise_std": 0.025,
    "like_per_min": 0.02,
    "comment_per_min": 0.04,
    "gift_per_min": 0.25,
    "visits_per_day": 0.03,
    "exit_bias": 0.04,
    "activity_log_std": 0.03,
}
_OF_ALL_IMPRESSIONS = ("watch_noise_std", "exit_bias")


@dataclass(frozen=True)
class Estimate:
    """A parameter as a log has it.

    Attributes:
        value: the estimate; the simulator's default where nothing in the log speaks of it.
        stderr: standard error, None where there is none to be had: of sampling and, for what is
            found by simulation, of the method. What is assumed of other parameters is not in it.
        status: ``"identified"``, ``"weakly identified"`` or ``"assumed"``.
        note: from what, or why not.
    """

    value: float
    stderr: float | None
    status: str
    note: str = ""


def _of_sample(value: float, stderr: float, count: int, note: str) -> Estimate:
    return Estimate(value, stderr, IDENTIFIED if count >= FEWEST else WEAK, f"{note} ({count})")


def _clipped(name: str, value: float) -> float:
    return float(np.clip(value, *BOUNDS[name]))


def watching_estimates(impressions: NDArray[Any]) -> dict[str, Estimate]:
    """How long an impression takes, and how long one may watch."""
    estimates = {}
    gaps = browsing_s(impressions)
    if len(gaps):
        low, value, high = np.quantile(gaps, [0.25, 0.5, 0.75])
        stderr = 1.2533 * (high - low) / 1.349 / math.sqrt(len(gaps))  # of a median
        note = "median gap after an impression passed over"
        estimates["browse_s"] = _of_sample(
            _clipped("browse_s", value), float(stderr), len(gaps), note
        )
        if value < BOUNDS["browse_s"][0]:
            estimates["browse_s"] = Estimate(
                BOUNDS["browse_s"][0], None, WEAK, f"{note}: they share their moment"
            )
    longest = float(impressions["watch_s"].max())
    at_cap = int((impressions["watch_s"] >= longest - 0.0015).sum())
    cap = _clipped("watch_cap_s", longest)
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
    found = gift_prices(logs, rng)
    if found is None:
        return {}
    highest = max(SimulatorConfig().gift_price_max, float(logs.gift["gift_price"].max()))  # type: ignore[index]
    return {
        "gift_price_log_mean": _of_sample(
            _clipped("gift_price_log_mean", found.mean), found.mean_stderr, found.observed, "gifts"
        ),
        "gift_price_log_std": _of_sample(
            _clipped("gift_price_log_std", found.std), found.std_stderr, found.observed, "gifts"
        ),
        "gift_price_max": Estimate(
            _clipped("gift_price_max", highest), None, ASSUMED, "the highest seen, or the default"
        ),
    }


def room_estimates(
    logs: Logs, num_streamers: int, days: int, rng: np.random.Generator
) -> dict[str, Estimate]:
    """Length and frequency of rooms: what a synthetic world would need to be like this one."""
    start_s = logs.local_s(logs.room["start_timestamp"].to_numpy())
    rooms = int(((start_s >= 0) & (start_s < days * DAY_S)).sum())
    estimates = {
        "rooms_per_day": _of_sample(
            rooms / num_streamers / days, math.sqrt(rooms) / num_streamers / days, rooms, "rooms"
        )
    }
    found = room_length(logs, days, rng)
    if found is not None:
        median, note = math.exp(found.mean), "rooms whose end is known"
        estimates |= {
            "room_minutes_median": _of_sample(
                median, median * found.mean_stderr, found.observed, note
            ),
            "room_minutes_log_std": _of_sample(found.std, found.std_stderr, found.observed, note),
        }
    return estimates


def of_solution(solution: Solution, num_viewers: int) -> dict[str, Estimate]:
    """The parameters found by indirect inference from ``num_viewers``."""
    no_clicks = "click_bias" not in solution.names
    estimates = {}
    columns = (solution.values.tolist(), solution.stderr.tolist(), solution.misfit.tolist())
    for name, value, stderr, misfit in zip(solution.names, *columns, strict=True):
        least, most = BOUNDS[name]
        scale = value if name in POSITIVE else 1.0
        stderr = math.hypot(stderr, scale * _MODEL_ERROR[name])
        if not math.isfinite(stderr):
            status, note = WEAK, "too few data for a standard error"
        elif abs(misfit) > WORST_MISFIT:
            status, note = WEAK, f"its moment is missed by {misfit:.1f} standard errors"
        elif not least + 1e-6 < value < most - 1e-6:
            status, note = WEAK, "at the bound of what is valid"
        elif num_viewers < FEWEST_VIEWERS:
            status, note = WEAK, f"from {num_viewers} viewers only, who differ"
        elif stderr > LARGEST_STDERR * scale:
            status, note = WEAK, "too few data"
        elif no_clicks and name in _OF_ALL_IMPRESSIONS:
            status, note = WEAK, "given click_bias, of which a log without negatives says nothing"
        elif name in _WEAK_BECAUSE:
            status, note = WEAK, _WEAK_BECAUSE[name]
        else:
            status, note = IDENTIFIED, "by simulation, given what is assumed"
        estimates[name] = Estimate(value, stderr if math.isfinite(stderr) else None, status, note)
    return estimates


def spread_estimates(world: World) -> dict[str, Estimate]:
    """How much viewers and streamers differ; estimation errors add to it."""
    note = "of estimates, whose errors are in it"
    return {
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
