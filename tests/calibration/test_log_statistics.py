"""Statistics of impressions and rooms, against values computed by hand."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from livestream_env.calibration import (
    days_spanned,
    impression_statistics,
    read_published_statistics,
    room_statistics,
    simulate_world_impressions,
    statistics,
    world_statistics,
)
from livestream_env.config import HOURLY_ACTIVITY
from tests.calibration.tables import events, impressions, logs

DATA = Path(__file__).parents[2] / "data"
DAYS = 3
ROWS = [  # viewer, hours, streamer, watch_s (None: no click), likes, comments, gift value
    (0, 10, 0, 2.0, 1),
    (0, 11, 1, None),
    (0, 12, 0, 400.0, 0, 0, 10),
    (0, 34, 0, 10.0, 0, 0, 3),
    (0, 57, 2, 100.0),
    (1, 20, 1, 4.0),
    (1, 68, 1, 1000.0, 0, 2, 7),
    (5, 0, 0, None),
]
BY_HAND = {
    "ctr": 6 / 8,
    "watch_under_5s": 2 / 6,
    "watch_under_30s": 3 / 6,
    "watch_under_300s": 4 / 6,
    "watch_p50_s": 10.0,
    "watch_p90_s": 1000.0,
    "watch_p99_s": 1000.0,
    "watch_mean_s": 1516 / 6,
    "likes_per_click": 1 / 6,
    "comments_per_click": 2 / 6,
    "gifts_per_click": 3 / 6,
    "gift_price_p50": 7.0,
    "gift_price_p90": 10.0,
    "gift_price_p99": 10.0,
    "gift_price_mean": 20 / 3,
    "gift_value_after_300s": 17 / 20,
    "gift_gini_users": 6 / 2 / 20,  # 13 and 7: mean difference over twice the mean
    "gift_rate_with_history": 1.0,  # viewer 0 to streamer 0, the third time
    "gift_rate_without_history": 2 / 5,
    "gift_rate_history_ratio": 2.5,
    "exposures_per_viewer_day": 8 / 3 / DAYS,
    "user_watch_p50_s": 512.0,
    "user_watch_mean_s": 1516 / 3,
    "top_streamer_share_p50": 412 / 512,
    "top_streamer_share_p90": 1.0,
    "repeat_clicks": 3 / 6,
    "last_click_familiar": 1 / 2,
    "next_day_return": 3 / 4,  # of the clicks of days 0 and 1, not the one of viewer 1
    "watch_over_60s": 3 / 6,
    "watch_over_60s_p50_s": 400.0,
    "gift_price_1": 0.0,
    "gift_price_upto_10": 1.0,
    "gifts_in_reentered_rooms": 1.0,  # both rooms with gifts were entered more than once
    "gifts_per_user": 3 / 3,
    "gift_value_top_1pct_users": 0.02 * 13 / 20,  # a fiftieth of the first of two givers
    "gift_value_top_10pct_users": 0.2 * 13 / 20,
    "clicks_with_gift_history": 1 / 6,  # gifts count from the next day on
    "gift_value_with_history": 3 / 20,
    "room_reentries": 3 / 6,
    "pairs_clicked_1": 1 / 3,
    "pairs_clicked_2_5": 2 / 3,
    "pairs_clicked_6_15": 0.0,
    "pairs_clicked_over_15": 0.0,
    "users_under_50": 1.0,
    "user_watch_p90_over_p50": 1004 / 512,
    "user_watch_p99_over_p50": 1004 / 512,
    "streamers_under_5": 1 / 3,  # 6, 5 and 1 interactions
    "streamers_over_40": 0.0,
    "streamers_gifted": 2 / 3,
    "streamer_gini": 0.0,  # each has one viewer who clicks
    "streamer_watch_mean_over_p50": 1516 / 3 / 412,
    "daily_click_gini": 1 / 18,  # 2 clicks and 1 on the first day, then equal ones
    "clicks_top_1pct_streamers": 0.03 * 3 / 6,
    "clicks_top_10pct_streamers": 0.3 * 3 / 6,
    "gift_gini_streamers": 6 / 2 / 20,
    "gift_value_top_1pct_streamers": 0.02 * 13 / 20,
    "gift_value_top_10pct_streamers": 0.2 * 13 / 20,
}
# What there is not in these rows: two weeks, a gift of 9 coins.
ABSENT = ("ctr_drift", "gift_price_10_over_9")


def test_values_computed_by_hand():
    found = impression_statistics(impressions(ROWS), DAYS)
    assert {name: found[name].value for name in BY_HAND} == pytest.approx(BY_HAND, rel=1e-6)
    assert set(found) == {*BY_HAND, *ABSENT, "hourly_share", "hourly_share_correlation"}
    assert all(found[name].reason for name in ABSENT)


def test_a_room_is_entered_again_but_not_another_one_of_its_streamer():
    rows = impressions([(0, 1, 7, 1.0, 0, 0, 5), (0, 2, 7, 1.0), (0, 3, 7, 1.0, 0, 0, 5),
                        (0, 4, 7, None), (1, 1, 7, 1.0)])  # fmt: skip
    rows["room"] = [0, 0, 1, 1, 0]
    found = impression_statistics(rows)
    assert found["room_reentries"].value == pytest.approx(1 / 4)
    assert found["gifts_in_reentered_rooms"].value == pytest.approx(1 / 2)
    assert found["pairs_clicked_1"].value == pytest.approx(1 / 2)


def test_a_gift_is_history_from_the_next_day_on():
    rows = [(0, 10, 3, 1.0, 0, 0, 5), (0, 11, 3, 1.0, 0, 0, 5), (0, 30, 3, 1.0, 0, 0, 30)]
    found = impression_statistics(impressions([*rows, (0, 31, 4, 1.0)]))
    assert found["clicks_with_gift_history"].value == pytest.approx(1 / 4)
    assert found["gift_rate_with_history"].value == 1.0
    assert found["gift_rate_without_history"].value == pytest.approx(2 / 3)
    assert found["gift_value_with_history"].value == pytest.approx(30 / 40)


def test_prices_that_stand_out():
    coins = [1, 1, 9, 10, 10, 10, 11, 300]
    rows = impressions([(0, 1, 0, 1.0, 0, 0, price) for price in coins])
    found = impression_statistics(rows)
    assert found["gift_price_10_over_9"].value == 3.0
    assert found["gift_price_1"].value == pytest.approx(2 / 8)
    assert found["gift_price_upto_10"].value == pytest.approx(6 / 8)


def test_drift_is_from_the_first_week_to_the_last():
    hours = [5, 6, 24 * 8, 24 * 14 + 6, 24 * 21 + 4]  # days of a log begin with its first row
    watch_s = [1.0, None, 1.0, 1.0, 1.0]
    rows = impressions([(0, hour, 0, s) for hour, s in zip(hours, watch_s, strict=True)])
    found = impression_statistics(rows, days=21, bootstrap=10)["ctr_drift"]
    assert found.value == found.low == 1.0 - 0.5
    assert impression_statistics(rows, days=13)["ctr_drift"].reason


def test_pairs_by_how_often_they_meet():
    counts = (1, 1, 2, 5, 6, 15, 16, 40)
    clicks = [(0, hour, streamer, 1.0) for streamer, n in enumerate(counts) for hour in range(n)]
    found = impression_statistics(impressions(clicks))
    shares = [found[f"pairs_clicked_{n}"].value for n in ("1", "2_5", "6_15", "over_15")]
    assert shares == pytest.approx([2 / 8] * 4)
    assert found["users_under_50"].value == 0.0


def test_hourly_share_is_of_watched_time_by_local_hour():
    found = impression_statistics(impressions(ROWS), DAYS)
    expected = np.zeros(24)
    expected[[9, 10, 12, 20]] = np.array([100.0, 12.0, 400.0, 1004.0]) / 1516
    assert found["hourly_share"].value == pytest.approx(expected, rel=1e-6)
    correlation = np.corrcoef(expected, HOURLY_ACTIVITY)[0, 1]
    assert found["hourly_share_correlation"].value == pytest.approx(correlation)
    other = impression_statistics(impressions(ROWS), DAYS, hourly=expected)
    assert other["hourly_share_correlation"].value == pytest.approx(1.0)


def test_order_of_the_rows_does_not_matter():
    rows = impressions(ROWS)
    shuffled = rows[np.random.default_rng(0).permutation(len(rows))]
    before = impression_statistics(rows, DAYS, bootstrap=20)
    after = impression_statistics(shuffled, DAYS, bootstrap=20)
    for name, one in before.items():
        for part in ("value", "low", "high"):
            assert getattr(after[name], part) == pytest.approx(getattr(one, part), nan_ok=True)


def test_days_are_as_many_as_the_impressions_span():
    rows = impressions([(0, 4, 0, 1.0), (0, 4 + 24 * 7 - 1, 0, 1.0)])
    assert days_spanned(rows) == 7
    assert impression_statistics(rows)["exposures_per_viewer_day"].reason
    assert days_spanned(rows[:1]) == 1


def test_the_last_day_is_followed_by_nothing_that_is_known():
    rows = impressions([(0, 12, 0, 1.0), (0, 36, 0, 1.0), (1, 36, 0, 1.0)])
    assert impression_statistics(rows, days=2)["next_day_return"].value == 1.0
    more = np.concatenate([rows, rows[2:], impressions([(1, 12, 0, 1.0), (2, 12, 0, 1.0)])])
    assert impression_statistics(more, days=2)["next_day_return"].value == pytest.approx(2 / 3)
    assert impression_statistics(rows, days=1)["next_day_return"].reason


def test_no_click_is_an_error():
    with pytest.raises(ValueError, match="no click"):
        impression_statistics(impressions([(0, 1, 0, None)]))


def test_logs_without_tables_say_so():
    found = statistics(logs([(1, 10, 20, 2000), (2, 10, 24, 9)]), bootstrap=10)
    for name, table in {
        "ctr": "negative",
        "exposures_per_viewer_day": "negative",
        "likes_per_click": "like",
        "comments_per_click": "comment",
        "gifts_per_click": "gift",
        "gift_price_p50": "gift",
        "gift_gini_users": "gift",
        "gift_rate_history_ratio": "gift",
        "ctr_drift": "negative",
        **{name: "gift" for name in found if name.startswith("gift") or "gifted" in name},
    }.items():
        assert math.isnan(found[name].value)
        assert math.isnan(found[name].low)
        assert found[name].reason == f"the log has no table {table!r}"
    assert found["watch_mean_s"].value == pytest.approx(2.009 / 2)
    assert not found["watch_mean_s"].reason


def test_no_gift_is_no_missing_table():
    none = events([], "gift_price")
    found = statistics(logs([(1, 10, 20, 2000), (2, 10, 24, 9)], gift=none), bootstrap=10)
    assert found["gifts_per_click"].value == 0.0
    assert found["gifts_per_click"].high == 0.0
    assert found["gift_price_mean"].reason == "there is nothing to compute it from"


def test_statistics_of_logs_are_those_of_its_impressions_and_rooms():
    log = logs(
        [(1, 10, 0.2, 2000), (2, 11, 20, 9000)],
        negative=events([(1, 10, 0.1), (1, 11, 23.9), (2, 11, 1)]),
    )
    found = statistics(log, bootstrap=0)
    assert found["ctr"].value == pytest.approx(2 / 5)
    assert found["exposures_per_viewer_day"].value == pytest.approx(5 / 2)
    assert found["rooms_per_streamer_day"].value == pytest.approx(4 / 3)
    # 60, 120 and 180 minutes; and one that goes on after 24 hours.
    assert found["room_minutes_p25"].value == pytest.approx(60)
    assert found["room_minutes_p50"].value == pytest.approx(120)
    assert found["room_minutes_p75"].value == pytest.approx(180)
    assert found["room_minutes_p90"].reason
    assert math.isnan(found["ctr"].low)


def test_rooms_of_which_some_go_on():
    """Kaplan and Meier: of 6 rooms, one is lost sight of after 2 h, one after 4 h."""
    hours = np.array([1, 2, 3, 4, 5, 6.0])
    going_on = hours % 4 == 2
    going_on[3], going_on[5] = True, False
    found = room_statistics(
        np.arange(6), np.zeros(6), hours * 3600, days=1, censored=going_on, bootstrap=50
    )
    # Lasting longer than 1 h: 5/6; than 3 h: 5/6 * 3/4 = .625; than 5 h: half of it; than 6 h: 0.
    assert found["room_minutes_p25"].value == pytest.approx(180)
    assert found["room_minutes_p50"].value == pytest.approx(300)
    assert found["room_minutes_p75"].value == pytest.approx(360)
    assert found["room_minutes_p25"].low < found["room_minutes_p25"].high


def test_rooms_count_that_start_on_the_days():
    start_s = np.array([-10.0, 0.0, 86_000.0, 86_400.0])
    found = room_statistics(np.array([0, 0, 3, 5]), start_s, start_s + 600, days=1)
    assert found["rooms_per_streamer_day"].value == 1.0
    assert found["room_minutes_p50"].value == pytest.approx(10)


def test_intervals_cover_what_they_estimate():
    """Viewers differ: resampling impressions would give intervals that are far too short."""
    rng = np.random.default_rng(0)
    covered, widths = {"ctr": 0, "watch_p50_s": 0}, []
    replicates, viewers, shown = 100, 60, 30
    for seed in range(replicates):
        rows = np.repeat(impressions([(0, 1, 0, None)]), viewers * shown)
        rows["viewer"] = np.repeat(np.arange(viewers), shown)
        rows["click"] = rng.random(len(rows)) < np.repeat(rng.random(viewers), shown)
        watch_s = np.exp(np.repeat(rng.standard_normal(viewers), shown))
        rows["watch_s"] = rows["click"] * watch_s * np.exp(rng.standard_normal(len(rows)))
        found = impression_statistics(rows, bootstrap=200, seed=seed)
        for name, truth in (("ctr", 0.5), ("watch_p50_s", 1.0)):
            covered[name] += found[name].low <= truth <= found[name].high
        widths.append(found["ctr"].high - found["ctr"].low)
    assert 88 <= covered["ctr"] <= 99
    assert 88 <= covered["watch_p50_s"] <= 99
    naive = 2 * 1.96 * math.sqrt(0.25 / (viewers * shown))
    assert np.mean(widths) > 2 * naive


def test_a_seed_gives_the_same_interval():
    rows = impressions(ROWS)
    first, again = (impression_statistics(rows, DAYS, bootstrap=30, seed=3) for _ in range(2))
    other = impression_statistics(rows, DAYS, bootstrap=30, seed=4)
    assert first["ctr"] == again["ctr"]
    assert first["user_watch_mean_s"].low != other["user_watch_mean_s"].low


def test_negative_bootstrap_is_an_error():
    with pytest.raises(ValueError, match="bootstrap must be at least 0, got -1"):
        impression_statistics(impressions(ROWS), bootstrap=-1)


def test_world_has_every_statistic(small_world):
    rows = simulate_world_impressions(small_world, viewers=range(60), days=3)
    found = world_statistics(small_world, rows, days=3, bootstrap=20)
    published = {
        row.statistic for row in read_published_statistics(DATA / "published_statistics.csv")
    }
    assert published <= set(found)
    assert found["ctr_drift"].reason  # three days
    for name in published - {"streamers_over_40", *ABSENT}:
        assert found[name].low <= found[name].value <= found[name].high, name
        assert not found[name].reason


@pytest.mark.parametrize("name", ["published_statistics.csv", "published_twitch.csv"])
def test_published_values_are_of_statistics_that_there_are(name):
    rows = read_published_statistics(DATA / name)
    known = {*BY_HAND, *ABSENT, "hourly_share_correlation", *room_statistics(
        np.array([0]), np.array([0.0]), np.array([60.0]), days=1)}  # fmt: skip
    assert {row.statistic for row in rows} <= known
    for row in rows:
        low, high = row.bounds
        assert low < row.value < high
        assert row.accepts(row.value)
        assert not row.accepts(math.nan)
        assert row.around(2 * row.value + 1)[1] > high


@pytest.mark.parametrize(
    ("column", "valid", "wrong"),
    [("kind", "relative", "percent"), ("viewers", "everyone", "all"), ("catalogue", "own", "")],
)
def test_published_rows_with_an_unknown_word_are_refused(tmp_path, column, valid, wrong):
    rows = (DATA / "published_twitch.csv").read_text().splitlines()
    text = "\n".join([rows[0], rows[2].replace(f",{valid},", f",{wrong},")])
    (tmp_path / "rows.csv").write_text(text)
    with pytest.raises(ValueError, match=f"{column} of watch_mean_s must be .*{valid}"):
        read_published_statistics(tmp_path / "rows.csv")
