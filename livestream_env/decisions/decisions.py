"""Logged decisions in memory."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from livestream_env.decisions.description import Description
from livestream_env.decisions.observations import Observations
from livestream_env.decisions.schema import COLUMNS, NO_ACTION


@dataclass(frozen=True, eq=False)
class Decisions:
    """Logged decisions: R rows, one per observation, the last one of each episode included.

    A decision is taken on the rows ``steps``; what follows from that on row ``t`` is observed on
    row ``t + 1``. Where ``action`` is -1 the episode is over and nothing was decided.

    Attributes:
        description: where they come from.
        observations: (R, D) packed; ``observations[rows]`` is float32 (m, D).
        episode: int64 (R,) number of the episode in the log.
        step: int32 (R,) of the episode, from 0.
        viewer: int64 (R,) id.
        visit: int32 (R,) of the episode, from 0.
        clock_s: float64 (R,) seconds from midnight of day 0.
        action_mask: bool (R, N) slots that may be chosen.
        propensity: float32 (R, N) of each slot under the policy that decided; NaN: not said.
        action: int16 (R,) the slot shown, or -1.
        reward: float64 (R,).
        components: float32 (R, C) of the reward, unweighted, in the order of
            ``livestream_env.reward.REWARD_COMPONENTS``.
        elapsed_s: float64 (R,) from this observation to the next.
        terminated: bool (R,) this decision ended the episode; nothing follows.
        truncated: bool (R,) the episode was cut off after this decision.
    """

    description: Description
    observations: Observations
    episode: NDArray[np.int64]
    step: NDArray[np.int32]
    viewer: NDArray[np.int64]
    visit: NDArray[np.int32]
    clock_s: NDArray[np.float64]
    action_mask: NDArray[np.bool_]
    propensity: NDArray[np.float32]
    action: NDArray[np.int16]
    reward: NDArray[np.float64]
    components: NDArray[np.float32]
    elapsed_s: NDArray[np.float64]
    terminated: NDArray[np.bool_]
    truncated: NDArray[np.bool_]

    @functools.cached_property
    def steps(self) -> NDArray[np.int64]:
        """(T,) rows on which a decision was taken."""
        return np.flatnonzero(self.action != NO_ACTION)

    @functools.cached_property
    def starts(self) -> NDArray[np.int64]:
        """(E,) first row of each episode."""
        return np.flatnonzero(self.step == 0)

    @functools.cached_property
    def lengths(self) -> NDArray[np.int64]:
        """(E,) decisions of each episode."""
        return np.diff(np.r_[self.starts, len(self.step)]) - 1

    @property
    def num_steps(self) -> int:
        """T, decisions."""
        return len(self.steps)

    @property
    def num_episodes(self) -> int:
        """E."""
        return len(self.starts)

    @property
    def chosen_propensity(self) -> NDArray[np.float32]:
        """(T,) of the slot shown, at ``steps``; NaN where the policy does not say."""
        return self.propensity[self.steps, self.action[self.steps]]

    @property
    def has_propensities(self) -> bool:
        """Whether every decision's probabilities are known."""
        return not np.isnan(self.propensity[self.steps]).any()

    def select(self, episodes: ArrayLike) -> Decisions:
        """Some episodes in this order, by their places (m,) in ``starts``; twice is allowed.

        Episodes keep their numbers.
        """
        chosen = np.asarray(episodes, np.int64)
        first, count = self.starts[chosen], self.lengths[chosen] + 1
        # Row of the first of each, and so on for as many as it has.
        rows = np.repeat(first - np.r_[0, np.cumsum(count)[:-1]], count) + np.arange(count.sum())
        arrays = {n: v[rows] for n, v in vars(self).items() if n in COLUMNS or n == "components"}
        return Decisions(self.description, self.observations.take(rows), **arrays)

    def first(self, num_steps: int) -> Decisions:
        """The first episodes with at least so many decisions together; all if they have fewer."""
        enough = int(np.searchsorted(np.cumsum(self.lengths), num_steps)) + 1
        return self.select(np.arange(min(enough, self.num_episodes)))

    def __repr__(self) -> str:
        """One line: how many, and of whom."""
        about = self.description
        unknown = "" if self.has_propensities else ", propensities unknown"
        return (
            f"Decisions({self.num_steps:,} steps in {self.num_episodes:,} episodes of "
            f"{about.env_id} by {about.behaviour!r}, world {about.world_digest}{unknown})"
        )
