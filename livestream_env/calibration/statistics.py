"""Statistics of impressions, to hold a simulated world against logs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from livestream_env.config import HOURLY_ACTIVITY
from livestream_env.world import DAY_S, World


def impression_statistics(impressions: NDArray[Any]) -> dict[str, float]:
    """Rates, watch times, gifts and daily rhythm of logged viewer-days.

    Returns:
        Name → value, names and units as in ``data/published_statistics.csv``. Statistics of gifts
        are NaN where there is none.
    """
    clicks = impressions[impressions["click"]]
    watch_s, gifts = clicks["watch_s"], clicks[clicks["gift_value"] > 0]
    if not len(clicks):
        raise ValueError("impressions: there is no click among them")
    statistics = {
        "ctr": len(clicks) / len(impressions),
        **{f"watch_under_{t}s": float(np.mean(watch_s < t)) for t in (5, 30, 300)},
        **{f"watch_p{q}_s": float(np.percentile(watch_s, q)) for q in (50, 90, 99)},
        "watch_mean_s": float(watch_s.mean()),
        "likes_per_click": float(clicks["likes"].mean()),
        "comments_per_click": float(clicks["comments"].mean()),
        "gifts_per_click": len(gifts) / len(clicks),
    }
    value = gifts["gift_value"] if len(gifts) else np.array([np.nan])
    statistics |= {f"gift_price_p{q}": float(np.percentile(value, q)) for q in (50, 90, 99)}
    statistics["gift_price_mean"] = float(value.mean())
    statistics["gift_value_after_300s"] = float(
        gifts["gift_value"][gifts["watch_s"] > 300].sum() / value.sum()
    )
    statistics["exposures_per_viewer_day"] = len(impressions) / len(
        np.unique(impressions["viewer"])
    )
    hour = (clicks["start_s"] % DAY_S // 3600).astype(np.int64)
    share = np.bincount(hour, weights=watch_s, minlength=24)
    statistics["hourly_share_correlation"] = float(np.corrcoef(share, HOURLY_ACTIVITY)[0, 1])
    return statistics


def weekly_statistics(impressions: NDArray[Any]) -> dict[str, float]:
    """Loyalty and return of logged viewer-weeks, names as in ``data/published_statistics.csv``."""
    clicks = impressions[impressions["click"]]
    active = {(int(row["viewer"]), int(row["day"])) for row in np.unique(clicks[["viewer", "day"]])}
    returned = [(e, d + 1) in active for e, d in active if d < clicks["day"].max()]
    pairs, at = np.unique(
        np.stack([clicks["viewer"], clicks["streamer"]]), axis=1, return_inverse=True
    )
    watched = np.bincount(at.ravel(), weights=clicks["watch_s"])
    episodes, owner = np.unique(pairs[0], return_inverse=True)
    top = np.zeros(len(episodes))
    np.maximum.at(top, owner, watched)
    share = top / np.maximum(np.bincount(owner, weights=watched), 1e-9)
    return {
        "next_day_return": float(np.mean(returned)),
        "top_streamer_share_p50": float(np.percentile(share, 50)),
        "top_streamer_share_p90": float(np.percentile(share, 90)),
    }


def room_statistics(world: World) -> dict[str, float]:
    """Lengths and frequency of the rooms that start on the world's playable days."""
    rooms = world.rooms[
        (world.rooms["start_s"] >= 0) & (world.rooms["start_s"] < world.days * DAY_S)
    ]
    minutes = (rooms["end_s"] - rooms["start_s"]) / 60.0
    return {
        "rooms_per_streamer_day": len(rooms) / len(world.streamers) / world.days,
        **{f"room_minutes_p{q}": float(np.percentile(minutes, q)) for q in (25, 50, 75, 90)},
    }
