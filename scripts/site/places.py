"""Which files are pages of the site, and where what is generated lies."""

from __future__ import annotations

import os
import posixpath
import re
import tomllib
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
GENERATED = ROOT / "build" / "docs"  # by python -m scripts.docs
TUTORIALS = DOCS / "tutorials"
_PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
REPOSITORY = _PROJECT["urls"]["Repository"]  # has what the site does not hold

# Pages that lie elsewhere, by their place in the site.
ELSEWHERE = {
    ROOT / "CONTRIBUTING.md": "project/contributing.md",
    ROOT / "CHANGELOG.md": "project/changelog.md",
    ROOT / "data" / "README.md": "reference/data.md",
}
_CODE = re.compile(r"(^```.*?^```|`[^`\n]*`)", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_URL = re.compile(r"[a-z]+:")


def place_of(path: Path) -> str | None:
    """The place in the site of a file of the repository; None if it has none."""
    if path in ELSEWHERE:
        return ELSEWHERE[path]
    if path.is_relative_to(DOCS):
        place = path.relative_to(DOCS)
        return str(place.with_suffix(".md") if place.suffix == ".py" else place)
    return None


def with_links(markdown: str, source: Path, place: str) -> str:
    """``markdown`` with its relative links as they are in the site.

    Args:
        markdown: a page whose links lead from ``source`` to files of the repository.
        source: the page's file.
        place: the page's place in the site.

    Raises:
        ValueError: a link leads to no file.
    """

    def of_site(match: re.Match[str]) -> str:
        path, hash_, anchor = match[1].partition("#")
        if not path or _URL.match(path):
            return match[0]
        target = Path(os.path.normpath(source.parent / path))
        if not target.exists():
            raise ValueError(f"{source.relative_to(ROOT)} links to {path}, which is no file")
        there = place_of(target)
        if there is None:
            kind = "tree" if target.is_dir() else "blob"
            path = f"{kind}/main/{target.relative_to(ROOT).as_posix()}"
            return f"]({REPOSITORY}/{path}{hash_}{anchor})"
        return f"]({posixpath.relpath(there, posixpath.dirname(place) or '.')}{hash_}{anchor})"

    return outside_code(markdown, lambda text: _LINK.sub(of_site, text))


def outside_code(markdown: str, change: Callable[[str], str]) -> str:
    """``markdown`` with ``change`` made to what is not code."""
    parts = _CODE.split(markdown)
    return "".join(part if i % 2 else change(part) for i, part in enumerate(parts))
