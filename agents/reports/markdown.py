"""Tables and estimates as Markdown that also reads well as plain text, and Markdown as HTML."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence

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


def to_html(text: str) -> str:
    """The Markdown that this project writes, as HTML; anything else comes out as it is, escaped.

    It knows headings, paragraphs, lists of ``-``, tables, fenced code, ``code``, **bold** and
    links. Headings go down a level, as a page has its own title.
    """
    return "\n".join(_block(block) for block in _blocks(text.splitlines()))


def _blocks(lines: Sequence[str]) -> Iterator[list[str]]:
    """Lines that belong together: up to an empty one, a heading, or the end of fenced code."""
    block: list[str] = []
    for line in lines:
        fenced = bool(block) and block[0].startswith("```")
        if block and not fenced and (not line.strip() or line.startswith(("#", "```"))):
            yield block
            block = []
        if fenced or line.strip():
            block.append(line)
        if line.startswith("```" if fenced else "#"):
            yield block
            block = []
    if block:
        yield block


def _block(lines: list[str]) -> str:
    first = lines[0]
    if first.startswith("```"):
        return f"<pre><code>{html.escape(chr(10).join(lines[1:-1]))}</code></pre>"
    if first.startswith("#"):
        words = first.lstrip("#")
        level = min(len(first) - len(words) + 1, 6)
        return f"<h{level}>{_inline(words.strip())}</h{level}>"
    if first.startswith("|") and len(lines) > 1:
        return _table(lines)
    if first.startswith("- "):
        items = re.split(r"^- ", "\n".join(lines), flags=re.MULTILINE)[1:]
        return f"<ul>{''.join(f'<li>{_inline(item.strip())}</li>' for item in items)}</ul>"
    return f"<p>{_inline(' '.join(lines))}</p>"


def _table(lines: list[str]) -> str:
    rows = [[cell.strip() for cell in line.strip().strip("|").split(" | ")] for line in lines]
    number = [cell.endswith(":") for cell in rows.pop(1)]

    def row(cells: list[str], tag: str) -> str:
        return "".join(
            f"<{tag}{' class=number' if right else ''}>{_inline(cell)}</{tag}>"
            for cell, right in zip(cells, number, strict=False)
        )

    body = "".join(f"<tr>{row(cells, 'td')}</tr>" for cells in rows[1:])
    head = f"<thead><tr>{row(rows[0], 'th')}</tr></thead>"
    return f'<div class="wide"><table>{head}<tbody>{body}</tbody></table></div>'


def _inline(text: str) -> str:
    parts = re.split(r"`([^`]*)`", text)
    for i, part in enumerate(parts):
        escaped = html.escape(part)
        if i % 2:
            parts[i] = f"<code>{escaped}</code>"
        else:
            escaped = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", escaped)
            link = r'<a href="\2">\1</a>'
            parts[i] = re.sub(r"\[([^\]]+)\]\(((?:https?://|#)[^\s)]*)\)", link, escaped)
    return "".join(parts)
