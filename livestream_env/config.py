"""Every parameter of the simulator: one line each, with meaning, unit and source.

Two groups. :class:`WorldConfig` says how a synthetic world is drawn (viewers, streamers,
timetable); :class:`SimulatorConfig` says how a viewer responds and changes. The environment's
``config`` argument takes names from both.

Sources, in short:

* **KuaiLive**: published statistics of the KuaiLive logs (Kuaishou, 2025-05-05..25), matched by
  this value; the statistics themselves are in ``data/published_statistics.csv``.
* **form: X**: the functional form follows X, the magnitude is assumed.
* **assumed**: neither form nor magnitude is identified by published logs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from livestream_env.settings import Settings, integer, number

# Share of watch time by local hour 0..23 (KuaiLive; digitised from a third party's heat map,
# whose totals reproduce the watch seconds to 0.2 %).
HOURLY_ACTIVITY = (
    *(0.0409, 0.0235, 0.0143, 0.0111, 0.0116, 0.0184, 0.0260, 0.0287),
    *(0.0318, 0.0335, 0.0359, 0.0424, 0.0510, 0.0439, 0.0420, 0.0402),
    *(0.0383, 0.0423, 0.0548, 0.0740, 0.0873, 0.0804, 0.0736, 0.0542),
)


class _Parameters(Settings):
    """Parameters, as messages about the environment's ``config`` argument name them."""

    _label = "config[{name!r}]"
    _refusal = "config has no parameter"


@dataclass(frozen=True, repr=False)
class WorldConfig(_Parameters):
    """How :meth:`livestream_env.world.World.synthetic` draws a world."""

    # fmt: off
    num_viewers: int = integer(10_000, 1, 10_000_000, "viewers")
    num_streamers: int = integer(1_000, 1, 1_000_000, "streamers")
    num_categories: int = integer(8, 2, 64, "content categories; assumed")
    embedding_dim: int = integer(8, 1, 128, "dimension of the viewer and streamer embeddings; assumed")
    days: int = integer(14, 1, 400, "days on which an episode may be played")
    taste_concentration: float = number(0.5, 0.01, 100, "Dirichlet concentration of a viewer's tastes; assumed")
    pair_affinity_std: float = number(0.6, 0, 5, "s.d. of the embedding part of an affinity; assumed")
    popularity_std: float = number(1.2, 0, 5, "s.d. of log popularity; KuaiLive: long tail of streamers")
    quality_std: float = number(0.7, 0, 5, "s.d. of a streamer's quality; assumed")
    sensationalism_std: float = number(0.7, 0, 5, "s.d. of a streamer's sensationalism; form: RecSim choc/kale")
    cover_correlation: float = number(1.0, 0, 1, "of a cover's appeal with the sensationalism behind it; assumed")
    community_std: float = number(0.0, 0, 3, "s.d. of a streamer's community, the log of the growth of attachments; assumed")
    community_sensationalism: float = number(0.0, -1, 1, "correlation of community and sensationalism; assumed")
    community_quality: float = number(0.0, -1, 1, "correlation of community and quality; assumed")
    fan_club_correlation: float = number(0.7, 0, 1, "of a fan club's size, as it is observed, with community; assumed")
    interest_std: float = number(0.0, 0, 3, "s.d. of a viewer's interest in a category that her known taste does not tell, in affinity; assumed")
    sensitivity_mean: float = number(1.0, -5, 5, "mean over viewers of the sensitivity to sensationalism; assumed")
    sensitivity_std: float = number(0.0, 0, 5, "s.d. of it; assumed")
    sensitivity_min: float = number(0.0, -5, 5, "nobody is less sensitive than this; assumed")
    sensitivity_demographic: float = number(0.55, 0, 1, "correlation of it with age and gender; assumed")
    past_regret_correlation: float = number(0.75, 0, 1, "of how often sensational rooms were left at once before, as logged, with it; assumed")
    click_propensity_std: float = number(0.0, 0, 3, "s.d. of a viewer's own log-odds of clicks; KuaiLive: spread of watch between viewers")
    activity_log_mean: float = number(-0.5, -5, 5, "mean of log activity (visits per day, relative); KuaiLive")
    activity_log_std: float = number(1.0, 0, 3, "s.d. of log activity; KuaiLive: 21-day watch per viewer")
    gift_propensity_log_std: float = number(1.6, 0, 3, "s.d. of log gift propensity, whose mean is 1; KuaiLive: Gini .94")
    initial_attachments: float = number(3.0, 0, 11, "mean number of streamers known beforehand, beyond the first; assumed")
    initial_strength_min: float = number(0.3, 0, 1, "attachments begin between this; as logs are stationary")
    initial_strength_max: float = number(1.0, 0, 1, "and this; as logs are stationary")
    initial_strength_taste: float = number(0.0, -5, 5, "log factor per unit of the viewer's strongest taste above the mean: who likes more is attached more; as logs are stationary")
    initial_familiarity: float = number(0.3, 0, 1, "mean familiarity with a category beforehand; as logs are stationary")
    satiation_gain_log_std: float = number(0.5, 0, 3, "s.d. of log satiation gain between viewers and categories; assumed")
    rooms_per_day: float = number(1.22, 0.01, 4, "rooms that a streamer opens per day; KuaiLive 1.22")
    room_start_std_h: float = number(1.5, 0, 12, "hours, s.d. of a start around the streamer's habitual hour; assumed")
    room_minutes_median: float = number(134.0, 5, 1440, "minutes, median room length; KuaiLive (shop rooms) 134")
    room_minutes_log_std: float = number(0.63, 0, 3, "s.d. of log room length; KuaiLive (shop rooms) .63")
    room_hours_max: float = number(12.0, 0.1, 48, "hours, longest room; assumed")
    highlight_share: float = number(0.30, 0.01, 0.99, "share of a room's time that is a highlight; KuaiLive-M3's label: top 30 %")
    highlight_mean_s: float = number(180.0, 30, 36_000, "seconds, mean length of a highlight; assumed")
    # fmt: on

    def __post_init__(self) -> None:
        """Check each value, and what must hold between them."""
        super().__post_init__()
        if self.initial_strength_min > self.initial_strength_max:
            raise ValueError(
                "config['initial_strength_min'] must be at most config['initial_strength_max'], "
                f"got {self.initial_strength_min} and {self.initial_strength_max}"
            )
        # A highlight follows at the earliest 30 s after the last one.
        shortest_s = 30.0 * self.highlight_share / (1.0 - self.highlight_share)
        if self.highlight_mean_s < shortest_s:
            raise ValueError(
                f"config['highlight_mean_s'] must be at least {shortest_s:g} for a highlight_share "
                f"of {self.highlight_share:g}, got {self.highlight_mean_s:g}"
            )


@dataclass(frozen=True, repr=False)
class SimulatorConfig(_Parameters):
    """How a viewer responds to an impression, and changes by it."""

    # fmt: off
    # Clock
    browse_s: float = number(6.0, 0.1, 600, "seconds that an impression takes before any watching; assumed")
    watch_cap_s: float = number(3600.0, 10, 86_400, "seconds, longest watch; KuaiLive: tail of watch times")
    # Click: logistic in the terms below
    click_bias: float = number(-2.6, -20, 20, "log-odds of a click on an average room; KuaiLive: CTR .279")
    click_affinity: float = number(0.9, -10, 10, "per unit of affinity; assumed")
    click_attachment: float = number(1.6, -10, 10, "per unit of attachment; assumed")
    click_highlight: float = number(0.45, -10, 10, "during a highlight; form: Moment&Cross; assumed")
    click_sensationalism: float = number(0.7, -10, 10, "per unit of sensationalism (the cover's appeal); assumed")
    click_sensitivity: float = number(0.0, -10, 10, "per unit of it and of the viewer's sensitivity, subtracted; assumed")
    click_satiation: float = number(1.0, -10, 10, "per unit of satiation, subtracted; assumed")
    click_fatigue: float = number(0.5, -10, 10, "per unit of fatigue, subtracted; assumed")
    click_satisfaction: float = number(1.0, -10, 10, "per unit of satisfaction; form: RecSim; assumed")
    click_seen: float = number(0.0, -10, 10, "to a room entered just now, subtracted; KuaiLive: .125 of clicks enter a room again")
    click_audience: float = number(0.0, -10, 10, "per log unit of an audience above the streamer's usual one; form: Lu et al. 2021; assumed")
    seen_decay_s: float = number(7200.0, 1, 1e6, "seconds, time constant of the memory of a room entered; assumed")
    # Watch time: log-normal in seconds, censored at the room's end and the cap
    watch_bias: float = number(-1.53, -20, 20, "mean log seconds watched in an average room; KuaiLive: median 4.2 s")
    watch_affinity: float = number(1.0, -10, 10, "per unit of affinity; assumed")
    watch_attachment: float = number(1.6, -10, 10, "per unit of attachment; assumed")
    watch_highlight: float = number(0.6, -10, 10, "during a highlight; assumed")
    watch_quality: float = number(0.8, -10, 10, "per unit of quality; assumed")
    watch_sensationalism: float = number(0.4, -10, 10, "per unit of sensationalism; assumed")
    watch_sensitivity: float = number(0.0, -10, 10, "per unit of it and of the viewer's sensitivity, subtracted: regret; assumed")
    watch_satiation: float = number(0.9, -10, 10, "per unit of satiation, subtracted; assumed")
    watch_satisfaction: float = number(1.5, -10, 10, "per unit of satisfaction; form: RecSim; assumed")
    watch_noise_std: float = number(2.45, 0, 10, "s.d. of log seconds given all of the above; KuaiLive: p90 126 s")
    # Events during a watch
    like_per_min: float = number(0.0210, 0, 10, "likes per watched minute, off highlights; KuaiLive: .0365 per click")
    like_highlight: float = number(0.5, 0, 10, "relative increase during a highlight; assumed")
    comment_per_min: float = number(0.0305, 0, 10, "comments per watched minute; KuaiLive: .0400 per click")
    comment_base: float = number(0.5, 0, 10, "comment rate towards strangers, relative; assumed")
    comment_attachment: float = number(1.5, 0, 10, "increase of it per unit of attachment; assumed")
    gift_per_min: float = number(0.0135, 0, 10, "gifts per watched minute, average viewer; KuaiLive: .0148 per click")
    gift_base: float = number(0.3, 0, 10, "gift rate towards strangers, relative; KuaiLive: 1.1 % without gift history")
    gift_attachment: float = number(2.0, 0, 10, "increase of it per unit of attachment; KuaiLive: 11 % with gift history")
    gift_duration_exponent: float = number(0.3, 0, 3, "growth of the gift hazard with minutes watched; KuaiLive: 82 % of value after 300 s")
    gift_community: float = number(0.5, 0, 10, "power of a community's growth in the gift rate; assumed")
    gift_audience: float = number(0.0, -10, 10, "log gift rate per log unit of an audience above the usual one; form: Lu et al. 2021")
    gift_price_log_mean: float = number(0.55, -5, 10, "mean of log gift price; KuaiLive: median 2")
    gift_price_log_std: float = number(2.85, 0, 5, "s.d. of log gift price; KuaiLive: p90 88, p99 1,488")
    gift_price_propensity: float = number(0.0, 0, 5, "log price per unit of log gift propensity; KuaiLive: top 1 % of givers have .6 of the value")
    gift_price_tier: float = number(0.0, 0, 1, "share of gifts of a round price; KuaiLive: 10 coins are 7.4 times as frequent as 9")
    gift_price_max: float = number(56_246.0, 1, 1e9, "highest gift price; KuaiLive: maximum")
    follow_per_click: float = number(0.0025, 0, 1, "probability of a follow after a click, before the term below; assumed")
    follow_watch: float = number(1.0, 0, 100, "increase of it per unit of log1p(watched / 30 s), relative; assumed")
    follow_attachment: float = number(0.5, 0, 1, "attachment to a followed streamer is at least this; assumed")
    # Satiation with a category
    satiation_gain: float = number(0.25, 0, 10, "per unit of log1p(watched / 30 s); form: satiation bandits (Leqi et al. 2021)")
    satiation_decay_s: float = number(1500.0, 1, 1e6, "seconds, time constant of its decay; assumed")
    # Attachment to a streamer
    attachment_gain: float = number(0.10, 0, 1, "of the way to 1 by a long watch; assumed")
    attachment_scale_s: float = number(300.0, 1, 1e6, "seconds that count as a long watch; assumed")
    attachment_half_life_days: float = number(21.0, 0.01, 1e6, "days; assumed")
    # Familiarity with a category
    familiarity_gain: float = number(0.08, 0, 1, "of the way to 1 by an impression; form: mere exposure (Zajonc 1968); assumed")
    familiarity_half_life_days: float = number(2.0, 0.01, 1e6, "days; assumed")
    # Hidden satisfaction with the service
    satisfaction_memory: float = number(0.93, 0, 0.9999, "kept from one impression to the next; form: RecSim")
    satisfaction_view: float = number(0.5, -10, 10, "gain by a long view, loss by a short one; assumed")
    satisfaction_long_view_s: float = number(30.0, 0, 3600, "seconds from which a view is long; KuaiLive users' convention")
    short_view_s: float = number(5.0, 0, 3600, "seconds up to which a click is regretted; KuaiLive: 54 % of views")
    satisfaction_harm: float = number(1.4286, -10, 10, "loss per click and unit of sensationalism (1 / .7); form: RecSim choc/kale")
    satisfaction_limit: float = number(10.0, 0.01, 100, "it stays between this and its negative; assumed")
    satisfaction_decay_days: float = number(1.0, 0.001, 1e6, "days, time constant of its decay between visits; assumed")
    satisfaction_initial_std: float = number(0.1, 0, 5, "s.d. at the start of an episode; assumed")
    # Fatigue within a visit
    fatigue_memory: float = number(0.9, 0, 0.9999, "kept from one impression to the next; form: KuaiSim")
    fatigue_gain: float = number(0.12, 0, 5, "by an impression without a view of short_view_s or more; assumed")
    fatigue_relief: float = number(0.10, 0, 5, "by any other impression; assumed")
    # Leaving and returning
    exit_bias: float = number(-3.2, -20, 20, "log-odds of leaving after an impression; assumed (visits of about ten impressions)")
    exit_fatigue: float = number(1.2, -10, 10, "per unit of fatigue; form: KuaiSim; assumed")
    exit_satisfaction: float = number(2.2, -10, 10, "per unit of satisfaction, subtracted; form: KuaiSim; assumed")
    exit_elapsed_s: float = number(7200.0, 1, 1e6, "seconds of a visit that add 1; assumed")
    visits_per_day: float = number(3.5, 0.01, 1000, "visits per day at activity 1 (1 / median gap); KuaiLive: 35.3 exposures per viewer-day")
    return_satisfaction: float = number(1.2, -10, 10, "decrease of the log gap per unit of satisfaction; form: Cox (Kapoor 2014)")
    return_loyalty: float = number(0.0, -10, 10, "per unit of loyalty, by attachments in [0, 1); assumed")
    return_breadth: float = number(0.0, -10, 10, "per unit of breadth, the mean familiarity with a category; assumed")
    return_limit: float = number(10.0, 0.01, 100, "bound of what these three come to together; assumed")
    loyalty_scale: float = number(10.0, 0.01, 100, "weighted sum of squared attachments that makes a loyalty of .63; assumed")
    notification: float = number(0.0, 0, 1, "P(coming back when an attached streamer goes live) per unit of attachment; assumed")
    return_noise_std: float = number(0.6, 0, 5, "s.d. of the log gap; assumed")
    # Retrieval of candidates
    retrieval_attached_share: float = number(0.3, 0, 1, "share of the slots offered to known streamers that are live; assumed")
    retrieval_category_share: float = number(0.4, 0, 1, "share of the slots for rooms of preferred categories; assumed")
    retrieval_memory: int = integer(0, 0, 16, "rooms shown last, which retrieval leaves out unless too few are live; assumed")
    retrieval_taste: float = number(1.0, 0, 10, "log-odds of a category per unit of taste in retrieval; assumed")
    # Audience of a room: log count above the streamer's usual one
    audience_rhythm: float = number(0.0, 0, 5, "per unit of the log of the hour's activity; assumed")
    audience_age: float = number(0.0, 0, 5, "from a room's opening to its full audience; assumed")
    audience_highlight: float = number(0.0, 0, 5, "during a highlight; assumed")
    audience_noise_std: float = number(0.0, 0, 5, "s.d. of the rest, which changes each half minute; assumed")
    # What the platform knows
    affinity_estimate_std: float = number(0.334, 0, 5, "error of the affinity estimate; assumed (correlation .95)")
    engagement_noise_std: float = number(0.5, 0, 5, "error of a room's recent engagement as a sign of a highlight; assumed")
    # fmt: on

    def __post_init__(self) -> None:
        """Check each value, and what must hold between them."""
        super().__post_init__()
        if self.retrieval_attached_share + self.retrieval_category_share > 1:
            raise ValueError(
                "config['retrieval_attached_share'] + config['retrieval_category_share'] must be "
                f"at most 1, got {self.retrieval_attached_share} + {self.retrieval_category_share}"
            )

    @property
    def log_gap_s(self) -> float:
        """Log of the median gap between visits, seconds, at activity 1 and satisfaction 0."""
        return math.log(86_400.0 / self.visits_per_day)


# Worlds that have a name: what the environment's ``world`` argument takes, and the parameters in
# which each differs from the defaults.
SYNTHETIC_WORLDS: dict[str, dict[str, float]] = {
    # Who watches and what happened before decide, not one price: some viewers mind sensational
    # rooms and some seek them, which their reactions tell; ties to streamers with a strong
    # community, and broad tastes, bring viewers back. Measured in docs/model/world.md.
    "default": {
        # Streamers, and covers that tell most of what is behind them
        "num_streamers": 4_000,
        "popularity_std": 3.1,
        "cover_correlation": 0.92,
        "community_std": 1.5,
        "community_sensationalism": -0.3,
        "community_quality": -0.4,
        # Viewers
        "interest_std": 0.4,
        "sensitivity_mean": 0.5,
        "sensitivity_std": 1.0,
        "sensitivity_min": -1.0,
        "sensitivity_demographic": 0.65,
        "past_regret_correlation": 0.96,
        "click_propensity_std": 0.75,
        "activity_log_std": 0.55,
        "gift_propensity_log_std": 0.6,
        "initial_attachments": 10,
        "initial_strength_min": 0.01,
        "initial_strength_max": 0.3,
        "initial_strength_taste": 1.8,
        # Clicks
        "click_bias": -3.58,
        "click_affinity": 0.88,
        "click_attachment": 0.3,
        "click_sensationalism": 0.65,
        "click_satisfaction": 0.8,
        "click_seen": 1.4,
        "click_audience": 0.1,
        # Watch times
        "watch_bias": -2.53,
        "watch_sensationalism": 0.2,
        "watch_sensitivity": 0.15,
        "watch_satisfaction": 0.8,
        "watch_noise_std": 2.35,
        # Events
        "comment_per_min": 0.031,
        "gift_per_min": 0.0065,
        "gift_base": 0.5,
        "gift_attachment": 1.5,
        "gift_audience": 0.1,
        "gift_price_log_mean": 0.4,
        "gift_price_log_std": 2.35,
        "gift_price_propensity": 2.2,
        "gift_price_tier": 0.27,
        # What stays: attachment, mood
        "attachment_gain": 0.045,
        "attachment_scale_s": 8.0,
        "attachment_half_life_days": 3,
        "satisfaction_harm": 10,
        "satisfaction_limit": 1.5,
        "exit_bias": -2.8,
        # Leaving and returning
        "exit_satisfaction": 1.8,
        "visits_per_day": 0.62,
        "return_satisfaction": 0.9,
        "return_loyalty": 6.5,
        "return_breadth": 4.0,
        "return_limit": 1.7,
        "notification": 1.0,
        "retrieval_attached_share": 0.2,
        "retrieval_category_share": 0.3,
        # Retrieval and audiences
        "retrieval_memory": 12,
        "audience_rhythm": 0.7,
        "audience_age": 0.8,
        "audience_highlight": 0.3,
        "audience_noise_std": 0.3,
    },
    # One price decides, that of the cover: the parameters' own defaults, most mechanisms off.
    "plain": {},
}
