"""Which columns of a flat observation a network reads, and in what order.

Shapes in this file: B observations, S shared columns, N slots, F features of a candidate.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn


def _no_columns() -> np.ndarray:
    return np.empty(0, dtype=np.int64)


@dataclass(frozen=True, eq=False)
class ColumnLayout:
    """Which columns of a flat observation mean what, as far as a network and its masks care.

    Attributes:
        shared_columns: int ``(S,)``: what is read and not a candidate's.
        candidate_columns: int ``(N, F)``: the features of each candidate slot.
        valid_columns: int ``(N,)``: the feature of each slot that is 1 if it is filled, else 0.
        past_columns: int ``(P,)``: what is known of the viewer's past; empty if nothing is.
        trace_columns: int ``(T,)``: the faded sums over the episode; likewise.
    """

    shared_columns: np.ndarray
    candidate_columns: np.ndarray
    valid_columns: np.ndarray
    past_columns: np.ndarray = field(default_factory=_no_columns)
    trace_columns: np.ndarray = field(default_factory=_no_columns)

    @classmethod
    def of(cls, layout: Any, history_length: int | None = None) -> Self:
        """The columns of an environment's ``ObservationLayout``.

        Args:
            layout: It.
            history_length: Past impressions that are read, the latest first; None: all.
        """
        # A candidate's feature is a selection of columns, so column numbers select themselves.
        columns = np.arange(layout.size)
        blocks = getattr(layout, "slices", {})  # a layout of one's own may know none
        none = slice(0)
        unread = _no_columns()
        if history_length is not None and "history" in blocks:
            each = len(layout.names["history"])
            unread = columns[blocks["history"]][history_length * each :]
        return cls.from_json(
            {
                "shared_columns": layout.shared_columns[~np.isin(layout.shared_columns, unread)],
                "candidate_columns": layout.candidate_columns,
                "valid_columns": layout.candidate(columns, "valid"),
                "past_columns": columns[blocks.get("past", none)],
                "trace_columns": columns[blocks.get("traces", none)],
            }
        )

    @classmethod
    def from_json(cls, columns: dict[str, Any]) -> Self:
        """The inverse of :meth:`to_json`."""
        return cls(**{name: np.asarray(value, dtype=np.int64) for name, value in columns.items()})

    def to_json(self) -> dict[str, list[Any]]:
        """The columns as nested lists of integers; those of past and traces if there are any."""
        columns = {name: value.tolist() for name, value in vars(self).items()}
        optional = {"past_columns", "trace_columns"}
        return {name: value for name, value in columns.items() if value or name not in optional}


class Columns(nn.Module):
    """Picks columns of a batch: a view where they are evenly spaced, a copy where they are not."""

    def __init__(self, columns: np.ndarray) -> None:
        super().__init__()
        columns = np.asarray(columns, dtype=np.int64)
        spaces = np.unique(np.diff(columns))
        space = int(spaces[0]) if len(spaces) else 1
        even = len(columns) > 0 and len(spaces) < 2 and space > 0
        self.slice = slice(int(columns[0]), int(columns[-1]) + 1, space) if even else None
        self.index: Tensor
        self.register_buffer("index", torch.from_numpy(columns.copy()), persistent=False)

    def forward(self, observation: Tensor) -> Tensor:
        """``(B, D)`` to ``(B, number of columns)``."""
        if self.slice is not None:
            return observation[:, self.slice]
        return observation.index_select(1, self.index)


class LayoutColumns(Columns):
    """The shared columns, then those of each slot: ``(B, D)`` to ``(B, S + N F)``."""

    def __init__(self, layout: Any) -> None:
        shared, candidates = layout.shared_columns, np.asarray(layout.candidate_columns)
        super().__init__(np.concatenate([shared, candidates.ravel()]))
        self.num_shared, self.num_features = len(shared), candidates.shape[1]


class CrossedColumns(nn.Module):
    """The same with products: the past's columns times each trace, and times each feature.

    Whether a kind of room suits a viewer, and what she made of those that she was shown, depends on
    what she did in the past. A sum of the two says neither; a network learns products from data,
    slowly. Production rankers are given them, too ("wide" features: Cheng et al. 2016).

    Args:
        layout: A :class:`ColumnLayout`; without columns of a past there is nothing to multiply.
    """

    def __init__(self, layout: ColumnLayout) -> None:
        super().__init__()
        self._all = LayoutColumns(layout)
        self._past, self._traces = Columns(layout.past_columns), Columns(layout.trace_columns)
        past, traces = len(layout.past_columns), len(layout.trace_columns)
        self._slots = layout.candidate_columns.shape
        self.num_shared = self._all.num_shared + past * traces
        self.num_features = self._all.num_features * (1 + past)

    def forward(self, observation: Tensor) -> Tensor:
        """``(B, D)`` to ``(B, S + P T + N F (1 + P))`` for P columns of the past and T traces."""
        columns, past = self._all(observation), self._past(observation)
        shared, slots = columns[:, : self._all.num_shared], columns[:, self._all.num_shared :]
        slots = slots.unflatten(1, self._slots)
        traces = past[:, :, None] * self._traces(observation)[:, None, :]
        features = past[:, None, :, None] * slots[:, :, None, :]
        rows = torch.cat([slots, features.flatten(2)], dim=2)
        return torch.cat([shared, traces.flatten(1), rows.flatten(1)], dim=1)
