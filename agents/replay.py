"""Replay memory of a vector of environments: each observation stored once, n-step when sampled.

The memory is a ring of rows per environment. A cell holds an observation and, once an action was
taken there, the transition that followed; the next row of the same environment holds the next
observation. The last observation of an episode gets a cell of its own, without a transition, so
that "one row on" is always the true next observation, and a window of n transitions ends wherever
the next cell has none: at an episode's end and at the ring's head alike.

Termination is a discount of zero, truncation keeps its discount: a truncated episode bootstraps
from its last observation, a terminated one from nothing.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Batch(NamedTuple):
    """B sampled windows; the target of each is ``reward + discount * max Q(next_observation)``.

    Attributes:
        observation: float32 ``(B, D)``.
        action: int64 ``(B,)``.
        reward: float32 ``(B,)``: discounted sum over the window.
        discount: float32 ``(B,)``: product of the window's discounts, zero after termination.
        next_observation: float32 ``(B, D)``: after the window.
        weight: float32 ``(B,)``: importance weights, 1 unless prioritised.
        cell: int64 ``(B,)``: where each window starts, for :meth:`ReplayBuffer.update_priorities`.
    """

    observation: np.ndarray
    action: np.ndarray
    reward: np.ndarray
    discount: np.ndarray
    next_observation: np.ndarray
    weight: np.ndarray
    cell: np.ndarray


class ReplayBuffer:
    """Ring of the latest observations and transitions of ``num_envs`` environments.

    Cells are numbered ``row * num_envs + environment``.

    Args:
        capacity: Observations kept over all environments; rounded down to whole rows.
        num_envs: Environments stepped side by side.
        observation_size: D.
        n_step: Length of a window.
        alpha: Exponent of the priorities (Schaul et al. 2016), or None for uniform sampling.

    Raises:
        ValueError: If the capacity gives an environment fewer than ``n_step + 2`` observations.
    """

    def __init__(
        self,
        capacity: int,
        num_envs: int,
        observation_size: int,
        n_step: int = 1,
        alpha: float | None = None,
    ) -> None:
        self.num_rows = capacity // num_envs
        if self.num_rows < n_step + 2:
            raise ValueError(
                f"replay_size must be at least num_envs * (n_step + 2) = "
                f"{num_envs * (n_step + 2)}, got {capacity}"
            )
        self.num_envs = num_envs
        self.n_step = n_step
        cells = self.num_rows * num_envs
        self._observation = np.zeros((cells, observation_size), dtype=np.float32)
        self._action = np.zeros(cells, dtype=np.int64)
        self._reward = np.zeros(cells, dtype=np.float32)
        self._discount = np.zeros(cells, dtype=np.float32)
        self._stored = np.zeros(cells, dtype=bool)  # does a transition start in this cell?
        self._gathered = np.empty((2, 0, observation_size), dtype=np.float32)
        self._head = np.full(num_envs, -1)  # row of the current observation, one per environment
        self._used_rows = 0
        self._size = 0
        self._priorities = None if alpha is None else SumTree(cells)
        self._alpha = alpha or 0.0
        self._max_priority = 1.0

    def __len__(self) -> int:
        """The number of stored transitions."""
        return self._size

    def begin(self, envs: np.ndarray, observation: np.ndarray) -> None:
        """Start an episode in some environments, ending there whatever went on.

        Args:
            envs: int ``(E,)``: which environments.
            observation: ``(E, D)``: the first observation of each.
        """
        self._advance(envs, observation)

    def append(
        self,
        envs: np.ndarray,
        action: np.ndarray,
        reward: np.ndarray,
        discount: np.ndarray,
        next_observation: np.ndarray,
    ) -> None:
        """Store one transition from the current observation of some environments.

        Args:
            envs: int ``(E,)``: which environments.
            action: int ``(E,)``.
            reward: float ``(E,)``.
            discount: float ``(E,)``: zero where the episode terminated.
            next_observation: ``(E, D)``: of the same episode, even if that is now over.
        """
        cell = self._head[envs] * self.num_envs + envs
        self._action[cell] = action
        self._reward[cell] = reward
        self._discount[cell] = discount
        self._stored[cell] = True
        self._size += len(cell)
        if self._priorities is not None:  # unseen: at least as urgent as any
            self._priorities.update(cell, np.full(len(cell), self._max_priority))
        self._advance(envs, next_observation)

    def _advance(self, envs: np.ndarray, observation: np.ndarray) -> None:
        """Make the next row of each environment the current one."""
        head = (self._head[envs] + 1) % self.num_rows
        cell = head * self.num_envs + envs
        self._head[envs] = head
        self._observation[cell] = observation
        self._size -= int(np.count_nonzero(self._stored[cell]))
        self._stored[cell] = False
        if self._priorities is not None:
            self._priorities.update(cell, np.zeros(len(cell)))
        self._used_rows = max(self._used_rows, int(head.max(initial=-1)) + 1)

    def sample(self, size: int, rng: np.random.Generator, beta: float = 1.0) -> Batch:
        """Draw windows with replacement, uniformly or by priority.

        The two arrays of observations are overwritten by the next call.

        Args:
            size: B.
            rng: Source of the draws.
            beta: Exponent of the importance weights ``(N P)^-beta``, scaled to a maximum of 1.

        Raises:
            ValueError: If nothing is stored yet.
        """
        if self._size == 0:
            raise ValueError("cannot sample from an empty replay memory")
        if self._priorities is None:
            cell = self._sample_uniform(size, rng)
            weight: np.ndarray = np.ones(size, dtype=np.float32)
        else:
            cell, probability = self._priorities.sample(size, rng)
            weight = (self._size * probability) ** -beta
            weight = (weight / weight.max()).astype(np.float32)

        reward, discount, end = self._window(cell)
        if self._gathered.shape[1] != size:
            self._gathered = np.empty((2, size, self._observation.shape[1]), dtype=np.float32)
        observation, next_observation = self._gathered
        # "clip" promises valid indices, which lets NumPy write without a buffer in between.
        self._observation.take(cell, axis=0, out=observation, mode="clip")
        self._observation.take(end, axis=0, out=next_observation, mode="clip")
        return Batch(
            observation, self._action[cell], reward, discount, next_observation, weight, cell
        )

    def _sample_uniform(self, size: int, rng: np.random.Generator) -> np.ndarray:
        used = self._used_rows * self.num_envs
        cell = rng.integers(0, used, size)
        # The few cells without a transition (last observations, heads) are drawn again.
        empty = np.flatnonzero(~self._stored[cell])
        while len(empty):
            cell[empty] = rng.integers(0, used, len(empty))
            empty = empty[~self._stored[cell[empty]]]
        return cell

    def _window(self, cell: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Reward and discount over up to n transitions from ``cell``, and the cell after them."""
        reward = self._reward[cell]
        discount = self._discount[cell]
        end = self._next(cell)
        for _ in range(self.n_step - 1):
            goes_on = self._stored[end]
            reward += np.where(goes_on, discount * self._reward[end], 0.0)
            discount *= np.where(goes_on, self._discount[end], 1.0)
            end = np.where(goes_on, self._next(end), end)
        return reward, discount, end

    def _next(self, cell: np.ndarray) -> np.ndarray:
        return (cell + self.num_envs) % len(self._stored)

    def update_priorities(self, cell: np.ndarray, td_error: np.ndarray) -> None:
        """Set the priorities of sampled windows to ``(|td_error| + 1e-6) ** alpha``."""
        assert self._priorities is not None
        priority = (np.abs(td_error).astype(np.float64) + 1e-6) ** self._alpha
        self._max_priority = max(self._max_priority, float(priority.max()))
        self._priorities.update(cell, priority)

    def state_dict(self) -> dict[str, np.ndarray]:
        """Everything stored, as arrays (views of the memory, not copies)."""
        used = slice(self._used_rows * self.num_envs)
        state = {name: getattr(self, "_" + name)[used] for name in _CELL_ARRAYS}
        state["head"] = self._head
        if self._priorities is not None:
            state["priority"] = self._priorities.values[used]
            state["max_priority"] = np.array([self._max_priority])
        return state

    def load_state_dict(self, state: dict[str, np.ndarray]) -> None:
        """Take over what :meth:`state_dict` of a memory of the same shape gave."""
        used = len(state["stored"])
        for name in _CELL_ARRAYS:
            getattr(self, "_" + name)[:used] = state[name]
        self._head[:] = state["head"]
        self._used_rows = used // self.num_envs
        self._size = int(np.count_nonzero(state["stored"]))
        if self._priorities is not None:
            self._priorities.update(np.arange(used), state["priority"])
            self._max_priority = float(state["max_priority"][0])


_CELL_ARRAYS = ("observation", "action", "reward", "discount", "stored")


class SumTree:
    """Values that can be changed and drawn in proportion, in O(log size), vectorised by level.

    Args:
        size: Number of values, all zero at first.
    """

    def __init__(self, size: int) -> None:
        depth = (size - 1).bit_length()
        # levels[0] is the total, each value of levels[k] the sum of two of levels[k + 1].
        self._levels = [np.zeros(2**level) for level in range(depth + 1)]

    @property
    def values(self) -> np.ndarray:
        """The values, float64; padded with zeros to a power of two."""
        return self._levels[-1]

    @property
    def total(self) -> float:
        """The sum of all values."""
        return float(self._levels[0][0])

    def update(self, index: np.ndarray, value: np.ndarray) -> None:
        """Set the values at ``index``; of an index given twice, the last one counts."""
        self._levels[-1][index] = value
        for level in range(len(self._levels) - 2, -1, -1):
            index = index // 2
            # Sums anew instead of adding differences: no rounding error builds up.
            children = self._levels[level + 1]
            self._levels[level][index] = children[2 * index] + children[2 * index + 1]

    def sample(self, size: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Draw indices with probability value / total, one from each of ``size`` equal strata.

        Returns:
            Indices, int64 ``(size,)``, and their probabilities, float64 ``(size,)``.
        """
        remaining = (np.arange(size) + rng.random(size)) / size * self.total
        index = np.zeros(size, dtype=np.int64)
        for level in self._levels[1:]:
            index *= 2
            left = level[index]
            # The second condition keeps rounding from leading into a branch without mass.
            right = (remaining >= left) & (level[index + 1] > 0)
            remaining = np.where(right, remaining - left, remaining)
            index += right
        return index, self.values[index] / self.total
