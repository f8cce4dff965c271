"""Reading logs in the files of KuaiLive."""

from __future__ import annotations

import os
import zipfile
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from livestream_env.logs.assembly import (
    Users,
    close_rooms,
    data_frame,
    merge_rooms,
    select_users,
    table_by_id,
)
from livestream_env.logs.checks import EventChecks, RoomChecks, check_watch_unit
from livestream_env.logs.log_data import Logs
from livestream_env.logs.log_reader import LogReader
from livestream_env.logs.read_report import FileReport
from livestream_env.logs.schema import KUAILIVE, MISSING, TITLE_EMBEDDINGS
from livestream_env.logs.source import check_unpacked, refusing
from livestream_env.logs.table_file import Columns, TableFile


def read_logs(
    path: str | os.PathLike[str],
    strict: bool = False,
    progress_bar: bool = False,
    users: Users = None,
    *,
    utc_offset_h: float = 8.0,
    seed: int = 0,
) -> Logs:
    """Read logs in the files of KuaiLive, checked row by row.

    The folder or .zip holds, at any depth, ``click``, ``room``, ``user`` and ``streamer``, and
    may hold ``negative``, ``comment``, ``like``, ``gift`` (each .csv or .parquet) and
    ``title_embeddings*`` (.npy or .npz). Columns are those of
    :data:`livestream_env.logs.schema.KUAILIVE`, in any order; of users and streamers only the id is
    needed. Timestamps are UTC epoch milliseconds, watch times milliseconds. Rooms whose end is
    empty get the last moment at which they were seen live.

    Rows that cannot be used are left out and counted in ``report``, under the reasons of
    :data:`livestream_env.logs.schema.REASONS`. What is left refers only to users, streamers and
    rooms that are there. Likes, comments and gifts bear the timestamp of their click, so rows of
    them that are alike are several, and stay.

    Args:
        path: a folder or a .zip.
        strict: raise at the first file that has unusable rows, instead of leaving them out.
        progress_bar: show one, in bytes.
        users: read the events of so many users, drawn at random, or of those with these ids. Rows
            of other users are counted as ``not_selected``. All streamers and rooms are read.
        utc_offset_h: hours from UTC to the platform's local time, for midnights.
        seed: of that draw.

    Raises:
        FileNotFoundError: there is no such folder, or a required file is missing.
        ValueError: a required column is missing; a file is damaged, or keeps no row though it is
            required; most of its timestamps or its watch times are not milliseconds; ``users`` are
            not there; ``strict`` and a row cannot be used.
    """
    with LogReader(path, KUAILIVE, strict, progress_bar, utc_offset_h) as log:
        embeddings = _title_embeddings(log)
        things = read_things(log, ("user", "streamer", "room"), users, seed)
        events = {
            name: log.read_events(name, things.checks)
            for name in ("click", "negative", "comment", "like", "gift")
            if name in log
        }
    if embeddings is not None and "live_name_id" in things.rooms:
        title = things.rooms["live_name_id"]
        if n := int((title >= len(embeddings)).sum()):
            things.rooms["live_name_id"] = np.where(title < len(embeddings), title, MISSING)
            note = f"{n:,} rooms have a live_name_id beyond the last title: it counts as missing"
            log.reports[TITLE_EMBEDDINGS] = replace(log.reports[TITLE_EMBEDDINGS], notes=(note,))
    return make_logs(log, things, events, "click", utc_offset_h, embeddings)


@dataclass
class Things:
    """What events refer to.

    Attributes:
        user: those asked for.
        streamer: all.
        rooms: all, not closed yet.
        room_file: where the rooms come from.
        checks: of the events.
    """

    user: pd.DataFrame
    streamer: pd.DataFrame
    rooms: Columns
    room_file: TableFile
    checks: EventChecks


def read_things(log: LogReader, names: tuple[str, str, str], users: Users, seed: int) -> Things:
    """Read users, streamers and rooms, from the files of these names, and close their counts."""
    user_name, streamer_name, room_name = names
    user = table_by_id(log.files[user_name], log.read(user_name), "user_id")
    user_ids = user["user_id"].to_numpy()
    user = select_users(log.files[user_name], user, users, seed)
    log.finish(user_name)
    streamer = table_by_id(log.files[streamer_name], log.read(streamer_name), "streamer_id")
    streamer_ids = streamer["streamer_id"].to_numpy()
    log.finish(streamer_name)
    room_file = log.files[room_name]
    rooms = merge_rooms(room_file, log.read(room_name, RoomChecks(streamer_ids)))
    log.finish(room_name)
    checks = EventChecks(user_ids, user["user_id"].to_numpy(), streamer_ids, rooms)
    return Things(user, streamer, rooms, room_file, checks)


def make_logs(
    log: LogReader,
    things: Things,
    events: dict[str, Columns],
    click_name: str,
    utc_offset_h: float,
    embeddings: NDArray[np.float32] | None = None,
) -> Logs:
    """Close the rooms by what was seen in them, check the unit of the watch times, and assemble.

    Raises:
        ValueError: watch times, which are from the file ``click_name``, are not milliseconds.
    """
    click = events["click"]
    seen = [(click["live_id"], click["timestamp"] + click["watch_live_time"])]
    if "negative" in events:
        seen.append((events["negative"]["live_id"], events["negative"]["timestamp"]))
    rooms = close_rooms(things.rooms, seen, utc_offset_h)
    check_watch_unit(click, rooms, log.files[click_name].file.where)
    return Logs(
        room=data_frame(things.room_file, rooms),
        user=things.user,
        streamer=things.streamer,
        title_embeddings=embeddings,
        utc_offset_h=utc_offset_h,
        report=log.report,
        **{name: pd.DataFrame(table, copy=False) for name, table in events.items()},
    )


def _title_embeddings(log: LogReader) -> NDArray[np.float32] | None:
    """(titles, dimension) float32; those of a folder stay on disk where they can."""
    file = log.source.find_prefix(TITLE_EMBEDDINGS, (".npy", ".npz"))
    if file is None:
        return None
    with refusing(file.where, "holds no array that can be read"):
        if file.suffix == ".npy" and file.path:
            array = np.load(file.path, mmap_mode="r", allow_pickle=False)
        elif file.suffix == ".npy":
            array = np.load(file.load(), allow_pickle=False)
        else:
            source = file.path or file.load()
            with zipfile.ZipFile(source) as members:
                for info in members.infolist():
                    check_unpacked(file.where, info.file_size, info.compress_size)
            with np.load(source, allow_pickle=False) as archive:
                (name,) = archive.files
                array = archive[name]
    if array.ndim != 2 or array.dtype.kind != "f":
        raise ValueError(
            f"{file.where} must be of shape (titles, dimension) and floats, got {array.shape} "
            f"{array.dtype}"
        )
    log.reports[TITLE_EMBEDDINGS] = FileReport(len(array), len(array))
    return array.astype(np.float32, copy=False)
