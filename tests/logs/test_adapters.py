import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from livestream_env.logs import read_kuailive_m3, read_twitch
from livestream_env.logs.adapters import ROUND_MS
from livestream_env.logs.schema import KUAILIVE_M3
from tests.logs.files import at, to_parquet, to_zip, write

START_MS = 1_546_300_800_000


class TestTwitch:
    # user, stream, streamer, start, stop: rounds of ten minutes
    ROWS = (
        "2,33842865744,mithrain,154,156",
        "1,33842865744,mithrain,150,153",
        "1,33900000000,alptv,200,206",
        "3,33950000000,mithrain,300,301",
    )

    def read(self, tmp_path, rows=ROWS, end="\n", **kwargs):
        path = tmp_path / "100k_a.csv"
        path.write_text("\n".join(rows) + end)
        return read_twitch(path, **kwargs)

    def test_tables(self, tmp_path):
        logs = self.read(tmp_path, strict=True)
        click = logs.click
        assert click["user_id"].tolist() == [1, 1, 2, 3]
        assert click["streamer_id"].tolist() == [1, 0, 1, 1]
        assert (click["timestamp"] - START_MS).tolist() == [
            r * ROUND_MS for r in (150, 200, 154, 300)
        ]
        assert click["watch_live_time"].tolist() == [r * 600_000 for r in (3, 6, 2, 1)]
        assert (click.dtypes == np.int64).all()
        assert logs.streamer["name"].tolist() == ["alptv", "mithrain"]
        assert logs.streamer["streamer_id"].tolist() == [0, 1]
        assert logs.user["user_id"].tolist() == [1, 2, 3]
        assert logs.negative is None and logs.gift is None
        assert logs.utc_offset_h == 0 and logs.days == 2
        assert logs.report.to_dict() == {"100k_a": {"read": 4, "kept": 4, "reasons": {}}}

    def test_a_room_lasts_while_it_is_seen(self, tmp_path):
        room = self.read(tmp_path).room
        assert room["live_id"].tolist() == [33842865744, 33900000000, 33950000000]
        assert room["streamer_id"].tolist() == [1, 0, 1]
        assert ((room["start_timestamp"] - START_MS) // ROUND_MS).tolist() == [150, 200, 300]
        assert ((room["end_timestamp"] - START_MS) // ROUND_MS).tolist() == [156, 206, 301]
        assert room["end_censored"].tolist() == [False, False, True]

    def test_order_of_the_rows_does_not_matter(self, tmp_path):
        a, b = self.read(tmp_path), self.read(tmp_path, self.ROWS[::-1])
        for name in ("click", "room", "user", "streamer"):
            pd.testing.assert_frame_equal(getattr(a, name), getattr(b, name))

    def test_where_it_may_be(self, tmp_path):
        expected = self.read(tmp_path).click
        folder = tmp_path / "folder"
        folder.mkdir()
        (folder / "100k.csv").write_text("\ufeff" + "\r\n".join(self.ROWS))
        for path in (folder, folder / "100k.csv", to_zip(folder, "twitch/")):
            logs = read_twitch(path, strict=True)
            pd.testing.assert_frame_equal(logs.click, expected)
            assert len(logs.report.files["100k_a"].notes) == 2
        other = tmp_path / "any name.csv"
        other.write_text("\n".join(self.ROWS))
        assert len(read_twitch(other).click) == 4
        with pytest.raises(FileNotFoundError, match=r"100k_a\.csv or 100k_a\.parquet"):
            (folder / "100k.csv").rename(folder / "full.csv")
            read_twitch(folder)

    @pytest.mark.parametrize(
        ("line", "reason"),
        [("1,2,name,10", "wrong_field_count"), ("x,2,name,10,12", "unparsable"),
         ("1,2,,10,12", "empty_field"), ("1,,name,10,12", "empty_field"),
         ("1,2,name,12,10", "end_before_start"), ("1,2,name,-3,10", "wrong_unit"),
         ("1,2,name,1546300800,1546300900", "wrong_unit"), ("1,2,name,10,155", "absurd_watch_time"),
         ("1,33842865744,alptv,151,152", "streamer_mismatch"), (ROWS[1], "duplicate")],
    )  # fmt: skip
    def test_dirty_rows(self, tmp_path, line, reason):
        logs = self.read(tmp_path, (*self.ROWS, line))
        assert logs.report.to_dict()["100k_a"] == {"read": 5, "kept": 4, "reasons": {reason: 1}}
        clean = self.read(tmp_path)
        for name in ("click", "room", "user", "streamer"):
            pd.testing.assert_frame_equal(
                getattr(logs, name), getattr(clean, name), check_categorical=False
            )
        with pytest.raises(ValueError, match=rf"100k_a\.csv has rows .*: {reason} 1"):
            self.read(tmp_path, (*self.ROWS, line), strict=True)

    def test_truncated(self, tmp_path):
        logs = self.read(tmp_path, (*self.ROWS, "1,2,na"), end="")
        assert logs.report.files["100k_a"].reasons == {"truncated": 1}

    def test_users(self, tmp_path):
        logs = self.read(tmp_path, users=[1])
        assert len(logs.click) == 2 and logs.user["user_id"].tolist() == [1]
        assert logs.report.files["100k_a"].reasons == {"not_selected": 2}
        assert len(logs.room) == 3  # seen by the others
        assert len(self.read(tmp_path, users=2, seed=3).user) == 2
        with pytest.raises(ValueError, match="users: 9 is not in"):
            self.read(tmp_path, users=[9])

    def test_other_files(self, tmp_path):
        with pytest.raises(ValueError, match="no header; its first line is b'a,b"):
            self.read(tmp_path, ("a,b", "1,2"))
        with pytest.raises(ValueError, match="none of its 1 rows"):
            self.read(tmp_path, ("user,stream,streamer,start,stop",))
        with pytest.raises(ValueError, match="is empty"):
            self.read(tmp_path, (), end="")


def m3_lines():
    """3 users, 2 streamers, 2 rooms, of which one has not ended."""
    return {
        "user_id_set": ["user_id", "1", "2", "3"],
        "author_profile": [
            "author_id,is_photo_author,is_live_author,gender,age_segment,fans_user_num",
            "7,1,1,F,24-30,1k-1w",
            "8,0,1,U,unknown,1000w+",
        ],
        "live_room_meta": [
            "live_id,author_id,live_name,start_timestamp,end_timestamp,live_duration",
            "70,7,hello,2025-05-05 20:00:00.000,2025-05-05 22:00:00.500,7200500",
            '80,8,"a, b",2025-05-05 23:00:00.000,,3600000',
        ],
        "live_interaction": [
            "user_id,author_id,live_id,live_play_start_timestamp,live_play_end_timestamp,p_date,"
            "play_duration,like_cnt,comment_cnt,send_gift_cnt,send_gift_num,follow_author_cnt",
            "1,7,70,2025-05-05 20:30:00.250,2025-05-05 20:40:00.250,20250505,600000,3,1,2,15,1",
            "1,8,80,2025-05-06 00:30:00.000,2025-05-06 00:31:00.000,20250506,60000,0,0,0,0,0",
            "2,7,70,2025-05-05 21:00:00.000,2025-05-05 21:00:05.000,20250505,5000,,2,1,1,",
        ],
        "live_show": [
            "live_id,user_id,author_id,show_timestamp",
            "70,1,7,2025-05-05 20:29:30.000",  # entered half a minute later
            "70,3,7,2025-05-05 20:30:00.000",
            "80,1,8,2025-05-06 00:20:00.000",  # entered after ten minutes
            "70,2,7,2025-05-05 21:00:01.000",  # entered a second before
        ],
    }


class TestKuaiLiveM3:
    def test_clicks_and_rooms(self, tmp_path):
        logs = read_kuailive_m3(write(tmp_path, m3_lines()), strict=True)
        click = logs.click
        assert click["user_id"].tolist() == [1, 1, 2]
        assert click["streamer_id"].tolist() == [7, 8, 7]
        assert click["timestamp"].tolist() == [at(20.5) + 250, at(24.5), at(21)]
        assert click["watch_live_time"].tolist() == [600_000, 60_000, 5_000]
        room = logs.room.set_index("live_id")
        assert room["start_timestamp"].tolist() == [at(20), at(23)]
        assert room["end_timestamp"].tolist() == [at(22) + 500, at(24.5) + 60_000]
        assert room["end_censored"].tolist() == [False, True]
        assert logs.streamer["fans_user_num"].tolist() == ["1k-1w", "1000w+"]
        assert logs.streamer["age"].tolist() == ["24-30", "unknown"]
        assert logs.streamer["is_live_streamer"].tolist() == ["1", "1"]
        assert logs.user["user_id"].tolist() == [1, 2, 3]
        assert all(not report.notes for report in logs.report.files.values())

    def test_counts_become_events_at_the_click(self, tmp_path):
        logs = read_kuailive_m3(write(tmp_path, m3_lines()))
        assert logs.like["user_id"].tolist() == [1, 1, 1]
        assert set(logs.like["timestamp"]) == {at(20.5) + 250}
        assert logs.comment["user_id"].tolist() == [1, 2, 2]
        assert logs.gift["user_id"].tolist() == [1, 2]
        assert logs.gift["gift_price"].tolist() == [15, 1]  # items, for lack of prices
        assert logs.follow["user_id"].tolist() == [1]
        for table in (logs.like, logs.comment, logs.gift, logs.follow):
            assert (table.dtypes == np.int64).all()
            assert table["streamer_id"].eq(7).all() and table["live_id"].eq(70).all()

    def test_shown_and_not_entered(self, tmp_path):
        logs = read_kuailive_m3(write(tmp_path, m3_lines()), strict=True)
        assert logs.negative["user_id"].tolist() == [1, 2, 3]
        assert logs.negative["live_id"].tolist() == [80, 70, 70]
        report = logs.report.to_dict()["live_show"]
        assert report == {"read": 4, "kept": 3, "reasons": {"entered": 1}}

    def test_entered_against_all_pairs(self, tmp_path):
        rng = np.random.default_rng(0)
        files = m3_lines()
        moments = rng.integers(at(20), at(21.9), (2, 400))
        pairs = rng.integers(0, 2, (2, 400, 2))
        rooms = ("7,70", "8,80")

        def row(k, i):
            streamer, live = rooms[pairs[k, i, 1]].split(",")
            moment = moments[k, i] + 3 * 3_600_000 * (live == "80")
            return 1 + pairs[k, i, 0], int(streamer), int(live), moment

        watches, shows = ([row(k, i) for i in range(400)] for k in range(2))
        files["live_interaction"][1:] = [f"{u},{s},{r},{t},,,5,,,,," for u, s, r, t in watches]
        files["live_show"][1:] = [f"{r},{u},{s},{t}" for u, s, r, t in shows]
        logs = read_kuailive_m3(write(tmp_path, files), strict=True)
        expected = 0
        for u, _, r, t in shows:
            waits_s = [w[3] // 1000 - t // 1000 for w in watches if w[0] == u and w[2] == r]
            expected += any(0 <= wait < 60 for wait in waits_s)
        assert 50 < expected < 350
        assert logs.report.files["live_show"].reasons["entered"] == expected

    def test_moments(self, tmp_path):
        """As epoch milliseconds, with a zone, or of another one; in .csv and in .parquet."""
        expected = read_kuailive_m3(write(tmp_path / "a", m3_lines())).click["timestamp"].tolist()
        forms = (
            lambda t: str(int((pd.Timestamp(t) - pd.Timedelta("8h")).timestamp() * 1000)),
            lambda t: f"{t.replace(' ', 'T')}+08:00",
            lambda t: str(pd.Timestamp(t) - pd.Timedelta("8h")).replace(" ", "T") + "Z",
            lambda t: t.removesuffix(".000"),
        )
        for i, form in enumerate(forms):
            files = m3_lines()
            rows = [row.split(",") for row in files["live_interaction"]]
            for row in rows[1:]:
                row[3] = form(row[3])
            files["live_interaction"] = [",".join(row) for row in rows]
            folder = write(tmp_path / f"b{i}", files)
            assert read_kuailive_m3(folder).click["timestamp"].tolist() == expected
            assert read_kuailive_m3(to_parquet(folder)).click["timestamp"].tolist() == expected
        shifted = read_kuailive_m3(tmp_path / "a", utc_offset_h=0)
        assert shifted.click["timestamp"].tolist() == [t + 8 * 3_600_000 for t in expected]

    def test_parquet_and_zip(self, tmp_path):
        expected = read_kuailive_m3(write(tmp_path / "csv", m3_lines()))
        folder = to_parquet(write(tmp_path / "parquet", m3_lines()))
        assert str(pq.read_schema(folder / "live_show.parquet").field("show_timestamp").type) in (
            "timestamp[ns]", "timestamp[ms]", "timestamp[us]"
        )  # fmt: skip
        for path in (folder, to_zip(folder, "live/")):
            logs = read_kuailive_m3(path)
            for name in ("click", "negative", "room", "like", "gift", "streamer"):
                pd.testing.assert_frame_equal(
                    getattr(logs, name), getattr(expected, name), check_categorical=False
                )

    def test_moments_beside_a_dirty_row(self, tmp_path):
        """Which make Arrow's moments go the slow way, nanoseconds and all."""
        folder = to_parquet(write(tmp_path, m3_lines()))
        path = folder / "live_show.parquet"
        table = pd.read_parquet(path)
        moments = pd.to_datetime(table["show_timestamp"]).astype("datetime64[ns]")
        table["show_timestamp"] = moments + pd.Timedelta(1, "ns")
        table["user_id"] = ["1", "x", "1", "2"]
        table.to_parquet(path)
        logs = read_kuailive_m3(folder)
        assert logs.report.files["live_show"].reasons == {"unparsable": 1, "entered": 1}
        assert logs.negative["timestamp"].tolist() == [at(24) + 20 * 60_000, at(21) + 1_000]

    @pytest.mark.parametrize(
        ("name", "line", "reason"),
        [("live_interaction", "1,7,70,yesterday,,,5,0,0,0,0,0", "unparsable"),
         ("live_interaction", "1,7,70,,,,5,0,0,0,0,0", "empty_field"),
         ("live_interaction", "1,7,70,2025-05-05 20:31:00,,,5,-4,0,0,0,0", "impossible_count"),
         ("live_interaction", "1,7,70,2025-05-05 20:31:00,,,5,0,200000,0,0,0", "impossible_count"),
         ("live_interaction", "1,7,70,2025-05-05 20:31:00,,,-5,0,0,0,0,0", "negative_watch_time"),
         ("live_interaction", "1,8,70,2025-05-05 20:31:00,,,5,0,0,0,0,0", "streamer_mismatch"),
         ("live_interaction", "9,7,70,2025-05-05 20:31:00,,,5,0,0,0,0,0", "unknown_user"),
         ("live_interaction", m3_lines()["live_interaction"][1], "duplicate"),
         ("live_room_meta", "71,9,,2025-05-05 20:00:00,,", "unknown_streamer"),
         ("live_room_meta", "70,7,,2025-05-05 20:10:00,2025-05-05 21:00:00,", "merged"),
         ("live_room_meta", "71,7,,2025-05-05 20:10:00,2025-05-05 20:00:00,", "end_before_start"),
         ("live_show", "70,3,7,0", "wrong_unit"),
         ("live_show", "70,3,7,2025-05-09 20:10:00", "outside_room"),
         ("author_profile", "7,1,1,F,24-30,1k-1w", "duplicate_id")],
    )  # fmt: skip
    def test_dirty_rows(self, tmp_path, name, line, reason):
        files = m3_lines()
        clean = read_kuailive_m3(write(tmp_path / "clean", files))
        files[name].append(line)
        folder = write(tmp_path / "dirty", files)
        logs = read_kuailive_m3(folder)
        assert logs.report.files[name].reasons == {reason: 1, **clean.report.files[name].reasons}
        pd.testing.assert_frame_equal(logs.click, clean.click)
        pd.testing.assert_frame_equal(logs.negative, clean.negative)
        if reason != "merged":
            with pytest.raises(ValueError, match=rf"{name}\.csv has rows .*{reason} 1"):
                read_kuailive_m3(folder, strict=True)

    def test_users(self, tmp_path):
        logs = read_kuailive_m3(write(tmp_path, m3_lines()), users=[2, 3])
        assert logs.click["user_id"].tolist() == [2]
        assert logs.negative["user_id"].tolist() == [2, 3]
        assert logs.report.files["live_interaction"].reasons == {"not_selected": 2}
        assert logs.like.empty and logs.comment["user_id"].tolist() == [2, 2]

    def test_core_only(self, tmp_path):
        files = m3_lines()
        del files["live_show"]
        rows = [row.split(",")[:7] for row in files["live_interaction"]]
        files["live_interaction"] = [",".join(row) for row in rows]
        logs = read_kuailive_m3(write(tmp_path, files))
        assert len(logs.click) == 3
        assert all(getattr(logs, n) is None for n in ("negative", "like", "gift", "follow"))

    @pytest.mark.parametrize("name", [n for n, s in KUAILIVE_M3.items() if s.required])
    def test_missing_file(self, tmp_path, name):
        folder = write(tmp_path, m3_lines())
        (folder / f"{name}.csv").unlink()
        with pytest.raises(FileNotFoundError, match=rf"has no {name}\.csv"):
            read_kuailive_m3(folder)
