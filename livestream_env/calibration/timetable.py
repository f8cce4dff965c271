"""The timetable of a log: which rooms, how long, in which hours people watch."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import CensoredData, norm

from livestream_env.calibration.impressions import LogIndex
from livestream_env.calibration.replay import VISIT_GAP_S
from livestream_env.logs import Logs
from livestream_env.simulator.state import DAY_START_S
from livestream_env.world import DAY_S, MIN_ROOM_S, ROOM_DTYPE

MOST_ROOMS = 200_000  # for the fit of their lengths: more would not change the third digit


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


def room_length(logs: Logs, rng: np.random.Generator) -> tuple[float, float, int]:
    """Log-normal lengths by maximum likelihood; ends at midnight or unknown are censored.

    Returns:
        Mean and standard deviation of the log of the minutes, and the rooms they are from.
    """
    room = logs.room
    length = (room["end_timestamp"] - room["start_timestamp"]).to_numpy() / 60_000.0
    censored = room["end_censored"].to_numpy(bool)
    valid = np.flatnonzero(length > 0)
    if len(valid) > MOST_ROOMS:
        valid = rng.choice(valid, MOST_ROOMS, replace=False)
    log_minutes, censored = np.log(length[valid]), censored[valid]
    if censored.all():
        return math.nan, math.nan, 0
    data = CensoredData(log_minutes[~censored], right=log_minutes[censored])
    seen = log_minutes[~censored]
    mean, std = norm.fit(data, loc=seen.mean(), scale=max(seen.std(), 1e-3))
    return float(mean), float(std), len(seen)


def gift_prices(logs: Logs, rng: np.random.Generator) -> tuple[float, float, int]:
    """Log-normal prices, rounded up to whole coins, by maximum likelihood.

    Returns:
        Mean and standard deviation of the log price, and the gifts they are from.
    """
    price = logs.gift["gift_price"].to_numpy() if logs.gift is not None else np.zeros(0)
    price = price[price > 0].astype(np.float64)
    if len(np.unique(price)) < 3:
        return math.nan, math.nan, len(price)
    if len(price) > MOST_ROOMS:
        price = rng.choice(price, MOST_ROOMS, replace=False)
    with np.errstate(divide="ignore"):
        interval = np.stack([np.log(price - 1.0), np.log(price)], axis=1)
    centre = np.log(np.maximum(price - 0.5, 0.5))
    mean, std = norm.fit(
        CensoredData(interval=interval[price > 1], left=interval[price <= 1, 1]),
        loc=centre.mean(),
        scale=centre.std(),
    )
    return float(mean), float(std), len(price)


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
