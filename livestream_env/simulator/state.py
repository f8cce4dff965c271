"""The state of a viewer slot, the outcome of a step, and the parameters, as packed records.

A simulation of N viewers is one structured array of N slots: copying it is an exact snapshot,
comparing it is a test, pickling it is a checkpoint.
"""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numba import config as numba_config
from numpy.typing import NDArray

from livestream_env.config import SimulatorConfig
from livestream_env.observation import DECAYS, HistoryColumn, TraceColumn
from livestream_env.reward import REWARD_COMPONENTS, REWARD_FIELDS
from livestream_env.world import DAY_S, World

MAX_ATTACHMENTS = 32  # streamers that a viewer remembers; the weakest gives way

RECENT_ROOMS = 16  # shown lately: the most that retrieval leaves out

SPARE_DRAWS = 2  # draws of candidates beyond what is needed, per source

HORIZONS = {"visit": 1, "day": 1, "week": 7}  # in days; a visit begins on one
DAY_START_S = 4 * 3600.0  # a viewer-day runs from 04:00, the quietest hour, to 04:00

# Types of records that are equal should be the same object: then Numba knows an array's type at a
# glance; otherwise it compares them field by field, in every call, for a few microseconds.


# Bounds of a field that are known with the world, see ``snapshots.limits``.
LAST_VIEWER, LAST_STREAMER, LAST_ROOM, LAST_DAY, LAST_ENTRY, NUM_ROOMS = (
    *("last viewer", "last streamer", "last room", "last day", "last entry"),
    "number of rooms",
)
LARGE = 1e30  # of what has no bound but must be finite, as float32, too
MANY = 2**53  # of what is counted
FOREVER = np.inf
# What a state is made for. Elsewhere it would mean something else, or nothing.
ORIGINS = ("world", "horizon", "config", "switched mechanisms")


class Field(NamedTuple):
    """A field of a slot: its type, what its values lie between (both included), its shape.

    A bound is a number, or the name of one that is known with the world.
    """

    name: str
    type: str
    low: float | str
    high: float | str
    shape: tuple[int, ...] = ()


@functools.cache
def slot_fields(num_categories: int, num_candidates: int, history_length: int) -> tuple[Field, ...]:
    """One viewer in play: identity, clock, inner state, memory, and the candidates shown.

    Clocks are float64, what only needs six digits is float32: N slots should fit in a cache.
    Zeros are in every range. What must hold between fields is in ``snapshots.py``.
    """
    category, candidate, entry = (num_categories,), (num_candidates,), (MAX_ATTACHMENTS,)
    draw = (num_candidates + 2 * SPARE_DRAWS,)
    row = (history_length, len(HistoryColumn) + num_categories)
    return (
        Field("key", "u8", 0, 2**64 - 1),  # of the slot, drawn from np_random at a seeded reset
        Field("episode", "i8", -1, MANY),  # -1 before the first reset
        Field("episode_key", "u8", 0, 2**64 - 1),
        Field("viewer", "i8", 0, LAST_VIEWER),
        Field("next_viewer", "i8", -1, LAST_VIEWER),  # to play in the next episode, from
        Field("next_day", "i8", -1, LAST_DAY),  # this day on; -1 where they are to be drawn
        Field("ended", "?", 0, 1),  # terminated or truncated: the next thing must be a reset
        # Clock, seconds from midnight of day 0
        Field("time_s", "f8", 0, LARGE),
        Field("start_s", "f8", 0, LARGE),
        Field("end_s", "f8", 0, FOREVER),
        Field("visit_start_s", "f8", 0, LARGE),
        Field("visit", "i8", 0, MANY),
        Field("impression", "i8", 0, MANY),  # in the episode
        Field("visit_impression", "i8", 0, MANY),
        Field("category_share", "f4", 0, 1, category),  # of retrieval, running sum
        # Inner state: what the agent does not see
        Field("satisfaction", "f8", -LARGE, LARGE),
        Field("fatigue", "f8", 0, LARGE),
        Field("satiation", "f4", 0, LARGE, category),
        Field("attachment", "f4", 0, 1, entry),
        Field("attached_growth", "f4", 0, LARGE, entry),  # of the attachment, relative
        Field("familiarity", "f4", 0, 1, category),
        # What the platform has logged
        Field("num_attached", "i8", 0, MAX_ATTACHMENTS),
        Field("attached_streamer", "i4", -1, LAST_STREAMER, entry),
        Field("attached_room", "i4", -1, NUM_ROOMS, entry),  # the one that is on or comes next,
        Field("attached_from_s", "f8", -LARGE, FOREVER, entry),  # its start
        Field("attached_until_s", "f8", -LARGE, FOREVER, entry),  # and its end
        Field("attached_watch_s", "f4", 0, LARGE, entry),
        Field("attached_followed", "i1", 0, 1, entry),
        Field("entered_room", "i4", -1, LAST_ROOM, entry),  # of hers, the last one clicked, or -1
        Field("entered_s", "f8", 0, LARGE, entry),  # and when
        Field("called", "i4", -1, MAX_ATTACHMENTS - 1),  # the entry whose call began the visit
        Field("recent_room", "i4", -1, LAST_ROOM, (RECENT_ROOMS,)),  # shown lately, or -1
        Field("category_watch_s", "f4", 0, LARGE, category),  # with exponential forgetting
        Field("watch_s", "f8", 0, LARGE),  # in the episode
        Field("clicks", "i8", 0, MANY),
        # Rows as observed, latest first; zeros where there is no such impression
        Field("history", "f4", -1, 1, row),
        # Faded sums over the episode's impressions, as observed: see ``encoding.trace_impression``
        Field("traces", "f4", -1, 1, (len(DECAYS) * len(TraceColumn),)),
        Field("category_shown", "f4", 0, 1, category),
        Field("category_clicked", "f4", 0, 1, category),
        # The candidates on the screen; -1 where the slot is empty
        Field("room", "i4", -1, LAST_ROOM, candidate),
        Field("streamer", "i4", -1, LAST_STREAMER, candidate),
        Field("known", "i4", -1, MAX_ATTACHMENTS - 1, candidate),  # among the attached, or -1
        Field("affinity", "f4", -LARGE, LARGE, candidate),  # true
        Field("highlight", "f4", 0, 1, candidate),  # as availability.highlight
        Field("entered", "f4", 0, 1, candidate),  # 1: just now; fades
        Field("surge", "f4", -LARGE, LARGE, candidate),  # of the audience, log
        Field("room_start_s", "f8", -LARGE, LARGE, candidate),
        Field("cell", "i4", 0, 2**31 - 1, candidate),  # half minute, as availability.cell_at
        # While candidates are retrieved: in which order slots are filled, how many are,
        # entries of the index drawn for the others, what decides between entry and alias
        Field("order", "i4", 0, num_candidates - 1, candidate),
        Field("num_found", "i8", 0, num_candidates),
        Field("seen", "u8", 0, 2**64 - 1),  # rooms found, a bit for every 64th
        Field("num_of_attached", "i8", 0, num_candidates),
        Field("num_of_category", "i8", 0, num_candidates + SPARE_DRAWS),
        Field("num_drawn", "i8", 0, num_candidates + 2 * SPARE_DRAWS),
        Field("drawn", "i8", 0, LAST_ENTRY, draw),
        Field("drawn_remainder", "u4", 0, 2**32 - 1, draw),
        # Digests, which only snapshots have: of what they are made for
        Field("made_for", "u8", 0, 2**64 - 1, (len(ORIGINS),)),
    )


@functools.cache
def slot_dtype(num_categories: int, num_candidates: int, history_length: int) -> np.dtype[Any]:
    """The record of :func:`slot_fields`."""
    fields = slot_fields(num_categories, num_candidates, history_length)
    return np.dtype([(spec.name, spec.type, spec.shape) for spec in fields], align=True)


@functools.cache
def outcome_dtype(num_candidates: int) -> np.dtype[Any]:
    """What one reset or step brought: the fields of ``info``, then what is not in it."""
    return np.dtype(
        [
            ("action_mask", "i1", (num_candidates,)),
            ("candidate_rooms", "i4", (num_candidates,)),
            ("candidate_streamers", "i4", (num_candidates,)),
            ("click", "?"),
            ("watch_s", "f8"),
            ("likes", "i8"),
            ("comments", "i8"),
            ("gift_value", "f8"),
            ("follow", "?"),
            ("elapsed_s", "f8"),
            ("clock_s", "f8"),
            ("visit", "i8"),
            ("visit_ended", "?"),
            ("invalid_action", "?"),
            ("viewer", "i8"),
            ("room", "i8"),
            ("streamer", "i8"),
            *((name, "f8") for name in REWARD_FIELDS),
            ("reward", "f8"),
            ("terminated", "?"),
        ],
        align=True,
    )


# What a candidate would bring
EXPECTATION_DTYPE = np.dtype(
    [
        ("click_probability", "f8"),
        ("components", "f8", (len(REWARD_COMPONENTS),)),  # of the reward, given a click
        ("harm", "f8"),  # sensationalism times the viewer's sensitivity
        ("bond", "f8"),  # growth of loyalty's weighted squares of attachments, given a click
        ("breadth", "f8"),  # growth of breadth
    ]
)


def compiled_sources() -> list[Path]:
    """The files of all the functions and constants that the kernel is compiled from."""
    package = Path(__file__).parents[1]
    patterns = ("observation.py", "reward.py", "simulator/*.py", "world/*.py")
    return [path for pattern in patterns for path in sorted(package.glob(pattern))]


def _digest_of_sources() -> str:
    """Of :func:`compiled_sources`.

    Numba's cache on disk looks at the file of the function that it caches, not at the files of
    the functions and constants that this one uses: after a change there it would go on with the
    old machine code. So only entry points are cached, and the type of an argument that all of
    them take names the digest.
    """
    return hashlib.sha256(b"".join(path.read_bytes() for path in compiled_sources())).hexdigest()


# Mechanisms that the dynamics ask for, as ``p.use_...``; arguments of the environment.
SWITCHES = (
    "satiation",
    "satisfaction",
    "attachment",
    "curiosity",
    "audience",
    "highlights",
)
_OF_AUDIENCES = ("audience_rhythm", "audience_age", "audience_highlight", "audience_noise_std")
_PARAMETER_DTYPE = np.dtype(
    [
        *((name, "f8") for name in SimulatorConfig.names()),
        ("log_gap_s", "f8"),
        *((f"use_{name}", "?") for name in SWITCHES),
        ("one_visit", "?"),  # the episode ends when the viewer leaves
        ("horizon_s", "f8"),  # inf for one visit
        ("first_visit_span_s", "f8"),  # the first visit falls within this from the start
        ("first_days", "f8"),  # episodes begin on days 0 .. first_days - 1
        ("highlight_share", "f8"),
        ("watch_in_minutes", "?"),
        ("reward_weights", "f8", (len(REWARD_COMPONENTS),)),
        ("activity", "f8", (25,)),  # seconds of mean activity passed by each full hour
        ("index_start_s", "f8"),
        ("attached_quota", "i8"),  # candidates offered to known streamers
        ("category_quota", "i8"),  # and to them or to preferred categories
        ("observe_full", "?"),
        ("observe_traces", "?"),
        (f"sources_{_digest_of_sources()}", "?"),  # for its name, see there
    ],
    align=True,
)


PLAIN_PYTHON = bool(numba_config.DISABLE_JIT)  # type: ignore[attr-defined]


def kernel_array(array: NDArray[Any]) -> NDArray[Any]:
    """The view that the kernel takes: records with attributes where it runs as plain Python."""
    return array.view(np.recarray) if PLAIN_PYTHON and array.dtype.names else array


def config_record(config: SimulatorConfig, **switches: bool) -> NDArray[Any]:
    """The parameters that do not depend on a world, as an array of one record; the others are 0.

    Mechanisms are on unless switched off, as by ``satiation=False``.
    """
    record = np.zeros(1, _PARAMETER_DTYPE)
    for name in SimulatorConfig.names():
        record[name] = getattr(config, name)
    record["log_gap_s"] = config.log_gap_s
    for name in SWITCHES:
        record[f"use_{name}"] = switches.get(name, True)
    # Nothing to compute where audiences do not move.
    record["use_audience"] &= any(getattr(config, name) for name in _OF_AUDIENCES)
    return kernel_array(record)


def parameter_record(
    world: World,
    config: SimulatorConfig,
    horizon: str | int,
    reward_weights: NDArray[np.float64],
    watch_in_minutes: bool,
    switches: dict[str, bool],
    num_candidates: int,
    observe_full: bool,
    observe_traces: bool,
) -> NDArray[Any]:
    """All scalars that the kernel needs, as an array of one record."""
    record = config_record(config, **switches)
    days = HORIZONS[horizon] if isinstance(horizon, str) else horizon
    record["one_visit"] = horizon == "visit"
    record["horizon_s"] = np.inf if horizon == "visit" else days * DAY_S
    record["first_visit_span_s"] = days * DAY_S
    record["first_days"] = world.days - days + 1
    record["highlight_share"] = world.highlight_share
    record["watch_in_minutes"] = watch_in_minutes
    record["reward_weights"] = reward_weights
    record["activity"] = np.concatenate([[0.0], np.cumsum(world.hourly_activity)]) * DAY_S
    record["index_start_s"] = world.index_start_s
    shares = np.cumsum([config.retrieval_attached_share, config.retrieval_category_share])
    record["attached_quota"], record["category_quota"] = np.round(shares * num_candidates)
    record["observe_full"] = observe_full
    record["observe_traces"] = observe_traces
    return record
