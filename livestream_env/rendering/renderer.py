"""Follows a simulation, and makes a :class:`Frame` of each impression.

A frame shows the last impression: the candidates as the agent saw them, the one that it chose, what
came of it, and the totals of the episode. Before the first impression of an episode it shows the
candidates alone.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livestream_env.observation import HistoryColumn
from livestream_env.rendering.frame import Card, Frame, clock, duration, minutes, to_text
from livestream_env.simulation import Simulation
from livestream_env.simulator.encoding import WATCH_S
from livestream_env.world import AGE_RANGES, DEVICE_PRICES, GENDERS

_TOTALS = ("reward", "likes", "comments", "gift_value", "follow")


class Renderer:
    """Follows a simulation and renders its slots."""

    def __init__(self, mode: str, simulation: Simulation) -> None:
        self._simulation = simulation
        self._before = simulation.slots.copy()
        self._after = simulation.slots.copy()
        self._outcomes: NDArray[Any] | None = None
        self._actions = np.zeros(simulation.num_slots, np.int64)
        self._totals = np.zeros((simulation.num_slots, len(_TOTALS)))
        self._show: Any = to_text
        if mode == "rgb_array":
            from livestream_env.rendering.picture import Canvas  # Pillow is an optional dependency

            self._show = Canvas().draw

    @classmethod
    def for_mode(cls, render_mode: str | None, simulation: Simulation) -> Renderer | None:
        """The renderer for ``render_mode``, None for None.

        Raises:
            gymnasium.error.DependencyNotInstalled: "rgb_array" without Pillow.
        """
        if render_mode is None:
            return None
        return cls(render_mode, simulation)

    def after_reset(self) -> None:
        """Forget the last impression of the slots that are no longer where a step left them."""
        moved = ~self._is_last(self._simulation.slots)
        self._totals[moved] = 0.0

    def before_step(self) -> None:
        """Keep what is on the screen."""
        self._before = self._simulation.slots.copy()

    def after_step(self, actions: NDArray[np.int64], outcomes: NDArray[Any]) -> None:
        """Note what came of ``actions`` (N,)."""
        slots = self._simulation.slots
        # A slot that had ended is in its next episode, by this step or just before it.
        self._totals[slots["episode_key"] != self._after["episode_key"]] = 0.0
        self._totals += np.stack([outcomes[name] for name in _TOTALS], axis=1)
        self._actions = actions.copy()
        self._outcomes = outcomes.copy()
        self._after = slots.copy()

    def _is_last(self, slots: NDArray[Any]) -> NDArray[np.bool_]:
        """Which slots are where the last step left them, and played an impression in it."""
        same = np.full(len(slots), self._outcomes is not None)
        for name in ("episode_key", "impression", "time_s", "satisfaction"):
            same &= slots[name] == self._after[name]
        return same & (self._before["episode_key"] == self._after["episode_key"])

    def render(self, i: int) -> Any:
        """Slot ``i`` as text, or as an (H, W, 3) uint8 image."""
        return self._show(self.frame(i))

    def frame(self, i: int) -> Frame:
        """The description of slot ``i``."""
        simulation = self._simulation
        now = simulation.slots[i]
        outcome = None
        shown = simulation.slots[i : i + 1]
        last = bool(self._is_last(simulation.slots)[i])
        if last and self._outcomes is not None:
            shown, outcome = self._before[i : i + 1], self._outcomes[i]
        return Frame(
            moment=_moment(shown[0]),
            viewer=_viewer(now["viewer"], simulation.world.viewers[now["viewer"]]),
            categories=simulation.world.category_names,
            tastes=tuple(simulation.world.viewers["taste"][now["viewer"]].tolist()),
            cards=self._cards(shown, int(self._actions[i]) if last else -1),
            events={} if outcome is None else self._events(now, outcome),
            totals=self._episode(now, self._totals[i] if last else np.zeros(len(_TOTALS))),
            history=tuple(_impression(row) for row in now["history"] if row.any()),
            satisfaction=float(now["satisfaction"]),
            fatigue=float(now["fatigue"]),
            satiation=tuple(now["satiation"].tolist()),
        )

    def _cards(self, shown: NDArray[Any], chosen: int) -> tuple[Card, ...]:
        world, layout = self._simulation.world, self._simulation.layout
        observation = self._simulation.observe(slots=shown)[0]
        slot = shown[0]
        features = {
            name: np.clip(2.0 * layout.candidate(observation, name), -1.0, 1.0).tolist()
            for name in ("affinity", "cover_appeal", "viewers", "engagement")
        }
        cards = []
        for n, (room_id, known) in enumerate(zip(slot["room"], slot["known"], strict=True)):
            empty = room_id < 0
            room = world.rooms[room_id]
            streamer = -1 if empty else int(room["streamer"])
            cards.append(
                Card(
                    slot=n,
                    room=int(room_id),
                    streamer=streamer,
                    category=-1 if empty else int(world.streamers["category"][streamer]),
                    age_s=0.0 if empty else float(slot["time_s"] - room["start_s"]),
                    known_s=float(slot["attached_watch_s"][known]) if known >= 0 else None,
                    followed=known >= 0 and bool(slot["attached_followed"][known]),
                    chosen=n == chosen,
                    **{name: values[n] for name, values in features.items()},
                )
            )
        return tuple(cards)

    def _events(self, now: Any, outcome: Any) -> dict[str, str]:
        events = {}
        if outcome["room"] < 0:
            events["empty"] = "an empty slot: nothing shown"
        elif outcome["click"]:
            events["click"] = f"clicked, watched {minutes(outcome['watch_s'])}"
        else:
            events["skip"] = "skipped"
        for name, one, many in (("likes", "like", "likes"), ("comments", "comment", "comments")):
            if outcome[name]:
                events[name] = f"{outcome[name]} {one if outcome[name] == 1 else many}"
        if outcome["gift_value"]:
            events["gift"] = f"gift worth {outcome['gift_value']:,.0f}"
        if outcome["follow"]:
            events["follow"] = "followed"
        if outcome["visit_ended"]:
            events["left"] = "left"
            if not outcome["terminated"]:
                active_s = self._simulation.config.browse_s + outcome["watch_s"]
                away = duration(outcome["elapsed_s"] - active_s)
                events["left"] += f" until {clock(outcome['clock_s'])[:-3]} ({away})"
        if outcome["terminated"]:
            events["end"] = "the episode is over"
        elif now["ended"]:
            events["end"] = "the episode is cut off"
        return events

    @staticmethod
    def _episode(slot: Any, totals: NDArray[np.float64]) -> dict[str, str]:
        reward, likes, comments, gift_value, follows = totals.tolist()
        watched_min = slot["watch_s"] / 60.0
        return {
            "reward": f"{reward:.2f}",
            "watched": f"{watched_min:.{0 if watched_min >= 100 else 1}f} min",
            "impressions": f"{slot['impression']}",
            "clicks": f"{slot['clicks']}",
            "likes": f"{likes:.0f}",
            "comments": f"{comments:.0f}",
            "gift value": f"{gift_value:,.0f}",
            "follows": f"{follows:.0f}",
        }


def _impression(row: NDArray[np.float32]) -> tuple[int, float]:
    """Category and seconds watched of a row of the history, which is kept as it is observed."""
    category = int(row[len(HistoryColumn) :].argmax())
    return category, math.expm1(row[HistoryColumn.WATCH_S] / WATCH_S)


def _moment(slot: Any) -> tuple[str, ...]:
    moment: tuple[str, ...] = (
        clock(slot["time_s"]),
        f"visit {slot['visit'] + 1}",
        f"impression {slot['visit_impression'] + 1}",
    )
    if np.isfinite(slot["end_s"]):
        moment += (f"{duration(max(0.0, slot['end_s'] - slot['time_s']))} left",)
    return moment


def _viewer(viewer_id: int, viewer: Any) -> tuple[str, ...]:
    gender = {"F": "female", "M": "male"}.get(GENDERS[viewer["gender"]], "gender unknown")
    return (
        f"viewer {viewer_id}",
        f"{gender}, {AGE_RANGES[viewer['age']]} years",
        f"device of {DEVICE_PRICES[viewer['device_price']]} yuan",
        f"follows {viewer['follow_count']:,.0f}, has {viewer['fan_count']:,.0f} fans",
        f"activity {viewer['activity']:.2f}" + (", streams" if viewer["is_streamer"] else ""),
    )
