"""Tables and estimates as Markdown that also reads well as plain text."""

from __future__ import annotations

from collections.abc import Sequence

from .statistics import Estimate


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
