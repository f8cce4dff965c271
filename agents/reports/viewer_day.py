"""The viewer-day that a run recorded when it was played, for a page.

A report reads it as data and runs nothing: a folder of results may come from elsewhere.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from agents.experiments.replay import REPLAY_FILE
from agents.experiments.runs import Result, Run, Settings
from agents.policy import AGENTS
from agents.reports.html import markdown, side_by_side
from agents.reports.results import GREEDY
from agents.reports.tables import challengers

MAX_BYTES = 64 * 2**20  # a recorded week has some 10 MB


def viewer_day_twice(folder: Path, results: Mapping[Run, Result], settings: Settings) -> str:
    """The same viewer-day under an agent of the comparison and under the greedy oracle, HTML.

    Args:
        folder: Of the comparison, for the stored recordings.
        results: Of the finished runs, at least one. The agent is the first of the challengers, or
            else of the others, that has a recording.
        settings: Of all runs.
    """
    runs = {run.agent: run for run in reversed(list(results))}  # the first seed of each
    agents = list(dict.fromkeys(run.agent for run in results))
    order = dict.fromkeys([*challengers(agents), *agents])
    reasons = []
    for agent in sorted(order, key=GREEDY.__eq__):  # the oracle last
        run = runs[agent]
        try:
            replay = read_replay(run.folder(folder) / REPLAY_FILE)
        except (OSError, ValueError) as error:
            reasons.append(f"`{agent}: {error}`")
            continue
        names = " and ".join(f"`{name}`" for name in replay["plays"])
        text = (
            f"Viewer-day {replay['day']} of the evaluation under {names}: of the first "
            f"{replay['of']} the one whose reward is closest to the mean of `{agent}`. The same "
            "viewer and the same chance, but after the first different choice other rooms are "
            "offered, at other moments."
        )
        if agent in AGENTS and AGENTS[agent].learns:
            text += f" `{agent}` is its training seed {run.seed}."
        return markdown(text) + "\n" + side_by_side(replay["plays"])
    return markdown("There is no replay: " + "; ".join(reasons))


def read_replay(path: Path) -> dict[str, Any]:
    """What :func:`agents.experiments.replay.write_replay` wrote, every value checked.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It holds something else, or the reason why nothing was recorded.
    """
    if not path.is_file():
        raise FileNotFoundError(f"the run stored no {path.name}")
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(f"{path} has more than {MAX_BYTES:,} bytes")
    try:
        replay = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not JSON: {error}") from error
    if isinstance(replay, dict) and isinstance(replay.get("reason"), str):
        raise ValueError(f"nothing was recorded: {replay['reason']}")
    try:
        _check("replay", replay, _REPLAY)
        plays = replay["plays"]
        if not 1 <= len(plays) <= 2:
            raise ValueError(f"plays must be one or two, there are {len(plays)}")
        for play in plays.values():
            _check("play", play, _PLAY)
            for impression in play["impressions"]:
                _check("impression", impression, _IMPRESSION)
                cards = impression["cards"]
                if not impression["shown"] < len(cards):
                    raise ValueError(f"shown must be one of {len(cards)} cards")
                for card in cards:
                    if card is not None:
                        _check("card", card, _CARD)
    except ValueError as error:
        raise ValueError(f"{path} is not a recording: {error}") from error
    return dict(replay)


def _number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def _count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**53


def _or_none(check: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or check(value)


def _list_of(check: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and bool(value) and all(map(check, value))


def _by_name(check: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, dict) and bool(value) and all(map(check, value.values()))


def _is(kind: type) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, kind)


# What :func:`agents.experiments.replay.record` returns, by name.
_REPLAY = {"day": _count, "of": _count, "plays": _is(dict)}
_PLAY = {"viewer": _list_of(_is(str)), "tastes": _by_name(_number),
         "impressions": _list_of(_is(dict))}  # fmt: skip
_IMPRESSION = {
    "time_s": _number, "moment": _is(str), "cards": _list_of(_or_none(_is(dict))),
    "shown": _count, "click": _number, "watch_s": _number, "likes": _number,
    "comments": _number, "gift_value": _number, "follow": _number, "reward": _number,
    "total": _number, "away_s": _or_none(_number), "satisfaction": _number, "fatigue": _number,
}  # fmt: skip
_CARD = {
    "streamer": _count, "category": _is(str), "affinity": _number, "cover_appeal": _number,
    "viewers": _number, "engagement": _number, "known_s": _or_none(_number),
    "followed": _is(bool), "click_probability": _number, "expected_reward": _number,
}  # fmt: skip


def _check(what: str, value: Any, fields: Mapping[str, Callable[[Any], bool]]) -> None:
    if not isinstance(value, dict) or set(value) != set(fields):
        found = sorted(value) if isinstance(value, dict) else type(value).__name__
        raise ValueError(f"a {what} must have {', '.join(fields)}, got {found}"[:500])
    for name, valid in fields.items():
        if not valid(value[name]):
            raise ValueError(f"a {what}'s {name} is {value[name]!r}"[:200])
