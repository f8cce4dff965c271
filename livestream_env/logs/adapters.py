"""Other public logs of livestreams, as the tables of KuaiLive."""

from __future__ import annotations

import os

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from livestream_env.logs.assembly import Users, choose_users, sort_events
from livestream_env.logs.checks import EventChecks, rows_of
from livestream_env.logs.log_data import DAY_MS, Logs
from livestream_env.logs.log_reader import LogReader
from livestream_env.logs.reading import make_logs, read_things
from livestream_env.logs.schema import EVENT, KUAILIVE_M3, M3_COUNTS, MISSING, TWITCH
from livestream_env.logs.table_file import Columns, Verdict

ROUND_MS = 600_000  # Twitch was looked at every ten minutes
_MAX_ROUNDS = 525_600  # ten years of them
_MAX_COUNT = 100_000
_ENTERED_WITHIN_S = 60
_LONGEST_S = 30 * 86_400


def read_twitch(
    path: str | os.PathLike[str],
    strict: bool = False,
    progress_bar: bool = False,
    users: Users = None,
    *,
    start_ms: int = 1_546_300_800_000,
    seed: int = 0,
) -> Logs:
    """Read Twitch 100k, the logs of LiveRec (Rappaz, McAuley and Aberer, RecSys 2021).

    Five columns without a header: user, stream, name of the streamer, and the rounds of ten minutes
    at which a watch starts and stops. A watch becomes a click; a room lasts from the first to the
    last round at which anybody is seen in it, and may go on if that is the last round of all.
    Streamers are numbered in the order of their names, which the table of streamers keeps. There
    are no negatives, and nothing is known of users but their ids.

    Args:
        path: the .csv (or .parquet), or a folder or .zip that holds ``100k_a`` or ``100k``.
        strict: raise if a row cannot be used.
        progress_bar: show one, in bytes.
        users: how many to draw, or which ids; ``None``: all.
        start_ms: the moment of round 0, UTC epoch ms. It is not published, so hours of the day are
            right up to a shift that is the same for all.
        seed: of the draw of users.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is damaged or has other columns; none of its rows can be used; ``users`` are
            not there; ``strict`` and a row cannot be used.
    """
    schemas = {TWITCH.stem: TWITCH}
    with LogReader(path, schemas, strict, progress_bar, utc_offset_h=0.0) as log:
        file = log.files[TWITCH.stem]
        watches = pd.DataFrame(log.read(TWITCH.stem, _check_twitch), copy=False)
    by_stream = watches.groupby("live_id")["streamer"]
    keep = (watches["streamer"] == by_stream.transform("first")).to_numpy()
    if not keep.all():
        other = watches["live_id"][~keep].iloc[0]
        file.drop("streamer_mismatch", int((~keep).sum()), f"live_id {other}")
        watches = watches[keep]

    names = np.array(list(file.parser.vocabularies["streamer"]), dtype=object)
    codes = np.unique(watches["streamer"])
    codes = codes[np.argsort(names[codes])]
    number = np.zeros(len(names), np.int64)
    number[codes] = np.arange(len(codes))
    streamer = pd.DataFrame(
        {"streamer_id": np.arange(len(codes)), "name": pd.Categorical(names[codes])}
    )
    events = {
        "user_id": watches["user_id"].to_numpy(),
        "live_id": watches["live_id"].to_numpy(),
        "streamer_id": number[watches["streamer"]],
        "timestamp": start_ms + ROUND_MS * watches["start"].to_numpy(),
        "watch_live_time": ROUND_MS * (watches["stop"] - watches["start"]).to_numpy(),
    }
    click = pd.DataFrame(sort_events(file, events), copy=False)
    room = (
        click.assign(end_timestamp=click["timestamp"] + click["watch_live_time"])
        .groupby("live_id")
        .agg(
            streamer_id=("streamer_id", "first"),
            start_timestamp=("timestamp", "min"),
            end_timestamp=("end_timestamp", "max"),
        )
        .reset_index()
    )
    room["end_censored"] = room["end_timestamp"] == room["end_timestamp"].max()

    ids = np.unique(click["user_id"])
    chosen = ids[choose_users(users, ids, seed, file.file.where)]
    if len(chosen) < len(ids):
        keep = np.isin(click["user_id"], chosen)
        other = click["user_id"][~keep].iloc[0]
        file.drop("not_selected", int((~keep).sum()), f"user_id {other}")
        click = click[keep].reset_index(drop=True)
    log.finish(TWITCH.stem)
    return Logs(
        click=click,
        room=room,
        user=pd.DataFrame({"user_id": chosen}),
        streamer=streamer,
        utc_offset_h=0.0,
        report=log.report,
    )


def _check_twitch(watch: Columns, verdict: Verdict) -> None:
    start, stop = watch["start"], watch["stop"]
    verdict.reject(watch["streamer"] < 0, "empty_field")
    verdict.reject((start < 0) | (start > _MAX_ROUNDS) | (stop > _MAX_ROUNDS), "wrong_unit")
    verdict.reject(stop < start, "end_before_start")
    verdict.reject((stop - start) * ROUND_MS > DAY_MS, "absurd_watch_time")


def read_kuailive_m3(
    path: str | os.PathLike[str],
    strict: bool = False,
    progress_bar: bool = False,
    users: Users = None,
    *,
    utc_offset_h: float = 8.0,
    seed: int = 0,
) -> Logs:
    """Read the livestreams of KuaiLive-M3.

    The files (at any depth) and columns are those of
    :data:`livestream_env.logs.schema.KUAILIVE_M3`. A row of ``live_interaction`` becomes a click,
    with ``play_duration`` as its watch time; its counts become so many likes and comments, and one
    follow or gift, all at the moment of the click, as in KuaiLive. There are no prices:
    ``gift_price`` is the number of items given. ``live_show`` becomes the negatives, without those
    that the viewer entered within a minute.

    All users together are 35 million clicks, 92 million negatives and 49 million likes, for which
    8 GiB are not enough: ask for a part of them with ``users``.

    Args:
        path: a folder or a .zip.
        strict: raise at the first file that has unusable rows, instead of leaving them out.
        progress_bar: show one, in bytes.
        users: how many to draw, or which ids; ``None``: all.
        utc_offset_h: hours from UTC to local time, in which moments are that name no zone.
        seed: of the draw.

    Raises:
        FileNotFoundError: there is no such folder, or a required file is missing.
        ValueError: as for :func:`livestream_env.logs.read_logs`.
    """
    with LogReader(path, KUAILIVE_M3, strict, progress_bar, utc_offset_h) as log:
        names = ("user_id_set", "author_profile", "live_room_meta")
        things = read_things(log, names, users, seed)

        def check_m3(watch: Columns, verdict: Verdict) -> None:
            things.checks(watch, verdict)
            for name in M3_COUNTS:
                if name in watch:
                    wrong = (watch[name] < MISSING) | (watch[name] > _MAX_COUNT)
                    verdict.reject(wrong, "impossible_count")

        watch = log.read_events("live_interaction", check_m3)
        events = {"click": {name: watch[name] for name in (*EVENT, "watch_live_time")}}
        if "live_show" in log:
            shown = sort_events(log.files["live_show"], log.read("live_show", things.checks))
            entered = _entered(shown, watch, things.checks)
            if entered.any():
                example = f"live_id {shown['live_id'][entered.argmax()]}"
                log.files["live_show"].drop("entered", int(entered.sum()), example)
            events["negative"] = {name: column[~entered] for name, column in shown.items()}
            log.finish("live_show")
    for name, count, most in (
        ("like", "like_cnt", _MAX_COUNT),
        ("comment", "comment_cnt", _MAX_COUNT),
        ("gift", "send_gift_cnt", 1),
        ("follow", "follow_author_cnt", 1),
    ):
        if count in watch:
            times = np.clip(watch[count], 0, most)
            events[name] = {column: np.repeat(watch[column], times) for column in EVENT}
    if "gift" in events:
        given = watch["send_gift_cnt"]
        items = np.maximum(given, watch.get("send_gift_num", given))
        events["gift"]["gift_price"] = items[given > 0]
    return make_logs(log, things, events, "live_interaction", utc_offset_h)


def _entered(shown: Columns, watch: Columns, checks: EventChecks) -> NDArray[np.bool_]:
    """Which impressions a watch of the same room by the same user follows, (n,) bool.

    Moments count in whole seconds, so that user, room and moment fit into one integer.
    """
    rooms = checks.rooms

    def key(events: Columns) -> NDArray[np.int64]:
        room = rows_of(rooms["live_id"], events["live_id"])
        pair = rows_of(checks.users, events["user_id"]) * len(rooms["live_id"]) + room
        # No event is more than a day before its room; and nobody waits for one that never ends.
        moment_s = (events["timestamp"] - rooms["start_timestamp"][room] + DAY_MS) // 1000
        return pair * (_LONGEST_S + _ENTERED_WITHIN_S) + np.minimum(moment_s, _LONGEST_S - 1)

    watches, impressions = np.sort(key(watch)), key(shown)
    following = np.searchsorted(watches, impressions)
    wait_s = watches[np.minimum(following, len(watches) - 1)] - impressions
    return (wait_s >= 0) & (wait_s < _ENTERED_WITHIN_S)
