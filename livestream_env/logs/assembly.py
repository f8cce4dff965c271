"""From the columns of the files to the tables of :class:`Logs`: sorted, one row per thing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from livestream_env.logs.checks import Ids, rows_of
from livestream_env.logs.log_data import DAY_MS, HOUR_MS
from livestream_env.logs.schema import MISSING
from livestream_env.logs.table_file import Columns, TableFile


def table_by_id(file: TableFile, columns: Columns, key: str) -> pd.DataFrame:
    """Users or streamers: sorted by id, the first row of each; texts become categorical."""
    ids, first = np.unique(columns[key], return_index=True)
    if len(ids) < len(columns[key]):
        again = np.delete(columns[key], first)
        file.drop("duplicate_id", len(again), f"{key} {again[0]}")
    return data_frame(file, {name: values[first] for name, values in columns.items()})


def data_frame(file: TableFile, columns: Columns) -> pd.DataFrame:
    """Columns as a table, without a copy; text codes become categoricals."""
    texts = file.parser.vocabularies
    return pd.DataFrame(
        {n: file.categorical(n, v) if n in texts else v for n, v in columns.items()}, copy=False
    )


def merge_rooms(file: TableFile, columns: Columns) -> Columns:
    """One row per live_id, sorted by it: the earliest start, the latest end, else the first row.

    KuaiLive splits a room at midnight into rows of one live_id.

    Returns:
        The columns, and ``open`` (bool): a row of this room has no end.
    """
    live = columns["live_id"]
    order = np.argsort(live, kind="stable")
    live = live[order]
    is_first = np.r_[True, live[1:] != live[:-1]]
    if not is_first.all():
        streamer = columns["streamer_id"][order]
        of_first = streamer[is_first][np.cumsum(is_first) - 1]
        if (wrong := streamer != of_first).any():
            file.drop("streamer_mismatch", int(wrong.sum()), f"live_id {live[wrong.argmax()]}")
            order, live, is_first = order[~wrong], live[~wrong], is_first[~wrong]
        if merged := int((~is_first).sum()):
            file.drop("merged", merged, f"live_id {live[is_first.argmin()]}")
    first = np.flatnonzero(is_first)
    del live, is_first
    rooms = {}
    for name in list(columns):
        values = columns.pop(name)[order]
        if name == "start_timestamp":
            rooms[name] = np.minimum.reduceat(values, first)
        elif name == "end_timestamp":
            rooms["open"] = np.logical_or.reduceat(values == MISSING, first)
            rooms[name] = np.maximum.reduceat(values, first)
        else:
            rooms[name] = values[first]
    return rooms


def close_rooms(rooms: Columns, seen: Iterable[tuple[Ids, Ids]], utc_offset_h: float) -> Columns:
    """Give open rooms an end, and say which ends are not to be relied on.

    Args:
        rooms: of :func:`merge_rooms`.
        seen: live_ids, and the moments at which they were live, in ms.
        utc_offset_h: of the platform.

    Returns:
        The rooms, with ``end_censored`` instead of ``open``. The end of an open room is the last
        moment that it is known to be live.
    """
    end, is_open = rooms["end_timestamp"], rooms.pop("open")
    if is_open.any():
        end = np.where(is_open, np.maximum(end, rooms["start_timestamp"]), end)
        open_ids, open_rows = rooms["live_id"][is_open], np.flatnonzero(is_open)
        for live, moment in seen:
            place = rows_of(open_ids, live)
            np.maximum.at(end, open_rows[place[place >= 0]], moment[place >= 0])
    at_midnight = (end + round(utc_offset_h * HOUR_MS)) % DAY_MS == 0
    return {**rooms, "end_timestamp": end, "end_censored": is_open | at_midnight}


def sort_events(file: TableFile, columns: Columns) -> Columns:
    """Sort events by user, moment and room, and drop those that are there twice but should not.

    Args:
        file: where they come from.
        columns: of the events; emptied, so that not all of them are in memory twice.
    """
    # The streamer follows from the room; the other columns make duplicates neighbours.
    keys = ["user_id", "timestamp", "live_id"]
    keys += [name for name in columns if name not in (*keys, "streamer_id")]
    order = np.lexsort([columns[name] for name in reversed(keys)])
    columns = {name: columns.pop(name)[order] for name in list(columns)}
    if not file.schema.unique or not len(order):
        return columns
    again = np.ones(len(order) - 1, np.bool_)
    for values in columns.values():
        again &= values[1:] == values[:-1]
    if again.any():
        row = int(again.argmax())
        example = ", ".join(f"{name} {columns[name][row]}" for name in keys)
        file.drop("duplicate", int(again.sum()), example)
        keep = np.r_[True, ~again]
        columns = {name: values[keep] for name, values in columns.items()}
    return columns


Users = int | Sequence[int] | NDArray[np.integer] | None


def choose_users(users: Users, ids: Ids, seed: int, where: str) -> NDArray[np.bool_]:
    """Which users are asked for, (n,) bool.

    Args:
        users: how many to draw, or which ids; ``None``: all.
        ids: (n,) of all users, sorted.
        seed: of the draw.
        where: they come from, for messages.

    Raises:
        ValueError: there are not as many, or not these.
    """
    if users is None:
        return np.ones(len(ids), np.bool_)
    if isinstance(users, (int, np.integer)):
        if not 1 <= users <= len(ids):
            raise ValueError(f"users must be in [1, {len(ids)}] or a list of ids, got {users}")
        chosen = np.random.default_rng(seed).choice(ids, int(users), replace=False)
    else:
        chosen = np.asarray(users, np.int64)
        if not chosen.size:
            raise ValueError("users must name at least one user, got none")
        if (unknown := chosen[rows_of(ids, chosen) < 0]).size:
            raise ValueError(f"users: {unknown[0]} is not in {where}")
    return np.isin(ids, chosen)


def select_users(file: TableFile, table: pd.DataFrame, users: Users, seed: int) -> pd.DataFrame:
    """The rows of the users asked for (:func:`choose_users`); the others are counted."""
    ids = table["user_id"].to_numpy()
    keep = choose_users(users, ids, seed, file.file.where)
    if keep.all():
        return table
    file.drop("not_selected", int((~keep).sum()), f"user_id {ids[~keep][0]}")
    return table[keep].reset_index(drop=True)
