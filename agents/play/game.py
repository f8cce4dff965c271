"""Viewer-days that people play, and what they may see of them.

Everything that goes out is JSON. While a viewer-day is played it is what the agent observes and
what came of earlier choices; what is hidden from agents is shown when the viewer-day is over.
"""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from agents.experiments.replay import OUTCOME, ViewerDay, seen
from agents.play.rivals import Rivals
from livestream_env.settings import check_integer

YOU = "you"
MOST_DAYS = 64  # kept in play; then the one that rests longest is forgotten
PAST = 50  # of the latest impressions that are shown
# Blocks of the observation beyond those that the page has a place for.
_OF_VIEWER, _OF_CANDIDATES = (
    ("past", "traces", "hidden"),
    ("logged_candidates", "hidden_candidates"),
)


class _Day(NamedTuple):
    """A viewer-day in play."""

    seed: int
    played: ViewerDay
    rivals: Mapping[str, Any]  # by agent its recording, as far as they have played


class Game:
    """The viewer-days in play; may be used by several threads.

    Args:
        env_id: A registered environment of the family.
        env_kwargs: Its arguments, with flat observations.
        rivals: Who plays the same viewer-days.
        seed: Of the first viewer-day that is begun without a seed; the next one has seed + 1.
    """

    def __init__(
        self, env_id: str, env_kwargs: Mapping[str, Any], rivals: Rivals, seed: int = 0
    ) -> None:
        self.env_id = env_id
        self.rivals = rivals
        self._env_kwargs = env_kwargs
        self._next_seed = check_integer("seed", seed, 0, 2**32 - 1)
        self._days: OrderedDict[str, _Day] = OrderedDict()
        self._lock = threading.Lock()

    def begin(self, seed: int | None = None) -> dict[str, Any]:
        """Begin a viewer-day.

        Args:
            seed: Which one; the next if None.

        Returns:
            What :meth:`view` returns.

        Raises:
            ValueError: ``seed`` is no integer in [0, 2**32).
        """
        check_integer("seed", seed, 0, 2**32 - 1, optional=True)
        with self._lock:
            seed = self._next_seed if seed is None else int(seed)
            self._next_seed = (seed + 1) % 2**32
            played = ViewerDay(self.env_id, self._env_kwargs, seed)
            name = secrets.token_urlsafe(9)
            self._days[name] = _Day(seed, played, self.rivals.play(seed))
            if len(self._days) > MOST_DAYS:
                self._days.popitem(last=False)
            return self._view(name)

    def view(self, name: str) -> dict[str, Any]:
        """What the agent may see of a viewer-day.

        Args:
            name: Its ``"id"``.

        Returns:
            ``id``, ``seed``, ``viewer`` (a line per feature), ``categories`` (name, taste in s.d.
            and recent watch in [0, 1] of each), ``moment`` (lines), ``cards`` (per slot what the
            agent observes, None where it is empty; none at the end), ``observed`` (block → column →
            value, of what else the environment observes of the viewer), ``past`` (impressions and
            what came of them, latest first), ``totals``, ``impression`` (how many were shown),
            ``over``.

        Raises:
            ValueError: There is no such viewer-day.
        """
        with self._lock:
            return self._view(name)

    def choose(self, name: str, impression: int, slot: int) -> dict[str, Any]:
        """Show a candidate.

        Args:
            name: Of the viewer-day.
            impression: How many were shown before, so that nothing is chosen twice by mistake.
            slot: Of the candidate.

        Returns:
            What :meth:`view` returns.

        Raises:
            ValueError: There is no such viewer-day or slot, the slot is empty, or it is another
                impression's turn.
        """
        with self._lock:
            day = self._day(name)
            if day.played.over:
                raise ValueError("the viewer-day is over: begin another one")
            shown, cards = len(day.played.impressions), day.played.frame.cards
            check_integer("impression", impression, 0)
            if impression != shown:
                raise ValueError(f"impression must be {shown}, whose turn it is, got {impression}")
            check_integer("slot", slot, 0, len(cards) - 1)
            if cards[slot].room < 0 and any(card.room >= 0 for card in cards):
                raise ValueError(f"slot {slot} is empty: choose one that holds a room")
            day.played.show(int(slot))
            return self._view(name)

    def result(self, name: str) -> dict[str, Any]:
        """Who did how well on a viewer-day that is over.

        Args:
            name: Of the viewer-day.

        Returns:
            ``ranking``, best first: agent, place (the same for the same reward) and the totals of
            those that have played; ``pending``, agents that have not yet; ``failed``, by agent the
            reason.

        Raises:
            ValueError: There is no such viewer-day, or it is not over.
        """
        with self._lock:
            day = self._finished(name)
        plays = {YOU: day.played.recording(), **day.rivals}
        failed = {agent: play["reason"] for agent, play in plays.items() if "reason" in play}
        rows: list[dict[str, Any]] = [
            {"agent": agent, **totals(play["impressions"])}
            for agent, play in plays.items()
            if agent not in failed
        ]
        rows.sort(key=lambda row: -row["reward"])
        for row in rows:
            row["place"] = 1 + sum(other["reward"] > row["reward"] for other in rows)
        pending = [agent for agent in self.rivals.names if agent not in plays]
        return {"ranking": rows, "pending": pending, "failed": failed}

    def play(self, name: str, agent: str) -> dict[str, Any]:
        """What one player did on a viewer-day that is over.

        Args:
            name: Of the viewer-day.
            agent: A rival that has played, or :data:`YOU`.

        Returns:
            What :func:`agents.experiments.replay.record` returns, and ``agent``.

        Raises:
            ValueError: There is no such viewer-day, it is not over, or the agent has not played it.
        """
        with self._lock:
            day = self._finished(name)
        plays = {YOU: day.played.recording(), **day.rivals}
        if "impressions" not in plays.get(agent, {}):
            raise ValueError(f"agent must have played: {', '.join(plays)}; got {agent!r}")
        return {"agent": agent, **plays[agent]}

    def _day(self, name: str) -> _Day:
        if name not in self._days:
            raise ValueError(f"there is no viewer-day {name!r}, or it was forgotten: begin another")
        self._days.move_to_end(name)
        return self._days[name]

    def _finished(self, name: str) -> _Day:
        day = self._day(name)
        if not day.played.over:
            raise ValueError("the viewer-day is not over: first play it to its end")
        return day

    def _view(self, name: str) -> dict[str, Any]:
        day = self._day(name)
        return {"id": name, "seed": day.seed, **visible(day.played)}


def visible(day: ViewerDay) -> dict[str, Any]:
    """What the agent may see of a viewer-day: :meth:`Game.view` without id and seed."""
    layout, frame = day.layout, day.frame
    blocks = layout.to_rows(day.observation[0])

    def named(block: str, row: np.ndarray) -> dict[str, float]:
        return dict(zip(layout.names[block], np.round(row.astype(float), 2).tolist(), strict=True))

    context = named("context", blocks["context"])
    cards = []
    for n, card in enumerate(frame.cards):
        known = seen(card, frame)
        if known is not None:
            known["age_s"] = round(card.age_s)
            known["category_watch"] = named("candidates", blocks["candidates"][n])["category_watch"]
            extra = [named(block, blocks[block][n]) for block in _OF_CANDIDATES if block in blocks]
            known["more"] = {name: value for part in extra for name, value in part.items()}
        cards.append(known)
    return {
        "viewer": list(frame.viewer),
        "categories": [
            {"name": name, "taste": round(taste, 2), "watched": context[f"category_watch_{k}"]}
            for k, (name, taste) in enumerate(zip(frame.categories, frame.tastes, strict=True))
        ],
        "moment": list(frame.moment),
        "cards": [] if day.over else cards,
        "observed": {block: named(block, blocks[block]) for block in _OF_VIEWER if block in blocks},
        "past": [_past(one) for one in day.impressions[: -PAST - 1 : -1]],
        "totals": totals(day.impressions),
        "impression": len(day.impressions),
        "over": day.over,
    }


def _past(impression: Mapping[str, Any]) -> dict[str, Any]:
    """Of an impression what the agent knows afterwards."""
    card = impression["cards"][impression["shown"]]
    observed = (*OUTCOME, "time_s", "shown", "reward", "away_s")
    return {
        **{name: impression[name] for name in observed},
        "card": card and {name: card[name] for name in ("streamer", "category", "cover_appeal")},
    }


def totals(impressions: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Of the impressions of a viewer-day: reward, impressions, clicks, ..., visits."""
    names = ("watch_s", "likes", "comments", "gift_value")
    return {
        "reward": impressions[-1]["total"] if impressions else 0.0,
        "impressions": sum(one["cards"][one["shown"]] is not None for one in impressions),
        "clicks": sum(bool(one["click"]) for one in impressions),
        **{name: round(sum(one[name] for one in impressions), 2) for name in names},
        "follows": sum(bool(one["follow"]) for one in impressions),
        "visits": sum(one["away_s"] is not None for one in impressions),
    }
