"""What statistics are made of: sums per viewer and per streamer, and functions of their weights."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from livestream_env.calibration.resampling import (
    Histogram,
    Values,
    Weights,
    kaplan_meier_quantile,
    ratio,
    weighted_gini,
    weighted_quantile,
)
from livestream_env.world import DAY_S

LONG_VIEW_S = 300.0

# Statistics that are a sum over viewers divided by another.
_RATIOS = {
    "ctr": ("clicks", "impressions"),
    "watch_under_5s": ("under_5s", "clicks"),
    "watch_under_30s": ("under_30s", "clicks"),
    "watch_under_300s": ("under_300s", "clicks"),
    "watch_mean_s": ("watch_s", "clicks"),
    "likes_per_click": ("likes", "clicks"),
    "comments_per_click": ("comments", "clicks"),
    "gifts_per_click": ("gifts", "clicks"),
    "gift_price_mean": ("coins", "gifts"),
    "gift_value_after_300s": ("coins_after_300s", "coins"),
    "gift_rate_with_history": ("gifts_with_history", "clicks_with_history"),
    "gift_rate_without_history": ("gifts_without_history", "clicks_without_history"),
    "exposures_per_viewer_day": ("impressions", "viewer_days"),
    "user_watch_mean_s": ("watch_s", "viewers"),
    "repeat_clicks": ("repeats", "clicks"),
    "last_click_familiar": ("last_repeats", "viewers_with_click"),
    "next_day_return": ("days_returned", "days_followed"),
}


def clicks_in_order(impressions: NDArray[Any]) -> NDArray[Any]:
    """The clicks among impressions, by viewer, then time."""
    clicks = impressions[impressions["click"]]
    return clicks[np.lexsort((clicks["start_s"], clicks["viewer"]))]


def by_pair(clicks: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Clicks by pair of viewer and streamer.

    Args:
        clicks: (n,), by viewer, then time.

    Returns:
        Their order (n,), by pair, then time; and in that order, which are the first of a pair (n,).
    """
    pair = clicks["viewer"] * (np.int64(clicks["streamer"].max()) + 1) + clicks["streamer"]
    order = np.argsort(pair, kind="stable")
    return order, np.append(True, np.diff(pair[order]) != 0)


class ImpressionSums:
    """Of the impressions of some viewers over some days.

    Args:
        impressions: (n,) ``IMPRESSION_DTYPE``, in any order, with at least one click.
        days: that each viewer was watched for.
        hourly: (24,) profile that ``hourly_share_correlation`` refers to.
    """

    def __init__(self, impressions: NDArray[Any], days: int, hourly: NDArray[np.float64]) -> None:
        shown = np.bincount(impressions["viewer"])
        number = np.cumsum(shown > 0) - 1
        clicks = clicks_in_order(impressions)
        owner = number[clicks["viewer"]]
        self.num_viewers = int(number[-1]) + 1
        self.hourly = hourly
        self.totals = {  # name → (num_viewers,)
            "impressions": shown[shown > 0].astype(np.float64),
            "viewers": np.ones(self.num_viewers),
            "viewer_days": np.full(self.num_viewers, float(days)),
        }
        self._sum_clicks(clicks, owner)
        self._sum_days(clicks, owner, days)
        hour = owner * 24 + (clicks["start_s"] % DAY_S // 3600.0).astype(np.int64)
        self.hours = np.bincount(hour, clicks["watch_s"], self.num_viewers * 24).reshape(-1, 24)
        gift = clicks["gift_value"] > 0
        self.watch = Histogram(clicks["watch_s"], owner, self.num_viewers)
        self.price = Histogram(clicks["gift_value"][gift], owner[gift], self.num_viewers)
        self._rank_streamers(clicks)

    def _sum_clicks(self, clicks: NDArray[Any], owner: NDArray[np.int64]) -> None:
        watch_s, coins = clicks["watch_s"], clicks["gift_value"]
        gift = coins > 0
        order, first = by_pair(clicks)
        gifts_before: NDArray[np.int64] = np.cumsum(gift[order]) - gift[order]
        at_first = np.maximum.accumulate(np.where(first, gifts_before, 0))
        repeat, history = np.empty((2, len(clicks)), np.bool_)
        repeat[order], history[order] = ~first, gifts_before > at_first
        last = np.append(owner[1:] != owner[:-1], True)
        sums = {
            "clicks": np.ones(len(clicks)),
            **{f"under_{t}s": watch_s < t for t in (5, 30, 300)},
            "watch_s": watch_s,
            "likes": clicks["likes"],
            "comments": clicks["comments"],
            "gifts": gift,
            "coins": coins,
            "coins_after_300s": np.where(watch_s > LONG_VIEW_S, coins, 0.0),
            "gifts_with_history": gift & history,
            "clicks_with_history": history,
            "gifts_without_history": gift & ~history,
            "clicks_without_history": ~history,
            "repeats": repeat,
            "viewers_with_click": last,
            "last_repeats": last & repeat,
        }
        for name, values in sums.items():
            self.totals[name] = np.bincount(owner, values, self.num_viewers)

        begin = np.flatnonzero(first)
        top = np.zeros(self.num_viewers)
        watched = np.add.reduceat(watch_s[order].astype(np.float64), begin)
        np.maximum.at(top, owner[order][begin], watched)
        self.top_share = ratio(top, self.totals["watch_s"])
        audience = np.bincount(clicks["streamer"][order][begin])
        self.audience = audience[audience > 0]

    def _sum_days(self, clicks: NDArray[Any], owner: NDArray[np.int64], days: int) -> None:
        span = int(clicks["day"].max()) + 2
        active = np.unique(owner * span + clicks["day"])
        of, day = np.divmod(active, span)
        followed = day + 1 < days
        returned = followed & np.append(np.diff(active) == 1, False)
        self.totals["days_followed"] = np.bincount(of, followed, self.num_viewers)
        self.totals["days_returned"] = np.bincount(of, returned, self.num_viewers)

    def _rank_streamers(self, clicks: NDArray[Any]) -> None:
        gift = clicks["gift_value"] > 0
        each = np.bincount(clicks["streamer"], 1.0 + clicks["likes"] + clicks["comments"] + gift)
        self.interactions = each[each > 0]

    def of_viewers(self, weights: Weights) -> Values:
        """The statistics that resample viewers; weights (B, num_viewers)."""
        table = np.stack(list(self.totals.values()), axis=1)
        sums = dict(zip(self.totals, (weights @ table).T, strict=True))
        values = {name: ratio(sums[above], sums[below]) for name, (above, below) in _RATIOS.items()}
        values["gift_rate_history_ratio"] = ratio(
            values["gift_rate_with_history"], values["gift_rate_without_history"]
        )
        for name, histogram in (("watch_p{}_s", self.watch), ("gift_price_p{}", self.price)):
            counts = histogram.counts(weights)
            for q in (50, 90, 99):
                values[name.format(q)] = weighted_quantile(histogram.values, counts, q / 100)
        watched, weight = _ascending(self.totals["watch_s"], weights)
        values["user_watch_p50_s"] = weighted_quantile(watched, weight, 0.5)
        share, weight = _ascending(self.top_share, weights)
        values["top_streamer_share_p50"] = weighted_quantile(share, weight, 0.5)
        values["top_streamer_share_p90"] = weighted_quantile(share, weight, 0.9)
        coins = np.where(self.totals["coins"] > 0, self.totals["coins"], np.nan)
        values["gift_gini_users"] = weighted_gini(*_ascending(coins, weights))
        hours = weights @ self.hours
        values["hourly_share"] = ratio(hours, hours.sum(axis=1, keepdims=True))
        values["hourly_share_correlation"] = _correlation(values["hourly_share"], self.hourly)
        return values

    def of_streamers(self, weights: Weights) -> Values:
        """The statistics that resample streamers; weights (B, len(interactions))."""
        total = weights.sum(axis=1)
        return {
            "streamers_under_5": weights @ (self.interactions < 5) / total,
            "streamers_over_40": weights @ (self.interactions > 40) / total,
            "streamer_gini": weighted_gini(*_ascending(self.audience, weights)),
        }


class RoomSums:
    """Of rooms that start on some days.

    Args:
        streamer: (R,) integers from 0 on.
        minutes: (R,) for which each room is known to be live.
        days: of the span.
        censored: (R,) whether a room may have gone on.
    """

    def __init__(
        self,
        streamer: NDArray[Any],
        minutes: NDArray[np.float64],
        days: int,
        censored: NDArray[np.bool_],
    ) -> None:
        rooms = np.bincount(streamer)
        number = np.cumsum(rooms > 0) - 1
        self.rooms, self.days = rooms[rooms > 0], days
        self.num_streamers = len(self.rooms)
        self.lengths = Histogram(minutes, number[streamer], self.num_streamers, marked=censored)

    def of_streamers(self, weights: Weights) -> Values:
        """The statistics of rooms; weights (B, num_streamers)."""
        values = {"rooms_per_streamer_day": weights @ self.rooms / weights.sum(axis=1) / self.days}
        ended, censored = self.lengths.counts(weights, False), self.lengths.counts(weights, True)
        for q in (25, 50, 75, 90):
            values[f"room_minutes_p{q}"] = kaplan_meier_quantile(
                self.lengths.values, ended, censored, q / 100
            )
        return values


def _ascending(values: NDArray[Any], weights: Weights) -> tuple[NDArray[Any], Weights]:
    """What is not NaN, sorted, with its weights (B, n)."""
    order = np.argsort(values, kind="stable")
    order = order[: len(order) - np.isnan(values).sum()]  # NaN sorts last
    return values[order], weights[:, order]


def _correlation(shares: NDArray[np.float64], profile: NDArray[np.float64]) -> NDArray[np.float64]:
    """Pearson's, of each row (B, 24) with the profile (24,)."""
    shares = shares - shares.mean(axis=1, keepdims=True)
    profile = profile - profile.mean()
    scale = np.linalg.norm(shares, axis=1) * np.linalg.norm(profile)
    return ratio(shares @ profile, scale)
