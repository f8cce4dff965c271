from __future__ import annotations

import contextlib
import copy
import itertools
import json
import pickle
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from livestream_env import LiveStreamRecEnv, World, WorldConfig
from livestream_env.files import read_arrays, write_arrays
from livestream_env.simulator.world_arrays import world_arrays
from livestream_env.world import DAY_S, MIN_ROOM_S, tables
from livestream_env.world.room_index import CONTENT_STEP_S, INDEX_STEP_S
from livestream_env.world.world import _SAVED, _drawn
from tests.helpers import assert_same

TINY = {"num_viewers": 40, "num_streamers": 30, "days": 2}


@pytest.fixture(scope="module")
def tiny() -> World:
    return World.synthetic(WorldConfig(**TINY), seed=0)


class TestSynthetic:
    def test_same_seed_same_world(self):
        config = WorldConfig(**TINY)
        first = World.synthetic(config, seed=5)
        assert World.synthetic(config, seed=5) is first
        _drawn.cache_clear()
        again = World.synthetic(config, seed=5)
        assert again is not first and again == first
        assert World.synthetic(config, seed=6) != first

    def test_a_longer_timetable_leaves_viewers_and_streamers_as_they_are(self, tiny):
        longer = World.synthetic(WorldConfig(**{**TINY, "days": 5}), seed=0)
        np.testing.assert_array_equal(longer.viewers, tiny.viewers)
        for name in ("category", "popularity", "quality", "embedding"):
            np.testing.assert_array_equal(longer.streamers[name], tiny.streamers[name])

    def test_global_random_state_is_left_alone(self):
        np.random.seed(0)  # noqa: NPY002
        before = np.random.get_state()[1].copy()  # noqa: NPY002
        World.synthetic(WorldConfig(**TINY), seed=99)
        assert (np.random.get_state()[1] == before).all()  # noqa: NPY002

    def test_viewers(self):
        config = WorldConfig(num_viewers=20_000, num_streamers=50, days=1)
        v = World.synthetic(config, seed=1).viewers
        np.testing.assert_allclose(v["taste"].mean(0), 0.0, atol=0.01)
        np.testing.assert_allclose(v["taste"].std(0), 1.0, atol=0.01)
        log_activity = np.log(v["activity"])
        assert log_activity.mean() == pytest.approx(config.activity_log_mean, abs=0.1)
        assert log_activity.std() == pytest.approx(config.activity_log_std, abs=0.1)
        assert v["gift_propensity"].mean() == pytest.approx(1.0, abs=0.25)
        spread = np.log(v["gift_propensity"]).std()
        assert spread == pytest.approx(config.gift_propensity_log_std, abs=0.05)
        assert v["satiation_gain"].mean() == pytest.approx(1.0, abs=0.02)
        known = (v["attached_streamer"] >= 0).sum(1)
        assert known.min() >= 1
        assert known.mean() == pytest.approx(1 + config.initial_attachments, abs=0.1)

    def test_demographics_go_with_taste_activity_and_gifts(self):
        config = WorldConfig(num_viewers=20_000, num_streamers=50, days=1)
        v = World.synthetic(config, seed=1).viewers
        shift = max(abs(np.corrcoef(v["age"], v["taste"][:, k])[0, 1]) for k in range(8))
        assert shift > 0.05
        assert np.corrcoef(v["device_price"], np.log(v["gift_propensity"]))[0, 1] > 0.3
        assert np.corrcoef(v["age"], np.log(v["activity"]))[0, 1] > 0.15
        assert stats.spearmanr(v["follow_count"], v["activity"]).statistic > 0.2
        streams = v["is_streamer"] == 1
        assert 0.01 < streams.mean() < 0.2
        assert np.median(v["fan_count"][streams]) > np.median(v["fan_count"][~streams])

    def test_attachments_are_distinct_popular_and_liked(self, small_world):
        v, j = small_world.viewers, small_world.streamers
        known = v["attached_streamer"] >= 0
        for row, mask in zip(v["attached_streamer"], known, strict=True):
            assert len(set(row[mask].tolist())) == mask.sum()
        known_to = v["attached_streamer"][known]
        assert j["popularity"][known_to].mean() > 1.5 * j["popularity"].mean()
        viewer = np.repeat(np.arange(len(v)), known.sum(1))
        assert v["taste"][viewer, j["category"][known_to]].mean() > 0.3
        strength = v["attached_strength"]
        assert (strength[known] >= 0.3).all() and (strength[~known] == 0).all()
        assert (v["attached_watch_s"][~known] == 0).all()

    def test_streamers(self):
        config = WorldConfig(num_viewers=5, num_streamers=20_000, days=1)
        j = World.synthetic(config, seed=1).streamers
        assert np.log(j["popularity"]).std() == pytest.approx(config.popularity_std, abs=0.05)
        assert j["quality"].std() == pytest.approx(config.quality_std, abs=0.02)
        assert j["sensationalism"].std() == pytest.approx(config.sensationalism_std, abs=0.02)
        assert stats.chisquare(np.bincount(j["category"])).pvalue > 0.001
        # The product with a standard normal embedding has the variance of its squared length.
        length = np.sqrt((j["embedding"].astype(float) ** 2).sum(1).mean())
        assert length == pytest.approx(config.pair_affinity_std, rel=0.02)

    def test_extreme_sizes(self):
        for config in (
            {"num_viewers": 1, "num_streamers": 2, "days": 1},
            {**TINY, "num_categories": 2, "embedding_dim": 1},
            {**TINY, "num_categories": 64, "initial_attachments": 11.0},
            {**TINY, "taste_concentration": 0.01},
            {**TINY, "rooms_per_day": 4.0, "room_minutes_median": 1440.0, "room_hours_max": 48.0},
            {**TINY, "room_minutes_median": 5.0, "room_minutes_log_std": 3.0},
        ):
            World.synthetic(WorldConfig(**config), seed=0)

    def test_the_widest_spreads_are_within_the_ranges_of_the_columns(self):
        bounds = WorldConfig.bounds()
        spreads = {name: bounds[name][1] for name in bounds if name.endswith("_std")}
        extreme = {**TINY, **spreads, "num_viewers": 5_000, "embedding_dim": 1}
        for low in ({}, {"taste_concentration": 0.01}):
            World.synthetic(WorldConfig(**extreme, **low), seed=0)

    def test_not_one_room(self):
        config = {"num_viewers": 1, "num_streamers": 2, "days": 1, "rooms_per_day": 0.01}
        with pytest.raises(ValueError, match="rooms_per_day"):
            LiveStreamRecEnv(num_candidates=2, config=config)

    def test_highlights_too_short_for_their_share(self):
        with pytest.raises(ValueError, match=r"highlight_mean_s.*at least 270.*0\.9.*got 100"):
            WorldConfig(highlight_share=0.9, highlight_mean_s=100.0)


class TestTimetable:
    def test_rooms(self):
        config = WorldConfig(num_viewers=5, num_streamers=1_000, days=14)
        world = World.synthetic(config, seed=2)
        rooms = world.rooms
        assert len(rooms) / 1_000 / 17 == pytest.approx(config.rooms_per_day, rel=0.03)
        minutes = (rooms["end_s"] - rooms["start_s"]) / 60
        assert np.median(minutes) == pytest.approx(config.room_minutes_median, rel=0.05)
        assert np.log(minutes).std() == pytest.approx(config.room_minutes_log_std, rel=0.1)
        assert minutes.max() <= config.room_hours_max * 60 + 1e-6

    def test_one_room_at_a_time(self, small_world):
        rooms = small_world.rooms
        same = rooms["streamer"][1:] == rooms["streamer"][:-1]
        pause_s = (rooms["start_s"][1:] - rooms["end_s"][:-1])[same]
        assert pause_s.min() >= 599.99

    def test_streamers_keep_their_hours(self):
        config = WorldConfig(num_viewers=5, num_streamers=2_000, days=14, rooms_per_day=0.05)
        world = World.synthetic(config, seed=2)
        home = world.streamers["home_hour"][world.rooms["streamer"]]
        off = (world.rooms["start_s"] / 3600 - home + 12) % 24 - 12
        assert off.std() == pytest.approx(config.room_start_std_h, rel=0.1)

    def test_never_runs_out(self, small_world):
        """At every hour of every day that an episode may reach, about as many rooms are live."""
        rooms, days = small_world.rooms, small_world.days
        hours = np.arange(0, (days + 1) * 24 + 4) * 3600.0
        live = ((rooms["start_s"] <= hours[:, None]) & (rooms["end_s"] > hours[:, None])).sum(1)
        for hour in range(24):
            of_day = live[hour::24]
            assert of_day.min() > 0.35 * of_day.mean(), (hour, of_day)

    def test_index_equals_brute_force(self, tiny):
        rooms, streamers = tiny.rooms, tiny.streamers
        assert tiny.index_start_s <= rooms["start_s"].min()
        for time_bin in range(len(tiny.index_offset)):
            from_s = tiny.index_start_s + time_bin * INDEX_STEP_S
            until_s = from_s + INDEX_STEP_S
            for k in range(tiny.num_categories):
                expected = np.flatnonzero(
                    (rooms["start_s"] < until_s)
                    & (rooms["end_s"] >= from_s)
                    & (streamers["category"][rooms["streamer"]] == k)
                )
                first, last = tiny.index_offset[time_bin, k : k + 2]
                got = tiny.index["room"][first:last]
                np.testing.assert_array_equal(np.sort(got), expected)

    def test_draws_from_the_index_are_by_popularity(self, tiny):
        popularity = tiny.streamers["popularity"][tiny.index["streamer"]].astype(float)
        for offset, running in zip(tiny.index_offset, tiny.index_share, strict=True):
            total = [popularity[a:b].sum() for a, b in itertools.pairwise(offset)]
            if sum(total):
                np.testing.assert_allclose(
                    np.diff(running, prepend=0), total / np.sum(total), atol=1e-6
                )
                assert running[-1] == 1.0
            for first, last in itertools.pairwise(offset):
                probability = np.zeros(last - first)
                keep = tiny.index["keep"][first:last] / 2.0**32
                alias = tiny.index["alias"][first:last] - first
                np.add.at(probability, np.arange(last - first), keep)
                np.add.at(probability, alias, 1.0 - keep)
                share = popularity[first:last] / popularity[first:last].sum()
                np.testing.assert_allclose(probability / max(last - first, 1), share, atol=1e-9)

    def test_highlights(self):
        config = WorldConfig(num_viewers=5, num_streamers=300, days=7)
        world = World.synthetic(config, seed=2)
        bits = np.unpackbits(world.content, bitorder="little").astype(int)
        assert bits.mean() == pytest.approx(config.highlight_share, abs=0.01)
        lengths = np.diff(np.flatnonzero(np.diff(bits)))[::2]
        mean_s = [lengths.mean(), np.diff(np.flatnonzero(np.diff(bits)))[1::2].mean()]
        assert min(mean_s) * CONTENT_STEP_S == pytest.approx(config.highlight_mean_s, rel=0.1)

    def test_always_live(self, tiny):
        always = tiny.always_live()
        assert tiny.always_live() is always
        assert len(always.rooms) == len(tiny.streamers)
        assert (always.rooms["start_s"] <= -DAY_S).all()
        assert (always.rooms["end_s"] >= (tiny.days + 2) * DAY_S).all()
        np.testing.assert_array_equal(always.viewers, tiny.viewers)
        bits = np.unpackbits(always.content, bitorder="little")
        assert bits.mean() == pytest.approx(tiny.highlight_share, abs=0.02)


class TestFiles:
    def test_round_trip(self, tiny, tmp_path):
        path = tmp_path / "world.npz"
        tiny.save(path)
        loaded = World.load(path)
        assert loaded == tiny and loaded.recipe is None
        for name in ("index_offset", "index_share", "index", "index_start_s"):
            assert_same(np.asarray(getattr(loaded, name)), np.asarray(getattr(tiny, name)))
        kwargs = {"num_candidates": 10}
        a, b = LiveStreamRecEnv(world=path, **kwargs), LiveStreamRecEnv(world=tiny, **kwargs)
        assert_same(a.reset(seed=1), b.reset(seed=1))
        assert_same(a.step(1), b.step(1))

    def test_the_kernel_takes_a_loaded_world_as_it_takes_others(self, tiny, tmp_path):
        tiny.save(tmp_path / "w.npz")
        loaded = world_arrays(World.load(tmp_path / "w.npz"))
        for ours, theirs in zip(world_arrays(tiny), loaded, strict=True):
            assert ours.dtype == theirs.dtype
            assert ours.dtype.isalignedstruct == theirs.dtype.isalignedstruct

    def test_parameters_travel_with_the_world(self, tiny, tmp_path):
        changed = replace(tiny, simulator=tiny.simulator.replace({"click_bias": 1.25}))
        changed.save(tmp_path / "w.npz")
        env = LiveStreamRecEnv(world=tmp_path / "w.npz")
        assert env.simulation.config.click_bias == 1.25
        env = LiveStreamRecEnv(world=tmp_path / "w.npz", config={"click_bias": 0.5})
        assert env.simulation.config.click_bias == 0.5

    def test_ids_and_names_travel_with_the_world(self, tiny, tmp_path):
        assert_same(tiny.viewer_ids, np.arange(len(tiny.viewers)))
        assert tiny.category_names[:4] == ("games", "music", "chat", "shop")
        named = replace(
            tiny,
            viewer_ids=tiny.viewer_ids + 10**12,
            room_ids=tiny.room_ids[::-1].copy(),
            category_names=tuple("abcdefgh"),
        )
        named.save(tmp_path / "w.npz")
        loaded = World.load(tmp_path / "w.npz")
        assert loaded == named and loaded != tiny
        assert loaded.viewer_ids[0] == 10**12 and loaded.category_names[7] == "h"

    def test_pickle(self, tiny, tmp_path):
        recipe = pickle.dumps(tiny)
        assert len(recipe) < 5_000 and pickle.loads(recipe) == tiny
        path = tmp_path / "world.npz"
        tiny.save(path)
        loaded = World.load(path)
        assert pickle.loads(pickle.dumps(loaded)) == loaded

    def test_copies_share_it(self, tiny):
        assert copy.copy(tiny) is tiny and copy.deepcopy(tiny) is tiny

    def test_saving_is_atomic(self, tiny, tmp_path, monkeypatch):
        path = tmp_path / "world.npz"
        tiny.save(path)
        before = path.read_bytes()

        def fail(stream, array, **options):
            stream.write(b"half of it")
            raise OSError("disk full")

        monkeypatch.setattr(np.lib.format, "write_array", fail)
        with pytest.raises(OSError, match="disk full"):
            tiny.save(path)
        assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]

    def test_truncated(self, tiny, tmp_path):
        path = tmp_path / "world.npz"
        tiny.save(path)
        whole = path.read_bytes()
        for length in (0, 10, len(whole) // 2, len(whole) - 30):
            path.write_bytes(whole[:length])
            with pytest.raises(ValueError, match="is not a world file"):
                World.load(path)

    @pytest.mark.parametrize("missing", ["meta", "viewers", "rooms", "content"])
    def test_missing_parts(self, tiny, tmp_path, missing):
        self.rewrite(tiny, tmp_path / "w.npz", lambda arrays: arrays.pop(missing))
        with pytest.raises(ValueError, match=rf"is not a world file.*{missing}"):
            World.load(tmp_path / "w.npz")

    def test_other_format(self, tiny, tmp_path):
        def change(arrays):
            arrays["meta"] = np.array(json.dumps({**json.loads(str(arrays["meta"])), "format": 99}))

        self.rewrite(tiny, tmp_path / "w.npz", change)
        with pytest.raises(ValueError, match="format 99, valid is 3"):
            World.load(tmp_path / "w.npz")

    def test_unknown_parameter(self, tiny, tmp_path):
        def change(arrays):
            meta = json.loads(str(arrays["meta"]))
            meta["simulator"]["charm"] = 1.0
            arrays["meta"] = np.array(json.dumps(meta))

        self.rewrite(tiny, tmp_path / "w.npz", change)
        with pytest.raises(ValueError, match="'charm'"):
            World.load(tmp_path / "w.npz")

    def test_pickles_are_not_read(self, tmp_path):
        np.savez(tmp_path / "w.npz", meta=np.array([{"format": 1}], dtype=object))
        with pytest.raises(ValueError, match="is not a world file"):
            World.load(tmp_path / "w.npz")

    def test_one_flipped_bit(self, tiny, tmp_path):
        path = tmp_path / "w.npz"
        tiny.save(path)
        whole = path.read_bytes()
        for at in range(40, len(whole), len(whole) // 50):
            damaged = bytearray(whole)
            damaged[at] ^= 16
            path.write_bytes(damaged)
            with contextlib.suppress(ValueError):  # a date in the zip file's directory, say
                assert World.load(path) == tiny

    def test_edited_or_without_checksum(self, tiny, tmp_path):
        path = tmp_path / "w.npz"
        tiny.save(path)
        with np.load(path) as archive:
            arrays = dict(archive)
        arrays["content"] = arrays["content"] ^ 1
        np.savez(path, **arrays)
        with pytest.raises(ValueError, match=r"w\.npz is not a world file: .*do not have its chec"):
            World.load(path)
        del arrays["checksum"]
        np.savez(path, **arrays)
        with pytest.raises(ValueError, match=r"w\.npz is not a world file: it has no checksum"):
            World.load(path)

    @pytest.mark.parametrize(
        ("name", "value", "message"),
        [
            ("days", 10**7, r"days must be an integer in \[1, 4000\], got 10000000"),
            ("days", "3", "days must be an integer"),
            ("category_names", list(range(8)), "category_names must be a string, got 0"),
            ("category_names", None, "not a world file: TypeError"),
            ("highlight_share", float("nan"), "highlight_share must be a number"),
            ("simulator", ["click_bias"], "is not a world file"),
            ("simulator", {"click_bias": 1e300}, r"config\['click_bias'\] must be a number in"),
        ],
    )
    def test_edited_metadata(self, tiny, tmp_path, name, value, message):
        def change(arrays):
            meta = {**json.loads(str(arrays["meta"])), name: value}
            arrays["meta"] = np.array(json.dumps(meta))

        self.rewrite(tiny, tmp_path / "w.npz", change)
        with pytest.raises(ValueError, match=message) as caught:
            World.load(tmp_path / "w.npz")
        assert str(tmp_path / "w.npz") in str(caught.value)

    @pytest.mark.parametrize("meta", ["[]", "3", "{", "[" * 100_000, "{}", "\ud800"])
    def test_metadata_that_is_none(self, tiny, tmp_path, meta):
        self.rewrite(tiny, tmp_path / "w.npz", lambda arrays: arrays.update(meta=np.array(meta)))
        with pytest.raises(ValueError, match="is not a world file"):
            World.load(tmp_path / "w.npz")

    @staticmethod
    def rewrite(world, path, change):
        """Change a world's arrays and give them their checksum."""
        names = ("meta", *_SAVED)
        world.save(path)
        arrays = read_arrays(path, names)
        change(arrays)
        write_arrays(path, arrays)


class TestImpossibleWorlds:
    """Arrays that the kernel would read out of bounds, or get NaN from."""

    @pytest.mark.parametrize(
        ("table", "column", "value", "message"),
        [
            ("viewers", "age", 7, r"age must be in \[0, 6\]"),
            ("viewers", "gender", -1, r"gender must be in \[0, 2\]"),
            ("viewers", "device_price", 5, r"device_price must be in \[0, 4\]"),
            ("viewers", "is_streamer", 2, r"is_streamer must be in \[0, 1\]"),
            ("viewers", "activity", 0.0, "activity must be in"),
            ("viewers", "activity", np.nan, "viewers: every activity must be finite"),
            ("viewers", "taste", np.inf, "viewers: every taste must be finite"),
            ("viewers", "fan_count", -1.0, r"fan_count must be in \[0, 1e\+12\], got -1"),
            ("viewers", "attached_streamer", 30, r"attached_streamer must be in \[-1, 29\]"),
            ("viewers", "attached_streamer", 3, "attached_streamer must hold no streamer twice"),
            ("viewers", "attached_strength", 1.5, r"attached_strength must be in \[0, 1\]"),
            ("streamers", "category", 8, r"category must be in \[0, 8\)"),
            ("streamers", "popularity", 0.0, r"popularity must be in \[1e-15, 1e\+15\], got 0"),
            ("streamers", "quality", np.nan, "streamers: every quality must be finite"),
            ("streamers", "num_rooms", 10_000, "first_room and num_rooms"),
            ("streamers", "first_room", 1, "first_room and num_rooms"),
            ("viewers", "taste", 3e38, r"taste must be in \[-10000, 10000\], got 3e\+38"),
            ("viewers", "embedding", -3e38, "embedding must be in"),
            ("viewers", "satiation_gain", 3e38, "satiation_gain must be in"),
            ("streamers", "embedding", 3e38, "streamers: embedding must be in"),
            ("streamers", "popularity", 3e38, "popularity must be in"),
            ("streamers", "home_hour", 25.0, "home_hour must be in"),
            ("rooms", "end_s", 1e300, "end_s must be in"),
            ("rooms", "end_s", 9e8, "content must hold a bit"),
            ("rooms", "content", 2**63 - 1, "content must hold a bit"),
            ("rooms", "streamer", 30, r"streamer must be in \[0, 30\)"),
            ("rooms", "start_s", np.nan, "rooms: every start_s must be finite"),
            ("rooms", "end_s", -1e9, f"at least {MIN_ROOM_S:g} s"),
            ("rooms", "content", 10**9, "content must hold a bit"),
            ("rooms", "content", -1, "content must hold a bit"),
        ],
    )
    def test_wrong_values(self, tiny, table, column, value, message):
        array = getattr(tiny, table).copy()
        array[column][-1 if table == "rooms" else 0] = value
        with pytest.raises(ValueError, match=message):
            replace(tiny, **{table: array})

    def test_every_column_has_a_range(self, tiny):
        rows = {"attached_streamer", "category", "first_room", "num_rooms", "content", "streamer"}
        for table, ranges in (
            (tiny.viewers, tables.VIEWER_RANGES),
            (tiny.streamers, tables.STREAMER_RANGES),
            (tiny.rooms, tables.ROOM_RANGES),
        ):
            assert set(table.dtype.names) - rows == ranges.keys()

    def test_rooms_over_too_many_days(self, tiny):
        rooms = tiny.rooms.copy()
        rooms["start_s"][-1], rooms["end_s"][-1] = 9.5e8, 9.5e8 + 60
        with pytest.raises(ValueError, match="must span at most 30,000,000 quarters"):
            replace(self.of_categories(tiny, 64), rooms=rooms)

    def test_overlapping_and_unsorted_rooms(self, tiny):
        overlapping = tiny.rooms.copy()
        overlapping["end_s"][0] = overlapping["start_s"][1] + 100
        for rooms in (overlapping, tiny.rooms[::-1].copy()):
            with pytest.raises(ValueError, match="without overlap"):
                replace(tiny, rooms=rooms)

    def test_other_tables(self, tiny):
        for name in ("viewers", "streamers", "rooms"):
            with pytest.raises(ValueError, match=f"{name} must be a table of at least one row"):
                replace(tiny, **{name: getattr(tiny, name)[:0]})
        with pytest.raises(ValueError, match="viewers: not of viewer_dtype"):
            replace(tiny, viewers=np.zeros((3, 4)))
        with pytest.raises(ValueError, match="streamers must be a table"):
            replace(tiny, streamers=np.zeros(30))

    @pytest.mark.parametrize(
        ("name", "value"),
        [("days", 0), ("highlight_share", 1.5), ("hourly_activity", np.ones(24)),
         ("hourly_activity", np.ones(12) / 12), ("hourly_activity", np.eye(24)[0]),
         ("category_names", ("shop",)), ("viewer_ids", np.arange(3)),
         ("streamer_ids", np.zeros(30, np.int64)), ("room_ids", np.zeros(2))],
    )  # fmt: skip
    def test_wrong_scalars(self, tiny, name, value):
        with pytest.raises(ValueError, match=name):
            replace(tiny, **{name: value})

    @staticmethod
    def of_categories(world, count):
        """The same world with tastes for more categories, of which nothing is."""
        old = world.viewers
        viewers = np.zeros(len(old), tables.viewer_dtype(count, old["embedding"].shape[1]))
        for column in set(old.dtype.names) - {"taste", "interest", "familiarity", "satiation_gain"}:
            viewers[column] = old[column]
        return replace(world, viewers=viewers, category_names=())
