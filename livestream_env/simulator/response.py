"""How a viewer responds to a room: click, watch time, likes, comments, gift, follow.

The equations are in docs/model/equations.md; every coefficient is a field of
:class:`livestream_env.config.SimulatorConfig`.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from livestream_env.simulator import rng
from livestream_env.simulator.compiling import inlined
from livestream_env.simulator.world_arrays import COVER_SCALE


class Appeal(NamedTuple):
    """What a candidate is to the viewer at this moment."""

    affinity: float
    attachment: float
    highlight: float
    quality: float
    sensationalism: float
    cover: float  # its appeal
    satiation: float
    entered: float  # 1: just now; fades
    surge: float  # of the audience, log
    growth: float  # of attachments to the streamer, relative
    followed: bool
    sensitivity: float  # the viewer's
    click_propensity: float  # likewise
    gift_propensity: float  # likewise
    limit_s: float  # longest possible watch: the room's end, or the cap


class Response(NamedTuple):
    """What came of one impression. Times in seconds, gift value in coins."""

    click: bool
    watch_s: float
    likes: int
    comments: int
    gift_value: float
    follow: bool


NO_RESPONSE = Response(click=False, watch_s=0.0, likes=0, comments=0, gift_value=0.0, follow=False)
_LARGEST_LOG_S = 20.0  # of a watch time: beyond every limit, and exp of more might overflow
_LARGEST_LOG_PRICE = 50.0  # likewise
_SMALLEST_PROPENSITY = 1e-9
# Round prices, in coins, as a shop of gifts has them (assumed).
_TIERS = (
    *(1.0, 10.0, 20.0, 50.0, 99.0, 199.0, 299.0, 520.0, 999.0, 1_314.0, 2_999.0, 5_200.0),
    *(9_999.0, 18_888.0, 56_246.0),
)
_FOLLOW_SCALE_S = 30.0


@inlined
def appeal(s, w, p, slot):
    """The :class:`Appeal` of the candidate in ``slot`` (which must not be empty)."""
    room = w.rooms[s.room[slot]]
    streamer = w.streamers[s.streamer[slot]]
    viewer = w.viewers[s.viewer]
    known = s.known[slot]
    return Appeal(
        affinity=np.float64(s.affinity[slot]),
        attachment=np.float64(s.attachment[known]) if known >= 0 else 0.0,
        highlight=np.float64(s.highlight[slot]),
        quality=np.float64(streamer.quality),
        sensationalism=np.float64(streamer.sensationalism),
        cover=COVER_SCALE * np.float64(streamer.cover),
        satiation=np.float64(s.satiation[streamer.category]),
        entered=np.float64(s.entered[slot]),
        surge=np.float64(s.surge[slot]),
        growth=np.float64(streamer.growth),
        followed=known >= 0 and s.attached_followed[known] != 0,
        sensitivity=np.float64(viewer.sensitivity),
        click_propensity=np.float64(viewer.click_propensity),
        gift_propensity=np.float64(viewer.gift_propensity),
        limit_s=min(room.end_s - s.time_s - p.browse_s, p.watch_cap_s),
    )


@inlined
def click_probability(a, s, p):
    """P(click): logistic."""
    log_odds = (
        p.click_bias
        + a.click_propensity
        + p.click_affinity * a.affinity
        + p.click_attachment * a.attachment
        + p.click_highlight * a.highlight
        + (p.click_sensationalism - p.click_sensitivity * a.sensitivity) * a.cover
        + p.click_audience * a.surge
        - p.click_seen * a.entered
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
        + (p.watch_sensationalism - p.watch_sensitivity * a.sensitivity) * a.sensationalism
        - p.watch_satiation * a.satiation
        + p.watch_satisfaction * s.satisfaction
    )


@inlined
def watch_time(log_mean, noise, a, p):
    """Seconds watched, at most ``a.limit_s``; ``noise`` is standard normal."""
    return min(math.exp(min(log_mean + p.watch_noise_std * noise, _LARGEST_LOG_S)), a.limit_s)


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
def gift_hazard(rate, attachment, p, watch_s):
    """Hazard of a gift in the watch, which grows with the minutes watched.

    ``rate`` is the viewer's: hazard of the first minute, at ``gift_base + gift_attachment *
    attachment`` of 1. Nothing but arithmetic: as plain Python it takes arrays (n,), too.
    """
    minutes = watch_s / 60.0
    rate = rate * (p.gift_base + p.gift_attachment * attachment)
    return rate * minutes * minutes**p.gift_duration_exponent


@inlined
def gift_probability(a, p, watch_s):
    """P(a gift in the watch): more in a strong community, and before many eyes."""
    rate = p.gift_per_min * a.gift_propensity * a.growth**p.gift_community
    rate *= math.exp(p.gift_audience * a.surge)
    return -math.expm1(-gift_hazard(rate, a.attachment, p, watch_s))


@inlined
def gift_price(p, gift_propensity, noise):
    """Coins of a gift, a whole number up to the highest price; ``noise`` is standard normal.

    Who gives more often also gives more at a time.
    """
    log_price = p.gift_price_log_mean + p.gift_price_log_std * noise
    log_price += p.gift_price_propensity * math.log(max(gift_propensity, _SMALLEST_PROPENSITY))
    price = math.exp(min(log_price, _LARGEST_LOG_PRICE))
    return min(float(math.ceil(price)), p.gift_price_max)


@inlined
def tier(p, price):
    """The price of the shop's gift that is nearest to ``price``, in ratio: a round one."""
    nearest = _TIERS[0]
    for round_price in _TIERS:
        if round_price <= p.gift_price_max and price * price >= nearest * round_price:
            nearest = round_price
    return nearest


@inlined
def follow_probability(a, p, watch_s):
    """P(a follow) after a click, for streamers not yet followed."""
    if a.followed:
        return 0.0
    by_watch = 1.0 + p.follow_watch * math.log1p(watch_s / _FOLLOW_SCALE_S)
    return min(1.0, p.follow_per_click * by_watch)


@inlined
def respond(a, s, w, p, key):
    """Draw the :class:`Response` to an impression."""
    if rng.uniform(key, rng.CLICK) >= click_probability(a, s, p):
        return NO_RESPONSE
    watch_s = watch_time(watch_log_mean(a, s, p), rng.normal(key, rng.WATCH), a, p)
    likes = rng.poisson(like_mean(a, p, watch_s), rng.uniform(key, rng.LIKE))
    comments = rng.poisson(comment_mean(a, p, watch_s), rng.uniform(key, rng.COMMENT))
    gift_value = 0.0
    if rng.uniform(key, rng.GIFT) < gift_probability(a, p, watch_s):
        gift_value = gift_price(p, a.gift_propensity, rng.normal(key, rng.GIFT_PRICE))
        if rng.uniform(key, rng.GIFT_TIER) < p.gift_price_tier:
            gift_value = tier(p, gift_value)
    follow = rng.uniform(key, rng.FOLLOW) < follow_probability(a, p, watch_s)
    return Response(
        click=True,
        watch_s=watch_s,
        likes=likes,
        comments=comments,
        gift_value=gift_value,
        follow=follow,
    )
