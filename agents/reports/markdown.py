"""Tables and estimates as Markdown that also reads well as plain text, and Markdown as HTML."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token

from agents.reports.statistics import Estimate

NONE = "–"  # what is undefined
LARGE = 1e9  # from here on with an exponent
LONGEST_NAME = 100  # characters; the middle of a longer one is left out


def plain(name: str, longest: int = LONGEST_NAME) -> str:
    """A name in one printable line: others' characters as escapes, a long one without its middle.

    Args:
        name: Any text.
        longest: Characters that are shown.
    """
    line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)
    if len(line) <= longest:
        return line
    tail = longest // 3
    return f"{line[: longest - tail - 1]}…{line[-tail:]}"


def code(name: str) -> str:
    """Any name as code, also one with backticks; the cells of a table need no more."""
    text = plain(name) or " "
    # As CommonMark has it: the fence is longer than any within, and a backtick stands off from it.
    runs = [len(run) for run in re.findall("`+", text)]
    fence = "`" * next(n for n in range(1, len(runs) + 2) if n not in runs)
    padded = text[0] in "` " or text[-1] in "` "
    return f"{fence} {text} {fence}" if padded and text.strip() else f"{fence}{text}{fence}"


def number_text(number: float, sign: str = "", digits: int = 2) -> str:
    """For example ``3.14``, ``−2.00``, ``1.2e+300``, or a dash where it is undefined.

    Args:
        number: Any.
        sign: ``"+"`` to show the sign of positive numbers too.
        digits: After the point.
    """
    if not math.isfinite(number):
        return NONE
    form = f"{sign}.{digits}f" if abs(number) < LARGE else f"{sign}.2g"
    return f"{number:{form}}".replace("-", "−")


def estimate_text(estimate: Estimate, sign: str = "", digits: int = 2) -> str:
    """For example ``3.14 [3.01, 3.20]``; without an interval ``3.14 [–]``, without a value ``–``.

    Args:
        estimate: A value with its interval.
        sign: ``"+"`` to show the sign of positive numbers too.
        digits: After the point.
    """
    if not estimate.defined:
        return NONE
    value, low, high = (number_text(number, sign, digits) for number in estimate)
    return f"{value} [{low}, {high}]" if estimate.has_interval else f"{value} [{NONE}]"


def markdown_table(
    header: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1
) -> list[str]:
    """The lines of a table, padded, numbers to the right.

    Args:
        header: Name of each column.
        rows: As many cells each, of one line; bars in them are escaped.
        left: How many columns, from the first, are words, aligned left.
    """
    header, rows = _escaped(header), [_escaped(row) for row in rows]
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    rule = ["-" * w if i < left else "-" * (w - 1) + ":" for i, w in enumerate(widths)]

    def line(cells: Sequence[str]) -> str:
        padded = [
            cell.ljust(width) if i < left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        return f"| {' | '.join(padded)} |"

    return [line(header), line(rule), *map(line, rows)]


def _escaped(cells: Sequence[str]) -> list[str]:
    return [cell.replace("|", "\\|") for cell in cells]


class _Renderer(RendererHTML):
    """HTML for a section of a page."""

    def heading_open(self, tokens: Sequence[Token], i: int, *_: Any) -> str:
        """A level down, as a page has its own title."""
        return f"<{_level_down(tokens[i].tag)}>"

    def heading_close(self, tokens: Sequence[Token], i: int, *_: Any) -> str:
        """Of the same level."""
        return f"</{_level_down(tokens[i].tag)}>\n"

    def table_open(self, *_: Any) -> str:
        """In a box of its own, which scrolls where the page is narrow."""
        return '<div class="wide"><table>\n'

    def table_close(self, *_: Any) -> str:
        """Of the box, too."""
        return "</table></div>\n"

    def th_open(self, tokens: Sequence[Token], i: int, *_: Any) -> str:
        """The style sheet aligns numbers."""
        number = tokens[i].attrGet("style") == "text-align:right"
        return f"<{tokens[i].tag}{' class=number' if number else ''}>"

    td_open = th_open


def _level_down(tag: str) -> str:
    return f"h{min(int(tag[1]) + 1, 6)}"


class _Parser(MarkdownIt):
    def validateLink(self, url: str) -> bool:
        """Only to the web and within the page."""
        return url.lower().startswith(("http://", "https://", "#"))


# HTML comes out as words, and there are no images: a page asks for no other file.
_PARSER = _Parser("commonmark", {"html": False}, renderer_cls=_Renderer)
_PARSER.enable("table").disable("image")


def to_html(text: str) -> str:
    """Markdown as HTML; HTML in it, and links that are neither web addresses nor ``#``, are words.

    Headings go down a level; the cells of columns aligned right are of the class ``number``.
    """
    return _PARSER.render(text).strip()
