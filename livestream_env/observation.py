"""The observation: the name and place of every column.

Four blocks in order: viewer, context, history, candidates. With ``traces=True`` three more: past,
traces and logged_candidates, what the logs tell beyond the last impressions. With
``observe="full"`` two more: hidden (of the viewer), hidden_candidates. All columns are float32 in
[-1, 1].

A new column is a name here and the line that computes it: of a viewer in
``simulator/world_arrays.py``, of the rest in ``simulator/encoding.py``. (Its meaning goes into the
table of :class:`livestream_env.env.LiveStreamRecEnv`.)
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum, auto
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

OBSERVE = ("partial", "full")


class _Column(IntEnum):
    """Places in a block, or in a row of it, counted from 0."""

    @staticmethod
    def _generate_next_value_(name: str, start: int, count: int, last_values: Sequence[int]) -> int:
        return count


class ViewerColumn(_Column):
    """What the platform knows of the viewer."""

    AGE = auto()
    IS_FEMALE = auto()
    IS_MALE = auto()
    DEVICE_PRICE = auto()
    IS_STREAMER = auto()
    FOLLOW_COUNT = auto()
    FAN_COUNT = auto()
    ACTIVITY = auto()


class ContextColumn(_Column):
    """The moment, and the episode so far."""

    HOUR_SIN = auto()
    HOUR_COS = auto()
    TIME_LEFT = auto()
    VISIT_ELAPSED = auto()
    VISIT_IMPRESSIONS = auto()
    VISITS = auto()
    IMPRESSIONS = auto()
    WATCHED = auto()
    CLICK_RATE = auto()


class HistoryColumn(_Column):
    """An impression remembered."""

    CLICKED = auto()
    WATCH_S = auto()
    LIKES = auto()
    COMMENTS = auto()
    GIFT_VALUE = auto()
    FOLLOWED = auto()
    COVER_APPEAL = auto()


# What a trace keeps from one impression to the next: of the last five or so, and of about fifty.
DECAYS = {"fast": 0.8, "slow": 0.98}


class PastColumn(_Column):
    """What the logs of the past tell of the viewer."""

    REGRET = auto()


class TraceColumn(_Column):
    """A faded sum over the episode's impressions, latest ones weighing most."""

    SHOWN = auto()
    CLICKS = auto()
    LONG_VIEW = auto()
    REGRETTED = auto()
    WATCH_S = auto()
    INTERACTED = auto()
    LEFT = auto()
    COVER = auto()
    CLICKED_COVER = auto()
    WATCH_COVER = auto()
    LEFT_COVER = auto()
    AFFINITY = auto()
    CLICKED_AFFINITY = auto()


class CandidateColumn(_Column):
    """A candidate, as the platform sees it."""

    VALID = auto()
    AFFINITY = auto()
    PAST_WATCH = auto()
    FOLLOWED = auto()
    COVER_APPEAL = auto()
    VIEWERS = auto()
    ROOM_AGE = auto()
    ENGAGEMENT = auto()
    CATEGORY_WATCH = auto()


class LoggedCandidateColumn(_Column):
    """What else the logs tell of a candidate."""

    FAN_CLUB = auto()
    ENTERED = auto()


class HiddenColumn(_Column):
    """The viewer's inner state."""

    SATISFACTION = auto()
    FATIGUE = auto()
    LOYALTY = auto()
    BREADTH = auto()
    SENSITIVITY = auto()
    CLICK_PROPENSITY = auto()


class HiddenCandidateColumn(_Column):
    """What a candidate is to the viewer."""

    TRUE_AFFINITY = auto()
    ATTACHMENT = auto()
    HIGHLIGHT = auto()
    QUALITY = auto()
    SENSATIONALISM = auto()
    COMMUNITY = auto()
    FAMILIARITY = auto()
    TIME_LEFT = auto()


class _Block(NamedTuple):
    """The columns of a block, for each of ``kinds``, then those of which each category has one."""

    columns: type[_Column]
    per_category: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()

    def names(self, num_categories: int) -> tuple[str, ...]:
        named = [column.name.lower() for column in self.columns]
        if self.kinds:
            named = [f"{name}_{kind}" for kind in self.kinds for name in named]
        categories = range(num_categories)
        return (*named, *(f"{name}_{k}" for name in self.per_category for k in categories))


_BLOCKS = {
    "viewer": _Block(ViewerColumn, ("taste",)),
    "context": _Block(ContextColumn, ("category_watch",)),
    "history": _Block(HistoryColumn, ("category",)),
    "candidates": _Block(CandidateColumn, ("category",)),
}
_TRACE_BLOCKS = {
    "past": _Block(PastColumn),
    "traces": _Block(TraceColumn, ("category_shown", "category_clicked"), tuple(DECAYS)),
    "logged_candidates": _Block(LoggedCandidateColumn),
}
_HIDDEN_BLOCKS = {
    "hidden": _Block(HiddenColumn, ("satiation",)),
    "hidden_candidates": _Block(HiddenCandidateColumn),
}
_OF_CANDIDATES = ("candidates", "logged_candidates", "hidden_candidates")  # a row for each


def valid_actions(holds_room: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The mask of actions: slots that hold a room; all slots where no room is live: (..., N).

    Then every choice does the same, it shows nothing; and samplers need one that is possible.
    """
    return np.asarray(holds_room | ~holds_room.any(axis=-1, keepdims=True))


@dataclass(frozen=True)
class ObservationLayout:
    """Names every column of the flat observation.

    Attributes:
        num_candidates: N.
        num_categories: K.
        history_length: H, impressions remembered.
        full: whether the hidden state is appended.
        traces: whether what the logs tell beyond the last impressions is.
    """

    num_candidates: int
    num_categories: int
    history_length: int
    full: bool = False
    traces: bool = False

    @functools.cached_property
    def names(self) -> dict[str, tuple[str, ...]]:
        """Block → names of its features; those of one row in history and candidates."""
        blocks = _BLOCKS | (_TRACE_BLOCKS if self.traces else {})
        blocks |= _HIDDEN_BLOCKS if self.full else {}
        return {name: block.names(self.num_categories) for name, block in blocks.items()}

    @functools.cached_property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Block → its shape: (features,) or (rows, features)."""
        rows = dict.fromkeys(_OF_CANDIDATES, self.num_candidates)
        rows["history"] = self.history_length
        return {
            block: (rows[block], len(names)) if block in rows else (len(names),)
            for block, names in self.names.items()
        }

    @functools.cached_property
    def slices(self) -> dict[str, slice]:
        """Block → its columns in the flat observation."""
        ends = np.cumsum([math.prod(shape) for shape in self.shapes.values()]).tolist()
        starts = [0, *ends[:-1]]
        return {name: slice(*pair) for name, *pair in zip(self.shapes, starts, ends, strict=True)}

    @functools.cached_property
    def size(self) -> int:
        """Number of columns, D."""
        return int(sum(math.prod(shape) for shape in self.shapes.values()))

    @functools.cached_property
    def shared_columns(self) -> NDArray[np.int64]:
        """(S,) columns that describe the viewer and the moment, not one candidate."""
        columns = np.arange(self.size)
        blocks = [block for block in self.shapes if block not in _OF_CANDIDATES]
        return np.concatenate([columns[self.slices[block]] for block in blocks])

    @functools.cached_property
    def candidate_columns(self) -> NDArray[np.int64]:
        """(N, F) columns of each candidate."""
        columns = np.arange(self.size)
        blocks = [block for block in self.shapes if block in _OF_CANDIDATES]
        return np.concatenate(
            [columns[self.slices[block]].reshape(self.shapes[block]) for block in blocks], axis=1
        )

    def candidate(self, observation: NDArray[np.float32], name: str) -> NDArray[np.float32]:
        """The scaled feature ``name`` of every candidate: (..., D) → (..., N).

        Raises:
            ValueError: there is no such feature.
        """
        names = self.names["candidates"]
        if name not in names:
            raise ValueError(f"name must be one of {', '.join(names)}, got {name!r}")
        block = self.slices["candidates"]
        return observation[..., block.start + names.index(name) : block.stop : len(names)]

    def action_mask(self, observation: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Which slots may be chosen, as ``env.action_masks()``: (..., D) → bool (..., N)."""
        return valid_actions(self.candidate(observation, "valid") > 0.5)

    def to_dict(self, observation: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """The blocks of a flat observation (..., D), by name: views, flat too.

        Flat because Stable-Baselines3's policies want one-dimensional boxes; :meth:`to_rows` has
        the rows.
        """
        return {block: observation[..., columns] for block, columns in self.slices.items()}

    def to_rows(self, observation: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """The blocks of a flat observation (..., D), by name, in their ``shapes``.

        A candidate is a row of ``"candidates"`` (..., N, F), a remembered impression one of
        ``"history"`` (..., H, F); blocks without rows are (..., F).
        """
        batch = observation.shape[:-1]
        return {
            block: columns.reshape(*batch, *self.shapes[block])
            for block, columns in self.to_dict(observation).items()
        }

    @functools.cached_property
    def column_names(self) -> tuple[str, ...]:
        """(D,) names of the flat observation's columns: ``candidates[3].affinity``."""
        names = []
        for block, features in self.names.items():
            shape = self.shapes[block]
            places = [f"{block}[{i}]" for i in range(shape[0])] if len(shape) == 2 else [block]
            names += [f"{place}.{feature}" for place in places for feature in features]
        return tuple(names)

    def describe(self) -> str:
        """A table of all columns: ``column  block  feature``."""
        return "\n".join(
            f"{column:5d}  {'  '.join(name.split('.'))}"
            for column, name in enumerate(self.column_names)
        )
