"""From logs to a world, and from a world's impressions to statistics of logs."""

from livestream_env.extras import needs

with needs("logs", __name__):
    from livestream_env.calibration.estimates import Estimate
    from livestream_env.calibration.fit import Fit, fit
    from livestream_env.calibration.impressions import (
        IMPRESSION_DTYPE,
        LogIndex,
        event_matches,
        impressions_of,
    )
    from livestream_env.calibration.log_statistics import (
        days_spanned,
        impression_statistics,
        room_statistics,
        statistics,
        world_statistics,
    )
    from livestream_env.calibration.published import PublishedStatistic, read_published_statistics
    from livestream_env.calibration.resampling import Statistic
    from livestream_env.calibration.simulated import (
        simulate_impressions,
        simulate_world_impressions,
    )

__all__ = [
    "IMPRESSION_DTYPE",
    "Estimate",
    "Fit",
    "LogIndex",
    "PublishedStatistic",
    "Statistic",
    "days_spanned",
    "event_matches",
    "fit",
    "impression_statistics",
    "impressions_of",
    "read_published_statistics",
    "room_statistics",
    "simulate_impressions",
    "simulate_world_impressions",
    "statistics",
    "world_statistics",
]
