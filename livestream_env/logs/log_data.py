"""Livestream logs in memory: one table per kind of event, in KuaiLive's columns."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from livestream_env.logs.read_report import ReadReport
from livestream_env.logs.schema import EVENT

DAY_MS = 86_400_000
HOUR_MS = 3_600_000

_REQUIRED = {
    "click": (*EVENT, "watch_live_time"),
    "room": ("live_id", "streamer_id", "start_timestamp", "end_timestamp", "end_censored"),
    "user": ("user_id",),
    "streamer": ("streamer_id",),
    "negative": EVENT,
    "comment": EVENT,
    "like": EVENT,
    "gift": (*EVENT, "gift_price"),
    "follow": EVENT,
}


@dataclass(frozen=True, eq=False)
class Logs:
    """The logs of a livestream platform, in KuaiLive's tables and column names.

    Ids are int64 and every id of an event is a row of ``user``, ``streamer`` and ``room``.
    Timestamps are UTC epoch milliseconds. Event tables are sorted by (user_id, timestamp, live_id).

    Attributes:
        click: a room entered: user_id, live_id, streamer_id, timestamp, watch_live_time (ms).
        room: one row per live_id, sorted by it: streamer_id, start_timestamp, end_timestamp (ms),
            end_censored (the end is exactly a local midnight, or unknown: the room may have gone
            on); where the log has them live_type, live_content_category, live_name_id.
        user: one row per user_id, sorted by it; other columns as the log has them, categorical.
        streamer: one row per streamer_id, likewise.
        negative: a room shown and not entered: user_id, live_id, streamer_id, timestamp. Not the
            alternatives of a click: its rows are rarely still live at the user's next click.
        comment: user_id, live_id, streamer_id, timestamp; a row each.
        like: as ``comment``.
        gift: as ``comment``, and gift_price. In KuaiLive a gift (and likely a like and a comment)
            bears the timestamp of its click, so these tables say nothing about delays in a view.
        follow: as ``comment``; of KuaiLive-M3 only.
        title_embeddings: (titles, dimension) float32, row = ``live_name_id``.
        utc_offset_h: local time = UTC + this many hours.
        report: what became of every row that was read.
    """

    click: pd.DataFrame
    room: pd.DataFrame
    user: pd.DataFrame
    streamer: pd.DataFrame
    negative: pd.DataFrame | None = None
    comment: pd.DataFrame | None = None
    like: pd.DataFrame | None = None
    gift: pd.DataFrame | None = None
    follow: pd.DataFrame | None = None
    title_embeddings: NDArray[Any] | None = None
    utc_offset_h: float = 8.0
    report: ReadReport = field(default_factory=ReadReport)

    def __post_init__(self) -> None:
        """Check that the columns are there; the rows are the reader's to check."""
        for name, columns in _REQUIRED.items():
            table = getattr(self, name)
            missing = [] if table is None else [c for c in columns if c not in table.columns]
            if missing:
                raise ValueError(
                    f"{name} lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)}; "
                    f"it has {', '.join(map(str, table.columns))}"
                )
        if not -14 <= self.utc_offset_h <= 14:
            raise ValueError(f"utc_offset_h must be in [-14, 14], got {self.utc_offset_h}")

    @cached_property
    def _span_ms(self) -> tuple[int, int]:
        """The first and the last timestamp of clicks and negatives."""
        tables = [t for t in (self.click, self.negative) if t is not None and len(t)]
        if not tables:
            raise ValueError("logs without clicks and negatives span no time")
        first = min(int(t["timestamp"].min()) for t in tables)
        return first, max(int(t["timestamp"].max()) for t in tables)

    @property
    def origin_ms(self) -> int:
        """Local midnight of the day of the first click or negative, as UTC epoch ms."""
        offset = round(self.utc_offset_h * HOUR_MS)
        return (self._span_ms[0] + offset) // DAY_MS * DAY_MS - offset

    @property
    def days(self) -> int:
        """Local calendar days from :attr:`origin_ms` to the last click or negative."""
        return (self._span_ms[1] - self.origin_ms) // DAY_MS + 1

    def local_s(self, timestamps: ArrayLike) -> NDArray[np.float64]:
        """Seconds from the local midnight :attr:`origin_ms`, for timestamps in UTC epoch ms."""
        return (np.asarray(timestamps, np.int64) - self.origin_ms) / 1000.0


_NUMBER = r"(\d+(?:\.\d+)?)([kw]?)"
_RANGE = re.compile(rf"{_NUMBER}\s*(?:-\s*{_NUMBER}|\+)?")
_SCALE = {"": 1.0, "k": 1e3, "w": 1e4}


def _midpoint(text: str) -> float:
    match = _RANGE.fullmatch(text.strip())
    if not match:
        return math.nan
    low, low_scale, high, high_scale = match.groups()
    bound = float(low) * _SCALE[low_scale]
    return (bound + float(high) * _SCALE[high_scale]) / 2 if high else bound


def range_midpoint(values: ArrayLike | pd.Series) -> NDArray[np.float64]:
    """The midpoints of KuaiLive's ranges, which are strings.

    Args:
        values: (n,) of strings or numbers: ``"24-30"`` is 27, ``"5000+"`` is 5000 (its only bound),
            ``"12"`` is 12, ``"1k-10w"`` is 50,500 (k a thousand, w ten thousand, as KuaiLive-M3
            has them); anything else (``""``, ``"unknown"``, missing) is NaN.

    Returns:
        (n,) float64.
    """
    codes, levels = pd.factorize(pd.Series(values).astype(object))
    midpoints = np.array([*(_midpoint(str(level)) for level in levels), math.nan])
    return midpoints[codes]  # a missing value has the code -1
