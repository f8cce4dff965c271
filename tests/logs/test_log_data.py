import numpy as np
import pandas as pd
import pytest

from livestream_env.logs import FileReport, Logs, ReadReport, range_midpoint, read_logs
from livestream_env.logs.read_report import NO_SLATE
from tests.logs.files import DAY0_MS, HOUR_MS, at, lines, write


class TestRangeMidpoint:
    @pytest.mark.parametrize(
        ("text", "midpoint"),
        [("24-30", 27), ("5000+", 5000), ("10000-100000", 55_000), ("0", 0), ("12", 12),
         ("1k-10w", 50_500), ("1000w+", 10_000_000), (" 0-12 ", 6), ("1.5-2.5", 2)],
    )  # fmt: skip
    def test_ranges(self, text, midpoint):
        assert range_midpoint([text]) == [midpoint]

    @pytest.mark.parametrize(
        "text", ["", "unknown", "U", "2014-07-03", "-", "+", "a-b", "-5", None, np.nan, "nan"]
    )
    def test_anything_else(self, text):
        assert np.isnan(range_midpoint([text])).all()

    def test_shapes_and_types(self):
        values = pd.Series(["1-3", None, "9+", "1-3"])
        expected = np.array([2, np.nan, 9, 2])
        for given in (values, values.astype("category"), values.to_numpy(), values.to_list()):
            result = range_midpoint(given)
            assert result.dtype == np.float64
            np.testing.assert_array_equal(result, expected)
        np.testing.assert_array_equal(range_midpoint([3, 4.5]), [3, 4.5])
        assert range_midpoint([]).shape == (0,)


class TestLogs:
    def test_calendar(self, tmp_path):
        logs = read_logs(write(tmp_path, lines()))
        assert logs.origin_ms == DAY0_MS and logs.days == 2
        np.testing.assert_array_equal(logs.local_s([DAY0_MS, at(1.5)]), [0.0, 5400.0])

    def test_negatives_count_for_the_calendar(self, tmp_path):
        files = lines()
        files["room"].append(f"20250504,40,1,1,{at(-2)},{at(-1)},chat,0")
        files["negative"].append(f"1,40,1,{at(-1.5)}")
        logs = read_logs(write(tmp_path, files))
        assert logs.origin_ms == DAY0_MS - 24 * HOUR_MS and logs.days == 3

    def test_other_zone(self, tmp_path):
        logs = read_logs(write(tmp_path, lines()), utc_offset_h=0)
        assert logs.origin_ms == DAY0_MS + 8 * HOUR_MS
        assert logs.days == 2  # 01:24 to 13:00 of the next day

    def test_in_memory(self, tmp_path):
        logs = read_logs(write(tmp_path, lines()))
        tables = {name: getattr(logs, name) for name in ("click", "room", "user", "streamer")}
        assert Logs(**tables).report.to_dict() == {}
        with pytest.raises(ValueError, match="room lacks the column end_timestamp; it has live_id"):
            Logs(**{**tables, "room": logs.room.drop(columns="end_timestamp")})
        with pytest.raises(ValueError, match="like lacks the columns user_id, timestamp"):
            Logs(**tables, like=logs.click[["live_id", "streamer_id"]])
        with pytest.raises(ValueError, match="utc_offset_h"):
            Logs(**tables, utc_offset_h=8 * 60)
        with pytest.raises(ValueError, match="span no time"):
            _ = Logs(**{**tables, "click": logs.click[:0]}).days


class TestReport:
    def test_every_row_has_a_fate(self):
        with pytest.raises(ValueError, match="3 read, 1 kept, 1 left out"):
            FileReport(3, 1, {"duplicate": 1})

    def test_forms(self):
        report = ReadReport(
            {
                "click": FileReport(1_003, 1_000, {"duplicate": 2, "unknown_room": 1}),
                "user": FileReport(2, 2, notes=("begins with a byte-order mark",)),
            }
        )
        assert report.to_dict() == {
            "click": {"read": 1003, "kept": 1000, "reasons": {"duplicate": 2, "unknown_room": 1}},
            "user": {"read": 2, "kept": 2, "reasons": {}},
        }
        lines = str(report).splitlines()
        assert " ".join(lines[4:]) == NO_SLATE
        assert lines[:4] == [
            "file                   rows read          kept  left out",
            "click                      1,003         1,000  duplicate 2, unknown_room 1",
            "user                           2             2  none",
            "                    note: begins with a byte-order mark",
        ]
