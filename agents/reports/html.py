"""Pages as one HTML file that needs nothing else: no library, no network, no other file.

A report is a title and sections; a section is a title and HTML, put together from the functions
here: :func:`markdown` for words and tables, :func:`figure` for plots, :func:`side_by_side` for
viewer-days recorded by :mod:`agents.experiments.replay`. :mod:`agents.play` fills the same
:func:`page`.
"""

from __future__ import annotations

import html
import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template
from typing import Any, NamedTuple

from matplotlib.figure import Figure

from agents.reports.markdown import to_html as markdown
from agents.reports.plots import to_svg
from livestream_env.files import write_text

__all__ = ["Section", "figure", "markdown", "page", "side_by_side", "write_html"]

LARGEST = 1e30  # number of a replay
TEMPLATES = Path(__file__).with_name("templates")


class Section(NamedTuple):
    """A part of a page.

    Attributes:
        title: Plain text.
        body: HTML.
    """

    title: str
    body: str


def figure(drawing: Figure, name: str, caption: str) -> str:
    """A plot with its caption.

    Args:
        drawing: From :mod:`agents.reports.plots`.
        name: Of the plot, unique in the page: letters, digits and hyphens.
        caption: What it shows, plain text; read to those who cannot see it, too.

    Raises:
        ValueError: ``name`` is not of that form.
    """
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]*", name):
        raise ValueError(f"name must be a letter, then letters, digits or hyphens, got {name!r}")
    label = html.escape(caption)
    svg = to_svg(drawing, name).replace("<svg", f'<svg role="img" aria-label="{label}"', 1)
    return f'<figure id="{name}">\n{svg}\n<figcaption>{label}</figcaption>\n</figure>'


def side_by_side(recordings: Mapping[str, Mapping[str, Any]]) -> str:
    """Viewer-days side by side, to be stepped through impression by impression.

    Args:
        recordings: For each agent (one or two) what
            :func:`agents.experiments.replay.record` returned, of
            the same viewer-day.
    """
    plays = [{"agent": agent, **recording} for agent, recording in recordings.items()]
    # In a script element only "<" can end or change the text.
    data = json.dumps(_finite(plays), allow_nan=False, separators=(",", ":"))
    data = data.replace("<", "\\u003c")
    tastes = ", ".join(f"{name} {taste:+.1f}" for name, taste in plays[0]["tastes"].items())
    about = f"{'; '.join(plays[0]['viewer'])}; tastes in standard deviations: {tastes}"
    return (
        f"<p>{html.escape(about[:1].upper() + about[1:]).replace(' -', ' −')}.</p>\n"
        "<p>▶ marks what was shown. The gauges are what the agent saw, the middle at 0; ★ is a "
        "followed streamer, <em>watched</em> the time ever spent with one (min:s). In grey what "
        "only an oracle sees: the probability of a click and the expected reward of the "
        "impression.</p>\n"
        f'<div class="replay"><script type="application/json">{data}</script>'
        "<noscript>The replay needs JavaScript, which is in this file.</noscript></div>"
    )


def _finite(value: Any) -> Any:
    """JSON values whose numbers can be drawn: NaN is 0, what is too large is ±1e30."""
    if isinstance(value, float):
        return min(max(value, -LARGEST), LARGEST) if not math.isnan(value) else 0.0
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    return [_finite(one) for one in value] if isinstance(value, (list, tuple)) else value


def write_html(path: Path, title: str, sections: Sequence[Section], subtitle: str = "") -> None:
    """Write a page atomically.

    Args:
        path: The file.
        title: Of the page, plain text.
        sections: In order.
        subtitle: A line below the title, plain text.
    """
    names = [f"section-{i}" for i in range(1, len(sections) + 1)]
    contents = [
        f'<a href="#{name}">{html.escape(section.title)}</a>'
        for name, section in zip(names, sections, strict=True)
    ]
    body = [
        f'<section aria-labelledby="{name}">\n<h2 id="{name}">{html.escape(section.title)}</h2>\n'
        f"{section.body}\n</section>"
        for name, section in zip(names, sections, strict=True)
    ]
    write_text(path, page(title, "\n".join(body), subtitle, " ".join(contents)))


def page(
    title: str,
    body: str,
    subtitle: str = "",
    contents: str = "",
    more: Path | None = None,
    connect: str = "'none'",
) -> str:
    """The text of a page, with the style and the script of all pages.

    Args:
        title: Plain text.
        body: HTML.
        subtitle: A line below the title, plain text.
        contents: Links to the parts of the page, HTML.
        more: A folder whose ``style.css`` and ``script.js`` go after those of all pages.
        connect: What scripts may fetch, a source of the Content Security Policy.
    """
    folders = [TEMPLATES, *([] if more is None else [more])]

    def together(name: str) -> str:
        return "\n".join((at / name).read_text(encoding="utf-8").strip() for at in folders)

    return Template((TEMPLATES / "page.html").read_text(encoding="utf-8")).substitute(
        title=html.escape(title),
        subtitle=html.escape(subtitle),
        contents=contents and f'<nav aria-label="Sections">{contents}</nav>',
        body=body,
        connect=connect,
        style=together("style.css"),
        script=together("script.js"),
    )
