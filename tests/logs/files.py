"""A log small enough to see through, as the lines of its files."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

DAY0_MS = 1_746_374_400_000  # 2025-05-05 00:00 in Beijing
HOUR_MS = 3_600_000
Lines = dict[str, list[str]]


def at(hours: float) -> int:
    """Epoch ms at so many hours from local midnight of day 0."""
    return DAY0_MS + round(hours * HOUR_MS)


def lines() -> Lines:
    """4 users, 3 streamers, 4 rooms, 6 clicks, 3 negatives: nothing wrong with any of them.

    Rooms: 10 and 11 of streamer 1 (20:00-22:00 on days 0 and 1), 20 of 2 (9:00-12:00),
    30 of 3 (23:00 until midnight, and on until 1:00: two rows).
    """
    return {
        "user": [
            "user_id,age,gender,fans_num,is_live_streamer,onehot_feat0",
            "1,24-30,M,0-10,0,1",
            "2,18-23,F,10-100,1,0",
            "3,50+,,0-10,0,0",
            "4,31-40,M,0-10,0,0",
        ],
        "streamer": [
            "streamer_id,gender,fans_user_num",
            "1,F,10000-100000",
            "2,M,5000+",
            "3,F,unknown",
        ],
        "room": [
            "p_date,live_id,streamer_id,live_type,start_timestamp,end_timestamp,"
            "live_content_category,live_name_id",
            f"20250505,20,2,1,{at(9)},{at(12)},shop,0",
            f"20250505,10,1,1,{at(20)},{at(22)},chat,1",
            f"20250505,30,3,1,{at(23)},{at(24)},shop,2",
            f"20250506,30,3,1,{at(24)},{at(25)},shop,2",
            f"20250506,11,1,1,{at(44)},{at(46)},chat,",
        ],
        "click": [
            "user_id,live_id,streamer_id,timestamp,watch_live_time",
            f"2,10,1,{at(20.5)},2852",
            f"1,20,2,{at(9.5)},120000",
            f"1,10,1,{at(20.1)},600000",
            f"1,11,1,{at(44.2)},3000",
            f"2,30,3,{at(23.5)},1800000",
            f"4,11,1,{at(45)},0",
        ],
        "negative": [
            "user_id,live_id,streamer_id,timestamp",
            f"1,20,2,{at(9.4)}",
            f"3,10,1,{at(21)}",
            f"2,11,1,{at(44.1)}",
        ],
    }


def event(user: int, live: int, streamer: int, hours: float, *more: int) -> str:
    """The line of an event."""
    return ",".join(map(str, (user, live, streamer, at(hours), *more)))


def write(folder: Path, files: Lines, edit: Callable[[str], str] = str) -> Path:
    """Write the files as .csv, each with a last line end; ``edit`` changes the whole text."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in files.items():
        text = edit("\n".join(rows) + "\n")
        (folder / f"{name}.csv").write_bytes(text.encode("utf-8", "surrogateescape"))
    return folder


def to_parquet(folder: Path) -> Path:
    """Replace the .csv files of a folder by .parquet, with the types that Arrow infers."""
    for path in folder.glob("*.csv"):
        pq.write_table(pa_csv.read_csv(path), path.with_suffix(".parquet"))
        path.unlink()
    return folder


def to_zip(folder: Path, inside: str = "") -> Path:
    """A .zip beside the folder, with its files under ``inside``."""
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.iterdir()):
            archive.write(file, f"{inside}{file.name}")
    return path


def many(num_clicks: int = 2_000, seed: int = 0) -> Lines:
    """A log with watch times as KuaiLive's: log-normal, up to the end of a room of two hours."""
    rng = np.random.default_rng(seed)
    files = {"user": ["user_id", *map(str, range(1, 51))]}
    files["streamer"] = ["streamer_id", *map(str, range(1, 21))]
    start = at(0) + rng.integers(0, 20 * HOUR_MS, 20)
    end = start + 2 * HOUR_MS
    room = rng.integers(0, 20, num_clicks)
    time = start[room] + rng.integers(0, 2 * HOUR_MS - 1000, num_clicks)
    watch = 1000 * np.exp(1.4 + 2.65 * rng.standard_normal(num_clicks))
    watch = np.minimum(np.minimum(watch, HOUR_MS), end[room] - time).astype(int)
    files["room"] = ["live_id,streamer_id,start_timestamp,end_timestamp"]
    files["room"] += [f"{100 + i},{i + 1},{start[i]},{end[i]}" for i in range(20)]
    files["click"] = ["user_id,live_id,streamer_id,timestamp,watch_live_time"]
    files["click"] += [
        f"{rng.integers(1, 51)},{100 + room[i]},{room[i] + 1},{time[i]},{watch[i]}"
        for i in range(num_clicks)
    ]
    return files


def arrow_table(text: str) -> pa.Table:
    """A .csv text as a table with the types that Arrow infers."""
    return pa_csv.read_csv(pa.py_buffer(text.encode()))
