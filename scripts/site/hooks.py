"""MkDocs' hooks: generated parts of pages, links that also work on GitHub, formulas as MathML.

MathML is what browsers draw themselves: formulas need no script and no network.
"""

from __future__ import annotations

import re
from html import unescape
from typing import Any

from latex2mathml.converter import convert
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from scripts.site.places import DOCS, ELSEWHERE, GENERATED, TUTORIALS, with_links

_PART = re.compile(r"^<!-- generated: (\S+) -->$", re.MULTILINE)
_FORMULA = re.compile(r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>', re.DOTALL)
# Spaces that TeX makes and latex2mathml does not: around ~, and after a function without brackets.
_SPACED = (
    (re.compile("<mi>&#x0007E;</mi>"), "<mo>&#x0223C;</mo>"),
    (re.compile(r"(<mi>(?:ln|exp)</mi>)(?!<mo)"), r'\1<mspace width="0.167em"/>'),
)
_NOT_MADE = re.compile(r">(?:&|\\[a-zA-Z{}]+)<")


def on_files(files: Files, config: Any) -> Files:
    """Add what is not in ``docs``; a tutorial's page takes the place of its source."""
    for path, place in ELSEWHERE.items():
        files.append(File.generated(config, place, abs_src_path=str(path)))
    for source in TUTORIALS.glob("*.py"):
        files.remove(files.src_uris[source.relative_to(DOCS).as_posix()])
    for path in sorted((GENERATED / "site").rglob("*")):
        if path.is_file():
            place = path.relative_to(GENERATED / "site").as_posix()
            files.append(File.generated(config, place, abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Page, config: Any, files: Files) -> str:
    """Links first: what is generated has those of the site already."""
    place = page.file.src_uri
    source = {there: path for path, there in ELSEWHERE.items()}.get(place, DOCS / place)
    if source.exists():
        try:
            markdown = with_links(markdown, source, place)
        except ValueError as error:
            raise PluginError(str(error)) from None
    return _PART.sub(_generated, markdown)


def _generated(match: re.Match[str]) -> str:
    path = GENERATED / "parts" / f"{match[1]}.md"
    if not path.is_file():
        raise PluginError(f"{path} is missing: python -m scripts.docs writes it")
    return path.read_text(encoding="utf-8")


def on_page_content(html: str, page: Page, config: Any, files: Files) -> str:
    """Formulas as MathML."""
    return _FORMULA.sub(_math, html)


def _math(match: re.Match[str]) -> str:
    formula = unescape(match[2]).strip()
    if match[1] == "span":
        return _mathml(formula, "inline")
    # Beside each other where there is room, else one below the other.
    parts = [_mathml(part, "block") for part in re.split(r"\s*\\qquad\s*", formula)]
    return f'<div class="formula">{"".join(parts)}</div>'


def _mathml(formula: str, display: str) -> str:
    made = str(convert(formula, display=display))
    if _NOT_MADE.search(made):
        raise PluginError(f"the formula {formula} has something that latex2mathml does not know")
    for found, instead in _SPACED:
        made = found.sub(instead, made)
    return made
