"""Logs on disk: KuaiLive's files to the letter, and every exposure in them once."""

from __future__ import annotations

import csv
import dataclasses
import json
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from livestream_env import LiveStreamRecVectorEnv, World, WorldConfig
from livestream_env.logs import range_midpoint, read_logs
from livestream_env.logs.writing import log_writer
from livestream_env.simulated_logs import export as log_export
from livestream_env.simulated_logs.export import export_log
from livestream_env.simulated_logs.policy import LoggingPolicy
from livestream_env.simulated_logs.simulation import exposure_dtype, simulate_logs
from livestream_env.simulator.state import DAY_START_S
from livestream_env.world import DAY_S
from tests.helpers import LIVELY

DAYS, VIEWERS = 2, np.arange(0, 80, 2)
DAY_0_MS = 1_746_374_400_000
# As the authors of KuaiLive list them.
ONEHOT = ",".join(f"onehot_feat{i}" for i in range(7))
HEADERS = {
    "click": "user_id,live_id,streamer_id,timestamp,watch_live_time",
    "negative": "user_id,live_id,streamer_id,timestamp",
    "comment": "user_id,live_id,streamer_id,timestamp",
    "like": "user_id,live_id,streamer_id,timestamp",
    "gift": "user_id,live_id,streamer_id,timestamp,gift_price",
    "room": "p_date,live_id,streamer_id,live_type,start_timestamp,end_timestamp,"
    "live_content_category,live_name_id",
    "user": "user_id,age,gender,country,device_brand,device_price,reg_timestamp,fans_num,"
    "follow_num,first_watch_live_timestamp,accu_watch_live_cnt,accu_watch_live_duration,"
    f"is_live_streamer,is_photo_author,{ONEHOT}",
    "streamer": "streamer_id,gender,age,country,device_brand,device_price,live_operation_tag,"
    "fans_user_num,fans_group_fans_num,follow_user_num,first_live_timestamp,accu_live_cnt,"
    f"accu_live_duration,accu_play_cnt,accu_play_duration,reg_timestamp,{ONEHOT}",
}
EVENTS = ("click", "negative", "comment", "like", "gift")
FILES = {*(f"{name}.csv" for name in HEADERS), "exposure.parquet", "title_embeddings.npy",
         "simulation.json"}  # fmt: skip


@pytest.fixture(scope="module")
def world() -> World:
    """With ids that are no row numbers, and categories whose names need quotes."""
    config = {k: v for k, v in LIVELY.items() if k in WorldConfig.names()}
    plain = World.synthetic(WorldConfig(**{**config, "days": 3}), seed=2)
    names = (*plain.category_names[:-2], "music, dance", 'the "other"')
    return dataclasses.replace(
        plain,
        category_names=names,
        viewer_ids=np.random.default_rng(0).permutation(len(plain.viewers)) + 1_000,
        streamer_ids=np.arange(len(plain.streamers))[::-1] * 3 + 7,
        room_ids=2**40 + np.random.default_rng(1).permutation(len(plain.rooms)),
    )


@pytest.fixture(scope="module")
def chunks(world) -> list[np.ndarray]:
    config = {k: v for k, v in LIVELY.items() if k not in WorldConfig.names()}
    env = LiveStreamRecVectorEnv(4, world=world, horizon=DAYS, config=config)
    return list(simulate_logs(LoggingPolicy(env), env, VIEWERS, 5, chunk_rows=700))


def export(folder: Path, world: World, chunks, **kwargs) -> dict[str, int]:
    return export_log(folder, iter(chunks), world, VIEWERS, DAYS, **kwargs)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, world, chunks) -> Path:
    path = tmp_path_factory.mktemp("log") / "of" / "csv"
    export(path, world, chunks, about={"seed": 5})
    return path


@pytest.fixture(scope="module")
def exposure(folder) -> pd.DataFrame:
    return pd.read_parquet(folder / "exposure.parquet")


@pytest.fixture(scope="module")
def tables(folder) -> dict[str, pd.DataFrame]:
    return {name: pd.read_csv(folder / f"{name}.csv") for name in HEADERS}


class TestFiles:
    def test_names_and_headers(self, folder):
        assert {path.name for path in folder.iterdir()} == FILES
        for name, header in HEADERS.items():
            with open(folder / f"{name}.csv", newline="") as file:
                assert file.readline() == header + "\n"

    def test_integers_and_plain_texts(self, tables):
        for name in EVENTS:
            assert (tables[name].dtypes == np.int64).all(), name
        texts = {"room": ["live_content_category"]}
        for name in ("room", "user", "streamer"):
            table = tables[name]
            integers = table.columns[table.dtypes == np.int64]
            if name in texts:
                assert set(table.columns) - set(integers) == set(texts[name])
            assert {c for c in table.columns if c.endswith("_id") or "onehot" in c} <= {*integers}

    def test_quotes_only_where_needed(self, folder, world):
        room = (folder / "room.csv").read_text()
        assert '"music, dance"' in room and '"the ""other"""' in room
        for name in (*EVENTS, "user"):
            assert '"' not in (folder / f"{name}.csv").read_text(), name
        assert set(pd.read_csv(folder / "room.csv")["live_content_category"]) == {
            *world.category_names
        }

    def test_no_line_is_ragged(self, folder):
        for name, header in HEADERS.items():
            with open(folder / f"{name}.csv", newline="") as file:
                assert {len(row) for row in csv.reader(file)} == {header.count(",") + 1}

    def test_parquet_has_the_same_tables(self, tmp_path, world, chunks, tables, exposure):
        rows = export(tmp_path / "log", world, chunks, file_format="parquet")
        assert {path.suffix for path in (tmp_path / "log").iterdir()} == {
            ".parquet", ".npy", ".json",
        }  # fmt: skip
        for name, header in HEADERS.items():
            table = pd.read_parquet(tmp_path / "log" / f"{name}.parquet")
            assert list(table.columns) == header.split(",") and len(table) == rows[name]
            pd.testing.assert_frame_equal(table, tables[name])
        again = pd.read_parquet(tmp_path / "log" / "exposure.parquet")
        pd.testing.assert_frame_equal(again, exposure)

    def test_says_how_it_was_made(self, folder, tables, exposure):
        made = json.loads((folder / "simulation.json").read_text())
        assert made["seed"] == 5
        expected = {name: len(table) for name, table in tables.items()}
        assert made["rows"] == expected | {"exposure": len(exposure)}


class TestConservation:
    def test_exposures_are_clicks_and_negatives(self, tables, exposure, chunks):
        assert (
            len(exposure) == sum(map(len, chunks)) == len(tables["click"]) + len(tables["negative"])
        )
        key = HEADERS["negative"].split(",")
        for name, rows in (("click", exposure["click"]), ("negative", ~exposure["click"])):
            pd.testing.assert_frame_equal(
                tables[name][key], exposure.loc[rows, key].reset_index(drop=True)
            )
        watched = exposure.loc[exposure["click"], "watch_ms"].to_numpy()
        np.testing.assert_array_equal(tables["click"]["watch_live_time"], watched)
        assert not exposure[["user_id", "timestamp"]].duplicated().any()

    @pytest.mark.parametrize(
        ("name", "count"), [("like", "n_like"), ("comment", "n_comment"), ("gift", "gift_value")]
    )
    def test_events_bear_their_clicks_timestamp(self, tables, exposure, name, count):
        key = HEADERS["negative"].split(",")
        assert len(tables[name]) > 20
        if name == "gift":
            events = tables[name].set_index(key)["gift_price"]
            assert events.index.is_unique and (events > 0).all()
        else:
            events = tables[name].groupby(key).size()
        expected = exposure[exposure[count] > 0].set_index(key)
        assert expected["click"].all()
        pd.testing.assert_series_equal(
            events.sort_index(), expected[count].sort_index().astype(np.int64), check_names=False
        )

    def test_order_of_time(self, tables, exposure):
        for table in (exposure, *(tables[name] for name in EVENTS)):
            assert (np.diff(table["timestamp"]) >= 0).all()
        assert (np.diff(tables["room"]["start_timestamp"]) >= 0).all()
        for _, own in exposure.groupby("user_id"):
            assert (np.diff(own["timestamp"]) > 0).all() and (np.diff(own["step"]) >= 1).all()
            assert own["terminated"].to_list() == [False] * (len(own) - 1) + [True]

    def test_times(self, exposure):
        begin = DAY_0_MS + 1000 * DAY_START_S
        assert begin <= exposure["timestamp"].min()
        assert exposure["timestamp"].max() < begin + 1000 * DAYS * DAY_S

    def test_watching_within_rooms(self, tables):
        rooms = tables["room"].set_index("live_id")
        click = tables["click"].join(rooms, on="live_id", rsuffix="_of_room")
        assert (click["streamer_id"] == click["streamer_id_of_room"]).all()
        assert (click["start_timestamp"] <= click["timestamp"]).all()
        assert (click["timestamp"] + click["watch_live_time"] <= click["end_timestamp"]).all()

    def test_candidates(self, tables, exposure):
        candidates = np.stack(exposure["candidate_live_ids"])
        shown = candidates[np.arange(len(exposure)), exposure["slot"]]
        np.testing.assert_array_equal(shown, exposure["live_id"])
        assert set(candidates.ravel()) <= {*tables["room"]["live_id"], -1}
        assert exposure["propensity"].between(0, 1, inclusive="right").all()

    def test_hidden_state(self, exposure, chunks):
        rows = np.concatenate(chunks)
        rows = rows[np.lexsort((rows["viewer"], rows["clock_s"]))]
        for name in ("satisfaction", "satiation", "attachment", "highlight"):
            np.testing.assert_array_equal(exposure[f"latent_{name}"], rows[name])
        assert exposure["latent_attachment"].between(0, 1).all()
        assert set(exposure["latent_highlight"]) == {0, 1}

    def test_unknown_propensity_is_missing(self, tmp_path, world, chunks):
        rows = chunks[0].copy()
        rows["propensity"] = np.nan
        export(tmp_path / "log", world, [rows])
        column = pq.read_table(tmp_path / "log" / "exposure.parquet")["propensity"]
        assert column.null_count == len(rows)


class TestPeopleAndRooms:
    def test_users(self, tables, world):
        user, viewers = tables["user"], world.viewers[VIEWERS]
        np.testing.assert_array_equal(user["user_id"], world.viewer_ids[VIEWERS])
        assert set(tables["click"]["user_id"]) <= set(user["user_id"])
        for name, column in (("fans_num", "fan_count"), ("follow_num", "follow_count")):
            bounds = user[name].str.extract(r"^(\d+)(?:-(\d+)|\+)$").astype(float)
            counts = viewers[column]
            assert (bounds[0] <= counts).all() and (counts < bounds[1].fillna(np.inf)).all()
        np.testing.assert_array_equal(user["is_live_streamer"], viewers["is_streamer"])
        ages = range_midpoint(user["age"])
        assert np.corrcoef(ages, viewers["age"])[0, 1] > 0.95
        assert user["device_price"].nunique() == 5 and set(user["gender"]) <= {"F", "M", "unknown"}

    def test_streamers(self, tables, world):
        streamer = tables["streamer"]
        np.testing.assert_array_equal(streamer["streamer_id"], world.streamer_ids)
        fans = range_midpoint(streamer["fans_user_num"])
        popularity = world.streamers["popularity"]
        rank = pd.Series(fans).corr(pd.Series(popularity), method="spearman")
        assert rank > 0.7
        tags = np.array(world.category_names)[world.streamers["category"]]
        np.testing.assert_array_equal(streamer["live_operation_tag"], tags)

    def test_rooms(self, tables, world):
        room = tables["room"].set_index("live_id")
        start, end = world.rooms["start_s"], world.rooms["end_s"]
        live = (end > 0) & (start < DAYS * DAY_S + DAY_START_S)
        assert set(room.index) == set(world.room_ids[live]) and room.index.is_unique
        room = room.loc[world.room_ids[live]]
        for name, seconds in (("start_timestamp", start), ("end_timestamp", end)):
            expected = DAY_0_MS + 1000 * seconds[live]
            np.testing.assert_allclose(room[name], expected, rtol=0, atol=0.51)
        beijing = pd.to_datetime(room["start_timestamp"], unit="ms") + pd.Timedelta(hours=8)
        dates = beijing.dt.strftime("%Y%m%d").astype(int)
        np.testing.assert_array_equal(room["p_date"], np.maximum(dates, 20250505))
        assert set(room["p_date"]) == {20250505, 20250506, 20250507}

    def test_titles(self, tables, folder, world):
        titles = np.load(folder / "title_embeddings.npy")
        assert titles.shape == (len(world.streamers), 128) and titles.dtype == np.float32
        room = tables["room"]
        by_streamer = dict(zip(tables["streamer"]["streamer_id"], titles, strict=True))
        expected = np.stack([by_streamer[i] for i in room["streamer_id"]])
        np.testing.assert_array_equal(titles[room["live_name_id"]], expected)
        distance = np.linalg.norm(titles[:, None] - titles, axis=2)
        category = world.streamers["category"]
        alike = category[:, None] == category
        np.fill_diagonal(distance, np.nan)
        assert np.nanmean(distance[alike]) < 0.7 * np.nanmean(distance[~alike])


class TestRoundTrip:
    @pytest.mark.parametrize("file_format", ["csv", "parquet"])
    def test_read_logs_has_nothing_to_complain_of(
        self, tmp_path, world, chunks, tables, file_format
    ):
        export(tmp_path / "log", world, chunks, file_format=file_format)
        logs = read_logs(tmp_path / "log", strict=True)
        for name, report in logs.report.files.items():
            assert report.read == report.kept and not report.notes, name
        assert logs.origin_ms == DAY_0_MS and logs.days == DAYS + 1
        for name in EVENTS:
            key = ["user_id", "timestamp", "live_id"]
            expected = tables[name].sort_values(key, ignore_index=True)
            read = getattr(logs, name)
            pd.testing.assert_frame_equal(read[expected.columns], expected)
        assert logs.room["end_censored"].sum() == 0
        np.testing.assert_array_equal(logs.user["user_id"], np.sort(world.viewer_ids[VIEWERS]))


class TestWholeOrNotAtAll:
    @pytest.mark.parametrize("error", [KeyboardInterrupt, OSError("disk full")])
    @pytest.mark.parametrize("older", [True, False])
    def test_interrupted(self, tmp_path, world, chunks, error, older):
        def broken() -> Iterator[np.ndarray]:
            yield chunks[0]
            raise error

        path = tmp_path / "log"
        if older:
            export(path, world, chunks[:1], about={"which": "older"})
        with pytest.raises((KeyboardInterrupt, OSError)):
            export(path, world, broken(), overwrite=older)
        assert list(tmp_path.iterdir()) == ([path] if older else [])
        assert not older or json.loads((path / "simulation.json").read_text())["which"] == "older"

    def test_nothing_is_replaced_unasked(self, tmp_path, world, chunks):
        path = tmp_path / "log"
        export(path, world, chunks[:1])
        with pytest.raises(FileExistsError, match=r"log is not empty: it holds click\.csv"):
            export(path, world, iter([]))
        rows = export(path, world, chunks[:2], file_format="parquet", overwrite=True)
        assert rows["exposure"] == len(chunks[0]) + len(chunks[1])
        assert not list(path.glob("*.csv")) and list(tmp_path.iterdir()) == [path]

    def test_only_a_log_is_replaced(self, tmp_path, world, chunks):
        (tmp_path / "thesis").mkdir()
        (tmp_path / "thesis" / "thesis.tex").write_text("work of years")
        (tmp_path / "thesis" / "click.csv").write_text("")
        with pytest.raises(FileExistsError, match=r"it holds thesis\.tex"):
            export(tmp_path / "thesis", world, chunks, overwrite=True)
        with pytest.raises(FileExistsError, match="is a file, not a folder"):
            export(tmp_path / "thesis" / "click.csv", world, chunks, overwrite=True)
        assert (tmp_path / "thesis" / "thesis.tex").exists()

    def test_an_empty_folder_will_do(self, tmp_path, world, chunks):
        export(tmp_path, world, chunks[:1])
        assert {path.name for path in tmp_path.iterdir()} == FILES
        assert tmp_path.stat().st_mode & 0o555 == 0o555

    def test_refused_before_the_work(self, tmp_path, world):
        def never() -> Iterator[np.ndarray]:
            raise AssertionError("simulated in vain")
            yield

        with pytest.raises(ValueError, match="file_format must be one of csv, parquet, got 'tsv'"):
            export(tmp_path / "log", world, never(), file_format="tsv")
        (tmp_path / "file").touch()
        with pytest.raises(FileExistsError):
            export(tmp_path, world, never())

    def test_wrong_columns(self, tmp_path):
        table = pa.table({"user_id": [1], "live_id": [1]})
        with (
            pytest.raises(
                ValueError, match="like must have the columns user_id, live_id, streamer"
            ),
            log_writer(tmp_path / "log") as writer,
        ):
            writer.write("like", table)
        assert not list(tmp_path.iterdir())


class TestParts:
    def test_sizes_change_nothing(self, tmp_path, monkeypatch, world, chunks, folder):
        monkeypatch.setattr(log_export, "_ROWS", 100)
        mixed = np.random.default_rng(0).permutation(np.concatenate(chunks))
        export(tmp_path / "log", world, np.array_split(mixed, 37), about={"seed": 5})
        for path in folder.iterdir():
            if path.suffix != ".parquet":
                assert path.read_bytes() == (tmp_path / "log" / path.name).read_bytes(), path
        names = [path / "exposure.parquet" for path in (folder, tmp_path / "log")]
        assert pq.read_table(names[0]).equals(pq.read_table(names[1]))
        assert pq.ParquetFile(names[1]).num_row_groups > 5

    def test_a_log_of_nothing(self, tmp_path, world):
        export(tmp_path / "log", world, [])
        assert (tmp_path / "log" / "gift.csv").read_text() == HEADERS["gift"] + "\n"
        assert {path.name for path in (tmp_path / "log").iterdir()} == FILES

    def test_memory_does_not_grow_with_the_log(self, tmp_path, monkeypatch, world):
        monkeypatch.setattr(log_export, "_ROWS", 20_000)

        def exposures(count: int) -> Iterator[np.ndarray]:
            rng = np.random.default_rng(0)
            for _ in range(count):
                rows = np.zeros(20_000, exposure_dtype(10))
                rows["clock_s"] = DAY_START_S + rng.random(20_000) * count * 3_600
                yield rows

        peaks = []
        for count in (6, 36):
            tracemalloc.start()
            export(tmp_path / str(count), world, exposures(count))
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
        assert peaks[1] < 1.3 * peaks[0]
