"""Logged episodes as arrays: what every estimator reads."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from livestream_env.decisions import Decisions
from livestream_env.settings import check_integer, check_number

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Trajectories:
    """E episodes of at most H steps, padded; T steps were really taken.

    Attributes:
        running: bool (E, H): a decision was taken; after an episode's end there is none. Arrays
            over the T steps, episode after episode, are ``padded[running]``.
        reward: (E, H); 0 where nothing runs.
        discount: (E, H) factor by which what follows the step counts less; 0 at an episode's last.
        behaviour: (E, H) propensity of the logged action; 1 where nothing runs.
        cluster: int64 (E,) number of the episode's viewer, from 0: what is resampled together.
    """

    running: NDArray[np.bool_]
    reward: Array
    discount: Array
    behaviour: Array
    cluster: NDArray[np.int64]

    @classmethod
    def of(
        cls,
        decisions: Decisions,
        horizon: int | None = None,
        gamma: float = 1.0,
        tau_s: float | None = None,
    ) -> Self:
        """The first ``horizon`` decisions of each logged episode.

        An episode that was cut off counts as one that ended: what would have followed is left out.

        Args:
            decisions: Logged, with propensities.
            horizon: Decisions counted; None: all.
            gamma: Discount per step, or per ``tau_s`` seconds, as the DQN's semi-Markov one.
            tau_s: Seconds that cost one factor ``gamma``; None: a step does.

        Raises:
            ValueError: An argument is out of range, there is no decision, or propensities are
                missing.
        """
        check_integer("horizon", horizon, 1, optional=True)
        check_number("gamma", gamma, 0.0, 1.0)
        check_number("tau_s", tau_s, 1e-3, 1e9, optional=True)
        if not decisions.num_steps:
            raise ValueError("decisions must hold at least one step, got none")
        if not decisions.has_propensities:
            raise ValueError(
                "decisions must have propensities, those of "
                f"{decisions.description.behaviour!r} have none: a policy that draws from "
                "propensities(observation) logs them"
            )
        rows = decision_rows(decisions, horizon)
        lengths = decisions.lengths if horizon is None else decisions.lengths.clip(max=horizon)
        running = np.arange(lengths.max()) < lengths[:, None]
        factor = np.full(len(rows), gamma)
        if tau_s is not None:
            factor **= decisions.elapsed_s[rows] / tau_s
        factor[np.cumsum(lengths) - 1] = 0.0
        _, cluster = np.unique(decisions.viewer[decisions.starts], return_inverse=True)
        return cls(
            running,
            _padded(running, decisions.reward[rows], 0.0),
            _padded(running, factor, 0.0),
            _padded(running, decisions.propensity[rows, decisions.action[rows]], 1.0),
            cluster.astype(np.int64),
        )

    def padded(self, values: NDArray[np.generic], fill: float) -> Array:
        """Values of the steps (T,) as (E, H), ``fill`` where nothing runs."""
        return _padded(self.running, values, fill)

    @property
    def num_episodes(self) -> int:
        """E."""
        return len(self.running)

    @functools.cached_property
    def factor(self) -> Array:
        """(E, H) product of the discounts before each step: what its reward counts."""
        before = np.ones_like(self.discount)
        before[:, 1:] = np.cumprod(self.discount[:, :-1], axis=1)
        return before

    @functools.cached_property
    def returns(self) -> Array:
        """(E,) discounted sums of rewards."""
        return self.to_go[:, 0]

    @functools.cached_property
    def to_go(self) -> Array:
        """(E, H) discounted sums of the rewards from each step on."""
        total = self.reward.copy()
        for t in reversed(range(total.shape[1] - 1)):
            total[:, t] += self.discount[:, t] * total[:, t + 1]
        return total

    @functools.cached_property
    def common_steps(self) -> int:
        """Steps from the start in which nine tenths of all decisions fall, at least 1."""
        share = np.cumsum(self.running.sum(axis=0)) / self.running.sum()
        return int(np.searchsorted(share, 0.9)) + 1


def decision_rows(decisions: Decisions, horizon: int | None) -> NDArray[np.int64]:
    """(T,) rows of the decisions that count."""
    rows = decisions.steps
    return rows if horizon is None else rows[decisions.step[rows] < horizon]


def _padded(running: NDArray[np.bool_], values: NDArray[np.generic], fill: float) -> Array:
    padded = np.full(running.shape, fill)
    padded[running] = values
    return padded
