"""Who watches, who streams, when each room is live and what is on. Imports nothing above it."""

from livestream_env.world.tables import (
    AGE_RANGES,
    DAY_S,
    DEVICE_PRICES,
    GENDERS,
    INITIAL_ATTACHMENTS,
    MIN_ROOM_S,
    ROOM_DTYPE,
    streamer_dtype,
    viewer_dtype,
)
from livestream_env.world.world import World

__all__ = [
    "AGE_RANGES",
    "DAY_S",
    "DEVICE_PRICES",
    "GENDERS",
    "INITIAL_ATTACHMENTS",
    "MIN_ROOM_S",
    "ROOM_DTYPE",
    "World",
    "streamer_dtype",
    "viewer_dtype",
]
