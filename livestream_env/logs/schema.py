"""The files of livestream logs: their columns, aliases and types, and why a row may be left out.

Sources: the field lists of KuaiLive (Zenodo 16565801) and KuaiLive-M3 by their authors, whose
scripts say ``author_id`` where the lists say ``streamer_id``; LiveRec (RecSys 2021) for Twitch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

# Reasons to leave out a row. A row that has several is counted under the first that is met.
REASONS = {
    # Broken lines
    "truncated": "the file's last line ends before its last field",
    "wrong_field_count": "more or fewer fields than the header, or an unbalanced quote",
    "not_utf8": "a text field is not UTF-8",
    "unparsable": "a field that must be an integer (or a moment) is something else",
    "empty_field": "a field that must have a value has none",
    # Impossible values
    "wrong_unit": "a moment outside 2000-2100 if in epoch milliseconds: in seconds, say",
    "negative_watch_time": "a watch time below zero",
    "absurd_watch_time": "a watch time above 24 hours",
    "impossible_count": "a price or a count below zero, or a count above 100,000",
    "end_before_start": "a room (or a view) that ends before it starts",
    "outside_room": "an event more than 24 hours before its room's start or after its end",
    # Ids
    "unknown_user": "user_id is not in the table of users",
    "unknown_streamer": "streamer_id is not in the table of streamers",
    "unknown_room": "live_id is not in the table of rooms",
    "streamer_mismatch": "streamer_id is not the streamer of the room",
    # Repetitions
    "duplicate": "a click or a negative that repeats another in every field",
    "duplicate_id": "a user or a streamer that is already there",
    # Nothing wrong with the row
    "merged": "one more row of a room that is already there: earliest start and latest end count",
    "entered": "an impression that the viewer entered, so it is a click already (KuaiLive-M3)",
    "not_selected": "of a user that was not asked for",
}
BENIGN = frozenset({"merged", "entered", "not_selected"})  # not dirt: `strict` lets them pass

MISSING = -1  # an integer column's empty field, where it may be empty
# What an empty number or moment looks like, as written by the usual exporters. A text is empty only
# if it has no characters (or is Parquet's null): "null" and "NA" are names that people have.
EMPTY = ("", "NA", "NaN", "nan", "NULL", "null", "None", "\\N")


@dataclass(frozen=True)
class Column:
    """A column of a file.

    Attributes:
        name: the canonical one, KuaiLive's.
        kind: ``"integer"`` becomes int64; ``"moment"`` (epoch ms, or an ISO date-time, local if it
            names no zone) becomes int64 epoch ms; ``"text"`` becomes a categorical.
        required: the column must be in the file.
        nullable: an integer field may be empty, and is ``MISSING`` then; text always may.
        aliases: other names that it goes by.
    """

    name: str
    kind: Literal["integer", "moment", "text"] = "integer"
    required: bool = True
    nullable: bool = False
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True)
class FileSchema:
    """A file of a log: ``stem`` + .csv or .parquet.

    Attributes:
        stem: its name without suffix.
        columns: the columns that are read.
        required: the file must be there.
        other_stems: further names that it goes by.
        unused: known columns that are not read; any other is reported.
        header: the file's first line names its columns; else ``columns`` are in file order.
        unique: a row that repeats another in every field is a mistake. Likes, comments and gifts
            bear the timestamp of their click, so rows that are alike are several of them.
    """

    stem: str
    columns: tuple[Column, ...]
    required: bool = False
    other_stems: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    header: bool = True
    unique: bool = False


def _optional_texts(*names: str, **aliases: str) -> tuple[Column, ...]:
    return tuple(
        Column(name, "text", required=False, aliases=(aliases[name],) if name in aliases else ())
        for name in names
    )


_USER = Column("user_id")
_ROOM = Column("live_id", aliases=("live_stream_id",))
_STREAMER = Column("streamer_id", aliases=("author_id",))
_EVENT = (_USER, _ROOM, _STREAMER, Column("timestamp"))
EVENT = tuple(column.name for column in _EVENT)
_ONEHOT = tuple(f"onehot_feat{i}" for i in range(7))

KUAILIVE = {
    schema.stem: schema
    for schema in (
        FileSchema(
            "user",
            (
                _USER,
                *_optional_texts(
                    *("age", "gender", "country", "device_brand", "device_price"),
                    *("reg_timestamp", "fans_num", "follow_num", "first_watch_live_timestamp"),
                    *("accu_watch_live_cnt", "accu_watch_live_duration"),
                    *("is_live_streamer", "is_photo_author", *_ONEHOT),
                    is_live_streamer="is_live_author",
                    is_photo_author="is_photo_streamer",
                ),
            ),
            required=True,
        ),
        FileSchema(
            "streamer",
            (
                _STREAMER,
                *_optional_texts(
                    *("gender", "age", "country", "device_brand", "device_price"),
                    *("live_operation_tag", "fans_user_num", "fans_group_fans_num"),
                    *("follow_user_num", "first_live_timestamp", "accu_live_cnt"),
                    *("accu_live_duration", "accu_play_cnt", "accu_play_duration"),
                    *("reg_timestamp", *_ONEHOT),
                ),
            ),
            required=True,
        ),
        FileSchema(
            "room",
            (
                _ROOM,
                _STREAMER,
                Column("live_type", required=False, nullable=True),
                Column("start_timestamp"),
                Column("end_timestamp", nullable=True),
                Column("live_content_category", "text", required=False),
                Column("live_name_id", required=False, nullable=True),
            ),
            required=True,
            unused=("p_date",),
        ),
        FileSchema("click", (*_EVENT, Column("watch_live_time")), required=True, unique=True),
        FileSchema("negative", _EVENT, unique=True),
        FileSchema("comment", _EVENT),
        FileSchema("like", _EVENT),
        FileSchema("gift", (*_EVENT, Column("gift_price"))),
    )
}
TITLE_EMBEDDINGS = "title_embeddings"  # the beginning of its name; .npy or .npz

TWITCH = FileSchema(
    "100k_a",
    (_USER, _ROOM, Column("streamer", "text"), Column("start"), Column("stop")),
    required=True,
    other_stems=("100k",),
    header=False,
    unique=True,
)

M3_COUNTS = ("like_cnt", "comment_cnt", "send_gift_cnt", "send_gift_num", "follow_author_cnt")
KUAILIVE_M3 = {
    schema.stem: schema
    for schema in (
        FileSchema("user_id_set", (_USER,), required=True),
        FileSchema(
            "author_profile",
            (
                _STREAMER,
                *_optional_texts(
                    *("gender", "age", "fans_user_num", "is_live_streamer", "is_photo_author"),
                    age="age_segment",
                    is_live_streamer="is_live_author",
                ),
            ),
            required=True,
        ),
        FileSchema(
            "live_room_meta",
            (
                _ROOM,
                _STREAMER,
                Column("start_timestamp", "moment"),
                Column("end_timestamp", "moment", nullable=True),
            ),
            required=True,
            unused=("live_name", "live_duration"),
        ),
        FileSchema(
            "live_interaction",
            (
                _USER,
                _ROOM,
                _STREAMER,
                Column("timestamp", "moment", aliases=("live_play_start_timestamp",)),
                Column("watch_live_time", aliases=("play_duration",)),
                *(Column(name, required=False, nullable=True) for name in M3_COUNTS),
            ),
            required=True,
            unused=(
                *("live_play_end_timestamp", "p_date", "live_source_category"),
                *("enter_live_action", "is_auto_play", "is_follow_enter", "is_follow_leave"),
                *("cancel_follow_author_cnt", "share_cnt", "report_live_cnt"),
            ),
            unique=True,
        ),
        FileSchema(
            "live_show",
            (
                _USER,
                _ROOM,
                _STREAMER,
                Column("timestamp", "moment", aliases=("show_timestamp",)),
            ),
            unique=True,
        ),
    )
}
