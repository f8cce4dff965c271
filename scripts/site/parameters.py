"""Every parameter: meaning, unit, default, range and source from ``config.py``, and its effect."""

from __future__ import annotations

import inspect
import re
from dataclasses import Field, dataclass, fields
from html import escape
from typing import Any

from livestream_env.config import SimulatorConfig, WorldConfig
from livestream_env.settings import Settings
from scripts.site.effects import changed, write_effects
from scripts.site.markdown import code, write_part

_TOPIC = re.compile(r"^    # ([A-Z].*)$")
_NAME = re.compile(r"^    (\w+): \w+ = (?:number|integer)\(")
# The unit that a name ends with; then that a meaning begins with.
_UNITS = (
    (re.compile(r"_per_min$"), "per minute"),
    (re.compile(r"(rooms|visits)_per_day$"), "per day"),
    (re.compile(r"_s$"), "s"),
    (re.compile(r"_h$"), "h"),
    (re.compile(r"^room_hours_max$"), "h"),
    (re.compile(r"minutes_median$"), "min"),
    (re.compile(r"_days$|^days$"), "d"),
    (re.compile(r"^gift_price_max$"), "coins"),
    (re.compile(r"^gift_price_log_"), "log coins"),
    (re.compile(r"^(click|exit)_(?!propensity)"), "log-odds"),
    (re.compile(r"^(watch)_(?!cap)"), "log seconds"),
)


@dataclass(frozen=True)
class Parameter:
    """What is known of a parameter.

    Attributes:
        name: of the field.
        topic: what it belongs to.
        meaning, source: its doc, before and after the first semicolon.
        default, low, high: its value, and between what it may lie.
        unit: ``"1"`` where it has none.
    """

    name: str
    topic: str
    meaning: str
    source: str
    default: float
    low: float
    high: float
    unit: str


def parameters() -> list[Parameter]:
    """All of them, in the order of the source."""
    return [
        _parameter(spec, topic)
        for group, first in ((SimulatorConfig, ""), (WorldConfig, "A synthetic world"))
        for spec, topic in zip(fields(group), _topics(group, first), strict=True)
    ]


def _topics(group: type[Settings], topic: str) -> list[str]:
    """The comment above each field, which heads those that follow."""
    topics = []
    for line in inspect.getsource(group).splitlines():
        if match := _TOPIC.match(line):
            topic = match[1].partition(":")[0]
        elif _NAME.match(line):
            topics.append(topic)
    return topics


def _parameter(spec: Field[Any], topic: str) -> Parameter:
    meaning, _, source = escape(spec.metadata["doc"], quote=False).partition("; ")
    default: Any = spec.default
    return Parameter(
        name=spec.name,
        topic=topic,
        meaning=meaning,
        source=source or "a choice",
        default=default,
        low=spec.metadata["low"],
        high=spec.metadata["high"],
        unit=unit(spec.name),
    )


def unit(name: str) -> str:
    """Of the parameter ``name``; ``"1"`` for ratios, shares and what is relative."""
    return next((unit for pattern, unit in _UNITS if pattern.search(name)), "1")


def write_parameters() -> None:
    """Write the part of the page, and a picture per parameter."""
    everything = parameters()
    write_effects([one.name for one in everything])
    topics = dict.fromkeys(one.topic for one in everything)
    write_part(
        "model/parameters",
        "\n\n".join(
            f"## {topic}\n\n" + "\n\n".join(_entry(p) for p in everything if p.topic == topic)
            for topic in topics
        ),
    )


def _entry(one: Parameter) -> str:
    value, words = changed(one.name)
    alt = f"What changes when {one.name} is {words}"
    return f"""<div class="parameter" markdown><div class="words" markdown>

#### `{one.name}` {{ #{one.name} data-toc-label="{one.name}" }}

{one.meaning[:1].upper() + one.meaning[1:]}.

default {code(f"{one.default:g}")} · unit {one.unit} · in [{one.low:g}, {one.high:g}]

source: {one.source}

</div><div class="effect" markdown>

{words} ({value:g}):

![{alt}](../images/effects/{one.name}.svg){{ loading=lazy }}

</div></div>"""
