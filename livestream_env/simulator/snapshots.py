"""Whether slots may be played on in a world: what is looked at before compiled code sees them.

Compiled code trusts its arrays. So a snapshot from outside must have been made for this world and
these settings, every value must lie in its range (the table :func:`state.slot_fields`), and fields
must fit each other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livestream_env.config import SimulatorConfig
from livestream_env.simulator.state import (
    DAY_START_S,
    LAST_DAY,
    LAST_ENTRY,
    LAST_ROOM,
    LAST_STREAMER,
    LAST_VIEWER,
    MAX_ATTACHMENTS,
    NUM_ROOMS,
    ORIGINS,
    SWITCHES,
    Field,
)
from livestream_env.world import DAY_S, World
from livestream_env.world.checks import holds_twice
from livestream_env.world.room_index import CONTENT_STEP_S


def _digest(*parts: bytes) -> int:
    """64 bits of the parts."""
    whole = hashlib.sha256()
    for part in parts:
        whole.update(len(part).to_bytes(8, "little"))
        whole.update(part)
    return int.from_bytes(whole.digest()[:8], "little")


def made_for(world: World, parameters: NDArray[Any]) -> NDArray[np.uint64]:
    """Digests of what a snapshot is made for, in the order of ``ORIGINS``."""

    def of(*names: str) -> int:
        return _digest(*(name.encode() + parameters[name].tobytes() for name in names))

    return np.array(
        [
            int(world.digest, 16),
            of("one_visit", "horizon_s", "first_visit_span_s"),
            of(*SimulatorConfig.names()),
            # Traces, too: only where they are observed are they kept.
            of(*(f"use_{name}" for name in SWITCHES), "observe_traces"),
        ],
        np.uint64,
    )


def limits(world: World, parameters: NDArray[Any]) -> dict[str, int]:
    """The bounds that fields name, in this world."""
    return {
        LAST_VIEWER: len(world.viewers) - 1,
        LAST_STREAMER: len(world.streamers) - 1,
        LAST_ROOM: len(world.rooms) - 1,
        NUM_ROOMS: len(world.rooms),
        LAST_DAY: int(parameters["first_days"][0]) - 1,
        LAST_ENTRY: len(world.index) - 1,
    }


def check_slots(
    slots: NDArray[Any],
    unbegun: NDArray[Any],
    fields: tuple[Field, ...],
    origin: NDArray[np.uint64],
    world: World,
    parameters: NDArray[Any],
) -> None:
    """Raise ``ValueError`` for the first thing about ``slots`` (N,) that is not as it must be.

    Args:
        slots: of the dtype of ``fields``.
        unbegun: (1,) a slot before its first reset.
        fields: the table of ranges.
        origin: what the slots must be made for, as by :func:`made_for`.
        world: to be played in.
        parameters: (1,) to be played with.
    """
    _check_origin(slots["made_for"], origin)
    known = limits(world, parameters)
    for spec in fields:
        _check_range(slots[spec.name], spec, known)
    begun = slots["episode"] >= 0
    made = np.repeat(unbegun, len(slots) - np.count_nonzero(begun))
    for name in ("key", "made_for"):
        made[name] = slots[name][~begun]
    if (made != slots[~begun]).any():
        raise ValueError("state: a slot without an episode must hold nothing")
    for what, wrong in _contradictions(slots[begun], world, parameters[0]):
        if wrong.any():
            slot = np.flatnonzero(begun)[np.argwhere(wrong)[0, 0]]
            raise ValueError(f"state: {what}; slot {slot} is different")


def _check_origin(given: NDArray[np.uint64], origin: NDArray[np.uint64]) -> None:
    for i, name in enumerate(ORIGINS):
        if (given[:, i] != origin[i]).any():
            raise ValueError(f"state is of an environment with another {name}")


def _check_range(values: NDArray[Any], spec: Field, known: Mapping[str, int]) -> None:
    low, high = (
        known[bound] if isinstance(bound, str) else bound for bound in (spec.low, spec.high)
    )
    if values.dtype == np.bool_:
        values = values.view(np.uint8)  # which tells other bytes from 0 and 1
    inside = (values >= low) & (values <= high)  # neither of which holds of NaN
    if not inside.all():
        place = np.argwhere(~inside)[0]
        raise ValueError(
            f"state: {spec.name} must be in [{low:g}, {high:g}], got {values[tuple(place)]} in "
            f"slot {place[0]}"
        )


def _contradictions(
    s: NDArray[Any], world: World, p: Any
) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """What must hold within each slot of ``s`` (n,), all begun, and where it does not."""
    time_s, start_s, end_s = s["time_s"], s["start_s"], s["end_s"]
    day = (start_s - DAY_START_S) / DAY_S
    yield (
        "start_s must be 04:00 of a day on which an episode may begin",
        (day != np.floor(day)) | (day < 0) | (day >= p["first_days"]),
    )
    yield (
        "end_s must be at most the horizon after start_s",
        (end_s < start_s) | (end_s > start_s + p["horizon_s"]),
    )
    impression_s = p["browse_s"] + p["watch_cap_s"]
    longest_s = p["horizon_s"]
    if p["one_visit"]:
        longest_s = p["first_visit_span_s"] + s["impression"] * impression_s
    yield (
        "time_s must be within the horizon",
        (time_s < start_s) | (time_s > start_s + longest_s + impression_s + DAY_S),
    )
    yield (
        "visit_start_s must lie between start_s and time_s",
        (s["visit_start_s"] < start_s) | (s["visit_start_s"] > time_s),
    )
    for name in ("visit_impression", "clicks", "visit"):
        yield f"{name} must be at most impression", s[name] > s["impression"]
    yield from _of_attached(s, world)
    yield from _of_candidates(s, world)


def _of_attached(s: NDArray[Any], world: World) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    streamer, room = s["attached_streamer"], s["attached_room"]
    filled = np.arange(MAX_ATTACHMENTS) < s["num_attached"][:, None]
    yield (
        "attached_streamer must be -1 from num_attached on, and only there",
        filled != (streamer >= 0),
    )
    yield "called must be -1 or an entry below num_attached", s["called"] >= s["num_attached"]
    first, count = world.streamers["first_room"], world.streamers["num_rooms"]
    past = room - first[streamer] == count[streamer]  # none of hers is to come
    own = (room >= first[streamer]) & (room < first[streamer] + count[streamer])
    yield "attached_room must be a room of attached_streamer", filled & ~(own | past)
    rooms = world.rooms[np.where(own, room, 0)]
    for name, column in (("attached_from_s", "start_s"), ("attached_until_s", "end_s")):
        right = np.where(past, np.inf, rooms[column])
        yield f"{name} must be that of attached_room", filled & (s[name] != right)


def _of_candidates(s: NDArray[Any], world: World) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    room, streamer, time_s = s["room"], s["streamer"], s["time_s"][:, None]
    shown = room >= 0
    rooms = world.rooms[room]
    yield (
        "streamer must be that of room, and -1 where there is none",
        np.where(shown, rooms["streamer"], -1) != streamer,
    )
    yield "room must hold no room twice", holds_twice(room)
    yield "room_start_s must be that of room", shown & (s["room_start_s"] != rooms["start_s"])
    yield (
        "room must be live at time_s",
        shown & ~((rooms["start_s"] <= time_s) & (time_s < rooms["end_s"])),
    )
    cell = np.floor((time_s - rooms["start_s"]) / CONTENT_STEP_S)
    yield "cell must be the half minute that is on in room", shown & (s["cell"] != cell)
    known = np.full(room.shape, -1)
    for i in reversed(range(MAX_ATTACHMENTS)):
        known[shown & (streamer == s["attached_streamer"][:, i, None])] = i
    yield "known must say where streamer is among the attached", s["known"] != known
