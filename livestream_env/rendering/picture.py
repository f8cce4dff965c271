"""Draws a :class:`livestream_env.rendering.Frame` with Pillow; needs no window system."""

from __future__ import annotations

import numpy as np
from gymnasium.error import DependencyNotInstalled
from numpy.typing import NDArray

from livestream_env.rendering.frame import Card, Frame

try:
    from PIL import Image, ImageDraw, ImageFont
except ImportError as error:
    raise DependencyNotInstalled(
        "render_mode 'rgb_array' needs Pillow: pip install 'livestream-env[render]' "
        "('ansi' needs nothing)"
    ) from error

WIDTH, HEIGHT = 960, 540  # even, as video codecs want
_SIDE = 236  # width of the viewer's panel
_HEAD, _FOOT = 40, 96
_GAP = 8
_COLUMNS, _MOST_CARDS = 5, 15

_PAGE, _PANEL, _HIDDEN = "#eef1f5", "#ffffff", "#e9e4f0"
_INK, _FAINT, _TRACK, _LINE = "#1f2733", "#6b7685", "#e3e8ee", "#cfd6df"
_HEADER, _HEADER_INK = "#1f2733", "#f4f6f9"
_CHOSEN, _CHOSEN_PAGE = "#d9480f", "#fff1e6"
_GAUGE, _WARM, _KNOWN = "#4c6fae", "#e8890c", "#2b8a5e"
_PURPLE = "#6f4aa0"
_EVENT_COLOURS = {
    "skip": "#7b8594",
    "empty": "#7b8594",
    "click": "#2b6cb0",
    "likes": "#c2255c",
    "comments": "#0b7285",
    "gift": "#b7791f",
    "follow": "#2b8a5e",
    "left": "#495057",
    "end": "#1f2733",
}
# Dark enough for white text; with more than ten categories, the name tells them apart.
_CATEGORY_COLOURS = (
    *("#3b6ea8", "#c8601a", "#2f8f86", "#b3323d", "#4d8a2f"),
    *("#7d54a0", "#a8820f", "#bf4c86", "#75543f", "#5c6773"),
)
_Box = tuple[float, float, float, float]


class Canvas:
    """Draws frames, one after another."""

    def __init__(self) -> None:
        # Pillow's own font: the same picture on every machine.
        self._fonts = {size: ImageFont.load_default(size) for size in (11, 12, 13, 15, 17, 19)}

    def draw(self, frame: Frame) -> NDArray[np.uint8]:
        """The frame as (540, 960, 3) uint8."""
        image = Image.new("RGB", (WIDTH, HEIGHT), _PAGE)
        self._pen = ImageDraw.Draw(image)
        self._header(frame)
        self._viewer(frame)
        self._hidden(frame)
        self._cards(frame.cards, frame.categories)
        self._footer(frame)
        return np.asarray(image)

    # Parts of the page

    def _header(self, frame: Frame) -> None:
        self._pen.rectangle((0, 0, WIDTH, _HEAD), fill=_HEADER)
        self._text((12, _HEAD / 2), "LiveStreamRec", 17, _HEADER_INK, "lm")
        self._text((_SIDE + _GAP, _HEAD / 2), frame.moment[0], 19, _HEADER_INK, "lm")
        rest = "   ·   ".join(frame.moment[1:])
        first, last = _window(frame.cards)
        if last - first < len(frame.cards):
            rest += f"   ·   slots {first} to {last - 1} of {len(frame.cards)}"
        self._text((WIDTH - 12, _HEAD / 2), rest, 15, "#c8d0da", "rm")

    def _viewer(self, frame: Frame) -> None:
        bottom = HEIGHT - 150
        self._panel((_GAP, _HEAD + _GAP, _SIDE, bottom), _PANEL)
        x, y = 2 * _GAP, _HEAD + 2 * _GAP
        self._text((x, y), frame.viewer[0], 15, _INK)
        for i, line in enumerate(frame.viewer[1:]):
            self._text((x, y + 22 + 16 * i), line, 13, _INK if i == 0 else _FAINT)
        y += 14 + 16 * len(frame.viewer)
        self._text((x, y), "tastes by category", 12, _FAINT)
        y += 18
        step = min(24.0, (bottom - 6 - y) / len(frame.tastes))
        for k, (name, taste) in enumerate(zip(frame.categories, frame.tastes, strict=True)):
            top = y + k * step
            if step >= 10:
                self._text((x, top + step / 2), self._cut(name, 12, 66), 12, _INK, "lm")
            track = (x + 72, top + 0.15 * step, _SIDE - _GAP, top + 0.75 * step)
            self._gauge(track, taste / 3.0, _CATEGORY_COLOURS[k % 10])

    def _hidden(self, frame: Frame) -> None:
        top = HEIGHT - 150 + _GAP
        self._panel((_GAP, top, _SIDE, HEIGHT - _GAP), _HIDDEN)
        x, y = 2 * _GAP, top + 6
        self._text((x, y), "hidden from the agent", 13, _PURPLE)
        gauges = (("satisfaction", frame.satisfaction), ("fatigue", frame.fatigue))
        for i, (name, value) in enumerate(gauges):
            middle = y + 28 + 18 * i
            self._text((x, middle), name, 12, _INK, "lm")
            self._gauge((x + 72, middle - 5, _SIDE - 44, middle + 5), value, _PURPLE)
            self._text((_SIDE - _GAP, middle), f"{value:+.2f}", 12, _INK, "rm")
        self._text((x, y + 64), "satiation", 12, _INK, "lm")
        base, height = HEIGHT - 2 * _GAP, 54  # in the colours and the order of the tastes
        step = (_SIDE - _GAP - x - 72) / len(frame.satiation)
        for k, value in enumerate(frame.satiation):
            left, right = x + 72 + k * step, x + 72 + (k + 0.8) * step
            self._pen.rectangle((left, base - height, right, base), fill="#ddd5e8")
            level = height * min(value / 1.5, 1.0)
            if level >= 0.5:
                self._pen.rectangle(
                    (left, base - level, right, base), fill=_CATEGORY_COLOURS[k % 10]
                )

    def _cards(self, cards: tuple[Card, ...], categories: tuple[str, ...]) -> None:
        shown = cards[slice(*_window(cards))]
        rows = 2 if len(shown) <= 2 * _COLUMNS else 3
        left, top = _SIDE + _GAP, _HEAD + _GAP
        width = (WIDTH - _GAP - left - (_COLUMNS - 1) * _GAP) / _COLUMNS
        height = (HEIGHT - _FOOT - _GAP - top - (rows - 1) * _GAP) / rows
        for i, card in enumerate(shown):
            x = left + i % _COLUMNS * (width + _GAP)
            y = top + i // _COLUMNS * (height + _GAP)
            self._card(card, categories[card.category], (x, y, x + width, y + height))

    def _card(self, card: Card, category: str, box: _Box) -> None:
        x, top, right, bottom = box
        if card.room < 0:
            self._panel(box, _PAGE, _CHOSEN if card.chosen else _LINE)
            self._text(((x + right) / 2, (top + bottom) / 2), "empty slot", 13, _FAINT, "mm")
            return
        self._panel(box, _CHOSEN_PAGE if card.chosen else _PANEL, _CHOSEN if card.chosen else _LINE)
        colour = _CATEGORY_COLOURS[card.category % 10]
        self._pen.rectangle((x + 3, top + 3, right - 3, top + 23), fill=colour)
        slot = f"slot {card.slot}"
        room = right - x - 24 - self._width(slot, 12)
        self._text((x + 8, top + 13), self._cut(category, 13, room), 13, "white", "lm")
        self._text((right - 8, top + 13), slot, 12, "white", "rm")
        # Rows share the height that is left, so that tall cards breathe.
        step = (bottom - top - 26) / 6.3
        rows = [top + 25 + (i + 0.6) * step for i in range(6)]
        self._text((x + 8, rows[0]), f"streamer {card.streamer}", 12, _INK, "lm")
        gauges = (
            ("affinity", card.affinity, _GAUGE),
            ("cover", card.cover_appeal, _GAUGE),
            ("viewers", card.viewers, _GAUGE),
            ("buzz", card.engagement, _WARM if card.engagement > 0 else _GAUGE),
        )
        for row, (name, value, shade) in zip(rows[1:5], gauges, strict=True):
            self._text((x + 8, row), name, 12, _FAINT, "lm")
            self._gauge((x + 60, row - 4, right - 8, row + 4), value, shade)
        known = "" if card.known_s is None else f"seen {_short(card.known_s)}"
        self._text((x + 8, rows[5]), f"live {_short(card.age_s)}", 12, _FAINT, "lm")
        self._text((right - 8, rows[5]), known, 12, _KNOWN, "rm")
        if card.followed:
            self._chip((right - 8, rows[0]), "follows", 11, _KNOWN, right=True)

    def _footer(self, frame: Frame) -> None:
        left, top = _SIDE + _GAP, HEIGHT - _FOOT
        self._panel((left, top, WIDTH - _GAP, HEIGHT - _GAP), _PANEL)
        x = left + 10.0
        chosen = [card for card in frame.cards if card.chosen]
        lead = f"slot {chosen[0].slot}:" if chosen else "an episode begins"
        self._text((x, top + 20), lead, 15, _INK, "lm")
        x += self._width(lead, 15) + 8
        width = sum(self._width(text, 13) + 16 for text in frame.events.values())
        size = 13 if x + width < WIDTH - 2 * _GAP else 11
        for kind, text in frame.events.items():
            x = self._chip((x, top + 20), text, size, _EVENT_COLOURS[kind]) + 6
        self._pen.line((left + 10, top + 40, WIDTH - 18, top + 40), fill=_LINE)
        step = 71
        for i, (name, value) in enumerate(frame.totals.items()):
            self._text((left + 10 + i * step, top + 56), value, 15, _INK, "lm")
            self._text((left + 10 + i * step, top + 74), name, 11, _FAINT, "lm")
        self._history(frame, (left + 10 + len(frame.totals) * step, WIDTH - 18), top)

    def _history(self, frame: Frame, span: tuple[float, float], top: float) -> None:
        """The last impressions, latest right: colour is the category, height the log of seconds."""
        left, right = span
        base, height = top + 66, 22
        self._text((right, top + 76), "last impressions", 11, _FAINT, "rm")
        step = 14
        for i, (category, watch_s) in enumerate(frame.history):
            x = right - (i + 1) * step
            if x < left:
                break
            self._pen.rectangle((x + 2, base - 1, x + step - 1, base), fill=_LINE)
            level = height * min(np.log1p(watch_s) / np.log1p(3600.0), 1.0)
            if watch_s > 0:
                box = (x + 2, base - max(level, 2), x + step - 1, base)
                self._pen.rectangle(box, fill=_CATEGORY_COLOURS[category % 10])

    # Elements

    def _text(
        self, at: tuple[float, float], text: str, size: int, fill: str, anchor: str = "la"
    ) -> None:
        # Word by word: at these sizes the font's own spaces are too narrow to be seen.
        x = at[0] - {"l": 0.0, "m": 0.5, "r": 1.0}[anchor[0]] * self._width(text, size)
        for word in text.split(" "):
            place = (round(x), at[1])
            self._pen.text(place, word, fill, self._fonts[size], "l" + anchor[1])
            x += self._width(word, size) + self._space(size)

    def _width(self, text: str, size: int) -> float:
        """Of ``text`` as :meth:`_text` writes it."""
        words = text.split(" ")
        written = sum(self._fonts[size].getlength(word) for word in words)
        return float(written) + (len(words) - 1) * self._space(size)

    def _cut(self, text: str, size: int, width: float) -> str:
        """As much of ``text`` as fits into ``width``."""
        while text and self._width(text, size) > width:
            text = text.removesuffix("…")[:-1] + ("…" if len(text) > 2 else "")
        return text

    def _space(self, size: int) -> float:
        return max(self._fonts[size].getlength(" "), round(0.28 * size))

    def _panel(self, box: _Box, fill: str, outline: str = _LINE) -> None:
        width = 3 if outline == _CHOSEN else 1
        self._pen.rounded_rectangle(box, radius=5, fill=fill, outline=outline, width=width)

    def _chip(
        self, at: tuple[float, float], text: str, size: int, fill: str, right: bool = False
    ) -> float:
        """A label on a coloured ground, vertically centred at ``at``; returns its right edge."""
        width = self._width(text, size) + 10
        x, y = (at[0] - width, at[1]) if right else at
        box = (x, y - size / 2 - 3, x + width, y + size / 2 + 3)
        self._pen.rounded_rectangle(box, radius=4, fill=fill)
        self._text((x + 5, y), text, size, "white", "lm")
        return x + width

    def _gauge(self, box: _Box, value: float, fill: str) -> None:
        """A bar from the middle: to the right for positive values up to 1, else to the left."""
        left, top, right, bottom = box
        middle = (left + right) / 2
        self._pen.rectangle(box, fill=_TRACK)
        end = middle + min(max(value, -1.0), 1.0) * (right - middle)
        self._pen.rectangle((min(middle, end), top, max(middle, end), bottom), fill=fill)
        self._pen.line((middle, top - 1, middle, bottom + 1), fill=_FAINT)


def _window(cards: tuple[Card, ...]) -> tuple[int, int]:
    """The first slot drawn, and the one after the last: those around the chosen one."""
    chosen = next((card.slot for card in cards if card.chosen), 0)
    first = max(0, min(chosen - _MOST_CARDS // 2, len(cards) - _MOST_CARDS))
    return first, min(first + _MOST_CARDS, len(cards))


def _short(seconds: float) -> str:
    """For example ``34 s``, ``12 min``, ``3.4 h``."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"
