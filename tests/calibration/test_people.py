"""Viewers and streamers of a fitted world, from tables that are as messy as real ones."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from livestream_env import SimulatorConfig, WorldConfig
from livestream_env.calibration import IMPRESSION_DTYPE
from livestream_env.calibration.hidden_states import HiddenStates
from livestream_env.calibration.latents import Latents
from livestream_env.calibration.people import (
    streamer_table,
    viewer_table,
    with_activity_spread,
    with_popularity,
)
from livestream_env.world import (
    AGE_RANGES,
    DAY_S,
    DEVICE_PRICES,
    INITIAL_ATTACHMENTS,
    ROOM_DTYPE,
    streamer_dtype,
)

CONFIG = SimulatorConfig()


def impressions(viewer, start_s=None, **columns):
    x = np.zeros(len(viewer), IMPRESSION_DTYPE)
    x["viewer"] = viewer
    x["start_s"] = np.arange(len(viewer)) * DAY_S if start_s is None else start_s
    for name, values in columns.items():
        x[name] = values
    return x


def latents(viewers, streamers=5, categories=3, x=(), pairs=(), attachment=()):
    rng = np.random.default_rng(0)
    pairs = np.array(pairs, np.int64).reshape(-1, 2)
    zeros = np.zeros(len(x), np.float32)
    return Latents(
        click_bias=0.0, watch_bias=0.0, watch_noise_std=1.0,
        taste=rng.normal(0.0, 0.3, (viewers, categories)),
        quality=rng.normal(3.0, 0.1, streamers), sensationalism=rng.normal(0.0, 2.0, streamers),
        pairs=pairs, pair_appeal=np.zeros(len(pairs)), attachment=np.array(attachment, float),
        hidden=HiddenStates(zeros, zeros, zeros, zeros),
    )  # fmt: skip


def viewers_of(user, x=None, **kwargs):
    x = impressions(np.arange(len(user))) if x is None else x
    found = latents(len(user), x=x, **kwargs)
    visits = np.bincount(x["viewer"], minlength=len(user))
    return viewer_table(user, found, x, visits, CONFIG, np.random.default_rng(1))


def test_features_of_kuailives_strings():
    user = pd.DataFrame(
        {
            "age": ["24-30", "50+", "0-11", "unknown", "", "33"],
            "gender": ["F", "m", "M", "", "unknown", "?"],
            "device_price": ["5000+", "0-1000", "1000-2000", "1500", "nan", "9999"],
            "is_live_streamer": ["1", "0", "True", "1.0", "", "false"],
            "follow_num": ["10-100", "5000+", "7", "", "unknown", "0"],
            "fans_num": ["0-10"] * 6,
        }
    )
    found = viewers_of(user)
    ages = [AGE_RANGES[i] for i in found["age"]]
    assert ages[:3] == ["24-30", "50+", "0-11"] and ages[5] == "31-40"
    assert ages[3] == ages[4]  # not known: the most frequent one
    assert found["gender"].tolist() == [0, 1, 1, 2, 2, 2]
    prices = [DEVICE_PRICES[i] for i in found["device_price"]]
    assert prices[:4] == ["5000+", "0-1000", "1000-2000", "1000-2000"] and prices[5] == "5000+"
    assert found["is_streamer"].tolist() == [1, 0, 1, 1, 0, 0]
    assert found["follow_count"].tolist() == [55, 5000, 7, 0, 0, 0]
    assert (found["fan_count"] == 5).all()


def test_categories_are_features_too():
    user = pd.DataFrame(
        {"age": pd.Categorical(["50+", None]), "gender": pd.Categorical(["F", "M"])}
    )
    assert viewers_of(user)["age"].tolist() == [6, 6]


def test_a_table_of_ids_only():
    found = viewers_of(pd.DataFrame({"user_id": [4, 5, 6]}))
    assert len(set(found["age"])) == 1 and (found["gender"] == 2).all()
    assert (found["is_streamer"] == 0).all() and (found["follow_count"] == 0).all()


def test_tastes_are_standardised_in_the_order_estimated():
    count = 500
    x = impressions(np.arange(count))
    source = latents(count, x=x)
    user = pd.DataFrame({"user_id": np.arange(count)})
    visits = np.ones(count, np.int64)
    found = viewer_table(user, source, x, visits, CONFIG, np.random.default_rng(0))["taste"]
    assert np.abs(found.mean(axis=0)).max() < 1e-5
    assert np.abs(found.std(axis=0) - 1).max() < 1e-5
    for k in range(3):
        assert stats.spearmanr(found[:, k], source.taste[:, k]).statistic > 0.99
    assert (stats.skew(found) > 0.5).all()  # few like a category a lot


def test_one_category_is_possible():
    found = viewers_of(pd.DataFrame({"user_id": [1, 2, 3]}), categories=1)
    assert np.isfinite(found["taste"]).all()


def test_activity_is_from_visits():
    # 1, 3 and 9 visits, a day apart.
    x = impressions(np.repeat([0, 1, 2], [1, 3, 9]))
    found = viewers_of(pd.DataFrame({"user_id": [1, 2, 3]}), x)["activity"]
    assert (np.diff(found) > 0).all()
    log = np.log(found.astype(float))
    assert np.median(log) == pytest.approx(WorldConfig().activity_log_mean, abs=1e-5)
    assert log.std() == pytest.approx(WorldConfig().activity_log_std, abs=1e-5)


def test_spread_of_activity():
    x = impressions(np.repeat(np.arange(20), np.arange(1, 21)))
    viewers = viewers_of(pd.DataFrame({"user_id": np.arange(20)}), x)
    found = with_activity_spread(viewers, 0.4)
    assert np.log(found["activity"]).std() == pytest.approx(0.4, abs=1e-5)
    assert np.median(np.log(found["activity"])) == pytest.approx(-0.5, abs=1e-5)
    assert found is not viewers
    changed = found.copy()
    changed["activity"] = viewers["activity"]
    assert (changed == viewers).all()


def test_equally_active_viewers():
    found = viewers_of(pd.DataFrame({"user_id": np.arange(5)}))["activity"]
    np.testing.assert_allclose(found, np.exp(-0.5), rtol=1e-6)


def test_gift_propensities_are_as_the_prior_without_gifts_and_higher_for_givers():
    count = 3000
    x = impressions(np.repeat(np.arange(count), 2), click=True, watch_s=60.0)
    x["gift_value"][:100] = 1.0  # of the first 50 viewers
    found = viewers_of(pd.DataFrame({"user_id": np.arange(count)}), x)["gift_propensity"]
    assert np.log(found).std() == pytest.approx(1.6, rel=0.1)
    assert 0.6 < found.mean() < 1.6
    assert np.median(found[:50]) > 3 * np.median(found[50:])


def test_nobody_gives():
    found = viewers_of(pd.DataFrame({"user_id": np.arange(50)}))["gift_propensity"]
    assert np.isfinite(found).all() and (found > 0).all()


def test_attached_lists_hold_the_strongest_each_once():
    pairs = [(0, j) for j in range(20)] + [(2, 3), (2, 4)]
    strength = [*np.linspace(0.3, 1.0, 20), 0.0, 0.5]
    found = viewers_of(
        pd.DataFrame({"user_id": [1, 2, 3]}), pairs=pairs, attachment=strength, streamers=20
    )
    assert INITIAL_ATTACHMENTS == 12
    assert found["attached_streamer"][0].tolist() == list(range(19, 7, -1))
    assert (np.diff(found["attached_strength"][0]) < 0).all()
    assert (found["attached_watch_s"][0] > 0).all()
    assert (found["attached_streamer"][1] == -1).all()
    assert found["attached_streamer"][2].tolist() == [4] + [-1] * 11
    beyond = found["attached_streamer"] < 0
    for name in ("attached_strength", "attached_watch_s", "attached_followed"):
        assert (found[name][beyond] == 0).all()


def rooms(streamer, start_h, end_h):
    table = np.zeros(len(streamer), ROOM_DTYPE)
    table["streamer"] = streamer
    table["start_s"], table["end_s"] = np.multiply(start_h, 3600.0), np.multiply(end_h, 3600.0)
    return table


def test_streamers():
    # Streamer 0 is on 10 of 24 hours and shown 100 times, 1 for one hour and shown as often.
    x = impressions(np.zeros(200, int), streamer=np.repeat([0, 1], 100))
    found = streamer_table(
        latents(1, 3, x=x), x, rooms([0, 0, 1], [-5, 23.5, 0.5], [5, 28.5, 1.5]),
        np.array([2, 0, 1]), DAY_S,
    )  # fmt: skip
    assert found["category"].tolist() == [2, 0, 1]
    popularity = found["popularity"].astype(float)
    assert np.log(popularity).mean() == pytest.approx(0.0, abs=1e-6)
    # 5 hours from midnight on, half an hour before the end.
    assert popularity[1] / popularity[0] == pytest.approx((5.5 + 0.5) / 1.5)
    for name, std in (("quality", 0.7), ("sensationalism", 0.7)):
        assert found[name].mean() == pytest.approx(0.0, abs=1e-6)
        assert found[name].std() == pytest.approx(std, rel=1e-5)
    assert found["home_hour"][1] == pytest.approx(0.5, abs=1e-4)
    # 19:00 and 23:30 are about 21:15, not noon.
    assert found["home_hour"][0] == pytest.approx(21.25, abs=1e-3)


def test_popularity_follows_what_simulations_show_too_rarely():
    streamers = np.zeros(4, streamer_dtype(2))
    streamers["popularity"] = 1.0
    found = with_popularity(streamers, np.array([1000, 1000, 1, 0]), np.array([250, 750, 0, 2]))
    change = found["popularity"]
    assert change[0] / change[1] == pytest.approx(3.0, rel=0.02)
    assert np.log(change.astype(float)).mean() == pytest.approx(0.0, abs=1e-6)
    # Of a few impressions, little is made.
    assert 0.5 < change[3] / change[2] < 1.0
    assert (streamers["popularity"] == 1.0).all()
    same = with_popularity(streamers, np.array([9, 99, 0, 3]), np.array([9, 99, 0, 3]))
    np.testing.assert_allclose(same["popularity"], 1.0)
