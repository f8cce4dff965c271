"""The world as the kernel reads it: packed tables, made once per world.

What every impression needs of a viewer or a streamer lies together, and features that never change
are stored as they are observed.
"""

from __future__ import annotations

import functools
import math
from typing import Any, NamedTuple, cast
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from livestream_env.observation import ViewerColumn
from livestream_env.simulator.state import kernel_array
from livestream_env.world import AGE_RANGES, DEVICE_PRICES, GENDERS, ROOM_DTYPE, World
from livestream_env.world.large_pages import copied_together

# Scales: a value at the scale maps to 1, beyond it is clipped.
_LOG_FOLLOW = math.log1p(5_000)
_LOG_FANS = math.log1p(100_000)
_LOG_ACTIVITY = 3.0
_PAST_REGRET = 3.0
_TASTE = 4.0
COVER_SCALE = 3.0  # the kernel takes a cover's appeal from its column
_FAN_CLUB = 3.0
AUDIENCE_SCALE = 5.0  # of a log count

_LANES = 4  # embeddings are padded to a multiple of it, see candidates.py


class WorldArrays(NamedTuple):
    """The arrays of a world, and the order in which the kernel takes them."""

    viewers: Any
    streamers: Any
    rooms: Any
    content: Any
    index_offset: Any
    index_share: Any
    index: Any


_MADE: WeakKeyDictionary[World, WorldArrays] = WeakKeyDictionary()


def world_arrays(world: World) -> WorldArrays:
    """The tables of ``world``; environments of the same world share them while it lives."""
    if world not in _MADE:
        _MADE[world] = _tables(world)
    return _MADE[world]


def _tables(world: World) -> WorldArrays:
    arrays = (
        _viewers(world),
        _streamers(world),
        # From a file they come with a type that is equal but not marked as aligned; Numba would
        # then look for the machine code anew in every call, which takes a millisecond.
        world.rooms.view(ROOM_DTYPE),
        world.content,
        world.index_offset,
        world.index_share,
    )
    # The index is in large pages already, and may be gigabytes.
    return WorldArrays(*map(kernel_array, [*copied_together(arrays), world.index]))


def _padded(embedding: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.pad(embedding, ((0, 0), (0, -embedding.shape[1] % _LANES)))


def _viewers(world: World) -> NDArray[Any]:
    """The world's viewers, with their block of the observation."""
    viewers = world.viewers
    embedding = _padded(viewers["embedding"])
    columns = {
        ViewerColumn.AGE: 2.0 * viewers["age"] / (len(AGE_RANGES) - 1) - 1.0,
        ViewerColumn.IS_FEMALE: viewers["gender"] == GENDERS.index("F"),
        ViewerColumn.IS_MALE: viewers["gender"] == GENDERS.index("M"),
        ViewerColumn.DEVICE_PRICE: 2.0 * viewers["device_price"] / (len(DEVICE_PRICES) - 1) - 1.0,
        ViewerColumn.IS_STREAMER: viewers["is_streamer"],
        ViewerColumn.FOLLOW_COUNT: np.log1p(viewers["follow_count"]) / _LOG_FOLLOW,
        ViewerColumn.FAN_COUNT: np.log1p(viewers["fan_count"]) / _LOG_FANS,
        ViewerColumn.ACTIVITY: np.log(viewers["activity"]) / _LOG_ACTIVITY,
    }
    features = np.column_stack(
        [*(columns[column] for column in ViewerColumn), viewers["taste"] / _TASTE]
    ).clip(-1.0, 1.0)
    dtype = _viewer_dtype(viewers.dtype, embedding.shape[1], features.shape[1])
    past_regret = (viewers["past_regret"] / _PAST_REGRET).clip(-1.0, 1.0)
    return _packed(dtype, viewers, embedding=embedding, features=features, past_regret=past_regret)


def _streamers(world: World) -> NDArray[Any]:
    """What a candidate needs of its streamer: a line of the cache or so."""
    streamers = world.streamers
    embedding = _padded(streamers["embedding"])
    popularity = np.log(np.maximum(streamers["popularity"], 1e-9)) / AUDIENCE_SCALE
    return _packed(
        _streamer_dtype(streamers.dtype, embedding.shape[1]),
        streamers,
        embedding=embedding,
        cover=(streamers["cover"] / COVER_SCALE).clip(-1.0, 1.0),
        fan_club=(streamers["fan_club"] / _FAN_CLUB).clip(-1.0, 1.0),
        growth=np.exp(streamers["community"]),
        popularity=popularity.clip(-1.0, 1.0),
    )


def _packed(dtype: np.dtype[Any], table: NDArray[Any], **columns: NDArray[Any]) -> NDArray[Any]:
    """Records of ``dtype``: the ``columns`` given, the others from ``table``."""
    packed = np.empty(len(table), dtype)
    for name in cast(tuple[str, ...], dtype.names):
        packed[name] = columns[name] if name in columns else table[name]
    return packed


@functools.cache  # see state.py
def _viewer_dtype(of: np.dtype[Any], embedding_dim: int, num_features: int) -> np.dtype[Any]:
    """Packed from a table of viewers of the type ``of``."""
    drawn = (
        *("activity", "gift_propensity", "click_propensity", "sensitivity", "past_regret"),
        *("taste", "interest", "familiarity", "satiation_gain"),
    )
    attached = ("attached_streamer", "attached_strength", "attached_watch_s", "attached_followed")
    return np.dtype(
        [
            *((name, of[name]) for name in drawn),
            ("embedding", "f4", (embedding_dim,)),
            ("features", "f4", (num_features,)),
            *((name, of[name]) for name in attached),
        ],
        align=True,
    )


@functools.cache
def _streamer_dtype(of: np.dtype[Any], embedding_dim: int) -> np.dtype[Any]:
    """Packed from a table of streamers of the type ``of``."""
    copied = ("category", "first_room", "num_rooms", "quality", "sensationalism")
    return np.dtype(
        [
            ("embedding", "f4", (embedding_dim,)),
            *((name, of[name]) for name in copied),
            ("growth", "f4"),  # of attachments to her, relative
            ("cover", "f4"),  # as observed
            ("fan_club", "f4"),  # as observed
            ("popularity", "f4"),  # as observed where audiences are as usual
        ],
        align=True,
    )
