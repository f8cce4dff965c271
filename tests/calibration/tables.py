"""Small logs and impressions to compute by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from livestream_env.calibration import IMPRESSION_DTYPE
from livestream_env.logs import Logs
from tests.logs.files import at

EVENT = ["user_id", "live_id", "streamer_id", "timestamp"]
STREAMER_OF_ROOM = {10: 5, 11: 6, 12: 6, 13: 8}


def events(rows: Sequence[Sequence[Any]], *more: str) -> pd.DataFrame:
    """A table of events from rows (user, room, hours from local midnight of day 0, ...)."""
    table = pd.DataFrame(
        [
            (user, room, STREAMER_OF_ROOM[room], at(hours), *rest)
            for user, room, hours, *rest in rows
        ],
        columns=[*EVENT, *more],
    )
    table = table.astype(np.int64)
    return table.sort_values(["user_id", "timestamp", "live_id"], kind="stable", ignore_index=True)


def logs(clicks: Sequence[Sequence[Any]], **tables: pd.DataFrame) -> Logs:
    """Logs of users 1, 2, 7, of streamers 5, 6, 8, 9 and of rooms 10 to 13."""
    rooms = list(STREAMER_OF_ROOM)
    room = pd.DataFrame(
        {
            "live_id": rooms,
            "streamer_id": [STREAMER_OF_ROOM[room] for room in rooms],
            "start_timestamp": at(0),
            "end_timestamp": [at(1), at(2), at(3), at(24)],
            "end_censored": [False, False, False, True],
            "live_content_category": pd.Categorical(
                ["shop", "chat", "chat", None], ["unused", "shop", "chat"]
            ),
        }
    )
    return Logs(
        click=events(clicks, "watch_live_time"),
        room=tables.pop("room", room),
        user=pd.DataFrame({"user_id": [1, 2, 7]}),
        streamer=pd.DataFrame({"streamer_id": [5, 6, 8, 9]}),
        **tables,
    )


def impressions(rows: Sequence[tuple[Any, ...]]) -> NDArray[Any]:
    """Impressions from rows (viewer, hours, streamer, watch_s, likes, comments, gift value).

    ``watch_s`` is None where there was no click; what a row leaves out is 0.
    """
    table = np.zeros(len(rows), IMPRESSION_DTYPE)
    for row, (viewer, hours, streamer, watch_s, *acts) in zip(table, rows, strict=True):
        likes, comments, gift_value = (*acts, 0, 0, 0)[:3]
        row["viewer"], row["streamer"], row["room"] = viewer, streamer, streamer
        row["start_s"], row["day"] = 3600.0 * hours, hours // 24
        row["click"], row["watch_s"] = watch_s is not None, watch_s or 0.0
        row["likes"], row["comments"], row["gift_value"] = likes, comments, gift_value
    return table
