"""A world, and exposures in it, in the columns of KuaiLive's files.

Needs the extra ``livestream-env[logs]``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from livestream_env.extras import needs
from livestream_env.logs.writing import COLUMNS, EXPOSURE
from livestream_env.world import AGE_RANGES, DAY_S, DEVICE_PRICES, GENDERS, World

with needs("logs", __name__):
    import pyarrow as pa

FIRST_DAY = np.datetime64("2025-05-05")  # of KuaiLive, in Beijing: day 0 of a world
ORIGIN_MS = 1_746_374_400_000  # its midnight there, as UTC epoch ms
TITLE_DIM = 128
_FANS_PER_POPULARITY = 10_000.0
_ROWS = 2**18  # of a table that is handed out in parts

# What KuaiLive says of people and a world does not know. Ranges as KuaiLive prints them: of what
# accumulates over a life the lowest for viewers, the documentation's examples for streamers.
_ANYONE = {
    "country": "China",
    "device_brand": "unknown",
    "reg_timestamp": "2020-01-01",
    **{f"onehot_feat{i}": 0 for i in range(7)},
}
_ANY_VIEWER = {
    **_ANYONE,
    "first_watch_live_timestamp": "2020-01-01",
    "accu_watch_live_cnt": "0-50000",
    "accu_watch_live_duration": "0-1000000000",
    "is_photo_author": 0,
}
_ANY_STREAMER = {
    **_ANYONE,
    "gender": "unknown",
    "age": "unknown",
    "device_price": "unknown",
    "fans_group_fans_num": "0-10",
    "follow_user_num": "10-100",
    "first_live_timestamp": "2020-01-01",
    "accu_live_cnt": "100-500",
    "accu_live_duration": "500000000-1000000000",
    "accu_play_cnt": "100000-500000",
    "accu_play_duration": "50000000000-100000000000",
}
_COUNTS = ("0-10", "10-100", "100-1000", "1000-10000", "10000-100000", "100000-1000000", "1000000+")


def event_tables(rows: NDArray[Any], world: World) -> dict[str, pa.Table]:
    """Exposures as the tables of events and the sidecar, by file.

    Args:
        rows: (n,) :func:`livestream_env.simulated_logs.simulation.exposure_dtype`.
        world: where they happened.
    """
    watch_ms = np.rint(rows["watch_s"] * 1000.0).astype(np.int64)
    gift_price = rows["gift_value"].astype(np.int64)
    candidates = rows["candidate_rooms"]
    event = {
        "user_id": world.viewer_ids[rows["viewer"]],
        "live_id": world.room_ids[rows["room"]],
        "streamer_id": world.streamer_ids[rows["streamer"]],
        "timestamp": _milliseconds(rows["clock_s"]),
    }

    def select(at: NDArray[Any], **more: NDArray[Any]) -> pa.Table:
        return pa.table({name: column[at] for name, column in {**event, **more}.items()})

    every = np.arange(len(rows))
    return {
        "click": select(rows["click"], watch_live_time=watch_ms),
        "negative": select(~rows["click"]),
        # As in KuaiLive, what a viewer does during a watch bears the moment of her click.
        "like": select(np.repeat(every, rows["likes"])),
        "comment": select(np.repeat(every, rows["comments"])),
        "gift": select(gift_price > 0, gift_price=gift_price),
        EXPOSURE: pa.table(
            {
                **event,
                "session_id": rows["visit"],
                "step": rows["step"],
                "slot": rows["slot"],
                "candidate_live_ids": _lists(
                    np.where(candidates < 0, -1, world.room_ids[candidates])
                ),
                "propensity": pa.array(rows["propensity"], from_pandas=True),  # NaN becomes null
                "click": rows["click"],
                "watch_ms": watch_ms,
                "n_like": rows["likes"],
                "n_comment": rows["comments"],
                "gift_value": gift_price,
                "follow": rows["follow"],
                "terminated": rows["terminated"],
                "latent_satisfaction": rows["satisfaction"],
                "latent_satiation": rows["satiation"],
                "latent_attachment": rows["attachment"],
                "latent_highlight": rows["highlight"],
            }
        ),
    }


def user_table(world: World, viewers: NDArray[np.int64]) -> pa.Table:
    """user.csv of ``viewers``, (V,) rows of the world's."""
    rows = world.viewers[viewers]
    columns = {
        "user_id": world.viewer_ids[viewers],
        "age": np.array(AGE_RANGES)[rows["age"]],
        "gender": np.array(GENDERS)[rows["gender"]],
        "device_price": np.array(DEVICE_PRICES)[rows["device_price"]],
        "fans_num": _count_ranges(rows["fan_count"]),
        "follow_num": _count_ranges(rows["follow_count"]),
        "is_live_streamer": rows["is_streamer"].astype(np.int64),
    }
    return _completed("user", columns, _ANY_VIEWER)


def streamer_table(world: World) -> pa.Table:
    """streamer.csv of all streamers; as many fans as they are popular, 10,000 on average or so."""
    rows = world.streamers
    columns = {
        "streamer_id": world.streamer_ids,
        "live_operation_tag": np.array(world.category_names)[rows["category"]],
        "fans_user_num": _count_ranges(_FANS_PER_POPULARITY * rows["popularity"]),
    }
    return _completed("streamer", columns, _ANY_STREAMER)


def room_tables(world: World, from_s: float, until_s: float) -> Iterator[pa.Table]:
    """room.csv of the rooms live at some time between, in order of their start, in parts.

    A room that began before day 0 is dated with day 0, the first that such a log could have.
    """
    rooms = world.rooms
    live = np.flatnonzero((rooms["end_s"] > from_s) & (rooms["start_s"] < until_s))
    live = live[np.argsort(rooms["start_s"][live], kind="stable")]
    for first in range(0, len(live), _ROWS):
        number = live[first : first + _ROWS]
        rows = rooms[number]
        day = np.maximum(rows["start_s"] // DAY_S, 0).astype(np.int64)
        columns = {
            "p_date": _dates(day),
            "live_id": world.room_ids[number],
            "streamer_id": world.streamer_ids[rows["streamer"]],
            "start_timestamp": _milliseconds(rows["start_s"]),
            "end_timestamp": _milliseconds(rows["end_s"]),
            "live_content_category": np.array(world.category_names)[
                world.streamers["category"][rows["streamer"]]
            ],
            "live_name_id": rows["streamer"].astype(np.int64),
        }
        yield _completed("room", columns, {"live_type": 1})


def title_embeddings(world: World) -> Iterator[NDArray[np.float32]]:
    """(., 128) embeddings of the titles, in parts: one per streamer, row = ``live_name_id``.

    A fixed random projection of the category and the streamer's embedding: titles are alike as far
    as streamers are.
    """
    streamers = world.streamers
    rng = np.random.default_rng(0)
    categories = rng.normal(size=(world.num_categories, TITLE_DIM)) / np.sqrt(TITLE_DIM)
    directions = rng.normal(size=(streamers["embedding"].shape[1], TITLE_DIM)) / np.sqrt(TITLE_DIM)
    for first in range(0, len(streamers), _ROWS):
        rows = streamers[first : first + _ROWS]
        title = categories[rows["category"]] + rows["embedding"].astype(np.float64) @ directions
        yield title.astype(np.float32)


def _milliseconds(clock_s: NDArray[np.float64]) -> NDArray[np.int64]:
    return ORIGIN_MS + np.rint(clock_s * 1000.0).astype(np.int64)


def _dates(day: NDArray[np.int64]) -> NDArray[np.int64]:
    """The dates of days from 0, as integers yyyymmdd."""
    texts = np.datetime_as_string(FIRST_DAY + np.arange(int(day.max()) + 1))
    return np.array([int(text.replace("-", "")) for text in texts.tolist()])[day]


def _count_ranges(values: ArrayLike) -> NDArray[np.str_]:
    """KuaiLive's ranges of counts."""
    bounds = 10.0 ** np.arange(1, len(_COUNTS))
    return np.array(_COUNTS)[np.searchsorted(bounds, values, side="right")]


def _lists(values: NDArray[Any]) -> pa.ListArray:
    """A list per row of ``values`` (n, m)."""
    ends = np.arange(0, values.size + 1, values.shape[1], dtype=np.int32)
    return pa.ListArray.from_arrays(ends, values.ravel())


def _completed(name: str, columns: dict[str, Any], constants: Mapping[str, Any]) -> pa.Table:
    """``columns`` and ``constants`` in the order of the file ``name``."""
    count = len(next(iter(columns.values())))
    columns |= {key: pa.repeat(value, count) for key, value in constants.items()}
    return pa.table({key: columns[key] for key in COLUMNS[name]})
