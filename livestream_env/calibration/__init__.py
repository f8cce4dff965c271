"""From logs to a world, and from a world's impressions to statistics of logs."""

from livestream_env.calibration.impressions import (
    IMPRESSION_DTYPE,
    LogIndex,
    event_matches,
    impressions_of,
    simulate_impressions,
)
from livestream_env.calibration.published import PublishedStatistic, read_published_statistics
from livestream_env.calibration.statistics import (
    impression_statistics,
    room_statistics,
    weekly_statistics,
)

__all__ = [
    "IMPRESSION_DTYPE",
    "LogIndex",
    "PublishedStatistic",
    "event_matches",
    "impression_statistics",
    "impressions_of",
    "read_published_statistics",
    "room_statistics",
    "simulate_impressions",
    "weekly_statistics",
]
