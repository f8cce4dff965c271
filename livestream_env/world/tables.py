"""The tables of a world: their columns, units and ranges."""

from __future__ import annotations

from typing import Any

import numpy as np

DAY_S = 86_400.0
INITIAL_ATTACHMENTS = 12  # most streamers that a viewer knows at the start of an episode
MIN_ROOM_S = 60.0
MAX_DAYS = 4_000  # of a world
MAX_DIMENSION = 1_024  # categories, and numbers of an embedding
MAX_INDEX_CELLS = 30_000_000  # quarters of an hour times categories of the index: about 1 GB

# Ranges as KuaiLive's user.csv prints them.
AGE_RANGES = ("0-11", "12-17", "18-23", "24-30", "31-40", "41-49", "50+")
GENDERS = ("F", "M", "unknown")
DEVICE_PRICES = ("0-1000", "1000-2000", "2000-3000", "3000-5000", "5000+")

# Labels of a synthetic world's categories, which differ in nothing but their number.
_CATEGORIES = (
    *("games", "music", "chat", "shop", "dance", "sports", "food", "travel"),
    *("beauty", "crafts", "learning", "pets", "cars", "news", "comedy", "fitness"),
)


def category_names(count: int) -> tuple[str, ...]:
    """Names of ``count`` categories that have none: games, music, ..., from the 17th on numbers."""
    return (*_CATEGORIES[:count], *(f"category_{k}" for k in range(len(_CATEGORIES), count)))


def viewer_dtype(num_categories: int, embedding_dim: int) -> np.dtype[Any]:
    """One row per viewer. ``attached_*``: streamers known beforehand, -1 where none."""
    return np.dtype(
        [
            ("age", "i4"),  # index into AGE_RANGES
            ("gender", "i4"),  # index into GENDERS
            ("device_price", "i4"),  # index into DEVICE_PRICES
            ("is_streamer", "i4"),  # 0 or 1
            ("follow_count", "f4"),
            ("fan_count", "f4"),
            ("activity", "f4"),  # visits per day, relative
            ("gift_propensity", "f4"),  # mean 1 over viewers
            ("click_propensity", "f4"),  # hidden: log-odds of clicks, mean 0 over viewers
            ("sensitivity", "f4"),  # hidden: what a unit of sensationalism costs her
            ("past_regret", "f4"),  # logged: sensational rooms left at once; mean 0, variance 1
            ("taste", "f4", (num_categories,)),  # mean 0, variance 1 over viewers
            ("embedding", "f4", (embedding_dim,)),
            ("interest", "f4", (num_categories,)),  # hidden: of affinity, beyond her known taste
            ("familiarity", "f4", (num_categories,)),  # hidden: at the start, [0, 1]
            ("satiation_gain", "f4", (num_categories,)),  # mean 1
            ("attached_streamer", "i4", (INITIAL_ATTACHMENTS,)),
            ("attached_strength", "f4", (INITIAL_ATTACHMENTS,)),  # [0, 1]
            ("attached_watch_s", "f4", (INITIAL_ATTACHMENTS,)),  # watched before, seconds
            ("attached_followed", "i4", (INITIAL_ATTACHMENTS,)),  # 0 or 1
        ],
        align=True,
    )


def streamer_dtype(embedding_dim: int) -> np.dtype[Any]:
    """One row per streamer; its rooms are ``rooms[first_room : first_room + num_rooms]``."""
    return np.dtype(
        [
            ("category", "i4"),
            ("first_room", "i4"),
            ("num_rooms", "i4"),
            ("popularity", "f4"),  # retrieval weight and audience, relative
            ("quality", "f4"),  # hidden: holds viewers
            ("sensationalism", "f4"),  # hidden: holds viewers, harms their satisfaction
            ("cover", "f4"),  # appeal of the cover, sensationalism as it is observed: wins clicks
            ("community", "f4"),  # hidden: log of how fast attachments to her grow
            ("fan_club", "f4"),  # community as it is observed, mean 0, variance 1
            ("home_hour", "f4"),  # habitual local hour of starting
            ("embedding", "f4", (embedding_dim,)),
        ],
        align=True,
    )


ROOM_DTYPE = np.dtype(
    [
        ("start_s", "f8"),  # seconds from midnight of day 0
        ("end_s", "f8"),  # live if and only if start_s <= t < end_s
        ("content", "i8"),  # first bit of the room's content states
        ("streamer", "i4"),
    ],
    align=True,
)

# Lowest and highest value of every column that is not the number of a row, for :mod:`checks`.
# Bounds of magnitudes are no claims: they are far beyond what can be drawn or fitted, and so near
# that no sum or product of the kernel's overflows.
_UNBOUNDED = (-1e4, 1e4)
_COUNT = (0.0, 1e12)
VIEWER_RANGES: dict[str, tuple[float, float]] = {
    "age": (0, len(AGE_RANGES) - 1),
    "gender": (0, len(GENDERS) - 1),
    "device_price": (0, len(DEVICE_PRICES) - 1),
    "is_streamer": (0, 1),
    "follow_count": _COUNT,
    "fan_count": _COUNT,
    "activity": (1e-6, 1e6),
    "gift_propensity": (0, 1e9),
    "click_propensity": (-30, 30),
    "sensitivity": _UNBOUNDED,
    "past_regret": _UNBOUNDED,
    "taste": _UNBOUNDED,
    "embedding": _UNBOUNDED,
    "interest": _UNBOUNDED,
    "familiarity": (0, 1),
    "satiation_gain": (0, 1e9),
    "attached_strength": (0, 1),
    "attached_watch_s": (0, 1e9),
    "attached_followed": (0, 1),
}
STREAMER_RANGES: dict[str, tuple[float, float]] = {
    "popularity": (1e-15, 1e15),
    "quality": _UNBOUNDED,
    "sensationalism": _UNBOUNDED,
    "cover": _UNBOUNDED,
    "community": (-30, 30),
    "fan_club": _UNBOUNDED,
    "home_hour": (0, 24),
    "embedding": _UNBOUNDED,
}
ROOM_RANGES: dict[str, tuple[float, float]] = {"start_s": (-1e9, 1e9), "end_s": (-1e9, 1e9)}
