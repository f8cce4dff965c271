"""What statistics of streamers are made of: sums per streamer, and functions of their weights."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from livestream_env.calibration.resampling import (
    Values,
    Weights,
    ascending,
    ratio,
    top_share,
    weighted_gini,
    weighted_quantile,
)

STREAMER_STATISTICS = (
    "streamers_under_5",
    "streamers_over_40",
    "streamers_gifted",
    "streamer_gini",
    "streamer_watch_mean_over_p50",
    "daily_click_gini",
    "gift_gini_streamers",
    *(f"{what}_top_{n}pct_streamers" for what in ("clicks", "gift_value") for n in (1, 10)),
)


class StreamerSums:
    """Of the streamers who were clicked on.

    Args:
        clicks: (n,) ``IMPRESSION_DTYPE``, in any order, at least one.
    """

    def __init__(self, clicks: NDArray[Any]) -> None:
        number = np.cumsum(np.bincount(clicks["streamer"]) > 0) - 1
        owner = number[clicks["streamer"]]
        gift = clicks["gift_value"] > 0
        self.num_streamers = int(number[-1]) + 1
        self.clicks = self._sum(owner, None)
        self.interactions = self._sum(owner, 1.0 + clicks["likes"] + clicks["comments"] + gift)
        self.watch_s = self._sum(owner, clicks["watch_s"])
        self.coins = self._sum(owner, clicks["gift_value"])
        span = np.int64(clicks["viewer"].max()) + 1
        pair = np.unique(owner * span + clicks["viewer"])
        self.audience = self._sum(pair // span, None)
        # Of each day: who was clicked on, and how often.
        days = [self._sum(owner[clicks["day"] == day], None) for day in np.unique(clicks["day"])]
        self.days = [(np.flatnonzero(count), count[count > 0]) for count in days]

    def _sum(self, owner: NDArray[np.int64], values: NDArray[Any] | None) -> NDArray[np.float64]:
        return np.bincount(owner, values, self.num_streamers).astype(np.float64)

    def of_streamers(self, weights: Weights) -> Values:
        """The statistics that resample streamers; weights (B, num_streamers)."""
        total = weights.sum(axis=1)
        gifted = np.where(self.coins > 0, self.coins, np.nan)
        watched, weight = ascending(self.watch_s, weights)
        mean = ratio(weights @ self.watch_s, total)
        values = {
            "streamers_under_5": weights @ (self.interactions < 5) / total,
            "streamers_over_40": weights @ (self.interactions > 40) / total,
            "streamers_gifted": weights @ (self.coins > 0) / total,
            "streamer_gini": weighted_gini(*ascending(self.audience, weights)),
            "streamer_watch_mean_over_p50": ratio(mean, weighted_quantile(watched, weight, 0.5)),
            "gift_gini_streamers": weighted_gini(*ascending(gifted, weights)),
            "daily_click_gini": self._daily_gini(weights),
        }
        for name, shared in (("clicks", self.clicks), ("gift_value", gifted)):
            for percent in (1, 10):
                values[f"{name}_top_{percent}pct_streamers"] = top_share(
                    *ascending(shared, weights), percent / 100
                )
        return values

    def _daily_gini(self, weights: Weights) -> NDArray[np.float64]:
        """Mean over the days of the Gini coefficient of the clicks of that day's streamers."""
        return np.mean(
            [weighted_gini(*ascending(count, weights[:, who])) for who, count in self.days], axis=0
        )
