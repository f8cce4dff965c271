"""Markdown that is written by code, and where it goes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from livestream_env.files import write_text
from scripts.site.places import GENERATED

# :class:`World` is `World`: no link, as most are to neighbours on the same page.
_ROLE = re.compile(r":(?:attr|class|data|func|meth|mod):`~?([^`]+)`")


def write_part(name: str, text: str) -> None:
    """What a page has at ``<!-- generated: name -->``."""
    write_text(GENERATED / "parts" / f"{name}.md", text)


def table(heads: Sequence[str], rows: Iterable[Sequence[object]], align: str = "") -> str:
    """A table; ``align`` has a letter per column, ``r`` for numbers."""
    rules = ("---:" if letter == "r" else "---" for letter in align.ljust(len(heads), "l"))
    lines = [heads, tuple(rules), *rows]
    return "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines)


def _cell(value: object) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ")


def code(value: object) -> str:
    """``value`` as code."""
    return f"`{value}`"


def plain(docstring: str) -> str:
    """A docstring as Markdown: roles and literals are code."""
    return _ROLE.sub(r"`\1`", docstring).replace("``", "`")
