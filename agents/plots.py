"""The plots of a comparison, drawn without a window system."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from .statistics import Estimate, iqm

# Learners and users' classes have a colour wherever they appear; other policies are grey.
COLOURS = {
    "dqn": "#0b6fb8",
    "dqn-article": "#5aaee0",
    "sb3-dqn": "#d1495b",
    "sb3-dqn-matched": "#e8935a",
    "linucb": "#4f9d69",
}
SPARE_COLOURS = ("#7b5ea7", "#b08d2f", "#2f8f8b", "#a04f8d")
GREY = "#8a8f98"
INK = "#2b2f36"


def _colours(names: Iterable[str]) -> dict[str, str]:
    spare = itertools.cycle(SPARE_COLOURS)
    return {name: next(spare) if ":" in name else COLOURS.get(name, GREY) for name in names}


def _figure(width: float, height: float) -> Figure:
    figure = Figure(figsize=(width, height), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _tidy(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=INK, labelsize=9)
    axes.grid(axis="both", color="#e6e8eb", linewidth=0.8)
    axes.set_axisbelow(True)


def plot_curves(path: Path, curves: pd.DataFrame, levels: Mapping[str, float]) -> None:
    """Reward while training, by experience and by computing time.

    Args:
        path: The PNG file.
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
        low, high = reward.min(axis=1), reward.max(axis=1)
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
    by_steps.set_ylabel("reward per viewer-day")
    if len(curves):
        by_steps.set_title(
            "learning curves: interquartile mean; band: lowest and highest seed",
            loc="left",
            fontsize=10,
            color=INK,
        )
        lines = by_steps.get_legend_handles_labels()
        figure.legend(*lines, loc="outside upper left", ncols=6, frameon=False, fontsize=10)
    figure.savefig(path)


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


def plot_scores(path: Path, scores: Mapping[str, Estimate], low: str, high: str) -> None:
    """Final scores with their intervals, best on top.

    Args:
        path: The PNG file.
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
    figure.savefig(path)
