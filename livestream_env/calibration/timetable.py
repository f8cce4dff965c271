"""The timetable of a log: which rooms, how long, in which hours people watch."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import CensoredData, norm

from livestream_env.calibration.hidden_states import VISIT_GAP_S
from livestream_env.calibration.impressions import LogIndex
from livestream_env.logs import Logs
from livestream_env.simulator.state import DAY_START_S
from livestream_env.world import DAY_S, MIN_ROOM_S, ROOM_DTYPE

MOST = 200_000  # rooms or gifts to fit to: more would not change the third digit


def playable_days(last_s: float) -> int:
    """Whole viewer-days, from 04:00 to 04:00, in a log whose last impression is at ``last_s``.

    The last hours before 04:00 are quiet, so the last impression may come well before.
    """
    return max(1, math.floor((last_s - DAY_START_S) / DAY_S + 0.1))


def timetable(
    logs: Logs, index: LogIndex, streamers: NDArray[np.integer[Any]]
) -> tuple[NDArray[Any], NDArray[np.int64], int]:
    """The rooms of ``streamers`` (numbers in the index), as they were.

    A streamer has one room at a time: where rooms overlap, the later one begins when the earlier
    has ended, and what is then shorter than a minute is left out.

    Returns:
        Rooms (R,) ``ROOM_DTYPE`` without their content, sorted by streamer (by place in
        ``streamers``), then start; their ids (R,); how many were left out.
    """
    place = np.full(len(index.streamer_ids), -1)
    place[streamers] = np.arange(len(streamers))
    owner = place[index.streamers(logs.room["streamer_id"].to_numpy())]
    mine = np.flatnonzero(owner >= 0)
    rooms = np.zeros(len(mine), ROOM_DTYPE)
    rooms["streamer"] = owner[mine]
    rooms["start_s"] = logs.local_s(logs.room["start_timestamp"].to_numpy()[mine])
    rooms["end_s"] = logs.local_s(logs.room["end_timestamp"].to_numpy()[mine])
    order = np.lexsort((rooms["start_s"], rooms["streamer"]))
    rooms, ids = rooms[order], logs.room["live_id"].to_numpy()[mine][order]
    # The latest end so far of the same streamer: streamers are kept apart by a large offset.
    span = float(np.ptp(rooms["end_s"])) + DAY_S if len(rooms) else DAY_S
    apart = rooms["streamer"] * span
    latest = np.maximum.accumulate(rooms["end_s"] + apart) - apart
    same = rooms["streamer"][1:] == rooms["streamer"][:-1]
    rooms["start_s"][1:][same] = np.maximum(rooms["start_s"][1:], latest[:-1])[same]
    keep = rooms["end_s"] - rooms["start_s"] >= MIN_ROOM_S
    return rooms[keep], ids[keep], int((~keep).sum())


class LogNormal(NamedTuple):
    """Mean and standard deviation of a logarithm, their standard errors, and from how many."""

    mean: float
    std: float
    mean_stderr: float
    std_stderr: float
    observed: int


def room_length(logs: Logs, days: int, rng: np.random.Generator) -> LogNormal | None:
    """Log-normal lengths in minutes; ends at midnight or unknown are censored.

    Of the rooms that begin within ``days``: those that were on before are longer than most. None
    if fewer than three different lengths are known.
    """
    room = logs.room
    start_s = logs.local_s(room["start_timestamp"].to_numpy())
    minutes = (room["end_timestamp"] - room["start_timestamp"]).to_numpy() / 60_000.0
    censored = room["end_censored"].to_numpy(bool)
    inside = (minutes > 0) & (start_s >= 0) & (start_s < days * DAY_S)
    low = np.log(minutes[inside])
    return _fitted(low, np.where(censored[inside], np.inf, low), rng)


def gift_prices(logs: Logs, rng: np.random.Generator) -> LogNormal | None:
    """Log-normal prices, rounded up to whole coins; None if fewer than three prices occur."""
    price = logs.gift["gift_price"].to_numpy() if logs.gift is not None else np.zeros(0)
    price = price[price > 0].astype(np.float64)
    with np.errstate(divide="ignore"):
        return _fitted(np.log(price - 1.0), np.log(price), rng)


def _fitted(
    low: NDArray[np.float64], high: NDArray[np.float64], rng: np.random.Generator
) -> LogNormal | None:
    """The normal distribution of what lies between ``low`` and ``high``, by maximum likelihood."""
    if len(low) > MOST:
        chosen = rng.choice(len(low), MOST, replace=False)
        low, high = low[chosen], high[chosen]
    exact = low == high
    middle = np.where(np.isinf(low), high, low)  # good enough to start from
    if len(np.unique(middle[np.isfinite(high)])) < 3:
        return None
    below, above = np.isinf(low), np.isinf(high)
    data = CensoredData(
        low[exact],
        left=high[below],
        right=low[above],
        interval=np.stack([low, high], axis=1)[~exact & ~below & ~above],
    )
    mean, std = norm.fit(data, loc=middle.mean(), scale=max(middle.std(), 1e-3))

    def log_likelihood(mean: float, log_std: float) -> float:
        a, b = (low - mean) / np.exp(log_std), (high - mean) / np.exp(log_std)
        # In the lower half, where a difference of distribution functions loses no digits.
        a, b = np.where(a > 0, -b, a), np.where(a > 0, -a, b)
        mass = norm.logcdf(b[~exact]) + np.log1p(
            -np.exp(norm.logcdf(a[~exact]) - norm.logcdf(b[~exact]))
        )
        return float(mass.sum() + norm.logpdf(a[exact]).sum() - log_std * exact.sum())

    information = -_curvature(log_likelihood, mean, math.log(std), 1e-3 * std, 1e-3)
    variance = np.diag(np.linalg.pinv(information))
    errors = np.sqrt(np.maximum(variance, 0.0)) * (1.0, std)
    observed = int(np.isfinite(high).sum())
    return LogNormal(float(mean), float(std), float(errors[0]), float(errors[1]), observed)


def _curvature(
    f: Callable[[float, float], float], x: float, y: float, dx: float, dy: float
) -> NDArray[np.float64]:
    """Second derivatives of ``f`` by central differences."""
    values = np.array([[f(x + i * dx, y + j * dy) for j in (-1, 0, 1)] for i in (-1, 0, 1)])
    xx = (values[2, 1] - 2 * values[1, 1] + values[0, 1]) / dx**2
    yy = (values[1, 2] - 2 * values[1, 1] + values[1, 0]) / dy**2
    xy = (values[2, 2] - values[2, 0] - values[0, 2] + values[0, 0]) / (4 * dx * dy)
    return np.array([[xx, xy], [xy, yy]])


def hourly_activity(visit_start_s: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Share of the visits that begin in each local hour (24,), all positive."""
    hour = (visit_start_s % DAY_S // 3600).astype(np.int64)
    count = np.bincount(hour, minlength=24) + 1.0
    return count / count.sum()


def browsing_s(impressions: NDArray[Any]) -> NDArray[np.float64]:
    """Seconds from each impression that was passed over to the next of the same visit."""
    gap = np.diff(impressions["start_s"])
    same = np.diff(impressions["viewer"]) == 0
    return gap[same & ~impressions["click"][:-1] & (gap <= VISIT_GAP_S)]
