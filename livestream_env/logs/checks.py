"""What makes a row that can be read unusable all the same."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from livestream_env.logs.log_data import DAY_MS
from livestream_env.logs.schema import MISSING
from livestream_env.logs.table_file import Columns, Verdict

EARLIEST_MS = 946_684_800_000  # 2000-01-01
LATEST_MS = 4_102_444_800_000  # 2100-01-01
_UNIT_MIN_VIEWS = 200  # fewer do not tell the unit of their watch times
_UNIT_TOLERANCE_MS = 60_000

Ids = NDArray[np.int64]


def rows_of(ids: Ids, values: Ids) -> NDArray[np.int64]:
    """For each value its place in ``ids``, which are sorted and unique, or -1."""
    if not len(ids):
        return np.full(len(values), -1)
    # Asked in order, the search stays in the cache: many times faster on millions of ids.
    order = np.argsort(values)
    places = np.empty(len(values), np.int64)
    places[order] = np.searchsorted(ids, values[order])
    places[places == len(ids)] = 0
    places[ids[places] != values] = -1
    return places


def reject_times(times: Ids, verdict: Verdict) -> None:
    """Times that are not epoch milliseconds of this century."""
    verdict.reject((times < EARLIEST_MS) | (times >= LATEST_MS), "wrong_unit")


@dataclass(frozen=True)
class RoomChecks:
    """Judges rows of rooms.

    Attributes:
        streamers: (n,) sorted ids of the table of streamers.
    """

    streamers: Ids

    def __call__(self, room: Columns, verdict: Verdict) -> None:
        """Reject rooms that are at no time, or of nobody."""
        start, end = room["start_timestamp"], room["end_timestamp"]
        reject_times(start, verdict)
        reject_times(np.where(end == MISSING, start, end), verdict)
        verdict.reject((end < start) & (end != MISSING), "end_before_start")
        verdict.reject(rows_of(self.streamers, room["streamer_id"]) < 0, "unknown_streamer")


@dataclass(frozen=True)
class EventChecks:
    """Judges events by the tables of users, streamers and rooms.

    Attributes:
        users: (n,) sorted ids of the table of users.
        selected: (m,) sorted ids of those asked for.
        streamers: (n,) sorted ids of the table of streamers.
        rooms: live_id, streamer_id, start_timestamp, end_timestamp and open (the end may be later
            than that, or is missing), sorted by the first.
    """

    users: Ids
    selected: Ids
    streamers: Ids
    rooms: Columns

    def __call__(self, event: Columns, verdict: Verdict) -> None:
        """Reject events; ``event`` has what the tables of events have in common, and more."""
        user = event["user_id"]
        verdict.reject(rows_of(self.users, user) < 0, "unknown_user")
        if len(self.selected) < len(self.users):
            verdict.reject(rows_of(self.selected, user) < 0, "not_selected")
        time = event["timestamp"]
        reject_times(time, verdict)
        if "watch_live_time" in event:
            verdict.reject(event["watch_live_time"] < 0, "negative_watch_time")
            verdict.reject(event["watch_live_time"] > DAY_MS, "absurd_watch_time")
        if "gift_price" in event:
            verdict.reject(event["gift_price"] < 0, "impossible_count")
        room = rows_of(self.rooms["live_id"], event["live_id"])
        mismatch = self.rooms["streamer_id"][room] != event["streamer_id"]
        doubtful = np.flatnonzero((room < 0) | mismatch)
        unknown = np.zeros(len(room), np.bool_)
        unknown[doubtful] = rows_of(self.streamers, event["streamer_id"][doubtful]) < 0
        verdict.reject(unknown, "unknown_streamer")
        verdict.reject(room < 0, "unknown_room")
        verdict.reject(mismatch, "streamer_mismatch")
        start, end = self.rooms["start_timestamp"][room], self.rooms["end_timestamp"][room]
        late = ~self.rooms["open"][room] & (time > end + DAY_MS)
        verdict.reject(late | (time < start - DAY_MS), "outside_room")


def check_watch_unit(click: Columns, rooms: Columns, where: str) -> None:
    """Are watch times milliseconds? They are if views fit into their rooms, but just.

    KuaiLive's fit in all cases as milliseconds, and in 60 % as seconds. Few views tell nothing, and
    rooms whose end is not known neither.

    Raises:
        ValueError: a tenth of the views outlast their rooms, so they are shorter than they seem;
            or nearly none would if they lasted a thousand times as long, so they are seconds.
    """
    room = rows_of(rooms["live_id"], click["live_id"])
    left_ms = rooms["end_timestamp"][room] - click["timestamp"]
    judged = ~rooms["end_censored"][room] & (click["watch_live_time"] > 0)
    if judged.sum() < _UNIT_MIN_VIEWS:
        return
    watch, left_ms = click["watch_live_time"][judged], left_ms[judged] + _UNIT_TOLERANCE_MS
    outlast, outlast_as_s = (watch > left_ms).mean(), (1000 * watch > left_ms).mean()
    if outlast > 0.10:
        raise ValueError(
            f"{where}: watch_live_time does not look like milliseconds: {outlast:.0%} of the views "
            "would outlast their rooms (microseconds? divide by 1000)"
        )
    if outlast_as_s < 0.01:
        raise ValueError(
            f"{where}: watch_live_time looks like seconds, not milliseconds: only "
            f"{outlast_as_s:.1%} of the views would outlast their rooms as seconds "
            "(multiply by 1000)"
        )
