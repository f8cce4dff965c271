"""How a viewer responds to a room: click, watch time, likes, comments, gift, follow.

The equations are in the README's model section; every coefficient is a field of
:class:`livestream_env.config.SimulatorConfig`.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from livestream_env.simulator import rng
from livestream_env.simulator.compiling import inlined


class Appeal(NamedTuple):
    """What a candidate is to the viewer at this moment."""

    affinity: float
    attachment: float
    highlight: float
    quality: float
    sensationalism: float
    satiation: float
    followed: bool
    limit_s: float  # longest possible watch: the room's end, or the cap


class Response(NamedTuple):
    """What came of one impression. Times in seconds, gift value in coins."""

    click: bool
    watch_s: float
    likes: int
    comments: int
    gift_value: float
    follow: bool


@inlined
def appeal(s, w, p, slot):
    """The :class:`Appeal` of the candidate in ``slot`` (which must not be empty)."""
    room = w.rooms[s.room[slot]]
    streamer = w.streamers[s.streamer[slot]]
    known = s.known[slot]
    return Appeal(
        np.float64(s.affinity[slot]),
        np.float64(s.attachment[known]) if known >= 0 else 0.0,
        np.float64(s.highlight[slot]),
        np.float64(streamer.quality),
        np.float64(streamer.sensationalism),
        np.float64(s.satiation[streamer.category]),
        known >= 0 and s.attached_followed[known] != 0,
        min(room.end_s - s.time_s - p.browse_s, p.watch_cap_s),
    )


@inlined
def click_probability(a, s, p):
    """P(click): logistic."""
    log_odds = (
        p.click_bias
        + p.click_affinity * a.affinity
        + p.click_attachment * a.attachment
        + p.click_highlight * a.highlight
        + p.click_sensationalism * a.sensationalism
        - p.click_satiation * a.satiation
        - p.click_fatigue * s.fatigue
        + p.click_satisfaction * s.satisfaction
    )
    return 1.0 / (1.0 + math.exp(-log_odds))


@inlined
def watch_log_mean(a, s, p):
    """Mean of the log of the uncensored watch time in seconds."""
    return (
        p.watch_bias
        + p.watch_affinity * a.affinity
        + p.watch_attachment * a.attachment
        + p.watch_highlight * a.highlight
        + p.watch_quality * a.quality
        + p.watch_sensationalism * a.sensationalism
        - p.watch_satiation * a.satiation
        + p.watch_satisfaction * s.satisfaction
    )


@inlined
def like_mean(a, p, watch_s):
    """Expected likes in a watch."""
    return p.like_per_min * (1.0 + p.like_highlight * a.highlight) * watch_s / 60.0


@inlined
def comment_mean(a, p, watch_s):
    """Expected comments in a watch."""
    rate = p.comment_per_min * (p.comment_base + p.comment_attachment * a.attachment)
    return rate * watch_s / 60.0


@inlined
def gift_probability(a, p, gift_propensity, watch_s):
    """P(a gift in the watch): the hazard grows with the minutes watched."""
    minutes = watch_s / 60.0
    rate = p.gift_per_min * gift_propensity * (p.gift_base + p.gift_attachment * a.attachment)
    return -math.expm1(-rate * minutes * minutes**p.gift_duration_exponent)


@inlined
def follow_probability(a, p, watch_s):
    """P(a follow) after a click, for streamers not yet followed."""
    if a.followed:
        return 0.0
    return min(1.0, p.follow_per_click * (1.0 + p.follow_watch * math.log1p(watch_s / 30.0)))


@inlined
def respond(a, s, w, p, key):
    """Draw the :class:`Response` to an impression."""
    if rng.uniform(key, rng.CLICK) >= click_probability(a, s, p):
        return Response(False, 0.0, 0, 0, 0.0, False)
    log_watch = watch_log_mean(a, s, p) + p.watch_noise_std * rng.normal(key, rng.WATCH)
    # exp(20) is beyond every limit, and exp of more might overflow.
    watch_s = min(math.exp(min(log_watch, 20.0)), a.limit_s)
    likes = rng.poisson(like_mean(a, p, watch_s), rng.uniform(key, rng.LIKE))
    comments = rng.poisson(comment_mean(a, p, watch_s), rng.uniform(key, rng.COMMENT))
    gift_value = 0.0
    propensity = float(w.viewers[s.viewer].gift_propensity)
    if rng.uniform(key, rng.GIFT) < gift_probability(a, p, propensity, watch_s):
        noise = p.gift_price_log_std * rng.normal(key, rng.GIFT_PRICE)
        price = math.exp(min(p.gift_price_log_mean + noise, 50.0))
        gift_value = min(float(math.ceil(price)), p.gift_price_max)
    follow = rng.uniform(key, rng.FOLLOW) < follow_probability(a, p, watch_s)
    return Response(True, watch_s, likes, comments, gift_value, follow)
