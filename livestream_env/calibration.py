"""Statistics of impressions, to hold a simulated world against published logs."""

from __future__ import annotations

import csv
import math
import os
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from livestream_env.config import HOURLY_ACTIVITY
from livestream_env.vector_env import LiveStreamRecVectorEnv
from livestream_env.world import DAY_S, World

IMPRESSION_DTYPE = np.dtype(
    [
        ("episode", "i8"),  # which viewer-day (or viewer-week)
        ("day", "i4"),  # of the episode, from 0
        ("start_s", "f8"),  # moment of the impression, seconds from midnight of day 0
        ("streamer", "i4"),
        ("click", "?"),
        ("watch_s", "f8"),
        ("likes", "i4"),
        ("comments", "i4"),
        ("gift_value", "f8"),
        ("follow", "?"),
    ]
)


class ActsOnObservations(Protocol):
    """Anything with Stable-Baselines3's ``predict``."""

    def predict(self, observation: Any) -> tuple[Any, Any]:
        """Actions for a batch of observations, and a state that is ignored."""


def simulate_impressions(
    policy: ActsOnObservations, env: LiveStreamRecVectorEnv, episodes: int, seed: int
) -> NDArray[Any]:
    """Play ``episodes`` with ``policy`` and log what was shown.

    Every viewer slot plays the same number of episodes (rounded up), so that short ones are not
    favoured.

    Args:
        policy: what chooses.
        env: a vector environment with ``autoreset_mode="NextStep"``.
        episodes: how many to play, at least.
        seed: of the viewer-days.

    Returns:
        Impressions, structured (n,) ``IMPRESSION_DTYPE``, by time of play.
    """
    per_slot = math.ceil(episodes / env.num_envs)
    slots = np.arange(env.num_envs)
    done = np.zeros(env.num_envs, np.int64)
    observation, info = env.reset(seed=seed)
    ended = np.zeros(env.num_envs, np.bool_)
    log = []
    while (playing := done < per_slot).any():
        start_s = info["clock_s"]
        day = (start_s - env.simulation.slots["start_s"]) // DAY_S
        actions, _ = policy.predict(observation)
        observation, _, terminated, truncated, info = env.step(actions)
        shown = playing & ~ended & (info["room"] >= 0)
        rows = np.zeros(int(shown.sum()), IMPRESSION_DTYPE)
        rows["episode"] = (done * env.num_envs + slots)[shown]
        rows["day"], rows["start_s"] = day[shown], start_s[shown]
        for name in ("streamer", "click", "watch_s", "likes", "comments", "gift_value", "follow"):
            rows[name] = info[name][shown]
        log.append(rows)
        ended = terminated | truncated
        done += ended
    return np.concatenate(log)


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
        np.unique(impressions["episode"])
    )
    hour = (clicks["start_s"] % DAY_S // 3600).astype(np.int64)
    share = np.bincount(hour, weights=watch_s, minlength=24)
    statistics["hourly_share_correlation"] = float(np.corrcoef(share, HOURLY_ACTIVITY)[0, 1])
    return statistics


def weekly_statistics(impressions: NDArray[Any]) -> dict[str, float]:
    """Loyalty and return of logged viewer-weeks, names as in ``data/published_statistics.csv``."""
    clicks = impressions[impressions["click"]]
    active = {
        (int(row["episode"]), int(row["day"])) for row in np.unique(clicks[["episode", "day"]])
    }
    returned = [(e, d + 1) in active for e, d in active if d < clicks["day"].max()]
    pairs, at = np.unique(
        np.stack([clicks["episode"], clicks["streamer"]]), axis=1, return_inverse=True
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


@dataclass(frozen=True)
class PublishedStatistic:
    """One row of ``data/published_statistics.csv``."""

    statistic: str
    value: float
    tolerance: float
    kind: str  # of the tolerance: "absolute" or "relative"
    unit: str
    required: bool
    source: str

    @property
    def bounds(self) -> tuple[float, float]:
        """Lowest and highest simulated value that passes."""
        slack = self.tolerance * (abs(self.value) if self.kind == "relative" else 1.0)
        return self.value - slack, self.value + slack

    def accepts(self, simulated: float) -> bool:
        """Whether a simulated value is within the tolerance (NaN is not)."""
        low, high = self.bounds
        return low <= simulated <= high


def read_published_statistics(path: str | os.PathLike[str]) -> list[PublishedStatistic]:
    """Read the table of targets.

    Raises:
        ValueError: a row has an unknown kind of tolerance.
    """
    with open(path, newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    for row in rows:
        if row["kind"] not in ("absolute", "relative"):
            raise ValueError(
                f"{os.fspath(path)}: kind of {row['statistic']} must be absolute or relative, "
                f"got {row['kind']!r}"
            )
    return [
        PublishedStatistic(
            statistic=row["statistic"],
            value=float(row["value"]),
            tolerance=float(row["tolerance"]),
            kind=row["kind"],
            unit=row["unit"],
            required=row["required"] == "yes",
            source=row["source"],
        )
        for row in rows
    ]
