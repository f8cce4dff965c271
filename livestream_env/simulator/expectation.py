"""What each candidate would bring, in expectation, given the hidden state: for oracles."""

from __future__ import annotations

import math

import numpy as np

from livestream_env.reward import (
    MAX_COUNTED,
    REWARD_COMPONENTS,
    RewardComponents,
    gift_component,
    watch_component,
)
from livestream_env.simulator import rng
from livestream_env.simulator.compiling import entry_point, inlined
from livestream_env.simulator.person import familiarity_gained, grown
from livestream_env.simulator.response import (
    appeal,
    click_probability,
    comment_mean,
    follow_probability,
    gift_price,
    gift_probability,
    like_mean,
    tier,
    watch_log_mean,
    watch_time,
)

_NUM_COMPONENTS = len(REWARD_COMPONENTS)
_NUM_PRICES = 32  # quantiles of a gift's price


@inlined
def _mean_counted(mean):
    """E[min(n, MAX_COUNTED)] for a Poisson n: the sum of P(n > k) for k < MAX_COUNTED."""
    probability = math.exp(-mean)
    cumulative = probability
    total = 0.0
    for k in range(MAX_COUNTED):
        total += 1.0 - cumulative
        probability *= mean / (k + 1)
        cumulative += probability
    return total


@inlined
def _mean_of_gift(p, gift_propensity):
    """Expected gift component of a gift, by the midpoint rule on quantiles of its price."""
    total = 0.0
    for i in range(_NUM_PRICES):
        noise = rng.normal_quantile((i + 0.5) / _NUM_PRICES)
        price = gift_price(p, gift_propensity, noise)
        total += (1.0 - p.gift_price_tier) * gift_component(price)
        total += p.gift_price_tier * gift_component(tier(p, price))
    return total / _NUM_PRICES


@inlined
def _given_watch(a, p, mean_of_gift, watch_s):
    """Expected :class:`RewardComponents` of a click, given the watch time."""
    return RewardComponents(
        watch=watch_component(watch_s, p.watch_in_minutes),
        like=_mean_counted(like_mean(a, p, watch_s)),
        comment=_mean_counted(comment_mean(a, p, watch_s)),
        gift=gift_probability(a, p, watch_s) * mean_of_gift,
        follow=follow_probability(a, p, watch_s),
    )


@entry_point
def expected_response(
    slots,
    w,
    parameters,
    quantiles,
    out,
):
    """What each candidate would bring: for oracles, which may read the hidden state.

    ``quantiles`` (M,) are standard normal quantiles at which the watch time is evaluated. ``out``
    (N, candidates) are zeros of ``EXPECTATION_DTYPE``, and stay so for empty slots. ``w`` are the
    :class:`WorldArrays`.
    """
    p = parameters[0]
    for i in range(slots.shape[0]):
        s = slots[i]
        mean_of_gift = _mean_of_gift(p, np.float64(w.viewers[s.viewer].gift_propensity))
        for slot in range(s.room.shape[0]):
            if s.room[slot] < 0:
                continue
            row = out[i, slot]
            a = appeal(s, w, p, slot)
            row.click_probability = click_probability(a, s, p)
            row.harm = a.sensitivity * a.sensationalism
            if p.use_curiosity:
                familiarity = np.float64(s.familiarity[w.streamers[s.streamer[slot]].category])
                row.breadth = familiarity_gained(familiarity, p) / s.familiarity.shape[0]
            log_mean = watch_log_mean(a, s, p)
            for noise in quantiles:
                watch_s = watch_time(log_mean, noise, a, p)
                components = _given_watch(a, p, mean_of_gift, watch_s)
                if p.use_attachment:
                    new = grown(a.attachment, p, a.growth, watch_s, False)
                    row.bond += a.growth * (new * new - a.attachment * a.attachment)
                for j in range(_NUM_COMPONENTS):
                    row.components[j] += components[j]
            for j in range(_NUM_COMPONENTS):
                row.components[j] /= quantiles.shape[0]
            row.bond /= quantiles.shape[0]
