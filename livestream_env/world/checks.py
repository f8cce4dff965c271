"""What every world must fulfil, however it was made: the simulator relies on all of it."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from livestream_env.world.room_index import CONTENT_STEP_S, index_span
from livestream_env.world.tables import (
    DAY_S,
    MAX_DAYS,
    MAX_DIMENSION,
    MAX_INDEX_CELLS,
    MIN_ROOM_S,
    ROOM_DTYPE,
    ROOM_RANGES,
    STREAMER_RANGES,
    VIEWER_RANGES,
    streamer_dtype,
    viewer_dtype,
)

IDS = ("viewer_ids", "streamer_ids", "room_ids")
_RANGES = {"viewers": VIEWER_RANGES, "streamers": STREAMER_RANGES, "rooms": ROOM_RANGES}


def holds_twice(ids: NDArray[Any]) -> NDArray[np.bool_]:
    """Which rows of ``ids`` (n, k), -1 where there is none, name something twice: (n,)."""
    in_order = np.sort(ids, axis=1)
    repeated = (in_order[:, 1:] >= 0) & (in_order[:, 1:] == in_order[:, :-1])
    return np.logical_or.reduce(repeated, axis=1)


def _repeat(ids: NDArray[np.int64]) -> bool:
    """Whether some of ``ids`` (n,) are equal."""
    in_order = np.sort(ids)  # np.unique is ten times slower for millions
    return bool((in_order[1:] == in_order[:-1]).any())


def check_world(world: Any) -> None:
    """Raise ``ValueError`` for arrays that the simulator could not play in."""
    categories = _check_types(world)
    _check_ranges(world)
    viewers, streamers, rooms = world.viewers, world.streamers, world.rooms
    same = rooms["streamer"][1:] == rooms["streamer"][:-1]
    bounds = np.searchsorted(rooms["streamer"], np.arange(len(streamers) + 1))
    cells = np.ceil((rooms["end_s"] - rooms["start_s"]) / CONTENT_STEP_S)
    bits = 8 * world.content.size
    wrong = {
        f"viewers: attached_streamer must be in [-1, {len(streamers) - 1}]": (
            viewers["attached_streamer"].min() < -1
            or viewers["attached_streamer"].max() >= len(streamers)
        ),
        "viewers: attached_streamer must hold no streamer twice": (
            holds_twice(viewers["attached_streamer"]).any()
        ),
        f"streamers: category must be in [0, {categories})": (
            streamers["category"].min() < 0 or streamers["category"].max() >= categories
        ),
        f"rooms: streamer must be in [0, {len(streamers)})": (
            rooms["streamer"].min() < 0 or rooms["streamer"].max() >= len(streamers)
        ),
        f"rooms: each must last at least {MIN_ROOM_S:g} s": (
            (rooms["end_s"] - rooms["start_s"]).min() < MIN_ROOM_S
        ),
        "rooms must be sorted by streamer, then start, without overlap": (
            (np.diff(rooms["streamer"]) < 0).any()
            or (rooms["start_s"][1:][same] < rooms["end_s"][:-1][same]).any()
        ),
        "streamers: first_room and num_rooms must say where their rooms are": (
            not np.array_equal(streamers["num_rooms"], np.diff(bounds))
            or not np.array_equal(streamers["first_room"], bounds[:-1])
        ),
        # In all, too: the index is no larger than what is there to be read.
        "content must hold a bit per 30 s of every room": (
            world.content.dtype != np.uint8
            or world.content.ndim != 1
            or rooms["content"].min() < 0
            or rooms["content"].max() > bits
            or (rooms["content"] + cells).max() > bits
            or cells.sum() > bits
        ),
        "hourly_activity must be 24 positive numbers that sum to 1": (
            world.hourly_activity.dtype != np.float64
            or world.hourly_activity.shape != (24,)
            or not world.hourly_activity.min() > 0
            or not np.isclose(world.hourly_activity.sum(), 1.0)
        ),
        f"highlight_share must be in [0, 1], got {world.highlight_share}": (
            not 0 <= world.highlight_share <= 1
        ),
        f"days must be in [1, {MAX_DAYS}], got {world.days}": not 1 <= world.days <= MAX_DAYS,
        f"category_names must be {categories} names, got {world.category_names}": (
            len(world.category_names) != categories
        ),
    }
    for message, is_wrong in wrong.items():
        if is_wrong:
            raise ValueError(message)
    for name, table in zip(IDS, (viewers, streamers, rooms), strict=True):
        ids = getattr(world, name)
        if ids.dtype != np.int64 or ids.shape != table.shape or _repeat(ids):
            raise ValueError(f"{name} must be {len(table)} distinct int64")
    index_cells = index_span(rooms, world.days * DAY_S)[1] * categories
    if index_cells > MAX_INDEX_CELLS:
        raise ValueError(
            "rooms: days and rooms must span at most "
            f"{MAX_INDEX_CELLS:,} quarters of an hour times categories, got {index_cells:,}"
        )


def _check_types(world: Any) -> int:
    """Check the tables' columns and shapes; returns the number of categories."""
    viewers = world.viewers
    try:
        categories, dimension = viewers.dtype["taste"].shape[0], viewers.dtype["embedding"].shape[0]
    except (KeyError, IndexError) as error:
        raise ValueError(f"viewers: not of viewer_dtype ({error})") from error
    for name, size in (("taste", categories), ("embedding", dimension)):
        if not 1 <= size <= MAX_DIMENSION:
            raise ValueError(f"viewers: {name} must have 1 to {MAX_DIMENSION} numbers, got {size}")
    dtypes = (viewer_dtype(categories, dimension), streamer_dtype(dimension), ROOM_DTYPE)
    for name, dtype in zip(("viewers", "streamers", "rooms"), dtypes, strict=True):
        array = getattr(world, name)
        if array.dtype != dtype or array.ndim != 1 or not len(array):
            raise ValueError(f"{name} must be a table of at least one row of {dtype}")
    return int(categories)


def _check_ranges(world: Any) -> None:
    """Check each column against the tables' ranges."""
    for name, ranges in _RANGES.items():
        table = getattr(world, name)
        for column in cast(tuple[str, ...], table.dtype.names):
            if not np.isfinite(table[column]).all():
                raise ValueError(f"{name}: every {column} must be finite")
        for column, (low, high) in ranges.items():
            lowest, highest = table[column].min(), table[column].max()
            if lowest < low or highest > high:
                value = lowest if lowest < low else highest
                raise ValueError(f"{name}: {column} must be in [{low:g}, {high:g}], got {value:g}")
