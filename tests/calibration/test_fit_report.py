"""The table and the JSON that hold a world against a log."""

from __future__ import annotations

import json
import math

import numpy as np

from livestream_env.calibration import PublishedStatistic, Statistic
from livestream_env.calibration.fit_report import comparison_json, comparison_table, plain


def target(name, value, tolerance, kind="relative", days=None):
    return PublishedStatistic(name, value, tolerance, kind, "", days, False, "")


TARGETS = {
    row.statistic: row
    for row in (
        target("ctr", 0.28, 0.02, "absolute"),
        target("watch_mean_s", 80.0, 0.25),
        target("gift_price_mean", 80.0, 0.25),
        target("user_watch_mean_s", 17_000.0, 0.25, days=21),
        target("streamers_under_5", 0.7, 0.1, "absolute", days=21),
    )
}
LOG = {
    "ctr": Statistic(0.40, 0.38, 0.42),
    "watch_mean_s": Statistic(100.0, 90.0, 110.0),
    "gift_price_mean": Statistic(math.nan, reason="the log has no table 'gift'"),
    "user_watch_mean_s": Statistic(6_000.0, 5_000.0, 7_000.0),
    "streamers_under_5": Statistic(0.5, 0.4, 0.6),
    "repeat_clicks": Statistic(0.3, 0.2, 0.4),
    "hourly_share": Statistic(np.full(24, 1 / 24), np.zeros(24), np.ones(24)),
}
WORLD = {
    "ctr": Statistic(0.45, 0.43, 0.47),
    "watch_mean_s": Statistic(130.0, 100.0, 160.0),
    "gift_price_mean": Statistic(70.0, 60.0, 80.0),
    "user_watch_mean_s": Statistic(7_400.0, 7_100.0, 7_700.0),
    "streamers_under_5": Statistic(0.9, 0.9, 0.9),
    "repeat_clicks": Statistic(0.9, 0.8, 1.0),
    "hourly_share": Statistic(np.full(24, 1 / 24), np.zeros(24), np.ones(24)),
}


def lines(days=7, everybody=True):
    text = comparison_table(LOG, WORLD, TARGETS, TARGETS, days, everybody)
    return {line.split()[0].rstrip(":"): line for line in text.splitlines()}


def test_verdicts_are_on_the_world_within_the_tolerance_around_the_log():
    table = lines()
    assert table["ctr"].endswith("MISS")  # though the tolerance around what is published is wide
    assert table["watch_mean_s"].endswith("unclear")  # beyond it, but the intervals overlap
    assert table["user_watch_mean_s"].endswith("pass")  # within it, though they do not
    assert table["streamers_under_5"].endswith("MISS")
    assert not table["repeat_clicks"].endswith(("pass", "unclear", "MISS"))
    assert "hourly_share" not in table


def test_what_is_missing_has_its_reason_below():
    text = comparison_table(LOG, WORLD, TARGETS, TARGETS, 7, True)
    assert "gift_price_mean: the log has no table 'gift'" in text
    (row,) = [line for line in text.splitlines() if line.startswith("gift_price_mean ")]
    assert "nan" not in row
    assert "pass" not in row
    assert "MISS" not in row


def test_what_depends_on_days_or_viewers_is_marked():
    assert "1.7e+04*" in lines(days=7)["user_watch_mean_s"]
    assert "1.7e+04*" not in lines(days=21)["user_watch_mean_s"]
    assert "*" not in lines(days=21)
    assert "not compared" in lines(everybody=False)["streamers_under_5"]


def test_json_has_a_number_or_null_for_each():
    found = json.loads(json.dumps(plain(comparison_json(LOG, WORLD, TARGETS)), allow_nan=False))
    assert set(found) == set(LOG)
    assert found["ctr"] == {
        "log": 0.40, "world": 0.45, "published": 0.28, "log_interval": [0.38, 0.42],
        "world_interval": [0.43, 0.47], "reason": "",
    }  # fmt: skip
    assert found["gift_price_mean"]["log"] is None
    assert found["gift_price_mean"]["log_interval"] == [None, None]
    assert found["gift_price_mean"]["reason"]
    assert found["repeat_clicks"]["published"] is None
    assert len(found["hourly_share"]["log"]) == 24
    assert found["hourly_share"]["published"] is None  # of KuaiLive only


def test_plain_values():
    assert plain({"a": (np.int64(1), np.float32(0.5), np.inf, None, True, "x")}) == {
        "a": [1, 0.5, None, None, True, "x"]
    }
