"""Q-networks: a plain MLP, and one scorer shared by all candidate slots.

Both map a batch of flat observations to one Q-value per action. ``chosen`` gives the values of
given actions only: the loss needs no others, and the candidate network then scores one slot
instead of all of them.

Shapes in this file: B observations, D columns, N actions (slots), F features of a candidate,
W units of the first hidden layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn


@dataclass(frozen=True, eq=False)
class ColumnLayout:
    """Which columns of a flat observation mean what, as far as a network and its masks care.

    Attributes:
        shared_columns: int ``(S,)``: everything that is not a candidate's.
        candidate_columns: int ``(N, F)``: the features of each candidate slot.
        valid_columns: int ``(N,)``: the feature of each slot that is 1 if it is filled, else 0.
    """

    shared_columns: np.ndarray
    candidate_columns: np.ndarray
    valid_columns: np.ndarray

    @classmethod
    def of(cls, layout: Any) -> Self:
        """The columns of an environment's ``ObservationLayout``."""
        # A candidate's feature is a selection of columns, so column numbers select themselves.
        valid = layout.candidate(np.arange(layout.size), "valid")
        return cls.from_json(
            {
                "shared_columns": layout.shared_columns,
                "candidate_columns": layout.candidate_columns,
                "valid_columns": valid,
            }
        )

    @classmethod
    def from_json(cls, columns: dict[str, Any]) -> Self:
        """The inverse of :meth:`to_json`."""
        return cls(**{name: np.asarray(value, dtype=np.int64) for name, value in columns.items()})

    def to_json(self) -> dict[str, list[Any]]:
        """The columns as nested lists of integers."""
        return {name: value.tolist() for name, value in vars(self).items()}

    def action_mask(self, observation: np.ndarray) -> np.ndarray:
        """Which slots are filled: bool ``(..., N)`` for observations ``(..., D)``."""
        mask: np.ndarray = observation[..., self.valid_columns] > 0.5
        return mask


class QNetwork(nn.Module):
    """What the DQN asks of a network.

    Masks are bool ``(B, N)``, with a True in every row; None means that all actions are valid.
    """

    def forward(self, observation: Tensor, mask: Tensor | None = None) -> Tensor:
        """Q-values ``(B, N)`` of observations ``(B, D)``; those of masked actions mean nothing."""
        raise NotImplementedError

    def chosen(self, observation: Tensor, action: Tensor, mask: Tensor | None = None) -> Tensor:
        """Q-values ``(B,)`` of one action (int64 ``(B,)``) per observation."""
        values: Tensor = self(observation, mask).gather(1, action[:, None]).squeeze(1)
        return values


class MLPQNetwork(QNetwork):
    """Fully connected layers over the flat observation.

    Args:
        observation_size: D.
        num_actions: N.
        hidden_sizes: Units of each hidden layer.
        dueling: Q = V + A - mean A over the valid actions (Wang et al. 2016, eq. 9).
    """

    def __init__(
        self,
        observation_size: int,
        num_actions: int,
        hidden_sizes: Sequence[int] = (64, 64),
        dueling: bool = False,
    ) -> None:
        super().__init__()
        self.trunk = _hidden_layers(observation_size, hidden_sizes)
        self.advantage = nn.Linear(hidden_sizes[-1], num_actions)
        self.value = nn.Linear(hidden_sizes[-1], 1) if dueling else None

    def forward(self, observation: Tensor, mask: Tensor | None = None) -> Tensor:
        """Q-values ``(B, N)`` of observations ``(B, D)``; see :class:`QNetwork`."""
        hidden = self.trunk(observation)
        advantage: Tensor = self.advantage(hidden)
        if self.value is None:
            return advantage
        return _dueling(self.value(hidden), advantage, mask)


class CandidateQNetwork(QNetwork):
    """One scorer shared by all slots, as production rankers have: Q(context, candidate).

    The shared columns become a context vector, once per observation. A candidate's features are
    embedded and added to it, and further layers turn the sum into that candidate's Q-value. Hence
    reordering the candidates reorders the values and nothing else, what is learned about a kind of
    candidate holds in every slot, and empty slots influence no other.

    Args:
        layout: Has ``shared_columns`` ``(S,)`` and ``candidate_columns`` ``(N, F)``.
        hidden_sizes: Units of context and embedding, then of the scorer's further layers.
        dueling: Q = V(context) + A - mean A over the filled slots.
        summary: Give the context the mean and the maximum of each feature over the filled slots.
    """

    def __init__(
        self,
        layout: Any,
        hidden_sizes: Sequence[int] = (64, 64),
        dueling: bool = False,
        summary: bool = False,
    ) -> None:
        super().__init__()
        shared = np.asarray(layout.shared_columns)
        candidates = np.asarray(layout.candidate_columns)
        self.num_candidates, self.num_features = candidates.shape
        self.summary = summary
        self.shared = Columns(shared)
        self.candidates = Columns(candidates.ravel())

        width = hidden_sizes[0]
        inputs = len(shared) + (2 * self.num_features if summary else 0)
        self.context = nn.Sequential(_hidden_layers(inputs, [width]), nn.Linear(width, width))
        self.embedding = nn.Linear(self.num_features, width, bias=False)
        self.scorer = nn.Sequential(
            nn.ReLU(inplace=True),
            _hidden_layers(width, hidden_sizes[1:]),
            nn.Linear(hidden_sizes[-1], 1),
        )
        self.value = nn.Sequential(nn.ReLU(), nn.Linear(width, 1)) if dueling else None

    def forward(self, observation: Tensor, mask: Tensor | None = None) -> Tensor:
        """Q-values ``(B, N)`` of observations ``(B, D)``; see :class:`QNetwork`."""
        candidates = self._candidates(observation)
        context = self._context(observation, candidates, mask)
        advantage = self._score(context, candidates)
        if self.value is None:
            return advantage
        return _dueling(self.value(context), advantage, mask)

    def chosen(self, observation: Tensor, action: Tensor, mask: Tensor | None = None) -> Tensor:
        """Q-values ``(B,)`` of the given actions; see :class:`QNetwork`."""
        if self.value is not None:  # the mean advantage needs every slot
            return super().chosen(observation, action, mask)
        candidates = self._candidates(observation)
        context = self._context(observation, candidates, mask)
        rows = torch.arange(len(action), device=action.device)
        return self._score(context, candidates[rows, action][:, None]).squeeze(1)

    def _candidates(self, observation: Tensor) -> Tensor:
        """Candidate features ``(B, N, F)``."""
        return self.candidates(observation).view(-1, self.num_candidates, self.num_features)

    def _context(self, observation: Tensor, candidates: Tensor, mask: Tensor | None) -> Tensor:
        """The context vector ``(B, W)``."""
        shared = self.shared(observation)
        if self.summary:
            if mask is None:
                mask = torch.ones(candidates.shape[:2], dtype=torch.bool, device=shared.device)
            valid = mask[:, :, None]
            mean = (candidates * valid).sum(1) / valid.sum(1)
            maximum = candidates.masked_fill(~valid, -torch.inf).amax(1)
            shared = torch.cat([shared, mean, maximum], dim=1)
        context: Tensor = self.context(shared)
        return context

    def _score(self, context: Tensor, candidates: Tensor) -> Tensor:
        """Values ``(B, K)`` of K candidates each, features ``(B, K, F)``."""
        count = candidates.shape[1]
        # In place, here and in the ReLUs: fresh memory for each step would cost more than the sums.
        hidden = self.embedding(candidates).add_(context[:, None])
        # Two dimensions: the matrix products of three are slower.
        scores: Tensor = self.scorer(hidden.view(-1, hidden.shape[-1]))
        return scores.view(-1, count)


class Columns(nn.Module):
    """Picks columns of a batch: a view where they are adjacent, a copy where they are not."""

    def __init__(self, columns: np.ndarray) -> None:
        super().__init__()
        first = int(columns[0]) if len(columns) else 0
        adjacent = np.array_equal(columns, np.arange(first, first + len(columns)))
        self.slice = slice(first, first + len(columns)) if adjacent else None
        self.index: Tensor
        index = torch.as_tensor(np.array(columns, dtype=np.int64))
        self.register_buffer("index", index, persistent=False)

    def forward(self, observation: Tensor) -> Tensor:
        """``(B, D)`` to ``(B, number of columns)``."""
        if self.slice is not None:
            return observation[:, self.slice]
        return observation.index_select(1, self.index)


def flatten_parameters(network: nn.Module) -> nn.Parameter:
    """Move all parameters and gradients into one vector each, of which the network keeps views.

    Clipping, the optimiser's step, the target copy and a checkpoint are then one operation each.

    Returns:
        The vector of all parameters; its ``grad`` is the vector of all gradients.
    """
    parameters = list(network.parameters())
    flat = nn.Parameter(torch.cat([parameter.detach().flatten() for parameter in parameters]))
    flat.grad = torch.zeros_like(flat)
    start = 0
    for parameter in parameters:
        end = start + parameter.numel()
        parameter.data = flat.data[start:end].view_as(parameter)
        parameter.grad = flat.grad[start:end].view_as(parameter)
        start = end
    return flat


def _hidden_layers(inputs: int, sizes: Sequence[int]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for size in sizes:
        layers += [nn.Linear(inputs, size), nn.ReLU(inplace=True)]
        inputs = size
    return nn.Sequential(*layers)


def _dueling(value: Tensor, advantage: Tensor, mask: Tensor | None) -> Tensor:
    """V ``(B, 1)`` and A ``(B, N)`` to Q ``(B, N)``; the mean of A is over the valid actions."""
    if mask is None:
        return value + advantage - advantage.mean(1, keepdim=True)
    mean = (advantage * mask).sum(1, keepdim=True) / mask.sum(1, keepdim=True)
    return value + advantage - mean
