"""Impressions: what was shown to whom, and what came of it, logged or simulated.

One compact table that every statistic and every fit works on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from livestream_env.world import DAY_S

if TYPE_CHECKING:
    import pandas as pd

    from livestream_env.logs import Logs

IMPRESSION_DTYPE = np.dtype(
    [
        ("viewer", "i4"),
        ("day", "i4"),  # calendar day of a log, day of a simulated episode; from 0
        ("start_s", "f8"),  # moment of the impression, seconds from local midnight of day 0
        ("streamer", "i4"),
        ("room", "i4"),
        ("category", "i2"),  # of the streamer
        ("click", "?"),
        ("watch_s", "f4"),
        ("likes", "i2"),
        ("comments", "i2"),
        ("gift_value", "f4"),
        ("follow", "?"),
    ]
)

NO_CATEGORY = "unknown"
_CHUNK = 2**20
EVENTS = {  # table → column
    "like": "likes",
    "comment": "comments",
    "gift": "gift_value",
    "follow": "follow",
}


@dataclass(frozen=True, eq=False)
class LogIndex:
    """Row numbers for the ids of a log.

    Attributes:
        user_ids: (V,) int64, sorted; a viewer's number is the place of its id.
        streamer_ids: (S,) int64, sorted.
        live_ids: (R,) int64 ids of rooms, sorted.
        category_names: (K,), sorted, with ``"unknown"`` last if a streamer needs it.
        streamer_category: (S,) int16, the most frequent category of a streamer's rooms; of equally
            frequent ones the first by name.
    """

    user_ids: NDArray[np.int64]
    streamer_ids: NDArray[np.int64]
    live_ids: NDArray[np.int64]
    category_names: tuple[str, ...]
    streamer_category: NDArray[np.int16]

    @classmethod
    def of(cls, logs: Logs) -> LogIndex:
        """The index of everything in ``user``, ``streamer`` and ``room``."""
        streamer_ids = logs.streamer["streamer_id"].to_numpy()
        names, category = _streamer_categories(logs.room, streamer_ids)
        return cls(
            user_ids=logs.user["user_id"].to_numpy(),
            streamer_ids=streamer_ids,
            live_ids=logs.room["live_id"].to_numpy(),
            category_names=names,
            streamer_category=category,
        )

    def viewers(self, user_ids: NDArray[np.int64]) -> NDArray[np.int32]:
        """The numbers of users; ``ValueError`` for an id that is not in the index."""
        return _places("user_id", user_ids, self.user_ids)

    def streamers(self, streamer_ids: NDArray[np.int64]) -> NDArray[np.int32]:
        """The numbers of streamers, likewise."""
        return _places("streamer_id", streamer_ids, self.streamer_ids)

    def rooms(self, live_ids: NDArray[np.int64]) -> NDArray[np.int32]:
        """The numbers of rooms, likewise."""
        return _places("live_id", live_ids, self.live_ids)


def _places(what: str, ids: NDArray[np.int64], known: NDArray[np.int64]) -> NDArray[np.int32]:
    places = np.empty(len(ids), np.int32)
    # Searched in order, ids that are neighbours find their part of `known` in the cache: for the
    # millions of rooms of a log ten times as fast.
    for start in range(0, len(ids), _CHUNK):
        chunk = ids[start : start + _CHUNK]
        order = np.argsort(chunk, kind="stable")  # which is swift where they are sorted already
        places[start : start + _CHUNK][order] = np.searchsorted(known, chunk[order])
    if len(known):
        np.minimum(places, len(known) - 1, out=places)
    strange = known[places] != ids if len(known) else np.ones(len(ids), np.bool_)
    if strange.any():
        raise ValueError(
            f"{what} {ids[strange][0]} is not in the index ({strange.sum()} rows like it)"
        )
    return places


def _streamer_categories(
    room: pd.DataFrame, streamer_ids: NDArray[np.int64]
) -> tuple[tuple[str, ...], NDArray[np.int16]]:
    """Names of the categories, and the most frequent one of each streamer."""
    names: list[str] = []
    category = np.full(len(streamer_ids), -1, np.int16)
    if "live_content_category" in room:
        column = room["live_content_category"].astype("category")
        codes = column.cat.codes.to_numpy().astype(np.int64)
        levels = [str(level) for level in column.cat.categories]
        used = np.flatnonzero(np.bincount(codes + 1, minlength=len(levels) + 1)[1:])
        by_name = sorted(used.tolist(), key=levels.__getitem__)
        names = [levels[level] for level in by_name]
        renumbered = np.full(len(levels) + 1, -1)
        renumbered[by_name] = np.arange(len(names))
        codes = renumbered[codes]  # a missing category has the code -1, the last place
        known = codes >= 0
        streamer = _places("streamer_id", room["streamer_id"].to_numpy()[known], streamer_ids)
        pair, count = np.unique(
            streamer.astype(np.int64) * max(len(names), 1) + codes[known], return_counts=True
        )
        # By falling count: the last one written is the most frequent, then the first by name.
        order = np.lexsort((-pair, count))
        owner, of = np.divmod(pair[order], max(len(names), 1))
        category[owner] = of
    if (category < 0).any():
        if NO_CATEGORY not in names:
            names.append(NO_CATEGORY)
        category[category < 0] = names.index(NO_CATEGORY)
    return tuple(names), category


class ClickFinder:
    """Finds the click that a like, a comment, a gift or a follow belongs to.

    That is the click of the same user on the same room at the very same millisecond, as KuaiLive
    stamps gifts; else the latest earlier one; else (a clock that is off) the first.
    """

    def __init__(self, logs: Logs, index: LogIndex) -> None:
        self.index = index
        pair = self._pairs(logs.click)
        # Clicks are sorted by user, then time: a stable sort by pair keeps them by time.
        self.order = np.argsort(pair, kind="stable")
        self.pairs, rank = np.unique(pair[self.order], return_inverse=True)
        time = logs.click["timestamp"].to_numpy()
        # A pair and a time in one sortable integer: times from 1, at most `span`.
        self.first = int(time.min()) if len(time) else 0
        self.span = int(time.max()) - self.first + 2 if len(time) else 2
        self.keys = rank * self.span + (time[self.order] - self.first + 1)

    def _pairs(self, events: pd.DataFrame) -> NDArray[np.int64]:
        viewer = self.index.viewers(events["user_id"].to_numpy()).astype(np.int64)
        return viewer * len(self.index.live_ids) + self.index.rooms(events["live_id"].to_numpy())

    def find(self, events: pd.DataFrame) -> tuple[NDArray[np.int64], dict[str, int]]:
        """The click of each event.

        Returns:
            Row numbers in ``logs.click`` (n,), -1 where the user never clicked on that room; and
            how many events were matched how: ``same_time``, ``earlier_click``, ``first_click``,
            ``no_click``.
        """
        if not len(self.keys):
            rows = np.full(len(events), -1)
            return rows, {**dict.fromkeys(MATCHES, 0), "no_click": len(events)}
        pair = self._pairs(events)
        rank = np.minimum(np.searchsorted(self.pairs, pair), len(self.pairs) - 1)
        clicked = self.pairs[rank] == pair
        time = np.clip(events["timestamp"].to_numpy() - self.first + 1, 0, self.span - 1)
        key = rank * self.span + time
        at = np.searchsorted(self.keys, key, side="right") - 1
        early = (at < 0) | (self.keys[at] // self.span != rank)  # before the first click
        at = np.minimum(at + early, len(self.keys) - 1)
        same_time = clicked & (self.keys[at] == key)
        rows = np.where(clicked, self.order[at], -1)
        counts = (
            int(same_time.sum()),
            int((clicked & ~early & ~same_time).sum()),
            int((clicked & early).sum()),
            int((~clicked).sum()),
        )
        return rows, dict(zip(MATCHES, counts, strict=True))


MATCHES = ("same_time", "earlier_click", "first_click", "no_click")


def event_matches(logs: Logs, index: LogIndex) -> dict[str, dict[str, int]]:
    """How the rows of ``like``, ``comment``, ``gift`` and ``follow`` were joined to clicks.

    Returns:
        Table → ``same_time``, ``earlier_click``, ``first_click`` (the event was before it) and
        ``no_click`` (of that user on that room: in no impression) → rows.
    """
    finder = ClickFinder(logs, index)
    tables = {name: getattr(logs, name) for name in EVENTS}
    return {name: finder.find(table)[1] for name, table in tables.items() if table is not None}


def impressions_of(logs: Logs, index: LogIndex) -> NDArray[Any]:
    """The clicks and negatives of a log, with what the viewer did in each click.

    Viewer, streamer, room and category are row numbers in ``index``. Likes, comments, gifts and
    follows (which KuaiLive does not log) count for the click that :class:`ClickFinder` finds.

    Returns:
        Impressions, structured (n,) ``IMPRESSION_DTYPE``, sorted by viewer, then time.
    """
    click = logs.click
    tables = [click] if logs.negative is None else [click, logs.negative]

    def column(name: str) -> NDArray[np.int64]:
        return np.concatenate([table[name].to_numpy() for table in tables])

    viewer, time = index.viewers(column("user_id")), column("timestamp")
    # One integer to sort by; two tables that are in order are but merged.
    first, last = (time.min(), time.max()) if len(time) else (0, 0)
    order = np.argsort(viewer * (last - first + 1) + (time - first), kind="stable")
    rows = np.zeros(len(order), IMPRESSION_DTYPE)
    rows["viewer"], rows["start_s"] = viewer[order], logs.local_s(time[order])
    rows["day"] = rows["start_s"] // DAY_S
    del viewer, time
    rows["streamer"] = index.streamers(column("streamer_id"))[order]
    rows["room"] = index.rooms(column("live_id"))[order]
    rows["category"] = index.streamer_category[rows["streamer"]]
    rows["click"] = order < len(click)
    # Where each click has come to lie; `order` of a click is its row number.
    place = np.flatnonzero(rows["click"])
    of_click = order[place]
    del order
    rows["watch_s"][place] = click["watch_live_time"].to_numpy()[of_click] / 1000.0
    finder = ClickFinder(logs, index)
    for name, field in EVENTS.items():
        events = getattr(logs, name)
        if events is None:
            continue
        found, _ = finder.find(events)
        matched = found >= 0
        amount = events["gift_price"].to_numpy()[matched] if name == "gift" else None
        total = np.bincount(found[matched], weights=amount, minlength=len(click))
        if IMPRESSION_DTYPE[field].kind == "i":
            total = np.minimum(total, np.iinfo(IMPRESSION_DTYPE[field]).max)
        rows[field][place] = total[of_click]
    return rows
