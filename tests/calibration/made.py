"""Logs of synthetic worlds, made in memory as the files would be read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from livestream_env import World
from livestream_env.calibration import simulate_world_impressions
from livestream_env.logs import Logs
from livestream_env.simulated_logs.kuailive_tables import ORIGIN_MS
from livestream_env.world import AGE_RANGES, DAY_S, DEVICE_PRICES, GENDERS

_EVENT = ("user_id", "live_id", "streamer_id", "timestamp")


def _milliseconds(seconds: NDArray[Any]) -> NDArray[np.int64]:
    return ORIGIN_MS + np.rint(np.asarray(seconds) * 1000.0).astype(np.int64)


def logs_of(world: World, impressions: NDArray[Any]) -> Logs:
    """The log of ``impressions`` in ``world``; ids of users are numbers + 1000, rooms' + 5000."""
    x = impressions
    event = pd.DataFrame(
        {
            "user_id": x["viewer"].astype(np.int64) + 1000,
            "live_id": x["room"].astype(np.int64) + 5000,
            "streamer_id": x["streamer"].astype(np.int64),
            "timestamp": _milliseconds(x["start_s"]),
        }
    )

    def select(at: NDArray[Any], **more: NDArray[Any]) -> pd.DataFrame:
        return event.iloc[at].assign(**more).reset_index(drop=True)

    every, click = np.arange(len(x)), np.flatnonzero(x["click"])
    gift = np.flatnonzero(x["gift_value"] > 0)
    rooms, viewers = world.rooms, world.viewers
    end = _milliseconds(rooms["end_s"])
    names = np.array(world.category_names)
    return Logs(
        click=select(click, watch_live_time=np.rint(x["watch_s"][click] * 1000.0).astype(np.int64)),
        negative=select(np.flatnonzero(~x["click"])),
        like=select(np.repeat(every, x["likes"])),
        comment=select(np.repeat(every, x["comments"])),
        gift=select(gift, gift_price=x["gift_value"][gift].astype(np.int64)),
        room=pd.DataFrame(
            {
                "live_id": np.arange(len(rooms)) + 5000,
                "streamer_id": rooms["streamer"].astype(np.int64),
                "start_timestamp": _milliseconds(rooms["start_s"]),
                "end_timestamp": end,
                "end_censored": (end - ORIGIN_MS) % (1000 * DAY_S) == 0,
                "live_content_category": pd.Categorical(
                    names[world.streamers["category"][rooms["streamer"]]]
                ),
            }
        ),
        user=pd.DataFrame(
            {
                "user_id": np.arange(len(viewers)) + 1000,
                "age": np.array(AGE_RANGES)[viewers["age"]],
                "gender": np.array(GENDERS)[viewers["gender"]],
                "device_price": np.array(DEVICE_PRICES)[viewers["device_price"]],
                "is_live_streamer": viewers["is_streamer"].astype(str),
                "follow_num": viewers["follow_count"].astype(int).astype(str),
                "fans_num": viewers["fan_count"].astype(int).astype(str),
            }
        ),
        streamer=pd.DataFrame({"streamer_id": np.arange(len(world.streamers))}),
    )


def simulated_logs(
    world: World, viewers: int, days: int, seed: int, config: Mapping[str, float] | None = None
) -> Logs:
    """The log of the first ``viewers`` of ``world``, as the logging policy makes it."""
    return logs_of(
        world,
        simulate_world_impressions(world, viewers=np.arange(viewers), days=days, seed=seed,
                                   config=config),
    )  # fmt: skip
