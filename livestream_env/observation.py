"""The observation: what each column means; ``simulator/encoding.py`` computes them.

Four blocks in order: viewer, context, history, candidates; with ``observe="full"`` two more:
hidden (of the viewer) and hidden_candidates. All columns are float32 in [-1, 1].
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

OBSERVE = ("partial", "full")

HISTORY_FIELDS = (
    "clicked",
    "watch_s",
    "likes",
    "comments",
    "gift_value",
    "followed",
    "cover_appeal",
)


@dataclass(frozen=True)
class ObservationLayout:
    """Names every column of the flat observation.

    Attributes:
        num_candidates: N.
        num_categories: K.
        history_length: H, impressions remembered.
        full: whether the hidden state is appended.
    """

    num_candidates: int
    num_categories: int
    history_length: int
    full: bool = False

    def _categories(self, prefix: str) -> tuple[str, ...]:
        return tuple(f"{prefix}_{k}" for k in range(self.num_categories))

    @functools.cached_property
    def names(self) -> dict[str, tuple[str, ...]]:
        """Block → names of its features; those of one row in history and candidates."""
        names = {
            "viewer": (
                *("age", "is_female", "is_male", "device_price", "is_streamer"),
                *("follow_count", "fan_count", "activity"),
                *self._categories("taste"),
            ),
            "context": (
                *("hour_sin", "hour_cos", "time_left", "visit_elapsed", "visit_impressions"),
                *("visits", "impressions", "watched", "click_rate"),
                *self._categories("category_watch"),
            ),
            "history": (*HISTORY_FIELDS, *self._categories("category")),
            "candidates": (
                *("valid", "affinity", "past_watch", "followed", "cover_appeal", "viewers"),
                *("room_age", "engagement", "category_watch"),
                *self._categories("category"),
            ),
        }
        if self.full:
            names["hidden"] = ("satisfaction", "fatigue", *self._categories("satiation"))
            names["hidden_candidates"] = (
                *("true_affinity", "attachment", "highlight", "quality", "time_left"),
            )
        return names

    @functools.cached_property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Block → its shape: (features,) or (rows, features)."""
        rows = {
            "history": self.history_length,
            "candidates": self.num_candidates,
            "hidden_candidates": self.num_candidates,
        }
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
        blocks = [b for b in self.shapes if b not in ("candidates", "hidden_candidates")]
        return np.concatenate([columns[self.slices[block]] for block in blocks])

    @functools.cached_property
    def candidate_columns(self) -> NDArray[np.int64]:
        """(N, F) columns of each candidate."""
        columns = np.arange(self.size)
        blocks = [b for b in self.shapes if b in ("candidates", "hidden_candidates")]
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
        """Which slots hold a live room: (..., D) → bool (..., N)."""
        return np.asarray(self.candidate(observation, "valid") > 0.5)

    def to_dict(self, observation: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """The blocks of a flat observation (..., D), by name: views, flat too.

        Flat because Stable-Baselines3's policies want one-dimensional boxes; reshape a block by
        ``shapes`` for its rows.
        """
        return {block: observation[..., columns] for block, columns in self.slices.items()}

    def describe(self) -> str:
        """A table of all columns: ``column  block  feature``."""
        lines = []
        for block, names in self.names.items():
            shape, start = self.shapes[block], self.slices[block].start
            for row in range(shape[0] if len(shape) == 2 else 1):
                place = f"{block}[{row}]" if len(shape) == 2 else block
                for i, name in enumerate(names):
                    lines.append(f"{start + row * len(names) + i:5d}  {place}  {name}")
        return "\n".join(lines)
