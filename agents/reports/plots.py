"""The plots of a comparison, drawn without a window system, as PNG files or as inline SVG."""

from __future__ import annotations

import io
import itertools
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from agents.policy import AGENTS, GREY
from agents.reports.statistics import Estimate, Profile, iqm, seed_interval
from livestream_env.files import atomic_path

# Users' classes, and agents with other settings; what has an entry has its colour there.
SPARE_COLOURS = ("#2f8f8b", "#a04f8d", "#6a8f2f", "#5a6fc0")
INK = "#2b2f36"
GRID = "#e6e8eb"


def _colours(names: Iterable[str]) -> dict[str, str]:
    spare = itertools.cycle(SPARE_COLOURS)
    return {
        name: next(spare)
        if ":" in name or "?" in name
        else (AGENTS[name].colour if name in AGENTS else GREY)
        for name in names
    }


def _figure(width: float, height: float) -> Figure:
    figure = Figure(figsize=(width, height), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _tidy(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=INK, labelsize=9)
    axes.grid(axis="both", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)


def save_png(figure: Figure, path: Path) -> None:
    """Write a figure atomically."""
    with atomic_path(path) as temporary:
        figure.savefig(temporary)


def to_svg(figure: Figure, prefix: str) -> str:
    """A figure as an ``<svg>`` element for a page, the same for the same figure.

    Words stay words, and take the page's colour, so that they can be read on light and dark.

    Args:
        figure: What to draw.
        prefix: Put before its ids, which must be unique in the page.
    """
    buffer = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": prefix}):
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


def draw_curves(curves: pd.DataFrame, levels: Mapping[str, float]) -> Figure:
    """Reward while training, by experience and by computing time.

    Args:
        curves: Columns agent, seed, timesteps, cpu_s, reward.
        levels: Scores of agents that do not learn, drawn as lines.
    """
    figure = _figure(10, 4.4)
    by_steps, by_time = figure.subplots(1, 2, sharey=True)
    colours = _colours(curves["agent"].unique())
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
            axes.plot(x[first:], middle[first:], color=colours[agent], linewidth=2, label=agent)
            axes.fill_between(
                x[first:], low[first:], high[first:], color=colours[agent], alpha=0.15, linewidth=0
            )
    for axes in (by_steps, by_time):
        for level in levels.values():
            axes.axhline(level, color=GREY, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
        _tidy(axes)
    _name_levels(by_time, levels)
    by_steps.set_xlabel("environment steps (thousands)")
    by_time.set_xlabel("CPU seconds of training (log scale)")
    by_time.set_xscale("log")
    by_time.tick_params(axis="x", which="minor", labelbottom=False)
    by_steps.set_ylabel("reward per viewer-day")
    if len(curves):
        by_steps.set_title(
            "learning curves: interquartile mean over seeds, 95 % interval",
            loc="left",
            fontsize=10,
            color=INK,
        )
        lines = by_steps.get_legend_handles_labels()
        figure.legend(*lines, loc="outside upper left", ncols=6, frameon=False, fontsize=10)
    return figure


def _name_levels(axes: Axes, levels: Mapping[str, float]) -> None:
    """Names to the right of the horizontal lines, moved apart where they would overlap."""
    low, high = axes.get_ylim()
    gap = (high - low) * 0.045
    place = -np.inf
    for name, level in sorted(levels.items(), key=lambda item: item[1]):
        place = max(level, place + gap)
        axes.annotate(name, (1.0, place), xycoords=("axes fraction", "data"), xytext=(4, 0),
                      textcoords="offset points", va="center", fontsize=8, color=INK,
                      annotation_clip=False)  # fmt: skip


def draw_scores(scores: Mapping[str, Estimate], low: str, high: str) -> Figure:
    """Final scores with their intervals, best on top.

    Args:
        scores: The estimate for each agent.
        low: The agent that a normalised score calls 0.
        high: The agent that it calls 1; without either there is no second axis.
    """
    names = sorted(scores, key=lambda name: scores[name].value)
    colours = _colours(scores)
    figure = _figure(8, 1.3 + 0.36 * len(names))
    axes = figure.subplots()
    for place, name in enumerate(names):
        value, bottom, top = scores[name]
        colour = colours[name]
        axes.plot([bottom, top], [place, place], color=colour, linewidth=5, alpha=0.35,
                  solid_capstyle="round")  # fmt: skip
        axes.plot(value, place, "o", color=colour, markersize=7)
        axes.annotate(f"{value:.2f}", (top, place), xytext=(8, 0), textcoords="offset points",
                      va="center", fontsize=9, color=INK)  # fmt: skip
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(-0.6, len(names) - 0.4)
    axes.margins(x=0.12)
    axes.set_xlabel("reward per viewer-day: interquartile mean over seeds, 95 % interval")
    _tidy(axes)
    axes.grid(axis="y", visible=False)
    if low in scores and high in scores and scores[low].value != scores[high].value:
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
        levels: Scores of one or two agents of one run, drawn as lines.
        label: What a score is.
    """
    colours = _colours(profiles)
    figure = _figure(8, 3.8)
    axes = figure.subplots()
    for name, (share, low, high) in profiles.items():
        axes.step(thresholds, share, where="post", color=colours[name], linewidth=2, label=name)
        axes.fill_between(thresholds, low, high, step="post", color=colours[name], alpha=0.15,
                          linewidth=0)  # fmt: skip
    for level in levels.values():
        axes.axvline(level, color=GREY, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
    _tidy(axes)
    axes.set_xlabel(f"{label}, threshold")
    axes.set_ylabel("share of runs above it")
    for place, (name, level) in enumerate(sorted(levels.items(), key=lambda item: item[1])):
        # In turn on two heights, as neighbours may be close.
        axes.annotate(name, (level, 1.0), xycoords=("data", "axes fraction"),
                      xytext=(0, 3 + 10 * (place % 2)), textcoords="offset points", ha="center",
                      fontsize=8, color=INK, annotation_clip=False)  # fmt: skip
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize=9)
    return figure
