"""The observation: what each column means, and how it is computed from a viewer slot.

Four blocks in order: viewer, context, history, candidates; with ``observe="full"`` two more:
hidden (of the viewer) and hidden_candidates. All columns are float32 in [-1, 1].
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from livestream_env.simulator.availability import content_cell, highlight
from livestream_env.simulator.rng import mix, rough_normal
from livestream_env.simulator.state import HISTORY_FIELDS, WorldArrays
from livestream_env.world import AGE_RANGES, DAY_S, DEVICE_PRICES

OBSERVE = ("partial", "full")

_AGES = len(AGE_RANGES)
_PRICES = len(DEVICE_PRICES)
# Scales: a value at the scale maps to 1, beyond it is clipped.
_LOG_FOLLOW = math.log1p(5_000)
_LOG_FANS = math.log1p(100_000)
_LOG_ACTIVITY = 3.0
_TASTE = 4.0
_LOG_ELAPSED_S = math.log1p(4 * 3600)
_LOG_COUNT = math.log1p(200)
_LOG_VISITS = math.log1p(50)
_LOG_WATCH_S = math.log1p(3600)
_LOG_DAY_S = math.log1p(DAY_S)
_LOG_GIFT = math.log1p(56_246)
_COVER = 3.0
_AFFINITY = 4.0
_LOG_POPULARITY = 5.0
_LOG_ROOM_S = math.log1p(12 * 3600)
_ENGAGEMENT = 2.0
_SATISFACTION = 2.0
_SATIATION = 4.0

_AFFINITY_KEY = np.uint64(0xA0761D6478BD642F)  # arbitrary: separates the two kinds of error
_ENGAGEMENT_KEY = np.uint64(0xE7037ED1A0B428DB)


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


@njit(nogil=True)
def _clip(x):  # type: ignore[no-untyped-def]
    return min(max(x, -1.0), 1.0)


@njit(nogil=True)
def _log_scaled(x, log_scale):  # type: ignore[no-untyped-def]
    if x == 0.0:  # most of the history
        return 0.0
    return min(math.log1p(x) / log_scale, 1.0)


@njit(nogil=True)
def _encode_viewer(s, w, out):  # type: ignore[no-untyped-def]
    v = w.viewers[s.viewer]
    out[0] = 2.0 * v.age / (_AGES - 1) - 1.0
    out[1] = 1.0 if v.gender == 0 else 0.0
    out[2] = 1.0 if v.gender == 1 else 0.0
    out[3] = 2.0 * v.device_price / (_PRICES - 1) - 1.0
    out[4] = v.is_streamer
    out[5] = _log_scaled(v.follow_count, _LOG_FOLLOW)
    out[6] = _log_scaled(v.fan_count, _LOG_FANS)
    out[7] = _clip(math.log(v.activity) / _LOG_ACTIVITY)
    for k in range(v.taste.shape[0]):
        out[8 + k] = _clip(v.taste[k] / _TASTE)
    return 8 + v.taste.shape[0]


@njit(nogil=True)
def _encode_context(s, p, out):  # type: ignore[no-untyped-def]
    angle = 2.0 * math.pi * (s.time_s / DAY_S - math.floor(s.time_s / DAY_S))
    out[0] = math.sin(angle)
    out[1] = math.cos(angle)
    out[2] = 1.0 if p.one_visit else max(0.0, (s.end_s - s.time_s) / p.horizon_s)
    out[3] = _log_scaled(s.time_s - s.visit_start_s, _LOG_ELAPSED_S)
    out[4] = _log_scaled(s.visit_impression, _LOG_COUNT)
    out[5] = _log_scaled(s.visit, _LOG_VISITS)
    out[6] = _log_scaled(s.impression, _LOG_COUNT)
    out[7] = _log_scaled(s.watch_s, _LOG_DAY_S)
    out[8] = (s.clicks + 1.0) / (s.impression + 4.0)  # a prior of one click in four
    for k in range(s.category_watch_s.shape[0]):
        out[9 + k] = _log_scaled(s.category_watch_s[k], _LOG_WATCH_S)
    return 9 + s.category_watch_s.shape[0]


@njit(nogil=True)
def _encode_history(s, out):  # type: ignore[no-untyped-def]
    num_categories = s.category_watch_s.shape[0]
    width = s.history.shape[1] + num_categories
    for i in range(s.history.shape[0]):
        row = out[i * width : (i + 1) * width]
        row[:] = 0.0
        if s.history_category[i] >= 0:
            event = s.history[i]
            row[0] = event[0]
            row[1] = _log_scaled(event[1], _LOG_WATCH_S)
            row[2] = min(event[2] / 3.0, 1.0)
            row[3] = min(event[3] / 3.0, 1.0)
            row[4] = _log_scaled(event[4], _LOG_GIFT)
            row[5] = event[5]
            row[6] = _clip(event[6] / _COVER)
            row[7 + s.history_category[i]] = 1.0
    return s.history.shape[0] * width


@njit(nogil=True)
def _encode_candidates(s, w, p, category_watch, out):  # type: ignore[no-untyped-def]
    num_categories = s.category_watch_s.shape[0]
    width = 9 + num_categories
    for i in range(s.room.shape[0]):
        row = out[i * width : (i + 1) * width]
        row[:] = 0.0
        if s.room[i] < 0:
            continue
        room = w.rooms[s.room[i]]
        j = w.streamers[room.streamer]
        # Errors belong to the pair, and to the room's moment: asking twice gives no new answer.
        pair = mix(_AFFINITY_KEY, s.viewer * w.streamers.shape[0] + room.streamer)
        moment = mix(_ENGAGEMENT_KEY, content_cell(w, s.room[i], s.time_s))
        affinity = s.affinity[i] + p.affinity_estimate_std * rough_normal(pair)
        engagement = (
            highlight(w, p, s.room[i], s.time_s)
            - p.highlight_share
            + p.engagement_noise_std * rough_normal(moment)
        )
        row[0] = 1.0
        row[1] = _clip(affinity / _AFFINITY)
        if s.known[i] >= 0:
            row[2] = _log_scaled(s.attached_watch_s[s.known[i]], _LOG_DAY_S)
            row[3] = s.attached_followed[s.known[i]]
        row[4] = _clip(j.sensationalism / _COVER)
        row[5] = _clip(math.log(max(j.popularity, 1e-9)) / _LOG_POPULARITY)
        row[6] = _log_scaled(s.time_s - room.start_s, _LOG_ROOM_S)
        row[7] = _clip(engagement / _ENGAGEMENT)
        row[8] = category_watch[j.category]
        row[9 + j.category] = 1.0
    return s.room.shape[0] * width


@njit(nogil=True)
def _encode_hidden(s, w, p, out):  # type: ignore[no-untyped-def]
    out[0] = _clip(s.satisfaction / _SATISFACTION)
    out[1] = _clip(s.fatigue)
    num_categories = s.satiation.shape[0]
    for k in range(num_categories):
        out[2 + k] = _clip(s.satiation[k] / _SATIATION)
    rows = out[2 + num_categories :]
    for i in range(s.room.shape[0]):
        row = rows[i * 5 : (i + 1) * 5]
        row[:] = 0.0
        if s.room[i] < 0:
            continue
        room = w.rooms[s.room[i]]
        row[0] = _clip(s.affinity[i] / _AFFINITY)
        row[1] = s.attachment[s.known[i]] if s.known[i] >= 0 else 0.0
        row[2] = highlight(w, p, s.room[i], s.time_s)
        row[3] = _clip(w.streamers[room.streamer].quality / _COVER)
        row[4] = _log_scaled(room.end_s - s.time_s, _LOG_ROOM_S)


@njit(cache=True, nogil=True)
def encode(  # type: ignore[no-untyped-def]
    slots,
    viewers,
    streamers,
    rooms,
    content,
    index_offset,
    index_room,
    index_weight,
    parameters,
    full,
    out,
):
    """Write the observations of all ``slots`` (N,) into ``out`` (N, D) float32."""
    w = WorldArrays(viewers, streamers, rooms, content, index_offset, index_room, index_weight)
    p = parameters[0]
    for i in range(slots.shape[0]):
        s = slots[i]
        row = out[i]
        at = _encode_viewer(s, w, row)
        at += _encode_context(s, p, row[at:])
        category_watch = row[at - s.category_watch_s.shape[0] : at]  # the context's last columns
        at += _encode_history(s, row[at:])
        at += _encode_candidates(s, w, p, category_watch, row[at:])
        if full:
            _encode_hidden(s, w, p, row[at:])
