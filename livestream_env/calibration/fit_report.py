"""A log beside its world, for people and for machines: text tables and JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from livestream_env.calibration.published import PublishedStatistic
from livestream_env.calibration.resampling import Statistic
from livestream_env.calibration.streamer_sums import STREAMER_STATISTICS
from livestream_env.config import HOURLY_ACTIVITY


def matches_table(matches: Mapping[str, Mapping[str, int]]) -> str:
    """How many likes, comments, gifts and follows belong to a click, and by what."""
    lines = ["events joined to clicks"]
    for table, counts in matches.items():
        lines.append(f"{table:18s}" + ", ".join(f"{how} {n:,}" for how, n in counts.items() if n))
    return "\n".join(lines)


def comparison_table(
    logged: Mapping[str, Statistic],
    simulated: Mapping[str, Statistic],
    published: Mapping[str, PublishedStatistic],
    targets: Mapping[str, PublishedStatistic],
    days: int,
    everybody: bool,
) -> str:
    """A line per statistic, with a verdict on the world.

    It is ``pass`` if the world is within the tolerance around the log; else ``unclear`` if both may
    be the same for all that their 95 % intervals say; else ``MISS``.

    Args:
        logged: of the log.
        simulated: of the world.
        published: what to print beside them.
        targets: whose tolerances to use.
        days: of the log.
        everybody: the world was played by as many viewers as the log has.
    """
    interval = f"{'95 % interval':>21s}"
    lines = [
        f"{'statistic':30s} {'log':>9s} {interval} {'world':>9s} {interval} {'published':>9s}  "
        "world like log"
    ]
    notes: dict[str, list[str]] = {}
    for name in [*targets, *(name for name in logged if name not in targets)]:
        log, world = logged[name], simulated[name]
        if np.ndim(log.value):
            continue
        if log.reason:
            notes.setdefault(log.reason, []).append(name)
        verdict = ""
        if name in STREAMER_STATISTICS and not everybody:
            # They depend on how many viewers there are.
            verdict = "not compared: other numbers of viewers"
        elif name in targets and not log.reason:
            verdict = _verdict(log, world, targets[name])
        target = f"{published[name].value:9.4g}" if name in published else " " * 9
        other_days = name in published and published[name].days not in (None, days)
        if other_days:
            notes[f"over {published[name].days} days, so not comparable"] = ["*"]
        lines.append(
            f"{name:30s} {_number(log):>9s} {_interval(log):>21s} {_number(world):>9s} "
            f"{_interval(world):>21s} {target}{'*' if other_days else ' '} {verdict}".rstrip()
        )
    return "\n".join([*lines, *(f"{', '.join(names)}: {why}" for why, names in notes.items())])


def _verdict(log: Statistic, world: Statistic, target: PublishedStatistic) -> str:
    low, high = target.around(log.value)
    if low <= world.value <= high:
        return "pass"
    same = log.low <= world.high and world.low <= log.high
    return "unclear" if same or world.reason else "MISS"


def _number(statistic: Statistic) -> str:
    return "" if statistic.reason else f"{statistic.value:.4g}"


def _interval(statistic: Statistic) -> str:
    return "" if statistic.reason else f"[{statistic.low:.4g}, {statistic.high:.4g}]"


def comparison_json(
    logged: Mapping[str, Statistic],
    simulated: Mapping[str, Statistic],
    published: Mapping[str, PublishedStatistic],
) -> dict[str, dict[str, Any]]:
    """Name → the values of log and world with their intervals, and the published one."""
    targets: dict[str, Any] = {name: row.value for name, row in published.items()}
    if "hourly_share_correlation" in targets:
        targets["hourly_share"] = HOURLY_ACTIVITY
    return {
        name: {
            "log": log.value,
            "world": simulated[name].value,
            "published": targets.get(name),
            "log_interval": [log.low, log.high],
            "world_interval": [simulated[name].low, simulated[name].high],
            "reason": log.reason,
        }
        for name, log in logged.items()
    }


def plain(value: Any) -> Any:
    """What JSON can hold: lists and numbers, null for what is not finite."""
    if isinstance(value, Mapping):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [plain(one) for one in value]
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    return int(value) if isinstance(value, np.integer) else value
