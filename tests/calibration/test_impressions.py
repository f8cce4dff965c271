"""Logs as impressions: what was shown, in order, with what the viewer did."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from livestream_env.calibration import (
    LogIndex,
    event_matches,
    impressions_of,
    simulate_world_impressions,
)
from tests.calibration.tables import STREAMER_OF_ROOM, events, logs
from tests.logs.files import HOUR_MS

CLICKS = [(1, 10, 20, 2000), (1, 10, 21, 4500), (2, 11, 1, 1), (2, 10, 24, 9)]


def rows_of(log, *fields):
    rows = impressions_of(log, LogIndex.of(log))
    return [row.tolist() for row in rows[list(fields)]]


def test_index_numbers_what_the_tables_list():
    index = LogIndex.of(logs(CLICKS))
    assert index.user_ids.tolist() == [1, 2, 7]
    assert index.streamer_ids.tolist() == [5, 6, 8, 9]
    assert index.live_ids.tolist() == [10, 11, 12, 13]
    assert index.viewers(np.array([7, 1])).tolist() == [2, 0]


def test_category_of_a_streamer_is_the_most_frequent_of_its_rooms():
    index = LogIndex.of(logs(CLICKS))
    # The room of streamer 8 has no category, streamer 9 has no room.
    assert index.category_names == ("chat", "shop", "unknown")
    assert index.streamer_category.tolist() == [1, 0, 2, 2]
    room = pd.DataFrame(
        {
            "live_id": range(7),
            "streamer_id": [5, 5, 5, 6, 6, 8, 9],
            "start_timestamp": 0,
            "end_timestamp": 1,
            "end_censored": False,
            "live_content_category": pd.Categorical(["pk", "pk", "car", "pk", "car", "car", "pk"]),
        }
    )
    index = LogIndex.of(logs([], room=room))
    assert index.category_names == ("car", "pk")
    assert index.streamer_category.tolist() == [1, 0, 0, 1]  # a tie: the first by name


def test_logs_without_categories_have_one():
    log = logs(CLICKS)
    index = LogIndex.of(logs(CLICKS, room=log.room.drop(columns="live_content_category")))
    assert index.category_names == ("unknown",)
    assert index.streamer_category.tolist() == [0, 0, 0, 0]


def test_unknown_id_is_named():
    log = logs(CLICKS)
    with pytest.raises(ValueError, match=r"live_id 99 is not in the index \(2 rows"):
        LogIndex.of(log).rooms(np.array([10, 99, 99]))


def test_clicks_and_negatives_in_order_of_viewer_and_time():
    log = logs(CLICKS, negative=events([(1, 11, 20.5), (7, 13, 30)]))
    assert rows_of(log, "viewer", "day", "start_s", "streamer", "room", "category", "click") == [
        (0, 0, 72_000.0, 0, 0, 1, True),
        (0, 0, 73_800.0, 1, 1, 0, False),
        (0, 0, 75_600.0, 0, 0, 1, True),
        (1, 0, 3_600.0, 1, 1, 0, True),
        (1, 1, 86_400.0, 0, 0, 1, True),
        (2, 1, 108_000.0, 2, 3, 2, False),
    ]
    watch_s = [watch for (watch,) in rows_of(log, "watch_s")]
    assert watch_s == pytest.approx([2.0, 0.0, 4.5, 0.001, 0.009, 0.0])


def test_events_belong_to_the_click_of_the_same_time():
    """KuaiLive stamps gifts with the time of their click; alike rows are several."""
    log = logs(
        CLICKS,
        like=events([(1, 10, 21), (1, 10, 21), (2, 10, 24)]),
        comment=events([(2, 11, 1)]),
        gift=events([(1, 10, 20, 5), (1, 10, 20, 7), (2, 10, 24, 1)], "gift_price"),
        follow=events([(1, 10, 21)]),
    )
    assert rows_of(log, "likes", "comments", "gift_value", "follow") == [
        (0, 0, 12.0, False),
        (2, 0, 0.0, True),
        (0, 1, 0.0, False),
        (1, 0, 1.0, False),
    ]
    matches = event_matches(log, LogIndex.of(log))
    assert list(matches) == ["like", "comment", "gift", "follow"]
    assert matches["gift"] == {
        "same_time": 3, "earlier_click": 0, "first_click": 0, "no_click": 0
    }  # fmt: skip


def test_other_events_belong_to_the_last_click_before_or_else_the_first():
    like = events([(1, 10, 19), (1, 10, 20.9), (1, 10, 99), (1, 11, 20), (7, 13, 1)])
    log = logs(CLICKS, like=like)
    assert rows_of(log, "likes") == [(2,), (1,), (0,), (0,)]
    assert event_matches(log, LogIndex.of(log)) == {
        "like": {"same_time": 0, "earlier_click": 2, "first_click": 1, "no_click": 2}
    }


def test_events_without_any_click():
    log = logs([], negative=events([(1, 10, 1)]), like=events([(1, 10, 1)]))
    assert rows_of(log, "click", "likes") == [(False, 0)]
    assert event_matches(log, LogIndex.of(log))["like"]["no_click"] == 1


def test_joins_agree_with_a_search_row_by_row():
    rng = np.random.default_rng(0)

    def draw(count):
        return [
            (rng.choice([1, 2, 7]), rng.choice(list(STREAMER_OF_ROOM)), rng.integers(60) / 2)
            for _ in range(count)
        ]

    clicks = sorted({(*row, 1000) for row in draw(80)}, key=lambda row: (row[0], row[2], row[1]))
    like, negative = events(draw(200)), events(draw(100))
    log = logs(clicks, negative=negative, like=like)

    expected = {}
    for user, room, time in like[["user_id", "live_id", "timestamp"]].itertuples(index=False):
        at = log.click.query("user_id == @user and live_id == @room")["timestamp"]
        if len(at):
            before = at[at <= time]
            key = (user, room, int(before.max() if len(before) else at.min()))
            expected[key] = expected.get(key, 0) + 1
    index = LogIndex.of(log)
    rows = impressions_of(log, index)
    assert len(rows) == len(clicks) + len(negative)
    assert (np.diff(rows["viewer"]) >= 0).all()
    assert (np.diff(rows["start_s"])[np.diff(rows["viewer"]) == 0] >= 0).all()
    liked = rows[rows["likes"] > 0]
    found = {
        (int(index.user_ids[r["viewer"]]), int(index.live_ids[r["room"]]),
         log.origin_ms + round(r["start_s"] * 1000)): int(r["likes"])
        for r in liked
    }  # fmt: skip
    assert found == expected


def test_time_counts_from_the_first_local_midnight():
    late = [(user, room, hours + 480, watch) for user, room, hours, watch in CLICKS]
    log = logs(late)
    assert log.origin_ms % (24 * HOUR_MS) == 16 * HOUR_MS  # midnight in Beijing
    assert rows_of(log, "day", "start_s") == rows_of(logs(CLICKS), "day", "start_s")


def test_every_viewer_of_a_world_is_played_once(small_world):
    viewers = [3, 0, 7, 11]
    rows = simulate_world_impressions(small_world, viewers=viewers, days=3, seed=5)
    assert set(rows["viewer"]) <= set(viewers)
    assert (np.diff(rows["viewer"]) >= 0).all()
    assert rows["start_s"].min() >= 4 * 3600
    assert rows["start_s"].max() < (3 * 24 + 4) * 3600
    rooms = small_world.rooms[rows["room"]]
    assert (rooms["streamer"] == rows["streamer"]).all()
    live = (rooms["start_s"] <= rows["start_s"]) & (rows["start_s"] < rooms["end_s"])
    assert live.all()
    assert (small_world.streamers["category"][rows["streamer"]] == rows["category"]).all()
    assert not rows["watch_s"][~rows["click"]].any()
    # What happens to a viewer does not depend on who else is played.
    alone = simulate_world_impressions(small_world, viewers=[7], days=3, seed=5)
    assert np.array_equal(alone, rows[rows["viewer"] == 7])
