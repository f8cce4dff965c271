"""The fit as a whole: what it reports, and logs that are small, odd or say little."""

from __future__ import annotations

import dataclasses

import gymnasium as gym
import numpy as np
import pandas as pd
import pytest

from livestream_env import SimulatorConfig, World, WorldConfig
from livestream_env.calibration import Fit, fit
from livestream_env.calibration.estimates import (
    ASSUMED,
    IDENTIFIED,
    WEAK,
    of_solution,
    watching_estimates,
)
from livestream_env.calibration.impressions import IMPRESSION_DTYPE
from livestream_env.calibration.indirect import MOMENTS, Solution
from livestream_env.logs import read_twitch
from tests.calibration.made import simulated_logs
from tests.calibration.tables import logs as small_logs

VIEWERS, DAYS = 60, 2


@pytest.fixture(scope="module")
def logs():
    world = World.synthetic(WorldConfig(num_viewers=VIEWERS, num_streamers=50, days=3), 2)
    return simulated_logs(world, VIEWERS, DAYS, seed=1)


@pytest.fixture(scope="module")
def fitted(logs) -> Fit:
    return fit(logs, seed=3)


def test_every_parameter_has_one_of_three_statuses(fitted):
    assert {e.status for e in fitted.parameters.values()} <= {IDENTIFIED, WEAK, ASSUMED}
    assert set(SimulatorConfig.names()) <= set(fitted.parameters)
    for name, value in fitted.world.simulator.to_dict().items():
        assert fitted.parameters[name].value == value
    for name, estimate in fitted.parameters.items():
        assert np.isfinite(estimate.value), name
        assert estimate.status != IDENTIFIED or np.isfinite(estimate.stderr), name
        assert estimate.status != ASSUMED or estimate.stderr is None, name


def test_what_no_log_tells_is_the_default_and_says_so(fitted):
    for name in ("click_satisfaction", "satiation_gain", "attachment_gain", "exit_satisfaction"):
        estimate = fitted.parameters[name]
        assert estimate.status == ASSUMED
        assert estimate.value == getattr(SimulatorConfig(), name)


def test_prints_a_line_per_parameter(fitted):
    lines = str(fitted).splitlines()
    assert len(lines) == 1 + len(fitted.parameters) + len(fitted.notes)
    assert lines[0].split() == ["parameter", "value", "stderr", "status"]
    assert all("identified" in line or "assumed" in line for line in lines[1:])


def test_the_same_seed_is_the_same_world(logs, fitted):
    assert fit(logs, seed=3).world == fitted.world


def test_can_be_played(fitted, tmp_path):
    fitted.world.save(tmp_path / "world.npz")
    env = gym.make("LiveStreamRec-v0", world=str(tmp_path / "world.npz"))
    env.reset(seed=0)
    for _ in range(5):
        env.step(env.action_space.sample())


@pytest.mark.parametrize(
    ("argument", "value"),
    [("max_streamers", 9), ("max_streamers", 1e4), ("viewer_days", True), ("viewer_days", 0)],
)
def test_arguments(logs, argument, value):
    with pytest.raises(ValueError, match=f"{argument} must be an integer of at least 10"):
        fit(logs, **{argument: value})


# Logs that say less


def test_no_negatives(logs):
    found = fit(dataclasses.replace(logs, negative=None))
    assert found.parameters["click_bias"].status == ASSUMED
    assert found.parameters["browse_s"].status == ASSUMED
    # How many impressions there were hangs on it.
    assert found.parameters["exit_bias"].status == WEAK


def test_no_events(logs):
    found = fit(dataclasses.replace(logs, like=None, comment=None, gift=None))
    for name in ("like_per_min", "comment_per_min", "gift_per_min", "gift_price_log_mean"):
        assert found.parameters[name].status == ASSUMED
        assert found.parameters[name].value == getattr(SimulatorConfig(), name)
    assert np.isfinite(found.parameters["click_bias"].stderr)


def test_users_of_whom_only_ids_are_known_in_rooms_without_category(logs):
    found = fit(
        dataclasses.replace(
            logs,
            user=logs.user[["user_id"]],
            room=logs.room.drop(columns="live_content_category"),
        )
    )
    assert found.world.category_names == ("unknown",)
    env = gym.make("LiveStreamRec-v0", world=found.world)
    env.reset(seed=0)
    env.step(0)


def test_five_viewers_on_one_day_give_nothing_sure(logs):
    chosen = logs.user["user_id"].to_numpy()[:5]
    tables = {
        name: table[table["user_id"].isin(chosen) & (logs.local_s(table["timestamp"]) < 100_000)]
        for name in ("click", "negative", "like", "comment", "gift")
        if (table := getattr(logs, name)) is not None
    }
    found = fit(dataclasses.replace(logs, **tables))
    assert found.world.days == 1 and len(found.world.viewers) <= 5
    for name in MOMENTS:
        assert found.parameters[name].status in (WEAK, ASSUMED), name


def test_too_few_streamers():
    with pytest.raises(ValueError, match=r"only 2 of the streamers shown have a room.* needs 10"):
        fit(small_logs([(1, 10, 0.5, 5000), (2, 11, 0.5, 5000)]))


def test_a_single_click():
    with pytest.raises(ValueError, match="only 1 of the streamers"):
        fit(small_logs([(1, 10, 0.5, 5000)]))


def test_a_single_user(logs):
    busy = logs.click["user_id"].mode()[0]
    tables = {n: getattr(logs, n) for n in ("click", "negative")}
    one = {n: t[t["user_id"] == busy].reset_index(drop=True) for n, t in tables.items()}
    with pytest.raises(ValueError, match="only 1 users have impressions"):
        fit(dataclasses.replace(logs, **one, like=None, comment=None, gift=None))


def test_rooms_of_seconds(logs):
    room = logs.room.assign(end_timestamp=logs.room["start_timestamp"] + 1000)
    with pytest.raises(ValueError, match="only 0 of the streamers shown have a room"):
        fit(dataclasses.replace(logs, room=room))


def test_twitch(tmp_path):
    rng = np.random.default_rng(0)
    rows = []
    for stream in range(120):
        begin = int(rng.integers(0, 400))
        for user in rng.choice(40, 6, replace=False):
            start = begin + int(rng.integers(0, 6))
            stop = start + 1 + int(rng.geometric(0.4))
            rows.append((user, stream, f"channel{stream % 30}", start, stop))
    path = tmp_path / "100k_a.csv"
    pd.DataFrame(rows).to_csv(path, header=False, index=False)
    found = fit(read_twitch(path))
    assert found.parameters["click_bias"].status == ASSUMED
    assert found.parameters["like_per_min"].status == ASSUMED
    assert len(found.world.streamers) == 30


# What the statuses stand for


def estimate_of(
    value=0.5, stderr=0.01, misfit=0.0, name="exit_bias", viewers=1000, names=("click_bias",)
):
    solution = Solution(
        [name, *names], *(np.array([x] * (1 + len(names))) for x in (value, stderr, misfit))
    )
    return of_solution(solution, viewers)[name]


def test_identified_is_only_what_is_found_well():
    assert estimate_of().status == IDENTIFIED
    assert "3.5 standard errors" in estimate_of(misfit=3.5).note
    for less in (
        estimate_of(misfit=-3.1),
        estimate_of(stderr=np.nan),
        estimate_of(stderr=0.4),
        estimate_of(value=20.0),
        estimate_of(viewers=29),
        estimate_of(names=()),  # without negatives
        estimate_of(value=0.02, stderr=0.01, name="like_per_min"),
        estimate_of(name="click_bias", names=()),
        estimate_of(name="watch_bias"),
    ):
        assert less.status == WEAK and less.note
    assert estimate_of(stderr=np.nan).stderr is None
    # What the method itself leaves is in the standard error.
    assert 0.01 < estimate_of().stderr < 0.1


def impressions(count):
    x = np.zeros(count, IMPRESSION_DTYPE)
    x["start_s"] = 7.0 * np.arange(count)
    return x


def test_browsing_and_cap():
    x = impressions(400)
    x["click"][::2], x["watch_s"][::2] = True, 3.0
    found = watching_estimates(x)
    assert found["browse_s"].value == 7.0 and found["browse_s"].status == IDENTIFIED
    assert found["watch_cap_s"].value == 10.0  # the lowest that is valid; 200 watches end at 3 s
    x["watch_s"][::2] = np.arange(200) * 25.0
    found = watching_estimates(x)
    assert found["watch_cap_s"].status == ASSUMED and found["watch_cap_s"].value == 4975.0


def test_negatives_that_share_a_moment_say_nothing_of_browsing():
    x = impressions(200)
    x["start_s"] = np.repeat(np.arange(20) * 60.0, 10)
    x["click"][0] = True
    found = watching_estimates(x)["browse_s"]
    assert found.status == WEAK and "share their moment" in found.note
