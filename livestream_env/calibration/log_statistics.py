"""Statistics of impressions and rooms, logged or simulated alike.

Targets for many of them are in ``data/published_statistics.csv`` (KuaiLive) and
``data/published_twitch.csv``. A viewer is one with an impression; a click is with its viewer.

==============================  ====================================================================
``ctr``                         clicks / impressions
``ctr_drift``                   that of the last seven days less that of the first seven; of logs of
                                at least 14 days
``watch_under_Ts``              share of clicks watched less than T seconds; ``watch_over_60s``:
                                more than 60, ``watch_over_60s_p50_s`` the median of these
``watch_pQ_s``, ``watch_mean_s``  watched seconds of a click
``likes_per_click``, ``comments_per_click``
``gifts_per_click``             share of clicks with a gift
``gifts_per_user``              clicks with a gift per viewer
``gift_price_pQ``, ``_mean``    coins given in a click with a gift; ``gift_price_1``, ``_upto_10``:
                                share of 1 coin, of at most 10; ``_10_over_9``: how often 10 are
                                given for each time of 9
``gift_value_after_300s``       share of the coins given in clicks watched more than 300 s
``gift_gini_users``             Gini coefficient of the coins of viewers who gave any
``gift_value_top_Npct_users``   share of the coins given by the N % of givers who gave most
``gifts_in_reentered_rooms``    share of the gifts that are made in a room that their viewer enters
                                more than once
``gift_rate_with_history``      share of clicks with a gift, of those whose viewer has given to that
                                streamer on an earlier day; ``_without_history``: of the others;
                                ``gift_rate_history_ratio``: the one over the other
``clicks_with_gift_history``    share of clicks with such a past; ``gift_value_with_history``: of
                                the coins
``exposures_per_viewer_day``    impressions / viewers / days
``user_watch_p50_s``, ``_mean_s``  watched seconds of a viewer, of the whole span; ``_pQ_over_p50``:
                                a percentile over the median
``users_under_50``              share of viewers with fewer than 50 interactions
``top_streamer_share_pQ``       of the watched seconds of a viewer, those of her first streamer
``repeat_clicks``               share of clicks whose viewer has clicked on that streamer before
``last_click_familiar``         the same, of each viewer's last click
``room_reentries``              share of clicks whose viewer has entered that room before
``pairs_clicked_N``             share of the pairs of viewer and streamer with N clicks: 1, 2 to 5,
                                6 to 15, over 15
``next_day_return``             share of the clicks whose viewer clicks on the next day, too (the
                                last day of the span is followed by nothing that is known)
``hourly_share``                (24,) share of the watched seconds, by local hour of the impression
``hourly_share_correlation``    its correlation with the published profile
``streamers_under_5``, ``_over_40``  share of streamers with fewer than 5, more than 40 interactions
                                (clicks, likes, comments and clicks with a gift), of those with any
``streamers_gifted``            share of them with a gift
``streamer_gini``               Gini coefficient of the number of different viewers of a streamer
``clicks_top_Npct_streamers``   share of the clicks on the N % of streamers with most;
                                ``gift_value_top_Npct_streamers``: of the coins, of those with any
``daily_click_gini``            Gini coefficient of the clicks of a day's streamers; mean of days
``gift_gini_streamers``         of the coins of streamers who were given any
``streamer_watch_mean_over_p50``  watched seconds of a streamer, mean over median
``rooms_per_streamer_day``      rooms / streamers with a room / days
``room_minutes_pQ``             length of a room, Kaplan-Meier where its end is not known
==============================  ====================================================================

pQ is a percentile over clicks, gifts, viewers or rooms; streamers are those who were clicked on.
Rooms are those that start in the span. Intervals resample viewers; those of rooms and of what is
said of streamers resample streamers.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from livestream_env.calibration.impressions import EVENTS, LogIndex, impressions_of
from livestream_env.calibration.resampling import Statistic, bootstrapped
from livestream_env.calibration.streamer_sums import StreamerSums
from livestream_env.calibration.sums import ImpressionSums, RoomSums
from livestream_env.config import HOURLY_ACTIVITY
from livestream_env.world import DAY_S, World

if TYPE_CHECKING:
    from livestream_env.logs import Logs

# The table of the logs that a statistic cannot do without, besides the clicks.
_NEEDS = {
    "ctr": "negative",
    "ctr_drift": "negative",
    "exposures_per_viewer_day": "negative",
    "likes_per_click": "like",
    "comments_per_click": "comment",
    "gifts_per_click": "gift",
    **{f"gift_price_{what}": "gift" for what in ("p50", "p90", "p99", "mean")},
    **{f"gift_price_{what}": "gift" for what in ("1", "upto_10", "10_over_9")},
    "gift_value_after_300s": "gift",
    "gift_gini_users": "gift",
    "gifts_per_user": "gift",
    "gifts_in_reentered_rooms": "gift",
    **{f"gift_rate_{what}": "gift" for what in ("with_history", "without_history")},
    "gift_rate_history_ratio": "gift",
    "clicks_with_gift_history": "gift",
    "gift_value_with_history": "gift",
    "streamers_gifted": "gift",
    "gift_gini_streamers": "gift",
    **{f"gift_value_top_{n}pct_{of}": "gift" for n in (1, 10) for of in ("users", "streamers")},
}


def statistics(
    logs: Logs,
    bootstrap: int = 200,
    seed: int = 0,
    *,
    index: LogIndex | None = None,
    impressions: NDArray[Any] | None = None,
) -> dict[str, Statistic]:
    """Every statistic of a log, see :mod:`livestream_env.calibration.log_statistics`.

    Args:
        logs: to describe.
        bootstrap: resamples for the intervals; 0 for none.
        seed: of the resamples.
        index: of ``logs``, if at hand.
        impressions: of ``logs`` by that index, if at hand.

    Returns:
        Name → value with a 95 % interval. What the log cannot give (no ``ctr`` without the table
        ``negative``) is NaN, with a reason.
    """
    index = index if index is not None else LogIndex.of(logs)
    if impressions is None:
        impressions = impressions_of(logs, index)
    absent = [name for name in ("negative", *EVENTS) if getattr(logs, name) is None]
    days = days_spanned(impressions)
    of_impressions = impression_statistics(
        impressions, days, absent=absent, bootstrap=bootstrap, seed=seed
    )
    return of_impressions | room_statistics(
        index.streamers(logs.room["streamer_id"].to_numpy()),
        logs.local_s(logs.room["start_timestamp"]),
        logs.local_s(logs.room["end_timestamp"]),
        days,
        censored=logs.room["end_censored"].to_numpy(),
        bootstrap=bootstrap,
        seed=seed,
    )


def world_statistics(
    world: World,
    impressions: NDArray[Any],
    days: int | None = None,
    bootstrap: int = 0,
    seed: int = 0,
) -> dict[str, Statistic]:
    """Every statistic of a world: of impressions simulated in it, and of its rooms.

    Args:
        world: that was played in.
        impressions: (n,) ``IMPRESSION_DTYPE``.
        days: that each of their viewers played; by default as long as they span.
        bootstrap: resamples for the intervals; 0 for none.
        seed: of the resamples.
    """
    rooms = world.rooms
    return impression_statistics(
        impressions, days, bootstrap=bootstrap, seed=seed
    ) | room_statistics(
        rooms["streamer"], rooms["start_s"], rooms["end_s"], world.days,
        bootstrap=bootstrap, seed=seed,
    )  # fmt: skip


def days_spanned(impressions: NDArray[Any]) -> int:
    """Days from the first impression to the last, rounded; at least 1."""
    return max(1, round(float(np.ptp(impressions["start_s"])) / DAY_S))


def impression_statistics(
    impressions: NDArray[Any],
    days: int | None = None,
    *,
    hourly: ArrayLike = HOURLY_ACTIVITY,
    absent: Collection[str] = (),
    bootstrap: int = 0,
    seed: int = 0,
) -> dict[str, Statistic]:
    """Every statistic of impressions, see :mod:`livestream_env.calibration.log_statistics`.

    Args:
        impressions: (n,) ``IMPRESSION_DTYPE``, in any order.
        days: that each viewer was watched for; by default as long as the impressions span.
        hourly: (24,) profile that ``hourly_share_correlation`` refers to.
        absent: tables that the log does not have, of ``negative``, ``like``, ``comment``, ``gift``.
        bootstrap: resamples for the intervals; 0 for none.
        seed: of the resamples.

    Raises:
        ValueError: there is no click among the impressions.
    """
    if not impressions["click"].any():
        raise ValueError("impressions: there is no click among them")
    sums = ImpressionSums(
        impressions, days_spanned(impressions) if days is None else days, np.asarray(hourly)
    )
    if impressions["click"].all():
        absent = {*absent, "negative"}  # an empty table is as good as none
    reasons = {
        name: f"the log has no table {table!r}" for name, table in _NEEDS.items() if table in absent
    }
    viewers = bootstrapped(sums.of_viewers, sums.num_viewers, bootstrap, seed, reasons)
    streamers = StreamerSums(impressions[impressions["click"]])
    return viewers | bootstrapped(
        streamers.of_streamers, streamers.num_streamers, bootstrap, seed, reasons
    )


def room_statistics(
    streamer: NDArray[Any],
    start_s: NDArray[Any],
    end_s: NDArray[Any],
    days: int,
    *,
    censored: NDArray[np.bool_] | None = None,
    bootstrap: int = 0,
    seed: int = 0,
) -> dict[str, Statistic]:
    """How often streamers go live, and for how long.

    Args:
        streamer: (R,) whose room it is, integers from 0 on.
        start_s: (R,) seconds from local midnight of day 0.
        end_s: (R,) likewise.
        days: of the span; rooms that start outside do not count.
        censored: (R,) whether a room may have gone on after ``end_s``; by default none.
        bootstrap: resamples of streamers for the intervals; 0 for none.
        seed: of the resamples.
    """
    inside = (start_s >= 0) & (start_s < days * DAY_S)
    sums = RoomSums(
        streamer[inside],
        (end_s[inside] - start_s[inside]) / 60.0,
        days,
        np.zeros(int(inside.sum()), np.bool_) if censored is None else censored[inside],
    )
    return bootstrapped(sums.of_streamers, sums.num_streamers, bootstrap, seed, {})
