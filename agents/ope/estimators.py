"""Estimators of a target policy's value from logged episodes.

Notation: i of n episodes, t steps, ``rho_{0:t}`` the product of the ratios of target to logging
probabilities of the logged actions, G the (discounted) return, g_t the product of the discounts
before step t, Q and V the values under the target as :mod:`agents.ope.fitted_q` estimates them,
``d_t = r_t + discount_t V(s_{t+1}) - Q(s_t, a_t)``. Names and definitions as in Voloshin et al.
(2021), "Empirical study of off-policy policy evaluation", and in Saito et al. (2021), "Open bandit
dataset and pipeline".

Each is a function of how often every episode is counted, which is what a bootstrap changes: counts
(B, E) to values (B,). Fitted values and marginal weights are kept as they are when resampling.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from agents.ope.trajectories import Array, Trajectories
from agents.ope.weights import (
    WINDOW,
    cumulative_weights,
    marginal_weights,
    recent_weights,
    value_cells,
)

Estimator = Callable[[Array], Array]

# What means nothing (0/0, infinite weights) becomes NaN, which is said where it is shown.
_quiet = np.errstate(all="ignore")

# Key → what it is, in the order of tables.
ESTIMATORS = {
    "is": "importance sampling",
    "snis": "self-normalised importance sampling",
    "pdis": "per-decision importance sampling",
    "snpdis": "self-normalised per-decision importance sampling",
    "phis": "partial-history importance sampling",
    "dm": "direct method: fitted Q evaluation",
    "dr": "doubly robust",
    "wdr": "weighted doubly robust",
    "mis": "marginalised importance sampling",
    "drl": "double reinforcement learning: doubly robust with marginalised weights",
}
WITHOUT_VALUES = ("is", "snis", "pdis", "snpdis", "phis")  # the others need fitted ones


class Values(NamedTuple):
    """What a fitted Q says of the logged episodes, under the target.

    Attributes:
        state: (E, H): V(s_t), the mean of Q over the target's choice; 0 where nothing runs.
        chosen: (E, H): Q(s_t, a_t) of the logged action; 0 where nothing runs.
        influence: (E,): how far each episode, as one of those that Q was learned from, moved the
            sum of V(s_0) over all episodes: what the direct method's interval needs to know. They
            sum to about 0.
    """

    state: Array
    chosen: Array
    influence: Array


class Weights(NamedTuple):
    """Importance weights of each episode and step, (E, H) each.

    Attributes:
        cumulative: Of what was done up to the step.
        recent: Of the last decisions.
        marginal: Of being there, times the step's own; None without fitted values.
    """

    cumulative: Array
    recent: Array
    marginal: Array | None


def weights_of(log: Trajectories, target: Array, values: Values | None) -> Weights:
    """The weights for a target whose probabilities of the logged actions are ``target`` (E, H)."""
    ratio = target / log.behaviour
    marginal = None
    if values is not None:
        marginal = marginal_weights(ratio, log.running, value_cells(values.state, log.running))
    return Weights(cumulative_weights(ratio), recent_weights(ratio), marginal)


@_quiet
def estimators(
    log: Trajectories, weights: Weights, values: Values | None = None
) -> dict[str, Estimator]:
    """All that can be computed, by their keys in :data:`ESTIMATORS`.

    ============  =====================================================  ==========================
    ``is``        mean of rho_{0:H} G                                    Precup et al. 2000
    ``snis``      sum rho_{0:H} G / sum rho_{0:H}                        Precup et al. 2000
    ``pdis``      mean of sum_t rho_{0:t} g_t r_t                        Precup et al. 2000
    ``snpdis``    sum_t (sum_i rho_{0:t} g_t r_t / sum_i rho_{0:t})      Thomas 2015, CWPDIS
    ``phis``      sum_t S_t R_t: weighted by rho_{t-1:t}, R_t is the     Hu & Wager 2023;
                  mean of g_t r_t over those running at t, S_t their     Kaplan & Meier 1958
                  share, the product of the shares that went on
    ``dm``        mean of V(s_0)                                         Le et al. 2019
    ``dr``        mean of V(s_0) + sum_t rho_{0:t} g_t d_t               Jiang & Li 2016
    ``wdr``       as dr, weights over their sum as in snpdis             Thomas & Brunskill 2016
    ``mis``       as snpdis, w_t(s_t) rho_t instead of rho_{0:t}         Xie, Ma & Wang 2019
    ``drl``       as wdr, w_t(s_t) rho_t instead of rho_{0:t}            Kallus & Uehara 2020
    ============  =====================================================  ==========================

    Those from ``dm`` on need ``values``.
    """
    gains = log.factor * log.reward
    cumulative = weights.cumulative
    last = cumulative[:, -1]
    found = {
        "is": _mean(_times(last, log.returns)),
        "snis": _ratio(last[:, None], log.returns[:, None]),
        "pdis": _mean(_times(cumulative, gains).sum(axis=1)),
        "snpdis": _ratio(cumulative, gains),
        "phis": _product_limit(weights.recent, gains, log.running),
    }
    if values is None or weights.marginal is None:
        return found
    following = np.zeros_like(values.state)
    following[:, :-1] = values.state[:, 1:]
    errors = log.factor * (log.reward + log.discount * following - values.chosen)
    start = values.state[:, 0]
    return found | {
        "dm": _mean(start + values.influence),
        "dr": _mean(start + _times(cumulative, errors).sum(axis=1)),
        "wdr": _sum(_mean(start), _ratio(cumulative, errors)),
        "mis": _ratio(weights.marginal, gains),
        "drl": _sum(_mean(start), _ratio(weights.marginal, errors)),
    }


@_quiet
def variants(log: Trajectories, target: Array) -> dict[str, list[Estimator]]:
    """Of what an estimator's interval takes in those of, too: key → these; arguments as above.

    ``phis`` is biased by what decisions before its window cause, and a bootstrap interval shrinks
    about the biased value as data grow. How far the value moves when the window loses a decision or
    gains one does not shrink. So its interval is that of :data:`WINDOW` united with those of one
    decision less and one more (Conley, Hansen & Rossi 2012, "Plausibly exogenous": the union of the
    intervals over what one would assume): no wider where the windows agree, wider where older
    decisions are seen to matter. It is no bound: an effect that all three windows miss is in none.
    """
    ratio, gains = target / log.behaviour, log.factor * log.reward
    nearby = [recent_weights(ratio, window) for window in (WINDOW - 1, WINDOW + 1)]
    return {"phis": [_product_limit(weights, gains, log.running) for weights in nearby]}


def _times(weights: Array, amounts: Array) -> Array:
    """Their product; 0 where there is no amount, however large the weight."""
    return np.where(amounts == 0.0, 0.0, weights * amounts)


def _mean(terms: Array) -> Estimator:
    """The mean over episodes of ``terms`` (E,)."""

    @_quiet
    def estimate(counts: Array) -> Array:
        return counts @ terms / counts.sum(axis=1)

    return estimate


def _ratio(weights: Array, terms: Array) -> Estimator:
    """The sum over steps of the weighted means over episodes of ``terms`` (E, H).

    NaN if at a step at which something was gained all weights are 0 or one is infinite.
    """
    scaled = weights / weights.max(axis=0)
    weighted = _times(scaled, terms)
    asked = (terms != 0.0).any(axis=0)

    @_quiet
    def estimate(counts: Array) -> Array:
        return (counts @ weighted[:, asked] / (counts @ scaled[:, asked])).sum(axis=1)

    return estimate


def _product_limit(weights: Array, terms: Array, running: NDArray[np.bool_]) -> Estimator:
    """The sum over steps of the weighted mean of ``terms`` (E, H) over those running, times S_t.

    S_t, the share that runs at t, is the product of the weighted shares that went on before
    (Kaplan & Meier 1958). Steps from one on at which none of those running has a weight are left
    out; NaN if that is the first one.
    """
    scaled = np.where(running, weights, 0.0)
    scaled = scaled / scaled.max(axis=0)
    scaled[:, 1:] = np.where(np.isnan(scaled[:, 1:]), 0.0, scaled[:, 1:])
    weighted = _times(scaled, terms)
    going_on = np.zeros_like(scaled)
    going_on[:, :-1] = scaled[:, :-1] * running[:, 1:]

    @_quiet
    def estimate(counts: Array) -> Array:
        total = counts @ scaled
        share = np.ones_like(total)
        share[:, 1:] = np.cumprod((counts @ going_on / total)[:, :-1], axis=1)
        gained = counts @ weighted / total
        gained[:, 1:] = np.where((total > 0.0) & (share > 0.0), share * gained, 0.0)[:, 1:]
        return gained.sum(axis=1)

    return estimate


def _sum(one: Estimator, other: Estimator) -> Estimator:
    return lambda counts: one(counts) + other(counts)
