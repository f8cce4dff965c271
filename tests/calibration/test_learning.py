"""Who and what of a log becomes a world, with their ids, at their times."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from livestream_env import SimulatorConfig, World, WorldConfig
from livestream_env.calibration.latents import estimate_latents
from livestream_env.calibration.learning import MAX_CATEGORIES, Sample, first_world
from livestream_env.simulated_logs.kuailive_tables import ORIGIN_MS
from livestream_env.simulator.state import DAY_START_S
from livestream_env.world import DAY_S, MIN_ROOM_S
from tests.calibration.made import simulated_logs
from tests.calibration.tables import logs as small_logs

CONFIG = SimulatorConfig()


@pytest.fixture(scope="module")
def logs():
    world = World.synthetic(WorldConfig(num_viewers=60, num_streamers=50, days=3), 2)
    return simulated_logs(world, 50, 2, seed=1)  # ten of the users see nothing


def learnt(logs, max_streamers=1000):
    sample = Sample.of(logs, max_streamers)
    latents = estimate_latents(
        sample.impressions, sample.watch_limit_s(CONFIG), len(sample.streamers),
        len(sample.category_names), CONFIG, np.random.default_rng(0),
    )  # fmt: skip
    return sample, first_world(logs, sample, latents, CONFIG, np.random.default_rng(0))


def test_ids_and_times_are_kept(logs):
    sample, world = learnt(logs)
    assert world.days == sample.days == 2
    assert world.viewer_ids.tolist() == list(range(1000, 1050))
    assert set(world.streamer_ids) == set(logs.click["streamer_id"]) | set(
        logs.negative["streamer_id"]
    )
    assert "10 users without impressions left out" in sample.notes
    room = logs.room.set_index("live_id").loc[world.room_ids]
    np.testing.assert_allclose(
        world.rooms["start_s"], (room["start_timestamp"] - ORIGIN_MS) / 1000.0, atol=1e-3
    )
    np.testing.assert_allclose(
        world.rooms["end_s"], (room["end_timestamp"] - ORIGIN_MS) / 1000.0, atol=1e-3
    )
    owner = world.streamer_ids[world.rooms["streamer"]]
    assert (owner == room["streamer_id"].to_numpy()).all()
    names = np.array(world.category_names)[world.streamers["category"][world.rooms["streamer"]]]
    assert (names == room["live_content_category"].astype(str).to_numpy()).all()
    assert world.category_names[0] in set(names)


def test_users_without_impressions_leave_the_others_their_features(logs):
    world = World.synthetic(WorldConfig(num_viewers=60, num_streamers=50, days=3), 2)
    click, negative = (t[t["user_id"] >= 1020] for t in (logs.click, logs.negative))
    _, found = learnt(dataclasses.replace(logs, click=click, negative=negative))
    assert found.viewer_ids.tolist() == list(range(1020, 1050))
    for name in ("age", "gender", "device_price", "is_streamer", "follow_count", "fan_count"):
        assert (found.viewers[name] == world.viewers[name][20:50]).all()


def test_a_world_saves_and_loads(logs, tmp_path):
    _, world = learnt(logs)
    world.save(tmp_path / "world.npz")
    assert World.load(tmp_path / "world.npz") == world


def test_the_most_often_shown_streamers_are_kept(logs):
    sample, world = learnt(logs, max_streamers=12)
    events = pd.concat([logs.click, logs.negative])
    shown = events["streamer_id"].value_counts()
    assert set(world.streamer_ids) == set(shown.index[:12])
    assert len(sample.impressions) == shown.iloc[:12].sum()
    # Totals of viewers are of all that they were shown.
    rows, wanted = sample.playable(np.arange(len(world.viewers)))
    assert len(rows) == events["user_id"].isin(world.viewer_ids).sum()
    assert wanted.sum() == len(sample.impressions)
    assert f"kept 12 of {len(shown)} streamers that were shown" in sample.notes[0]
    owners = logs.room.set_index("live_id").loc[world.room_ids, "streamer_id"]
    assert set(owners) <= set(world.streamer_ids)


def test_many_categories_become_one(logs):
    names = np.array([f"kind {i % 25:02d}" for i in range(50)])
    room = logs.room.assign(
        live_content_category=pd.Categorical(names[logs.room["streamer_id"].to_numpy()])
    )
    sample, world = learnt(dataclasses.replace(logs, room=room))
    assert world.num_categories == MAX_CATEGORIES == 16
    assert world.category_names[-1] == "other" and len(set(world.category_names)) == 16
    named = world.category_names[:-1]
    for j, category in zip(world.streamer_ids, world.streamers["category"], strict=True):
        expected = names[j] if names[j] in named else "other"
        assert world.category_names[category] == expected
    shown = np.bincount(sample.impressions["category"])
    assert (np.diff(shown[:-1]) <= 0).all()  # the most often shown first


def test_rooms_without_categories(logs):
    _, world = learnt(
        dataclasses.replace(logs, room=logs.room.drop(columns="live_content_category"))
    )
    assert world.category_names == ("unknown",) and (world.streamers["category"] == 0).all()


def test_watches_end_with_their_room_where_that_is_known():
    logs = small_logs([(1, 10, 0.5, 5000), (1, 13, 0.5, 5000), (2, 11, 0.5, 60000)])
    sample = Sample.of(logs, 10)
    limit = sample.watch_limit_s(CONFIG)
    # Rooms 10, 11 end after 1 and 2 hours; 13 goes on, for all that is known.
    room = sample.index.live_ids[sample.impressions["room"]]
    by_room = dict(zip(room.tolist(), limit.tolist(), strict=True))
    assert by_room == {10: 1800.0 - 6.0, 13: 3600.0, 11: 3600.0}


def test_viewer_days_run_from_four_to_four(logs):
    sample = Sample.of(logs, 1000)
    rows = sample.playable(np.array([0, 3]))[0]
    assert set(rows["viewer"]) == {0, 3}
    assert rows["start_s"].min() >= DAY_START_S
    assert rows["start_s"].max() < 2 * DAY_S + DAY_START_S
    early = small_logs([(1, 10, 0.5, 5000), (1, 13, 5, 5000), (2, 13, 28.5, 5000)])
    sample = Sample.of(early, 10)
    assert sample.days == 1 and len(sample.playable(np.arange(2))[0]) == 1


def test_no_click():
    logs = small_logs([(1, 10, 0.5, 5000)])
    empty = dataclasses.replace(logs, click=logs.click.iloc[:0], negative=logs.click.iloc[:, :4])
    with pytest.raises(ValueError, match="there is no click to learn from"):
        Sample.of(empty, 10)


def test_short_rooms_are_noted(logs):
    room = logs.room.copy()
    short = room.index[:3]
    room.loc[short, "end_timestamp"] = room.loc[short, "start_timestamp"] + 1000 * MIN_ROOM_S - 1
    owners = set(room.loc[short, "streamer_id"])
    sample, world = learnt(dataclasses.replace(logs, room=room))
    left = 3 if owners <= set(world.streamer_ids) else None
    assert left is None or any(note.startswith(f"{left} rooms of less") for note in sample.notes)
    assert not set(room.loc[short, "live_id"]) & set(world.room_ids)
