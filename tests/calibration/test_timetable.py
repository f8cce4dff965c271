"""Rooms as they were, and the laws of lengths, prices and hours."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from livestream_env.calibration import IMPRESSION_DTYPE, LogIndex
from livestream_env.calibration.timetable import (
    browsing_s,
    gift_prices,
    hourly_activity,
    playable_days,
    room_length,
    timetable,
)
from livestream_env.world import DAY_S
from tests.calibration.tables import events, logs
from tests.logs.files import DAY0_MS, HOUR_MS

RNG = np.random.default_rng(0)


def rooms(rows):
    """Rows (live_id, streamer, hours of the start, hours of the end[, censored])."""
    return pd.DataFrame(
        [
            (i, s, DAY0_MS + round(a * HOUR_MS), DAY0_MS + round(b * HOUR_MS), *(rest or [False]))
            for i, s, a, b, *rest in rows
        ],
        columns=["live_id", "streamer_id", "start_timestamp", "end_timestamp", "end_censored"],
    ).sort_values("live_id", ignore_index=True)


def log_of_rooms(rows):
    return logs([(1, 10, 0.1, 5000)], room=rooms(rows))


def made(rows, streamers):
    log = dataclasses.replace(logs([(1, 10, 0.1, 5000)]), room=rooms(rows))
    return timetable(log, LogIndex.of(log), np.array(streamers))


def test_rooms_are_when_they_were_sorted_by_streamer():
    table, ids, left_out = made(
        [(3, 8, 1, 2), (1, 6, 5, 6), (2, 6, -3, 1), (4, 5, 0, 1), (7, 9, 2, 3)], [1, 2, 3]
    )
    assert ids.tolist() == [2, 1, 3, 7]  # streamer 5, number 0, is not asked for
    assert table["streamer"].tolist() == [0, 0, 1, 2]
    assert (table["start_s"] / 3600).tolist() == [-3, 5, 1, 2]
    assert (table["end_s"] / 3600).tolist() == [1, 6, 2, 3]
    assert left_out == 0


def test_one_room_at_a_time():
    table, ids, left_out = made(
        [
            (1, 5, 0, 4),
            (2, 5, 1, 2),  # within the first
            (3, 5, 3, 5),  # begins when it ends
            (4, 5, 4.5, 5 + 59 / 3600),  # 59 seconds of it are left
            (5, 6, 0, 1),  # somebody else
        ],
        [0, 1],
    )
    assert ids.tolist() == [1, 3, 5] and left_out == 2
    assert (table["start_s"] / 3600).tolist() == [0, 4, 0]
    same = table["streamer"][1:] == table["streamer"][:-1]
    assert (table["start_s"][1:][same] >= table["end_s"][:-1][same]).all()


def test_no_rooms():
    table, ids, left_out = made([(1, 5, 0, 1)], [2])
    assert len(table) == len(ids) == left_out == 0


def random_rooms(seed, count=4000, days=7):
    rng = np.random.default_rng(seed)
    start = rng.uniform(0, days * 24, count)
    end = start + rng.lognormal(np.log(134 / 60), 0.63, count)
    midnight = np.ceil(start / 24) * 24
    cut = end > midnight
    return [
        (i, 5 + (i % 2), a, min(b, m), bool(c))
        for i, (a, b, m, c) in enumerate(zip(start, end, midnight, cut, strict=True))
    ]


def test_censored_lengths_recover_the_truth():
    z = []
    for seed in range(15):
        found = room_length(log_of_rooms(random_rooms(seed, 1500)), 7, RNG)
        z.append([(found.mean - np.log(134)) / found.mean_stderr,
                  (found.std - 0.63) / found.std_stderr])  # fmt: skip
        assert found.mean == pytest.approx(np.log(134), abs=0.08)
        assert found.std == pytest.approx(0.63, rel=0.08)
        assert found.observed < 1450
    assert ((np.std(z, axis=0) > 0.5) & (np.std(z, axis=0) < 1.6)).all()


def test_rooms_that_were_on_before_are_too_long_to_count():
    rng = np.random.default_rng(1)
    inside = [(i, 5, *x) for i, x in enumerate([(1, 2), (4, 6), (8, 8.5), (9, 12)])]
    before = [(100 + i, 6, -rng.uniform(1, 9), 9) for i in range(50)]
    after = [(200 + i, 6, 24 + i, 47 + i) for i in range(50)]
    assert room_length(log_of_rooms(inside + before + after), 1, RNG) == room_length(
        log_of_rooms(inside), 1, RNG
    )


def test_too_few_lengths():
    assert room_length(log_of_rooms([(1, 5, 0, 24, True), (2, 5, 24, 48, True)]), 7, RNG) is None
    assert room_length(log_of_rooms([(1, 5, 0, 1), (2, 5, 2, 3)]), 7, RNG) is None


def priced(prices):
    return logs(
        [(1, 10, 0.1, 5000)],
        gift=events([(1, 10, 0.1, price) for price in prices.astype(int)], "gift_price"),
    )


@pytest.mark.parametrize(("mean", "std"), [(0.44, 3.02), (1.2, 2.0), (5.0, 0.5)])
def test_prices_rounded_up_recover_the_truth(mean, std):
    z = []
    for seed in range(12):
        price = np.ceil(np.random.default_rng(seed).lognormal(mean, std, 1000))
        found = gift_prices(priced(price), RNG)
        assert found.observed == 1000
        z.append([(found.mean - mean) / found.mean_stderr, (found.std - std) / found.std_stderr])
    assert (np.abs(np.mean(z, axis=0)) < 1.0).all()
    assert ((np.std(z, axis=0) > 0.5) & (np.std(z, axis=0) < 1.6)).all()


def test_too_few_prices():
    assert gift_prices(logs([(1, 10, 0.1, 5000)]), RNG) is None
    assert gift_prices(priced(np.array([1.0, 2.0] * 50)), RNG) is None
    assert gift_prices(priced(np.zeros(0)), RNG) is None


def test_hours_of_visits():
    share = hourly_activity(np.array([20.5, 20.9, 44.1, 3.0]) * 3600)
    assert share.sum() == pytest.approx(1.0)
    assert share.argmax() == 20 and share.min() > 0
    assert share[20] == pytest.approx((3 + 1) / (4 + 24))


@pytest.mark.parametrize(
    ("hours", "days"), [(5, 1), (23, 1), (27, 1), (51, 2), (7 * 24 + 3.5, 7), (7 * 24, 6)]
)
def test_playable_days_run_from_four_to_four(hours, days):
    # What ends at midnight lacks the last four hours of a viewer-day.
    assert playable_days(hours * 3600) == days
    assert playable_days(0.0) == 1


def test_browsing_is_the_gap_after_what_was_passed_over():
    x = np.zeros(6, IMPRESSION_DTYPE)
    x["viewer"] = [0, 0, 0, 0, 0, 1]
    x["click"] = [False, True, False, False, False, False]
    x["start_s"] = [0, 7, 300, 306, DAY_S, DAY_S + 1]
    assert browsing_s(x).tolist() == [7, 6]
