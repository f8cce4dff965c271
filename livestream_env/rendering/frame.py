"""What is shown of one impression, and the frame as plain text."""

from __future__ import annotations

from dataclasses import dataclass

from livestream_env.world import DAY_S


@dataclass(frozen=True)
class Card:
    """A candidate as the agent saw it.

    ``affinity`` (estimate), ``cover_appeal``, ``viewers`` and ``engagement`` are the observation's
    features, doubled and cut at ±1: few candidates reach half of the scale. ``room`` is -1 where
    the slot was empty.
    """

    slot: int
    room: int
    streamer: int
    category: int  # row of the frame's ``categories``; -1 where empty
    affinity: float
    cover_appeal: float
    viewers: float
    engagement: float
    age_s: float
    known_s: float | None  # seconds ever watched with this streamer; None: never clicked
    followed: bool
    chosen: bool


@dataclass(frozen=True)
class Frame:
    """One impression, or the moment before the first one.

    Attributes:
        moment: day, time of day, visit, impression, and the time left.
        viewer: a line per feature.
        categories: (K,) their names.
        tastes: (K,) long-term preference per category, in s.d.
        cards: the candidates.
        events: kind → text of what came of the impression, in order; empty before the first.
        totals: name → value of the episode so far.
        history: latest first, (category, seconds watched, at most an hour) of the impressions
            remembered.
        satisfaction, fatigue, satiation: hidden from the agent; satiation is (K,).
    """

    moment: tuple[str, ...]
    viewer: tuple[str, ...]
    categories: tuple[str, ...]
    tastes: tuple[float, ...]
    cards: tuple[Card, ...]
    events: dict[str, str]
    totals: dict[str, str]
    history: tuple[tuple[int, float], ...]
    satisfaction: float
    fatigue: float
    satiation: tuple[float, ...]


def clock(time_s: float) -> str:
    """For example ``day 3, 20:41:07``."""
    day, second = divmod(int(time_s), int(DAY_S))
    return f"day {day}, {second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}"


def minutes(seconds: float) -> str:
    """For example ``1:42``."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def duration(seconds: float) -> str:
    """For example ``3 h 07 min``."""
    whole = int(seconds) // 60
    return f"{whole // 60} h {whole % 60:02d} min" if whole >= 60 else f"{whole} min"


def bar(value: float, width: int = 8) -> str:
    """``value`` in [-1, 1] as a gauge of ``width`` characters, the middle at 0."""
    filled = round((value + 1.0) / 2.0 * width)
    return "#" * filled + "." * (width - filled)


def to_text(frame: Frame) -> str:
    """The frame as plain text."""
    width = max(len(name) for name in ("category", *frame.categories))
    lines = [
        " · ".join(frame.moment),
        "; ".join(frame.viewer),
        "tastes: " + _by_category(frame, frame.tastes, "{:+.1f}"),
        f"  slot  {'category':{width}}  streamer  affinity   cover      viewers    buzz     "
        "  live for",
    ]
    for card in frame.cards:
        head = f"{'>' if card.chosen else ' '} {card.slot:4d}  "
        if card.room < 0:
            lines.append(head + "(empty)")
            continue
        gauges = (card.affinity, card.cover_appeal, card.viewers, card.engagement)
        line = f"{head}{frame.categories[card.category]:{width}}  {card.streamer:8d}  "
        line += "   ".join(bar(value) for value in gauges) + f"   {duration(card.age_s):>10}"
        if card.known_s is not None:
            line += f"  watched {minutes(card.known_s)}" + (", followed" if card.followed else "")
        lines.append(line)
    lines.append("then: " + ("; ".join(frame.events.values()) or "nothing yet, the episode begins"))
    lines.append("total: " + ", ".join(f"{name} {value}" for name, value in frame.totals.items()))
    lines.append(
        f"hidden: satisfaction {frame.satisfaction:+.2f}, fatigue {frame.fatigue:.2f}, satiation: "
        + _by_category(frame, frame.satiation, "{:.2f}")
    )
    return "\n".join(lines)


def _by_category(frame: Frame, values: tuple[float, ...], form: str) -> str:
    pairs = zip(frame.categories, values, strict=True)
    return ", ".join(f"{name} {form.format(value)}" for name, value in pairs)
