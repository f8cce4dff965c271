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
import torch
from torch import Tensor

from livestream_env.code_cache import cached_njit


class Batch(NamedTuple):
    """B sampled windows; the target of each is ``reward + discount * max Q(next_observation)``.

    Attributes:
        observation: float32 ``(B, D)``, where the memory is.
        action: int64 ``(B,)``.
        reward: float32 ``(B,)``: discounted sum over the window.
        discount: float32 ``(B,)``: product of the window's discounts, zero after termination.
        next_observation: float32 ``(B, D)``, where the memory is: after the window.
        weight: float32 ``(B,)``: importance weights; None if all weigh the same.
        cell: int64 ``(B,)``: where each window starts, for :meth:`ReplayBuffer.update_priorities`.
        click: bool ``(B,)``: was the window's first action clicked; None if that is not kept.
    """

    observation: Tensor
    action: np.ndarray
    reward: np.ndarray
    discount: np.ndarray
    next_observation: Tensor
    weight: np.ndarray | None
    cell: np.ndarray
    click: np.ndarray | None = None


class ReplayBuffer:
    """Ring of the latest observations and transitions of ``num_envs`` environments.

    Cells are numbered ``row * num_envs + environment``. Observations, nearly all of the memory, lie
    on ``device``; what indices are computed from stays on the CPU, so that sampling needs no answer
    from a GPU.

    Args:
        capacity: Observations kept over all environments; rounded down to whole rows.
        num_envs: Environments stepped side by side.
        observation_size: D.
        n_step: Length of a window.
        alpha: Exponent of the priorities (Schaul et al. 2016), or None for uniform sampling.
        device: Where the observations are kept.
        clicks: Whether to keep which actions were clicked.

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
        device: torch.device | str = "cpu",
        clicks: bool = False,
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
        self._observation = _zeros((cells, observation_size), device)
        self._action = np.zeros(cells, dtype=np.int64)
        self._reward = np.zeros(cells, dtype=np.float32)
        self._discount = np.zeros(cells, dtype=np.float32)
        self._stored = np.zeros(cells, dtype=bool)  # does a transition start in this cell?
        self._click = np.zeros(cells, dtype=bool) if clicks else None
        self._cell_arrays = (*_CELL_ARRAYS, "click") if clicks else _CELL_ARRAYS
        self._gathered = [self._observation[:0] for _ in range(2)]
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
        click: np.ndarray | None = None,
    ) -> None:
        """Store one transition from the current observation of some environments.

        Args:
            envs: int ``(E,)``: which environments.
            action: int ``(E,)``.
            reward: float ``(E,)``.
            discount: float ``(E,)``: zero where the episode terminated.
            next_observation: ``(E, D)``: of the same episode, even if that is now over.
            click: bool ``(E,)``: needed by a memory that keeps clicks.
        """
        cell = self._head[envs] * self.num_envs + envs
        self._action[cell] = action
        self._reward[cell] = reward
        self._discount[cell] = discount
        self._stored[cell] = True
        if self._click is not None:
            self._click[cell] = click
        self._size += len(cell)
        if self._priorities is not None:  # unseen: at least as urgent as any
            self._priorities.update(cell, np.full(len(cell), self._max_priority))
        self._advance(envs, next_observation)

    def _advance(self, envs: np.ndarray, observation: np.ndarray) -> None:
        """Make the next row of each environment the current one."""
        head = (self._head[envs] + 1) % self.num_rows
        cell = head * self.num_envs + envs
        self._head[envs] = head
        rows = torch.from_numpy(np.ascontiguousarray(observation, dtype=np.float32))
        self._observation.index_copy_(0, self._index(cell), rows.to(self._observation.device))
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
            cell, weight = self._sample_uniform(size, rng), None
        else:
            cell, probability = self._priorities.sample(size, rng)
            weight = (self._size * probability) ** -beta
            weight = (weight / weight.max()).astype(np.float32)

        return self._batch(cell, weight)

    def latest(self, size: int) -> Batch:
        """The windows that began last, the newest of each environment first; at most ``size``.

        Those are fewer if the memory has fewer; as in sampling, a window ends where nothing is
        stored yet. Observations are overwritten by the next call or sample.
        """
        rows = np.arange(1, min(size // self.num_envs + 2, self._used_rows) + 1)
        cell = (self._head - rows[:, None]) % self.num_rows * self.num_envs
        cell = (cell + np.arange(self.num_envs)).ravel()
        return self._batch(cell[self._stored[cell]][:size], None)

    def _batch(self, cell: np.ndarray, weight: np.ndarray | None) -> Batch:
        """The windows that start in these cells."""
        size = len(cell)
        reward, discount, end = _windows(
            cell, self._reward, self._discount, self._stored, self.num_envs, self.n_step
        )
        if self._gathered[0].shape[0] != size:
            shape = (size, self._observation.shape[1])
            self._gathered = [self._observation.new_empty(shape) for _ in range(2)]
        observation, next_observation = self._gathered
        torch.index_select(self._observation, 0, self._index(cell), out=observation)
        torch.index_select(self._observation, 0, self._index(end), out=next_observation)
        action, click = self._action[cell], None if self._click is None else self._click[cell]
        return Batch(observation, action, reward, discount, next_observation, weight, cell, click)

    def _sample_uniform(self, size: int, rng: np.random.Generator) -> np.ndarray:
        used = self._used_rows * self.num_envs
        cell = np.empty(0, dtype=np.int64)
        while len(cell) < size:
            # A few more than needed: some cells (last observations, heads) have no transition.
            drawn = rng.integers(0, used, size + size // 8 + 8)
            cell = np.concatenate([cell, drawn[self._stored[drawn]]])
        return cell[:size]

    def _index(self, cell: np.ndarray) -> Tensor:
        return on_device(cell, self._observation.device)

    def update_priorities(self, cell: np.ndarray, td_error: np.ndarray) -> None:
        """Set the priorities of sampled windows to ``(|td_error| + 1e-6) ** alpha``."""
        assert self._priorities is not None
        priority = (np.abs(td_error).astype(np.float64) + 1e-6) ** self._alpha
        self._max_priority = max(self._max_priority, float(priority.max()))
        self._priorities.update(cell, priority)

    def state_dict(self) -> dict[str, np.ndarray]:
        """Everything stored, as arrays (views of the memory if that is on the CPU)."""
        used = slice(self._used_rows * self.num_envs)
        state = {name: getattr(self, "_" + name)[used] for name in self._cell_arrays}
        state["observation"] = self._observation[used].cpu().numpy()
        state["head"] = self._head
        if self._priorities is not None:
            state["priority"] = self._priorities.values[used]
            state["max_priority"] = np.array([self._max_priority])
        return state

    def load_state_dict(self, state: dict[str, np.ndarray]) -> None:
        """Take over what :meth:`state_dict` of a memory of the same shape gave."""
        used = len(state["stored"])
        for name in self._cell_arrays:
            getattr(self, "_" + name)[:used] = state[name]
        self._observation[:used] = torch.from_numpy(state["observation"])
        self._head[:] = state["head"]
        self._used_rows = used // self.num_envs
        self._size = int(np.count_nonzero(state["stored"]))
        if self._priorities is not None:
            self._priorities.update(np.arange(used), state["priority"])
            self._max_priority = float(state["max_priority"][0])


_CELL_ARRAYS = ("action", "reward", "discount", "stored")


def on_device(array: np.ndarray, device: torch.device) -> Tensor:
    """``array`` as a tensor: the same memory on the CPU, a copy under way on other devices."""
    tensor = torch.from_numpy(array)
    # To ask for what is there already takes longer than making the tensor.
    return tensor if device.type == "cpu" else tensor.to(device, non_blocking=True)


def _zeros(shape: tuple[int, int], device: torch.device | str) -> Tensor:
    if torch.device(device).type != "cpu":
        return torch.zeros(shape, device=device)
    # NumPy asks the system for large pages: reading rows at random is then a fifth faster.
    return torch.from_numpy(np.zeros(shape, dtype=np.float32))


@cached_njit(nogil=True)
def _windows(cell, rewards, discounts, stored, num_envs, n_step):  # type: ignore[no-untyped-def]
    """Reward and discount over up to n transitions from each cell, and the cell after them."""
    reward = np.empty(len(cell), dtype=np.float32)
    discount = np.empty(len(cell), dtype=np.float32)
    end = np.empty_like(cell)
    for i in range(len(cell)):
        at = cell[i]
        total, product = np.float32(0.0), np.float32(1.0)
        for _ in range(n_step):
            if not stored[at]:
                break
            total += product * rewards[at]
            product *= discounts[at]
            at = (at + num_envs) % len(stored)
        reward[i], discount[i], end[i] = total, product, at
    return reward, discount, end


class SumTree:
    """Values that can be changed and drawn in proportion, in O(log size).

    Args:
        size: Number of values, all zero at first.
    """

    def __init__(self, size: int) -> None:
        self._leaves = 1 << (size - 1).bit_length()
        # Node 1 is the total, node i the sum of nodes 2i and 2i + 1, the last half are the values.
        self._nodes = np.zeros(2 * self._leaves)

    @property
    def values(self) -> np.ndarray:
        """The values, float64; padded with zeros to a power of two."""
        return self._nodes[self._leaves :]

    @property
    def total(self) -> float:
        """The sum of all values."""
        return float(self._nodes[1])

    def update(self, index: np.ndarray, value: np.ndarray) -> None:
        """Set the values at ``index``; of an index given twice, the last one counts."""
        _set_leaves(self._nodes, index, value)

    def sample(self, size: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Draw indices with probability value / total, one from each of ``size`` equal strata.

        Returns:
            Indices, int64 ``(size,)``, and their probabilities, float64 ``(size,)``.
        """
        index = _find_leaves(self._nodes, (np.arange(size) + rng.random(size)) / size * self.total)
        return index, self.values[index] / self.total


@cached_njit(nogil=True)
def _set_leaves(nodes, index, value):  # type: ignore[no-untyped-def]
    leaves = len(nodes) // 2
    for i in range(len(index)):
        node = leaves + index[i]
        nodes[node] = value[i]
        while node > 1:
            node //= 2
            # The sum anew instead of adding the difference: no rounding error builds up.
            nodes[node] = nodes[2 * node] + nodes[2 * node + 1]


@cached_njit(nogil=True)
def _find_leaves(nodes, mass):  # type: ignore[no-untyped-def]
    """The leaf that holds each point of the line on which the leaves lie end to end."""
    leaves = len(nodes) // 2
    found = np.empty(len(mass), dtype=np.int64)
    for i in range(len(mass)):
        node, remaining = 1, mass[i]
        while node < leaves:
            node *= 2
            # The second condition keeps rounding from leading into a branch without mass.
            if remaining >= nodes[node] and nodes[node + 1] > 0.0:
                remaining -= nodes[node]
                node += 1
        found[i] = node - leaves
    return found
