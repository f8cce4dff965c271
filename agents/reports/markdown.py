"""Tables and estimates as Markdown that also reads well as plain text, and Markdown as HTML."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token

from agents.reports.statistics import Estimate


def estimate_text(estimate: Estimate, sign: str = "", digits: int = 2) -> str:
    """For example ``3.14 [3.01, 3.20]``.

    Args:
        estimate: A value with its interval.
        sign: ``"+"`` to show the sign of positive numbers too.
        digits: After the point.
    """
    value, low, high = (f"{number:{sign}.{digits}f}".replace("-", "−") for number in estimate)
    return f"{value} [{low}, {high}]"


def markdown_table(
    header: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1
) -> list[str]:
    """The lines of a table, padded, numbers to the right.

    Args:
        header: Name of each column.
        rows: As many cells each.
        left: How many columns, from the first, are words, aligned left.
    """
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    rule = ["-" * w if i < left else "-" * (w - 1) + ":" for i, w in enumerate(widths)]

    def line(cells: Sequence[str]) -> str:
        padded = [
            cell.ljust(width) if i < left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        return f"| {' | '.join(padded)} |"

    return [line(header), line(rule), *map(line, rows)]


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
