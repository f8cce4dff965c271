import subprocess
import sys
import zipfile

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from livestream_env import progress
from livestream_env.logs import read_logs
from livestream_env.logs.schema import KUAILIVE
from tests.logs.files import arrow_table, at, event, lines, many, to_parquet, to_zip, write

TABLES = ("click", "room", "user", "streamer", "negative", "comment", "like", "gift")


def assert_same_logs(a, b):
    for name in TABLES:
        left, right = getattr(a, name), getattr(b, name)
        assert (left is None) == (right is None)
        if left is not None:
            pd.testing.assert_frame_equal(left, right, check_categorical=False)


class TestTables:
    def test_clicks_are_sorted(self, tmp_path):
        logs = read_logs(write(tmp_path, lines()))
        click = logs.click
        assert click["user_id"].tolist() == [1, 1, 1, 2, 2, 4]
        assert click["timestamp"].tolist() == [at(h) for h in (9.5, 20.1, 44.2, 20.5, 23.5, 45)]
        assert click["watch_live_time"].tolist() == [120000, 600000, 3000, 2852, 1800000, 0]
        assert (click.dtypes == np.int64).all()
        assert (click.index == np.arange(6)).all()
        assert logs.negative["live_id"].tolist() == [20, 11, 10]
        assert logs.comment is None and logs.title_embeddings is None

    def test_users_and_streamers(self, tmp_path):
        files = lines()
        files["user"][1:] = reversed(files["user"][1:])
        logs = read_logs(write(tmp_path, files))
        assert logs.user["user_id"].tolist() == [1, 2, 3, 4]
        assert logs.user["age"].tolist() == ["24-30", "18-23", "50+", "31-40"]
        assert logs.user["gender"].isna().tolist() == [False, False, True, False]
        assert logs.user["onehot_feat0"].tolist() == ["1", "0", "0", "0"]
        assert isinstance(logs.user["age"].dtype, pd.CategoricalDtype)
        assert "country" not in logs.user  # not in the file
        assert logs.streamer["fans_user_num"].tolist() == ["10000-100000", "5000+", "unknown"]

    def test_rooms_split_at_midnight_are_one(self, tmp_path):
        """Of several rows of a live_id the earliest start and the latest end count."""
        logs = read_logs(write(tmp_path, lines()))
        room = logs.room.set_index("live_id")
        assert room.index.tolist() == [10, 11, 20, 30]
        assert room.loc[30, "start_timestamp"] == at(23)
        assert room.loc[30, "end_timestamp"] == at(25)
        assert not room["end_censored"].any()
        assert room["live_name_id"].tolist() == [1, -1, 0, 2]
        assert room["live_content_category"].tolist() == ["chat", "chat", "shop", "shop"]
        assert logs.report.to_dict()["room"] == {"read": 5, "kept": 4, "reasons": {"merged": 1}}

    def test_an_end_at_local_midnight_is_censored(self, tmp_path):
        files = lines()
        del files["room"][4]  # the part of room 30 after midnight
        folder = write(tmp_path, files)
        assert read_logs(folder).room["end_censored"].tolist() == [False, False, False, True]
        assert not read_logs(folder, utc_offset_h=7).room["end_censored"].any()

    def test_an_open_room_ends_when_it_was_last_seen(self, tmp_path):
        files = lines()
        files["room"][1] = f"20250505,20,2,1,{at(9)},,shop,0"
        files["room"].append(f"20250505,40,2,1,{at(1)},,shop,0")
        room = read_logs(write(tmp_path, files)).room.set_index("live_id")
        assert room.loc[20, "end_timestamp"] == at(9.5) + 120_000
        assert room.loc[40, "end_timestamp"] == at(1)  # never seen
        assert room["end_censored"].tolist() == [False, False, True, False, True]
        files["negative"].append(f"1,20,2,{at(30)}")
        room = read_logs(write(tmp_path, files)).room.set_index("live_id")
        assert room.loc[20, "end_timestamp"] == at(30)

    def test_likes_of_one_view_are_alike(self, tmp_path):
        """They bear the timestamp of the click, so a repeated row is another like."""
        files = lines()
        header = files["negative"][0]
        files["like"] = [header, event(1, 10, 1, 20.1), event(1, 10, 1, 20.1)]
        files["comment"] = [header, event(1, 10, 1, 20.1)]
        files["gift"] = [f"{header},gift_price", *2 * [event(1, 10, 1, 20.1, 5)]]
        logs = read_logs(write(tmp_path, files), strict=True)
        assert (len(logs.like), len(logs.comment), len(logs.gift)) == (2, 1, 2)
        assert logs.gift["gift_price"].tolist() == [5, 5]


class TestFiles:
    @pytest.mark.parametrize("inside", ["", "KuaiLive/", "a/b/"])
    def test_zip(self, tmp_path, inside):
        folder = write(tmp_path / "log", lines())
        assert_same_logs(read_logs(to_zip(folder, inside)), read_logs(folder))

    def test_deep_folder_and_mac_remains(self, tmp_path):
        write(tmp_path / "x" / "y", lines())
        (tmp_path / "__MACOSX").mkdir()
        (tmp_path / "__MACOSX" / "._click.csv").write_bytes(b"\0")
        assert len(read_logs(tmp_path).click) == 6

    def test_parquet(self, tmp_path):
        expected = read_logs(write(tmp_path / "csv", lines()))
        folder = to_parquet(write(tmp_path / "parquet", lines()))
        logs = read_logs(folder, strict=True)
        assert_same_logs(logs, expected)
        assert logs.report.to_dict() == expected.report.to_dict()
        assert_same_logs(read_logs(to_zip(folder)), expected)

    @pytest.mark.parametrize("kind", [float, str, np.uint32, np.int16])
    def test_parquet_with_other_types(self, tmp_path, kind):
        """Pandas makes floats of columns with gaps; somebody else may have made strings."""
        folder = write(tmp_path, lines())
        expected = read_logs(folder)
        table = pd.read_csv(folder / "click.csv")
        kind = np.int64 if kind is np.int16 else kind
        if kind is np.uint32:
            table["live_id"] = table["live_id"].astype(kind)
        else:
            table = table.astype(kind)
        table.to_parquet(folder / "click.parquet")
        (folder / "click.csv").unlink()
        assert_same_logs(read_logs(folder), expected)

    def test_csv_goes_before_parquet(self, tmp_path):
        folder = write(tmp_path, lines())
        pq.write_table(arrow_table("user_id\n1\n"), folder / "user.parquet")
        report = read_logs(folder).report
        assert report.files["user"].read == 4
        assert report.files["user"].notes == ("user.parquet is there too and was not read",)

    def test_aliases(self, tmp_path):
        """The authors' own scripts say author where their field lists say streamer."""
        files = lines()
        expected = read_logs(write(tmp_path / "a", files))
        renamed = {
            name: [rows[0].replace("streamer", "author"), *rows[1:]] for name, rows in files.items()
        }
        assert renamed["user"][0].split(",")[4] == "is_live_author"
        logs = read_logs(write(tmp_path / "b", renamed))
        assert_same_logs(logs, expected)
        assert logs.report.files["click"].notes == ()

    def test_columns_in_any_order(self, tmp_path):
        files = lines()
        expected = read_logs(write(tmp_path / "a", files))
        files["click"] = [",".join(reversed(row.split(","))) for row in files["click"]]
        assert_same_logs(read_logs(write(tmp_path / "b", files)), expected)

    def test_extra_columns_are_named_and_left(self, tmp_path):
        files = lines()
        extras = ["session,x", "a,1", "b,2", "a,3", "é,4", ",5", '"q,""r",6']
        files["click"] = [
            f"{row},{extra}" for row, extra in zip(files["click"], extras, strict=True)
        ]
        logs = read_logs(write(tmp_path, files), strict=True)
        assert list(logs.click) == [column.name for column in KUAILIVE["click"].columns]
        assert logs.report.files["click"].notes == ("columns not used: session, x",)

    @pytest.mark.parametrize("suffix", [".npy", ".npz"])
    @pytest.mark.parametrize("zipped", [False, True])
    def test_title_embeddings(self, tmp_path, suffix, zipped):
        folder = write(tmp_path / "log", lines())
        array = np.arange(12.0).reshape(3, 4)
        path = folder / f"title_embeddings_pca128{suffix}"
        np.save(path, array) if suffix == ".npy" else np.savez(path, array)
        logs = read_logs(to_zip(folder) if zipped else folder)
        assert logs.title_embeddings.dtype == np.float32
        np.testing.assert_array_equal(logs.title_embeddings, array)
        assert logs.report.to_dict()["title_embeddings"] == {"read": 3, "kept": 3, "reasons": {}}

    def test_titles_beyond_the_last_are_missing(self, tmp_path):
        folder = write(tmp_path, lines())
        np.save(folder / "title_embeddings.npy", np.zeros((2, 4), np.float32))
        logs = read_logs(folder)
        assert logs.room["live_name_id"].tolist() == [1, -1, 0, -1]
        (note,) = logs.report.files["title_embeddings"].notes
        assert note.startswith("1 rooms have a live_name_id beyond")

    @pytest.mark.parametrize("content", [b"", b"nonsense", "pickle", "1-d", "text"])
    def test_wrong_title_embeddings(self, tmp_path, content):
        path = write(tmp_path, lines()) / "title_embeddings.npy"
        array = {"pickle": np.array([{}]), "1-d": np.zeros(3), "text": np.array([["a"]])}
        path.write_bytes(content) if isinstance(content, bytes) else np.save(path, array[content])
        with pytest.raises(ValueError, match=r"title_embeddings\.npy"):
            read_logs(tmp_path)


class TestCosmetics:
    """What is odd and costs no row: noted, and no matter for ``strict``."""

    def read(self, folder, edit):
        files = lines()
        expected = read_logs(write(folder / "a", files))
        logs = read_logs(write(folder / "b", files, edit), strict=True)
        assert_same_logs(logs, expected)
        assert logs.report.to_dict() == expected.report.to_dict()
        return logs.report.files["click"].notes

    def test_byte_order_mark(self, tmp_path):
        notes = self.read(tmp_path, lambda text: "\ufeff" + text)
        assert notes == ("begins with a byte-order mark",)

    def test_windows_line_ends(self, tmp_path):
        notes = self.read(tmp_path, lambda text: text.replace("\n", "\r\n"))
        assert notes == ("has Windows line ends",)

    def test_quotes(self, tmp_path):
        def quote(text):
            rows = [[f'"{field}"' for field in row.split(",")] for row in text.split("\n")[:-1]]
            return "\n".join(map(",".join, rows)) + "\n"

        assert self.read(tmp_path, quote) == ()

    @pytest.mark.parametrize("blank", ["\n", "\r\n", "  \n"])
    def test_blank_lines(self, tmp_path, blank):
        assert self.read(tmp_path, lambda text: text.replace("\n", "\n" + blank)) == ()

    def test_no_last_line_end(self, tmp_path):
        assert self.read(tmp_path, lambda text: text[:-1]) == ()

    def test_spaces_in_the_header_and_beside_numbers(self, tmp_path):
        files = lines()
        expected = read_logs(write(tmp_path / "a", files))
        files["click"] = [row.replace(",", " , ") for row in files["click"]]
        assert_same_logs(read_logs(write(tmp_path / "b", files)), expected)

    def test_whole_numbers_with_a_point(self, tmp_path):
        """Pandas writes 12.0 where a column has gaps elsewhere."""
        files = lines()
        expected = read_logs(write(tmp_path / "a", files))
        files["click"][1:] = [row + ".0" for row in files["click"][1:]]
        assert_same_logs(read_logs(write(tmp_path / "b", files)), expected)

    def test_texts_with_commas_and_quotes(self, tmp_path):
        files = lines()
        files["room"][1] = files["room"][1].replace("shop", '"shop, ""sale"""')
        room = read_logs(write(tmp_path, files), strict=True).room
        assert room.set_index("live_id").loc[20, "live_content_category"] == 'shop, "sale"'


class TestEmptyFiles:
    @pytest.mark.parametrize("content", ["", "\n", "user_id,live_id,streamer_id,timestamp\n"])
    def test_optional(self, tmp_path, content):
        folder = write(tmp_path, lines())
        for name in ("negative", "like"):
            (folder / f"{name}.csv").write_text(content)
        logs = read_logs(folder, strict=True)
        for table in (logs.negative, logs.like):
            assert table.shape == (0, 4) and (table.dtypes == np.int64).all()
        assert logs.report.to_dict()["like"] == {"read": 0, "kept": 0, "reasons": {}}

    @pytest.mark.parametrize("name", ["click", "room", "user", "streamer"])
    def test_required(self, tmp_path, name):
        folder = write(tmp_path, lines())
        header = lines()[name][0]
        (folder / f"{name}.csv").write_text(header)
        with pytest.raises(ValueError, match=rf"{name}\.csv: none of its 0 rows can be used$"):
            read_logs(folder)
        (folder / f"{name}.csv").write_text("")
        with pytest.raises(ValueError, match=rf"{name}\.csv is empty"):
            read_logs(folder)

    def test_empty_parquet(self, tmp_path):
        folder = to_parquet(write(tmp_path, lines()))
        pq.write_table(pq.read_table(folder / "negative.parquet")[:0], folder / "negative.parquet")
        assert len(read_logs(folder).negative) == 0


class TestErrors:
    def test_nothing_there(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=r"logs: .*nowhere does not exist"):
            read_logs(tmp_path / "nowhere")

    def test_neither_folder_nor_zip(self, tmp_path):
        folder = write(tmp_path, lines())
        with pytest.raises(ValueError, match=r"folder or a \.zip.*click\.csv is neither"):
            read_logs(folder / "click.csv")

    @pytest.mark.parametrize("name", ["click", "room", "user", "streamer"])
    def test_missing_file(self, tmp_path, name):
        folder = write(tmp_path / "log", lines())
        (folder / f"{name}.csv").unlink()
        for path in (folder, to_zip(folder)):
            with pytest.raises(FileNotFoundError) as error:
                read_logs(path)
            assert f"has no {name}.csv or {name}.parquet" in str(error.value)
            assert str(path) in str(error.value) and "negative.csv" in str(error.value)

    @pytest.mark.parametrize(
        ("name", "column"),
        [("click", "watch_live_time"), ("click", "user_id"), ("room", "end_timestamp"),
         ("room", "start_timestamp"), ("user", "user_id"), ("negative", "timestamp")],
    )  # fmt: skip
    @pytest.mark.parametrize("as_parquet", [False, True])
    def test_missing_column(self, tmp_path, name, column, as_parquet):
        files = lines()
        files[name][0] = files[name][0].replace(column, "other")
        folder = write(tmp_path, files)
        if as_parquet:
            to_parquet(folder)
        with pytest.raises(ValueError) as error:
            read_logs(folder)
        assert (
            f"{name}.{'parquet' if as_parquet else 'csv'} lacks the column {column}; it has "
            in (str(error.value))
        )
        assert "other" in str(error.value)

    def test_a_missing_column_is_named_with_its_aliases(self, tmp_path):
        files = lines()
        files["streamer"][0] = "id,gender,fans_user_num"
        with pytest.raises(ValueError, match="streamer_id or author_id; it has id, gender"):
            read_logs(write(tmp_path, files))

    def test_no_header(self, tmp_path):
        files = lines()
        del files["click"][0]
        with pytest.raises(ValueError, match=r"lacks the columns user_id, .* it has 2, 10, 1"):
            read_logs(write(tmp_path, files))

    def test_a_column_twice(self, tmp_path):
        files = lines()
        files["negative"][0] = "user_id,live_id,streamer_id,user_id"
        with pytest.raises(ValueError, match="several columns named user_id"):
            read_logs(write(tmp_path, files))

    def test_the_same_file_twice(self, tmp_path):
        write(tmp_path / "train", lines())
        write(tmp_path / "test", lines())
        with pytest.raises(ValueError, match=r"several files of one name: .*test/user\.csv, train"):
            read_logs(tmp_path)

    def test_another_encoding(self, tmp_path):
        folder = write(tmp_path, lines())
        path = folder / "click.csv"
        path.write_bytes(path.read_text().encode("utf-16"))
        with pytest.raises(ValueError, match=r"click\.csv is not UTF-8 text"):
            read_logs(folder)

    def test_cut_off_zip(self, tmp_path):
        path = to_zip(write(tmp_path / "log", lines()))
        path.write_bytes(path.read_bytes()[:-50])
        with pytest.raises(ValueError, match=r"log\.zip is not a \.zip, or is cut off"):
            read_logs(path)

    def test_damaged_zip(self, tmp_path):
        path = to_zip(write(tmp_path / "log", many()))
        with zipfile.ZipFile(path) as archive:
            offset = archive.getinfo("click.csv").header_offset
        content = bytearray(path.read_bytes())
        content[offset + 3000 : offset + 3100] = bytes(100)
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"click\.csv is damaged after [\d,]+ rows"):
            read_logs(path)

    @pytest.mark.parametrize("keep", [0, 10, -20])
    def test_cut_off_parquet(self, tmp_path, keep):
        folder = to_parquet(write(tmp_path, lines()))
        path = folder / "click.parquet"
        path.write_bytes(path.read_bytes()[:keep])
        with pytest.raises(ValueError, match=r"click\.parquet is not a Parquet file, or is cut"):
            read_logs(folder)

    def test_parquet_with_moments(self, tmp_path):
        """Of which nobody knows whether they are local."""
        folder = write(tmp_path, lines())
        table = pd.read_csv(folder / "click.csv")
        table["timestamp"] = pd.to_datetime(table["timestamp"], unit="ms")
        table.to_parquet(folder / "click.parquet")
        (folder / "click.csv").unlink()
        with pytest.raises(
            ValueError, match=r"click\.parquet: column timestamp must hold integers"
        ):
            read_logs(folder)

    def test_damaged_parquet(self, tmp_path):
        folder = write(tmp_path, many(20_000))
        to_parquet(folder)
        path = folder / "click.parquet"
        content = bytearray(path.read_bytes())
        content[40:20_000] = bytes(20_000 - 40)
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"click\.parquet is damaged after 0 rows"):
            read_logs(folder)


class TestSelectionOfUsers:
    def test_ids(self, tmp_path):
        logs = read_logs(write(tmp_path, lines()), users=[2, 4])
        assert logs.user["user_id"].tolist() == [2, 4]
        assert logs.user["age"].tolist() == ["18-23", "31-40"]
        assert set(logs.click["user_id"]) == {2, 4} and set(logs.negative["user_id"]) == {2}
        assert len(logs.room) == 4 and len(logs.streamer) == 3
        report = logs.report.to_dict()
        assert report["user"] == {"read": 4, "kept": 2, "reasons": {"not_selected": 2}}
        assert report["click"] == {"read": 6, "kept": 3, "reasons": {"not_selected": 3}}
        assert report["negative"] == {"read": 3, "kept": 1, "reasons": {"not_selected": 2}}

    def test_a_draw(self, tmp_path):
        folder = write(tmp_path, many())
        draws = [read_logs(folder, users=10, seed=seed) for seed in (0, 0, 1)]
        ids = [set(logs.user["user_id"]) for logs in draws]
        assert [len(drawn) for drawn in ids] == [10, 10, 10]
        assert ids[0] == ids[1] != ids[2]
        assert_same_logs(draws[0], draws[1])
        assert set(draws[0].click["user_id"]) <= ids[0]
        everybody = read_logs(folder, users=50)
        assert_same_logs(everybody, read_logs(folder))
        assert everybody.report.files["click"].reasons == {}

    def test_strangers_are_not_merely_unselected(self, tmp_path):
        files = lines()
        files["click"].append(event(99, 10, 1, 20.5, 1))
        report = read_logs(write(tmp_path, files), users=[1]).report
        assert report.files["click"].reasons == {"unknown_user": 1, "not_selected": 3}

    def test_strict_minds_dirt_only(self, tmp_path):
        assert len(read_logs(write(tmp_path, lines()), users=[1], strict=True).click) == 3

    @pytest.mark.parametrize(
        ("users", "message"),
        [(0, r"users must be in \[1, 4\] or a list of ids, got 0"), (5, "got 5"),
         ([1, 7], r"users: 7 is not in .*user\.csv"), ([], "at least one")],
    )  # fmt: skip
    def test_impossible(self, tmp_path, users, message):
        with pytest.raises(ValueError, match=message):
            read_logs(write(tmp_path, lines()), users=users)

    def test_nothing_left(self, tmp_path):
        with pytest.raises(ValueError, match=r"click\.csv: none of its 6 rows.*not_selected 6"):
            read_logs(write(tmp_path, lines()), users=[3])


class TestWholeFileUnits:
    def test_milliseconds_pass(self, tmp_path):
        logs = read_logs(write(tmp_path, many()), strict=True)
        assert 0.3 < (logs.click["watch_live_time"] > 10_000).mean() < 0.5

    @staticmethod
    def watch_times(files, change):
        rows = [row.rsplit(",", 1) for row in files["click"][1:]]
        files["click"][1:] = [f"{row},{change(int(watch))}" for row, watch in rows]

    @pytest.mark.parametrize("strict", [False, True])
    def test_seconds(self, tmp_path, strict):
        files = many()
        self.watch_times(files, lambda watch: watch // 1000)
        with pytest.raises(ValueError, match=r"click\.csv: watch_live_time looks like seconds"):
            read_logs(write(tmp_path, files), strict=strict)

    def test_microseconds(self, tmp_path):
        files = many()
        self.watch_times(files, lambda watch: watch * 1000)
        folder = write(tmp_path, files)
        with pytest.raises(ValueError, match=r"click\.csv: .*: \d\d% of the views would outlast"):
            read_logs(folder)
        with pytest.raises(ValueError, match=r"click\.csv .*absurd_watch_time"):
            read_logs(folder, strict=True)

    def test_few_views_tell_nothing(self, tmp_path):
        files = many(150)
        self.watch_times(files, lambda watch: watch // 1000)
        assert len(read_logs(write(tmp_path, files)).click) > 140

    @pytest.mark.parametrize(("name", "column"), [("click", 3), ("room", 2), ("negative", 3)])
    @pytest.mark.parametrize("factor", [0.001, 1000])
    def test_timestamps(self, tmp_path, name, column, factor):
        files = lines() if name == "negative" else many()
        rows = [row.split(",") for row in files[name]]
        for row in rows[1:]:
            row[column] = str(round(int(row[column]) * factor))
        files[name] = [",".join(row) for row in rows]
        with pytest.raises(
            ValueError, match=rf"{name}\.csv gives its times in another unit.*line 2"
        ):
            read_logs(write(tmp_path, files))


def test_progress(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(progress, "FIRST_LINE_S", 0.0)
    folder = write(tmp_path, lines())
    read_logs(folder)
    assert capsys.readouterr().err == ""
    read_logs(folder, progress_bar=True)
    written = capsys.readouterr().err
    assert "bytes (100 %) in 0 s" in written and "\r" not in written


def test_the_environment_needs_no_pandas():
    code = "import sys, livestream_env; print(sorted({'pandas', 'pyarrow'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
