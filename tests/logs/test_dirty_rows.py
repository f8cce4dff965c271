"""Every reason to leave out a row: planted, found, counted; nothing is lost on the way."""

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from livestream_env.logs import REASONS, parsing, read_logs
from livestream_env.logs.parsing import Parser, count_lines
from livestream_env.logs.schema import BENIGN, KUAILIVE
from tests.logs.files import arrow_table, at, event, lines, many, to_parquet, write

DAY_MS = 86_400_000
# Name of the case, file, line to append, reason. The reasons that no line can plant by itself
# (truncated, merged, not_selected; entered, which only KuaiLive-M3 has) have tests of their own.
PLANTS = [
    # Broken lines
    ("short", "click", "1,10,1", "wrong_field_count"),
    ("long", "click", event(1, 10, 1, 20.3, 5, 6), "wrong_field_count"),
    ("empty fields at the end", "negative", event(1, 10, 1, 20.3) + ",", "wrong_field_count"),
    ("open quote", "room", f'1,70,1,1,{at(1)},{at(2)},"shop,0', "wrong_field_count"),
    ("other separator", "click", event(1, 10, 1, 20.3, 5).replace(",", ";"), "wrong_field_count"),
    ("header again", "click", lines()["click"][0], "unparsable"),
    ("word", "click", f"one,10,1,{at(20.3)},5", "unparsable"),
    ("fraction", "click", f"1,10,1,{at(20.3)},2.5", "unparsable"),
    ("exponent", "click", "1,10,1,1.7464e12,5", "unparsable"),
    ("date", "click", "1,10,1,2025-05-05 20:18:00,5", "unparsable"),
    ("beyond int64", "click", f"1,{2**63},1,{at(20.3)},5", "unparsable"),
    ("far beyond", "click", f"1,{'9' * 5000},1,{at(20.3)},5", "unparsable"),
    ("not UTF-8 in a number", "like", "1,10,1\udcff,5", "unparsable"),
    ("id of a user", "user", "u5,18-23,F,0-10,0,0", "unparsable"),
    ("not UTF-8", "streamer", "4,\udce4\udcb8,0-10", "not_utf8"),
    ("empty id", "click", f",10,1,{at(20.3)},5", "empty_field"),
    ("empty watch time", "click", f"1,10,1,{at(20.3)},", "empty_field"),
    ("missing as pandas has it", "negative", f"nan,10,1,{at(20.3)}", "empty_field"),
    ("missing as SQL has it", "room", f"1,NULL,1,1,{at(1)},{at(2)},shop,0", "empty_field"),
    ("empty id of a streamer", "streamer", ",F,0-10", "empty_field"),
    # Impossible values
    ("seconds", "click", f"1,10,1,{at(20.3) // 1000},5", "wrong_unit"),
    ("microseconds", "negative", f"1,10,1,{at(20.3)}000", "wrong_unit"),
    ("zero", "like", "1,10,1,0", "wrong_unit"),
    ("room in seconds", "room", f"1,70,1,1,{at(1)},{at(2) // 1000},shop,0", "wrong_unit"),
    ("negative", "click", event(1, 10, 1, 20.3, -1), "negative_watch_time"),
    ("two days", "click", event(1, 10, 1, 20.3, 2 * DAY_MS), "absurd_watch_time"),
    ("price", "gift", event(1, 10, 1, 20.1, -2), "impossible_count"),
    ("backwards", "room", f"1,70,1,1,{at(2)},{at(1)},shop,0", "end_before_start"),
    ("long after", "click", event(1, 10, 1, 47, 5), "outside_room"),
    ("long before", "negative", event(1, 11, 1, 19.9), "outside_room"),
    # Ids
    ("user", "click", event(9, 10, 1, 20.3, 5), "unknown_user"),
    ("user who comments", "comment", event(9, 10, 1, 20.3), "unknown_user"),
    ("room", "click", event(1, 99, 1, 20.3, 5), "unknown_room"),
    ("negative id of a room", "click", event(1, -1, 1, 20.3, 5), "unknown_room"),
    ("streamer", "click", event(1, 10, 9, 20.3, 5), "unknown_streamer"),
    ("streamer of a room", "room", f"1,70,9,1,{at(1)},{at(2)},shop,0", "unknown_streamer"),
    ("another streamer", "click", event(1, 10, 2, 20.3, 5), "streamer_mismatch"),
    ("another room's streamer", "room", f"1,10,2,1,{at(20)},{at(22)},x,0", "streamer_mismatch"),
    # Repetitions
    ("click", "click", lines()["click"][1], "duplicate"),
    ("negative", "negative", lines()["negative"][2], "duplicate"),
    ("user again", "user", "1,18-23,F,0-10,0,0", "duplicate_id"),
    ("streamer again", "streamer", lines()["streamer"][1], "duplicate_id"),
]  # fmt: skip
TABLES = ("click", "room", "user", "streamer", "negative", "comment", "like", "gift")


def complete():
    """The small log, with all of its files."""
    files = lines()
    header = files["negative"][0]
    files["comment"] = [header, event(1, 10, 1, 20.1)]
    files["like"] = [header, event(1, 10, 1, 20.1), event(2, 30, 3, 23.5)]
    files["gift"] = [f"{header},gift_price", event(1, 10, 1, 20.1, 12)]
    return files


def assert_same_tables(a, b):
    for name in TABLES:
        pd.testing.assert_frame_equal(getattr(a, name), getattr(b, name), check_categorical=False)


class TestPlanted:
    @pytest.mark.parametrize("place", ["first", "last"])
    @pytest.mark.parametrize(
        ("name", "line", "reason"),
        [pytest.param(*plant[1:], id=f"{plant[3]}: {plant[0]}") for plant in PLANTS],
    )
    def test_found_and_counted(self, tmp_path, name, line, reason, place):
        files = complete()
        clean = read_logs(write(tmp_path / "clean", files), strict=True)
        # A repetition is what comes after.
        at_line = 2 if place == "first" and "duplicate" not in reason else len(files[name]) + 1
        if reason == "streamer_mismatch" and name == "room":
            at_line = len(files[name]) + 1
        files[name].insert(at_line - 1, line)
        folder = write(tmp_path / "dirty", files)
        logs = read_logs(folder)
        assert_same_tables(logs, clean)
        for file, report in logs.report.files.items():
            expected = {**clean.report.files[file].reasons}
            if file == name:
                expected[reason] = 1
                assert report.read == clean.report.files[file].read + 1
            assert report.reasons == expected and report.kept == clean.report.files[file].kept
        with pytest.raises(ValueError) as error:
            read_logs(folder, strict=True)
        message = str(error.value)
        assert re.search(rf"{name}\.csv has rows that cannot be used: {reason} 1 \(", message)
        assert REASONS[reason] in message
        if reason not in ("duplicate", "duplicate_id", "streamer_mismatch"):
            assert f"(line {at_line}: " in message

    def test_every_reason_is_planted_somewhere(self):
        elsewhere = {"truncated", "merged", "not_selected", "entered"}
        assert {plant[3] for plant in PLANTS} | elsewhere == set(REASONS)
        assert BENIGN < set(REASONS)

    @pytest.mark.parametrize(
        ("name", "line", "reason"),
        [plant[1:] for plant in PLANTS if plant[0] in
         ("seconds", "negative", "two days", "backwards", "user", "room", "another streamer",
          "click", "user again", "empty watch time", "empty id of a streamer", "word",
          "fraction", "id of a user")],
    )  # fmt: skip
    def test_in_parquet(self, tmp_path, name, line, reason):
        files = complete()
        files[name].append(line)
        logs = read_logs(to_parquet(write(tmp_path / "dirty", files)))
        clean = read_logs(write(tmp_path / "clean", complete())).report.files[name]
        assert logs.report.files[name].reasons == {reason: 1, **clean.reasons}
        assert logs.report.files[name].kept == clean.kept
        if "duplicate" not in reason and reason != "streamer_mismatch":
            assert logs.report.files[name].examples[reason] == f"row {len(files[name]) - 1}"

    def test_all_at_once(self, tmp_path):
        files = complete()
        expected: dict[str, dict[str, int]] = {}
        for _, name, line, reason in PLANTS:
            files[name].append(line)
            counts = expected.setdefault(name, {"merged": 1} if name == "room" else {})
            counts[reason] = counts.get(reason, 0) + 1
        # A room that is left out takes its events along, so one of those is in order here.
        logs = read_logs(write(tmp_path / "dirty", files))
        assert {n: dict(f.reasons) for n, f in logs.report.files.items()} == expected
        assert_same_tables(logs, read_logs(write(tmp_path / "clean", complete())))
        for name, report in logs.report.files.items():
            assert report.read == len(files[name]) - 1
            assert list(report.reasons) == [r for r in REASONS if r in report.reasons]

    def test_the_first_reason_counts(self, tmp_path):
        """A row is counted once, however much is wrong with it."""
        files = lines()
        files["click"].append(f"9,99,9,{at(20) // 1000},-5")
        assert read_logs(write(tmp_path, files)).report.files["click"].reasons == {
            "unknown_user": 1
        }

    def test_an_event_of_a_room_that_is_left_out(self, tmp_path):
        files = lines()
        files["room"].append(f"1,70,1,1,{at(2)},{at(1)},shop,0")
        files["click"].append(event(1, 70, 1, 1.5, 5))
        reasons = read_logs(write(tmp_path, files)).report.files["click"].reasons
        assert reasons == {"unknown_room": 1}

    def test_clicks_at_the_same_moment_are_not_duplicates(self, tmp_path):
        files = lines()
        files["click"] += [event(1, 10, 1, 20.1, 7), event(1, 10, 1, 20.1, 600_000)]
        logs = read_logs(write(tmp_path, files))
        assert logs.report.files["click"].reasons == {"duplicate": 1}
        same = logs.click[logs.click["timestamp"] == at(20.1)]
        assert same["watch_live_time"].tolist() == [7, 600_000]

    def test_up_to_a_day_off_is_kept(self, tmp_path):
        """Rooms cut off at midnight, and clocks that disagree."""
        files = lines()
        files["click"] += [event(1, 10, 1, 45.9, 5), event(1, 11, 1, 20.1, 5)]
        assert len(read_logs(write(tmp_path, files), strict=True).click) == 8

    def test_merged_rows_are_no_dirt(self, tmp_path):
        report = read_logs(write(tmp_path, lines()), strict=True).report
        assert report.files["room"].reasons == {"merged": 1}
        assert report.files["room"].examples == {"merged": "live_id 30"}

    def test_some_in_another_unit(self, tmp_path):
        """Nine of ten are taken for a mistake in the whole file; fewer are counted like others."""
        files = lines()
        files["negative"] += [f"1,10,1,{at(20.3) // 1000}"] * 20
        assert read_logs(write(tmp_path, files)).report.files["negative"].reasons == {
            "wrong_unit": 20
        }

    def test_only_dirty_rows(self, tmp_path):
        files = lines()
        files["click"][1:] = ["1,2", event(1, 99, 1, 20, 5), event(1, 98, 1, 20, 5)]
        with pytest.raises(
            ValueError,
            match=r"click\.csv: none of its 3 rows can be used: wrong_field_count 1 "
            r"\(line 2: .*\), unknown_room 2 \(line 3: ",
        ):
            read_logs(write(tmp_path, files))

    def test_only_dirty_rows_of_an_optional_file(self, tmp_path):
        files = lines()
        files["negative"][1:] = ["1,2", "a,b,c,d"]
        logs = read_logs(write(tmp_path, files))
        assert logs.negative.shape == (0, 4)
        assert logs.report.files["negative"].reasons == {"wrong_field_count": 1, "unparsable": 1}


class TestTruncated:
    def test_in_the_last_line(self, tmp_path):
        folder = write(tmp_path, many(), lambda text: text.rsplit(",", 2)[0])
        for name in ("user", "streamer", "room"):
            (folder / f"{name}.csv").write_text("\n".join(many()[name]))
        logs = read_logs(folder)
        assert logs.report.files["click"].reasons == {"truncated": 1}
        assert len(logs.click) == 1_999
        with pytest.raises(ValueError, match=r"click\.csv has rows.*truncated 1 \(line 2001: "):
            read_logs(folder, strict=True)

    def test_only_there(self, tmp_path):
        files = lines()
        files["click"].append("1,10")
        folder = write(tmp_path, files)
        assert read_logs(folder).report.files["click"].reasons == {"wrong_field_count": 1}
        (folder / "click.csv").write_text("\n".join([*files["click"], "1,10,1"]))
        assert read_logs(folder).report.files["click"].reasons == {
            "truncated": 1,
            "wrong_field_count": 1,
        }

    def test_within_the_header(self, tmp_path):
        folder = write(tmp_path, lines())
        (folder / "click.csv").write_text("user_id,live_id,str")
        with pytest.raises(ValueError, match="lacks the columns streamer_id or author_id, timesta"):
            read_logs(folder)


ROOM_COLUMNS = {column.name: column for column in KUAILIVE["room"].columns}


class TestBothSpeeds:
    """What Arrow reads as a whole and what Python takes apart is the same."""

    def parse(self, block):
        parser = Parser(list(ROOM_COLUMNS), ROOM_COLUMNS, 8.0)
        stretches = list(parser.csv(block, 2, True))
        texts = list(parser.vocabularies["live_content_category"])
        rows, rejected, blank = [], [], 0
        for part in stretches:
            names = [texts[i] if i >= 0 else None for i in part.columns["live_content_category"]]
            numbers = [part.columns[n].tolist() for n in ROOM_COLUMNS if n in part.columns
                       and n != "live_content_category"]  # fmt: skip
            rows += zip(part.positions.tolist(), part.empty.tolist(), names, *numbers, strict=True)
            rejected += part.rejected
            blank += part.blank
        return rows, rejected, blank

    FIELD = st.one_of(
        st.integers(-5, 10**13).map(str),
        st.sampled_from(["", "NA", "nan", "12.0", "1.5", "x", '"7"', '""', " 8 ", "9" * 20, "é"]),
        st.text(st.characters(codec="utf-8", exclude_characters="xX\0"), max_size=3),
    )
    GOOD = st.tuples(*[st.integers(0, 10**13).map(str)] * 5, st.sampled_from(["a", "b"]),
                     st.sampled_from(["1", ""])).map(",".join)  # fmt: skip
    LINE = st.one_of(
        GOOD,
        st.lists(FIELD, min_size=1, max_size=8).map(",".join),
        st.sampled_from(["", " ", '"', ",,,,,,", '1,2,3,4,5,"a,b",6', '1,2,3,4,5,"a,6']),
    )

    @given(st.lists(LINE, max_size=30), st.sampled_from(["\n", "\r\n"]), st.booleans())
    @settings(max_examples=300)
    def test_property(self, rows, end, closed):
        text = end.join(rows) + end * closed
        block = text.encode()
        fast = self.parse(block)
        small = (parsing._SMALL_BYTES, Parser._fast_csv)
        try:
            Parser._fast_csv = _always_out_of_order
            slow = self.parse(block)
            parsing._SMALL_BYTES = 1
            halved = self.parse(block)
            Parser._fast_csv = small[1]
            mixed = self.parse(block)
        finally:
            parsing._SMALL_BYTES, Parser._fast_csv = small
        assert fast == slow == halved == mixed
        kept, rejected, blank = fast
        assert len(kept) + len(rejected) + blank == count_lines(block)
        seen = sorted([row[0] for row in kept] + [position for position, _ in rejected])
        assert len(set(seen)) == len(seen) and set(seen) <= set(range(2, 2 + count_lines(block)))

    @given(st.lists(st.sampled_from(PLANTS), max_size=12), st.randoms(use_true_random=False))
    @settings(max_examples=60)
    def test_nothing_is_lost(self, tmp_path_factory, plants, random):
        """Rows read are rows kept and rows left out, in every file, wherever the dirt is."""
        files = complete()
        for _, name, line, _ in plants:
            files[name].insert(random.randint(1, len(files[name])), line)
        report = read_logs(write(tmp_path_factory.mktemp("log"), files)).report
        for name, file in report.files.items():
            assert file.read == len(files[name]) - 1
            assert file.read == file.kept + sum(file.reasons.values())

    def test_blocks_and_batches(self, tmp_path, monkeypatch):
        """Where a file is cut into blocks changes nothing, not even the numbers of the lines."""
        files = many()
        for place, line in ((30, "1,2"), (31, ""), (500, "x" * 3000), (1500, '"'), (1990, ",,,,")):
            files["click"].insert(place, line)
        folder = write(tmp_path / "csv", files)
        whole = read_logs(folder)
        report = whole.report.files["click"]
        assert report.reasons == {"wrong_field_count": 3, "empty_field": 1}
        assert report.examples == {"wrong_field_count": "line 31", "empty_field": "line 1991"}
        parquet = to_parquet(write(tmp_path / "parquet", many()))
        for size in (100, 1_000, 4_096):
            monkeypatch.setattr("livestream_env.logs.table_file.BLOCK_BYTES", size)
            monkeypatch.setattr("livestream_env.logs.table_file.BATCH_ROWS", size)
            logs = read_logs(folder)
            pd.testing.assert_frame_equal(logs.click, whole.click)
            assert logs.report == whole.report
            pd.testing.assert_frame_equal(read_logs(parquet).click, whole.click)

    def test_a_bad_row_costs_little(self):
        """All but the last stretch around it goes the fast way."""
        block = b"1,2,3,4,5,a,6\n" * 100_000 + b"1,2\n" + b"1,2,3,4,5,b,6\n" * 100_000
        parser = Parser(list(ROOM_COLUMNS), ROOM_COLUMNS, 8.0)
        sizes = [len(part.positions) for part in parser.csv(block, 2, True)]
        slow = [part for part in parser.csv(block, 2, True) if part.rejected]
        assert sum(sizes) == 200_000 and len(sizes) < 10
        assert len(slow) == 1 and len(slow[0].positions) < 5_000
        assert slow[0].rejected == [(100_002, "wrong_field_count")]

    def test_parquet_row_by_row(self):
        """Strings among numbers: the rows that cannot be read are those, and no others."""
        values = [str(i) for i in range(10_000)]
        values[7_777] = "x"
        values[8_888] = ""
        text = "user_id\n" + "\n".join(f'"{v}"' for v in values)
        table = arrow_table(text)
        assert str(table.schema.field(0).type) == "string"
        column = KUAILIVE["user"].columns[0]
        parts = list(Parser(["user_id"], {"user_id": column}, 8.0).parquet(table, 1))
        assert [r for part in parts for r in part.rejected] == [(7_778, "unparsable")]
        ids = np.concatenate([part.columns["user_id"] for part in parts])
        empty = np.concatenate([part.empty for part in parts])
        places = np.concatenate([part.positions for part in parts])
        assert places[empty].tolist() == [8_889] and len(ids) == 9_999
        np.testing.assert_array_equal(ids[~empty], places[~empty] - 1)


def _always_out_of_order(*_):
    raise parsing._OutOfOrderError
