"""The plots of a comparison, drawn without a window system, as PNG files or as inline SVG."""

from __future__ import annotations

import io
import itertools
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator
from numpy.typing import ArrayLike, NDArray

from agents.policy import AGENTS, GREY
from agents.reports.markdown import NONE, number_text, plain
from agents.reports.statistics import Estimate, Profile, iqm, seed_interval
from livestream_env.files import atomic_path

# Users' classes, and agents with other settings; what has an entry has its colour there.
SPARE_COLOURS = ("#2f8f8b", "#a04f8d", "#6a8f2f", "#5a6fc0")
INK = "#2b2f36"
GRID = "#e6e8eb"
LARGEST = 1e100  # that is drawn
LONGEST_NAME = 44  # characters


def colours_of(names: Iterable[str]) -> dict[str, str]:
    """Each agent's colour: its own in the list of agents, or one of the spare ones in turn."""
    spare = itertools.cycle(SPARE_COLOURS)
    return {
        name: next(spare)
        if ":" in name or "?" in name
        else (AGENTS[name].colour if name in AGENTS else GREY)
        for name in names
    }


def drawable(values: ArrayLike) -> NDArray[np.bool_]:
    """Which values can be drawn: those that are finite, and not so large that axes overflow."""
    values = np.asarray(values, np.float64)
    return np.isfinite(values) & (np.abs(values) < LARGEST)


def words(name: str) -> dict[str, Any]:
    """A name as a text of a plot: short, printable, and no formula."""
    return {"text": plain(name, LONGEST_NAME), "parse_math": False}


def legend(
    owner: Axes | Figure, lines: Sequence[Line2D], names: Sequence[str], **where: Any
) -> None:
    """A legend of any names; Matplotlib leaves out those that begin with an underscore."""
    made = owner.legend(lines, ["name"] * len(names), frameon=False, **where)
    for text, name in zip(made.get_texts(), names, strict=True):
        text.update(words(name))


@contextmanager
def any_glyph() -> Iterator[None]:
    """Draw characters that Matplotlib's font lacks as boxes, without a warning for each."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)
        warnings.filterwarnings("ignore", ".* not supported natively", UserWarning)
        yield


def new_figure(width: float, height: float) -> Figure:
    """An empty one, inches."""
    figure = Figure(figsize=(width, height), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def tidy(axes: Axes) -> None:
    """The look that all plots have in common."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=INK, labelsize=9)
    axes.grid(axis="both", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)


def save_png(figure: Figure, path: Path) -> None:
    """Write a figure atomically."""
    with atomic_path(path) as temporary, any_glyph():
        figure.savefig(temporary)


def to_svg(figure: Figure, prefix: str) -> str:
    """A figure as an ``<svg>`` element for a page, the same for the same figure.

    Words stay words, and take the page's colour, so that they can be read on light and dark.

    Args:
        figure: What to draw.
        prefix: Put before its ids, which must be unique in the page.
    """
    buffer = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": prefix}), any_glyph():
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    # Metadata and namespaces name addresses, which a page that asks for nothing need not hold; its
    # style sheet would hold for the whole page.
    svg = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\sxmlns(:\w+)?="[^"]*"', "", svg)
    svg = re.sub(r'\b(id="|href="#|url\(#)', rf"\g<1>{prefix}-", svg)
    for colour in (INK, "#000000"):
        svg = svg.replace(colour, "currentColor")
    return svg.replace(GRID, "var(--grid)").strip()


def draw_curves(
    curves: pd.DataFrame, levels: Mapping[str, float], days: int | None = None
) -> Figure:
    """Reward while training, by experience and by computing time.

    Args:
        curves: Columns agent, seed, timesteps, cpu_s, reward; points that are not finite are left
            out.
        levels: Scores of agents that do not learn, drawn as lines.
        days: Viewer-days of each evaluation, if the axis is to say it.
    """
    numbers = curves[["timesteps", "cpu_s", "reward"]]
    curves = curves[drawable(numbers).all(axis=1)]
    levels = {name: level for name, level in levels.items() if drawable(level)}
    figure = new_figure(10, 4.4)
    by_steps, by_time = figure.subplots(1, 2, sharey=True)
    names = list(curves["agent"].unique())
    colours, lines = colours_of(names), []
    for agent, rows in curves.groupby("agent", sort=False):
        points = rows.assign(point=rows.groupby("seed").cumcount())
        reward = points.pivot(index="point", columns="seed", values="reward").dropna()
        place = points.groupby("point")[["timesteps", "cpu_s"]].mean().loc[reward.index]
        middle = iqm(reward.to_numpy(), axis=1)
        low, high = seed_interval(reward.to_numpy().T)
        # Before training no time has passed, which a logarithmic axis cannot show.
        for axes, x, first in (
            (by_steps, place["timesteps"] / 1000, 0),
            (by_time, place["cpu_s"], 1),
        ):
            lines += axes.plot(x[first:], middle[first:], color=colours[agent], linewidth=2)
            axes.fill_between(
                x[first:], low[first:], high[first:], color=colours[agent], alpha=0.15, linewidth=0
            )
    for axes in (by_steps, by_time):
        for level in levels.values():
            axes.axhline(level, color=GREY, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
        tidy(axes)
    _name_levels(by_time, levels)
    by_steps.set_xlabel("environment steps (thousands)")
    by_time.set_xlabel("CPU seconds of training (log scale)")
    if np.isfinite(by_time.dataLim.minposx):  # something took time
        by_time.set_xscale("log")
        span = np.log10(by_time.dataLim.xmax / by_time.dataLim.minposx)
        by_time.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if span < 2 else (1,)))
        by_time.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
        by_time.xaxis.set_minor_locator(NullLocator())
    of = "" if days is None else f" (the first {days:,})"
    by_steps.set_ylabel(f"reward per viewer-day{of}")
    if len(curves):
        by_steps.set_title(
            "learning curves: interquartile mean over seeds, 95 % interval",
            loc="left",
            fontsize=10,
            color=INK,
        )
        longest = max(len(plain(name, LONGEST_NAME)) for name in names)
        columns = max(1, min(6, 110 // (longest + 8)))  # as many as the width has room for
        where = {"loc": "outside upper left", "ncols": columns, "fontsize": 10}
        legend(figure, lines[::2], names, **where)
    return figure


def _name_levels(axes: Axes, levels: Mapping[str, float]) -> None:
    """Names to the right of the horizontal lines, moved apart where they would overlap."""
    low, high = axes.get_ylim()
    gap = (high - low) * 0.045
    place = -np.inf
    for name, level in sorted(levels.items(), key=lambda item: item[1]):
        place = max(level, place + gap)
        axes.annotate(**words(name), xy=(1.0, place), xycoords=("axes fraction", "data"),
                      xytext=(4, 0), textcoords="offset points", va="center", fontsize=8, color=INK,
                      annotation_clip=False)  # fmt: skip


def draw_scores(scores: Mapping[str, Estimate], low: str, high: str) -> Figure:
    """Final scores with their intervals, best on top.

    Args:
        scores: The estimate for each agent.
        low: The agent that a normalised score calls 0.
        high: The agent that it calls 1; without either there is no second axis.
    """
    known = [name for name in scores if drawable(scores[name].value)]
    names = [name for name in scores if name not in known]  # below, without a point
    names += sorted(known, key=lambda name: scores[name].value)
    colours = colours_of(scores)
    figure = new_figure(8, 1.3 + 0.36 * len(names))
    axes = figure.subplots()
    for place, name in enumerate(names):
        # To the right of the axes, where no line crosses it.
        axes.annotate(number_text(scores[name].value) if name in known else NONE, (1.0, place),
                      xycoords=("axes fraction", "data"), xytext=(6, 0),
                      textcoords="offset points", va="center", fontsize=9, color=INK,
                      annotation_clip=False)  # fmt: skip
        if name not in known:
            continue
        value, bottom, top = scores[name]
        if not drawable([bottom, top]).all():
            bottom = top = value
        colour = colours[name]
        axes.plot([bottom, top], [place, place], color=colour, linewidth=5, alpha=0.35,
                  solid_capstyle="round")  # fmt: skip
        axes.plot(value, place, "o", color=colour, markersize=7)
    labels = [plain(name, LONGEST_NAME) for name in names]
    axes.set_yticks(range(len(names)), labels, parse_math=False)
    axes.set_ylim(-0.6, len(names) - 0.4)
    axes.margins(x=0.05)
    axes.set_xlabel("reward per viewer-day: interquartile mean over seeds, 95 % interval")
    tidy(axes)
    axes.grid(axis="y", visible=False)
    if low in known and high in known and scores[low].value != scores[high].value:
        zero, one = scores[low].value, scores[high].value
        for level in (zero, one):
            axes.axvline(level, color=GREY, linewidth=1, linestyle=(0, (4, 3)), zorder=0)
        scale = one - zero
        normalised = axes.secondary_xaxis(
            "top",
            functions=(
                lambda x: (np.asarray(x, float) - zero) / scale,
                lambda y: zero + np.asarray(y, float) * scale,
            ),
        )
        normalised.set_xlabel(f"normalised score (0: {low}, 1: {high})")
        normalised.tick_params(labelsize=9)
    return figure


def draw_profiles(
    thresholds: np.ndarray,
    profiles: Mapping[str, Profile],
    levels: Mapping[str, float],
    label: str = "reward per viewer-day",
) -> Figure:
    """Performance profiles: which share of an agent's runs scores above each threshold.

    Args:
        thresholds: ``(T,)``.
        profiles: For each agent arrays ``(T,)``.
        levels: Scores of a few agents of one run, drawn as lines.
        label: What a score is.
    """
    colours = colours_of(profiles)
    figure = new_figure(8, 3.8)
    axes = figure.subplots()
    lines = []
    for name, (share, low, high) in profiles.items():
        lines += axes.step(thresholds, share, where="post", color=colours[name], linewidth=2)
        axes.fill_between(thresholds, low, high, step="post", color=colours[name], alpha=0.15,
                          linewidth=0)  # fmt: skip
    for level in levels.values():
        axes.axvline(level, color=GREY, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
    tidy(axes)
    axes.set_xlabel(f"{label}, threshold")
    axes.set_ylabel("share of runs above it")
    for place, (name, level) in enumerate(sorted(levels.items(), key=lambda item: item[1])):
        # In turn on two heights, as neighbours may be close.
        axes.annotate(**words(name), xy=(level, 1.0), xycoords=("data", "axes fraction"),
                      xytext=(0, 3 + 10 * (place % 2)), textcoords="offset points", ha="center",
                      fontsize=8, color=INK, annotation_clip=False)  # fmt: skip
    legend(axes, lines, list(profiles), loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=9)
    return figure
