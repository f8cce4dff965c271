"""What statistics are made of: sums per viewer and of rooms, and functions of their weights."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from livestream_env.calibration.resampling import (
    Histogram,
    Values,
    Weights,
    ascending,
    kaplan_meier_quantile,
    ratio,
    top_share,
    weighted_gini,
    weighted_quantile,
)
from livestream_env.world import DAY_S

LONG_VIEW_S = 300.0
WEEK_DAYS = 7  # at the begin and at the end of a log, for ``ctr_drift``
# Clicks of a viewer on a streamer, as Twitch-Livestream-EDA counts them.
_PAIR_SIZES = {"1": (1, 1), "2_5": (2, 5), "6_15": (6, 15), "over_15": (16, np.inf)}

# Statistics that are a sum over viewers divided by another.
_RATIOS = {
    "ctr": ("clicks", "impressions"),
    "watch_under_5s": ("under_5s", "clicks"),
    "watch_under_30s": ("under_30s", "clicks"),
    "watch_under_300s": ("under_300s", "clicks"),
    "watch_over_60s": ("over_60s", "clicks"),
    "watch_mean_s": ("watch_s", "clicks"),
    "likes_per_click": ("likes", "clicks"),
    "comments_per_click": ("comments", "clicks"),
    "gifts_per_click": ("gifts", "clicks"),
    "gift_price_mean": ("coins", "gifts"),
    "gift_price_1": ("gifts_of_1", "gifts"),
    "gift_price_upto_10": ("gifts_upto_10", "gifts"),
    "gift_price_10_over_9": ("gifts_of_10", "gifts_of_9"),
    "gift_value_after_300s": ("coins_after_300s", "coins"),
    "gifts_in_reentered_rooms": ("gifts_reentered", "gifts"),
    "gifts_per_user": ("gifts", "viewers"),
    "clicks_with_gift_history": ("clicks_with_history", "clicks"),
    "gift_value_with_history": ("coins_with_history", "coins"),
    "gift_rate_with_history": ("gifts_with_history", "clicks_with_history"),
    "gift_rate_without_history": ("gifts_without_history", "clicks_without_history"),
    "exposures_per_viewer_day": ("impressions", "viewer_days"),
    "user_watch_mean_s": ("watch_s", "viewers"),
    "repeat_clicks": ("repeats", "clicks"),
    "last_click_familiar": ("last_repeats", "viewers_with_click"),
    "room_reentries": ("reentries", "clicks"),
    **{f"pairs_clicked_{size}": (f"pairs_{size}", "pairs") for size in _PAIR_SIZES},
    "users_under_50": ("under_50_interactions", "viewers"),
    "next_day_return": ("clicks_returned", "clicks_followed"),
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
        self._sum_weeks(impressions, number, days)
        self._sum_clicks(clicks, owner)
        self._sum_pairs(clicks, owner)
        self._sum_days(clicks, owner, days)
        hour = owner * 24 + (clicks["start_s"] % DAY_S // 3600.0).astype(np.int64)
        self.hours = np.bincount(hour, clicks["watch_s"], self.num_viewers * 24).reshape(-1, 24)
        gift = clicks["gift_value"] > 0
        long = clicks["watch_s"] > 60.0
        self.watch = Histogram(clicks["watch_s"], owner, self.num_viewers)
        self.watch_over_60s = Histogram(clicks["watch_s"][long], owner[long], self.num_viewers)
        self.price = Histogram(clicks["gift_value"][gift], owner[gift], self.num_viewers)

    def _add(self, owner: NDArray[np.int64], **values: NDArray[Any]) -> None:
        """Sum (n,) values of the viewers ``owner`` (n,) into ``totals``."""
        for name, each in values.items():
            self.totals[name] = np.bincount(owner, each, self.num_viewers)

    def _sum_weeks(self, impressions: NDArray[Any], number: NDArray[np.int64], days: int) -> None:
        """Impressions and clicks of the first and of the last week, if these are two."""
        day = (impressions["start_s"] - impressions["start_s"].min()) / DAY_S
        long = days >= 2 * WEEK_DAYS
        weeks = {"first": long & (day < WEEK_DAYS), "last": long & (day >= days - WEEK_DAYS)}
        owner = number[impressions["viewer"]]
        for name, within in weeks.items():
            self._add(
                owner,
                **{
                    f"impressions_{name}_week": within,
                    f"clicks_{name}_week": within & impressions["click"],
                },
            )

    def _sum_clicks(self, clicks: NDArray[Any], owner: NDArray[np.int64]) -> None:
        watch_s, coins = clicks["watch_s"], clicks["gift_value"]
        gift = coins > 0
        self._add(
            owner,
            clicks=np.ones(len(clicks)),
            under_5s=watch_s < 5,
            under_30s=watch_s < 30,
            under_300s=watch_s < 300,
            over_60s=watch_s > 60,
            watch_s=watch_s,
            likes=clicks["likes"],
            comments=clicks["comments"],
            gifts=gift,
            gifts_of_1=coins == 1,
            gifts_of_9=coins == 9,
            gifts_of_10=coins == 10,
            gifts_upto_10=gift & (coins <= 10),
            coins=coins,
            coins_after_300s=np.where(watch_s > LONG_VIEW_S, coins, 0.0),
        )
        interactions = sum(self.totals[name] for name in ("clicks", "likes", "comments", "gifts"))
        self.totals["under_50_interactions"] = np.asarray(interactions < 50, np.float64)

    def _sum_pairs(self, clicks: NDArray[Any], owner: NDArray[np.int64]) -> None:
        """What depends on earlier clicks on the same streamer, or on the same room."""
        coins = clicks["gift_value"]
        gift = coins > 0
        order, first = by_pair(clicks)
        begin = np.flatnonzero(first)
        repeat, history = np.empty((2, len(clicks)), np.bool_)
        repeat[order] = ~first
        # A gift is history from the next day on, as in the published figures.
        new_day = first | np.append(True, np.diff(clicks["day"][order]) != 0)
        gifts_before: NDArray[np.int64] = np.cumsum(gift[order]) - gift[order]
        at_first, at_day = (
            np.maximum.accumulate(np.where(begins, gifts_before, 0)) for begins in (first, new_day)
        )
        history[order] = at_day > at_first
        last = np.append(owner[1:] != owner[:-1], True)
        in_room = clicks["viewer"] * (np.int64(clicks["room"].max()) + 1) + clicks["room"]
        _, entered, place, entries = np.unique(
            in_room, return_index=True, return_inverse=True, return_counts=True
        )
        reentry = np.ones(len(clicks))
        reentry[entered] = 0.0
        self._add(
            owner,
            gifts_with_history=gift & history,
            clicks_with_history=history,
            coins_with_history=np.where(history, coins, 0.0),
            gifts_without_history=gift & ~history,
            clicks_without_history=~history,
            repeats=repeat,
            viewers_with_click=last,
            last_repeats=last & repeat,
            reentries=reentry,
            gifts_reentered=gift & (entries[place] > 1),
        )
        of_pair, size = owner[order][begin], np.diff(np.append(begin, len(clicks)))
        self._add(
            of_pair,
            pairs=np.ones(len(size)),
            **{
                f"pairs_{n}": (low <= size) & (size <= high)
                for n, (low, high) in _PAIR_SIZES.items()
            },
        )
        top = np.zeros(self.num_viewers)
        watched = np.add.reduceat(clicks["watch_s"][order].astype(np.float64), begin)
        np.maximum.at(top, of_pair, watched)
        self.top_streamer_share = ratio(top, self.totals["watch_s"])

    def _sum_days(self, clicks: NDArray[Any], owner: NDArray[np.int64], days: int) -> None:
        """Clicks on days of which the next one is known, and those whose viewer clicks then."""
        span = int(clicks["day"].max()) + 2
        active, number = np.unique(owner * np.int64(span) + clicks["day"], return_inverse=True)
        next_too = np.append(np.diff(active) == 1, False)
        followed = clicks["day"] + 1 < days
        self._add(owner, clicks_followed=followed, clicks_returned=followed & next_too[number])

    def of_viewers(self, weights: Weights) -> Values:
        """The statistics that resample viewers; weights (B, num_viewers)."""
        table = np.stack(list(self.totals.values()), axis=1)
        sums = dict(zip(self.totals, (weights @ table).T, strict=True))
        values = {name: ratio(sums[above], sums[below]) for name, (above, below) in _RATIOS.items()}
        values["gift_rate_history_ratio"] = ratio(
            values["gift_rate_with_history"], values["gift_rate_without_history"]
        )
        values["ctr_drift"] = ratio(
            sums["clicks_last_week"], sums["impressions_last_week"]
        ) - ratio(sums["clicks_first_week"], sums["impressions_first_week"])
        for name, histogram in (("watch_p{}_s", self.watch), ("gift_price_p{}", self.price)):
            counts = histogram.counts(weights)
            for q in (50, 90, 99):
                values[name.format(q)] = weighted_quantile(histogram.values, counts, q / 100)
        counts = self.watch_over_60s.counts(weights)
        values["watch_over_60s_p50_s"] = weighted_quantile(self.watch_over_60s.values, counts, 0.5)
        watched, weight = ascending(self.totals["watch_s"], weights)
        values["user_watch_p50_s"] = weighted_quantile(watched, weight, 0.5)
        for q in (90, 99):
            values[f"user_watch_p{q}_over_p50"] = ratio(
                weighted_quantile(watched, weight, q / 100), values["user_watch_p50_s"]
            )
        share, weight = ascending(self.top_streamer_share, weights)
        values["top_streamer_share_p50"] = weighted_quantile(share, weight, 0.5)
        values["top_streamer_share_p90"] = weighted_quantile(share, weight, 0.9)
        coins = np.where(self.totals["coins"] > 0, self.totals["coins"], np.nan)
        coins, weight = ascending(coins, weights)
        values["gift_gini_users"] = weighted_gini(coins, weight)
        for percent in (1, 10):
            values[f"gift_value_top_{percent}pct_users"] = top_share(coins, weight, percent / 100)
        hours = weights @ self.hours
        values["hourly_share"] = ratio(hours, hours.sum(axis=1, keepdims=True))
        values["hourly_share_correlation"] = _correlation(values["hourly_share"], self.hourly)
        return values


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


def _correlation(shares: NDArray[np.float64], profile: NDArray[np.float64]) -> NDArray[np.float64]:
    """Pearson's, of each row (B, 24) with the profile (24,)."""
    shares = shares - shares.mean(axis=1, keepdims=True)
    profile = profile - profile.mean()
    scale = np.linalg.norm(shares, axis=1) * np.linalg.norm(profile)
    return ratio(shares @ profile, scale)
