"""Plots of a log beside the world that was fitted to it, drawn without a window system."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import (
    LogLocator,
    MaxNLocator,
    NullFormatter,
    PercentFormatter,
    StrMethodFormatter,
)
from numpy.typing import NDArray

from livestream_env.calibration.published import PublishedStatistic
from livestream_env.calibration.resampling import Histogram, Statistic, survival
from livestream_env.calibration.sums import by_pair, clicks_in_order
from livestream_env.config import HOURLY_ACTIVITY
from livestream_env.files import atomic_path

# The first line is wide, so that it shows under a second one that is like it.
STYLES: tuple[dict[str, Any], ...] = (
    {"color": "#7fb3dc", "linewidth": 3.5},
    {"color": "#d1495b", "linewidth": 1.5},
)
INK = "#2b2f36"

Published = Mapping[str, PublishedStatistic]


@dataclass(frozen=True, eq=False)
class Portrait:
    """What is drawn of a log or a world.

    Attributes:
        label: in the legend.
        impressions: (n,) ``IMPRESSION_DTYPE``.
        statistics: of them, with ``hourly_share``.
        room_minutes: (R,) lengths of rooms.
        room_censored: (R,) bool, whether a room may have gone on.
    """

    label: str
    impressions: NDArray[Any]
    statistics: Mapping[str, Statistic]
    room_minutes: NDArray[np.float64]
    room_censored: NDArray[np.bool_]


def draw_plots(
    folder: Path, portraits: Sequence[Portrait], published: Iterable[PublishedStatistic] = ()
) -> list[Path]:
    """Write watch_time, hourly_share, room_length, popularity and repeats as PNG.

    Args:
        folder: where to; made if it is not there.
        portraits: one or two, drawn over one another; the log first.
        published: values to mark.

    Returns:
        The files.
    """
    rows = {row.statistic: row for row in published}
    paths = []
    for name, draw in PLOTS.items():
        figure = Figure(dpi=150, layout="constrained")
        FigureCanvasAgg(figure)
        draw(figure, portraits, rows)
        paths.append(folder / f"{name}.png")
        with atomic_path(paths[-1]) as temporary:
            figure.savefig(temporary)
    return paths


def plot_watch_time(figure: Figure, portraits: Sequence[Portrait], published: Published) -> None:
    """How long clicks are watched: distribution function and density, log scale."""
    cumulative, density = _panels(figure, 2)
    watched = [p.impressions["watch_s"][p.impressions["click"]] for p in portraits]
    edges = np.geomspace(0.1, max(10.0, *(float(watch_s.max()) for watch_s in watched)), 60)
    for portrait, watch_s, style in zip(portraits, watched, STYLES, strict=False):
        counts, _ = np.histogram(watch_s, edges)
        share = counts / len(watch_s)
        upto = np.mean(watch_s < edges[0]) + np.append(0.0, share.cumsum())
        cumulative.plot(edges, upto, **style, label=portrait.label)
        middle = np.sqrt(edges[:-1] * edges[1:])
        density.plot(middle, share / np.diff(np.log10(edges)), **style)
    shares = {f"watch_under_{t}s": t for t in (5, 30, 300)}
    quantiles = {f"watch_p{q}_s": q / 100 for q in (50, 90, 99)}
    _mark(cumulative, published, quantiles, shares)
    for axes in (cumulative, density):
        _logarithmic(axes)
        axes.set_xlabel("watched seconds of a click (log scale)")
    cumulative.set_ylabel("share of clicks watched at most so long")
    density.set_ylabel("share of clicks per decade")
    _legend(figure, cumulative)


def plot_hourly_share(figure: Figure, portraits: Sequence[Portrait], published: Published) -> None:
    """When people watch, with 95 % intervals."""
    (axes,) = _panels(figure, 1)
    hours = np.arange(24)
    for portrait, style in zip(portraits, STYLES, strict=False):
        share = portrait.statistics["hourly_share"]
        axes.plot(hours, share.value, **style, label=portrait.label)
        low, high = np.broadcast_to(share.low, 24), np.broadcast_to(share.high, 24)
        axes.fill_between(hours, low, high, color=style["color"], alpha=0.2, linewidth=0)
    if "hourly_share_correlation" in published:
        axes.plot(hours, HOURLY_ACTIVITY, "o", color=INK, markersize=4, label="published")
    axes.set_xticks(range(0, 24, 3))
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.set_xlabel("local hour of the impression")
    axes.set_ylabel("share of watched time")
    _legend(figure, axes)


def plot_room_length(figure: Figure, portraits: Sequence[Portrait], published: Published) -> None:
    """How long rooms last, Kaplan-Meier where their end is not known."""
    (axes,) = _panels(figure, 1)
    for portrait, style in zip(portraits, STYLES, strict=False):
        minutes = portrait.room_minutes
        lengths = Histogram(minutes, np.zeros(len(minutes), int), 1, portrait.room_censored)
        one = np.ones((1, 1))
        going_on = survival(lengths.counts(one), lengths.counts(one, marked=True))[0]
        axes.plot(lengths.values, 1.0 - going_on, **style, label=portrait.label)
    _mark(axes, published, {f"room_minutes_p{q}": q / 100 for q in (25, 50, 75, 90)})
    _logarithmic(axes, (1.0, 2.0, 5.0))
    axes.set_xlabel("minutes (log scale)")
    axes.set_ylabel("share of rooms that last at most so long")
    _legend(figure, axes)


def plot_popularity(figure: Figure, portraits: Sequence[Portrait], published: Published) -> None:
    """Clicks of streamers by rank, both on a log scale."""
    (axes,) = _panels(figure, 1)
    for portrait, style in zip(portraits, STYLES, strict=False):
        streamer = portrait.impressions["streamer"][portrait.impressions["click"]]
        clicks = np.sort(np.bincount(streamer))[::-1]
        clicks = clicks[clicks > 0]
        axes.plot(np.arange(1, len(clicks) + 1), clicks / clicks.sum(), **style,
                  label=portrait.label)  # fmt: skip
    _logarithmic(axes)
    axes.set_yscale("log")
    axes.set_xlabel("rank of the streamer (log scale)")
    axes.set_ylabel("share of all clicks (log scale)")
    _legend(figure, axes)


def plot_repeats(figure: Figure, portraits: Sequence[Portrait], published: Published) -> None:
    """Clicks on streamers whom the viewer has clicked on before."""
    by_number, by_day = _panels(figure, 2, sharey=True)
    for portrait, style in zip(portraits, STYLES, strict=False):
        clicks = clicks_in_order(portrait.impressions)
        order, first = by_pair(clicks)
        repeat = np.empty(len(clicks), np.bool_)
        repeat[order] = ~first
        begins = np.append(True, np.diff(clicks["viewer"]) != 0)
        place = np.arange(len(clicks))
        number = place - np.maximum.accumulate(np.where(begins, place, 0))
        # Ten to the decade, from the second click on (the first is no repeat).
        level = np.floor(10 * np.log10(number[number > 0])).astype(int)
        size = np.bincount(level)
        seen = np.flatnonzero(size >= 30)
        x = np.bincount(level, number[number > 0] + 1.0)[seen] / size[seen]
        share = np.bincount(level, repeat[number > 0])[seen] / size[seen]
        by_number.plot(x, share, "o-", markersize=3, **style, label=portrait.label)
        size = np.bincount(clicks["day"])
        seen = np.flatnonzero(size)
        share = np.bincount(clicks["day"], repeat)[seen] / size[seen]
        by_day.plot(seen + 1, share, "o-", markersize=3, **style)
    _logarithmic(by_number)
    by_number.set_ylim(0, 1)
    by_number.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    by_number.set_xlabel("number of the viewer's click (log scale)")
    by_number.set_ylabel("on a streamer clicked on before")
    by_day.set_xlabel("day")
    by_day.xaxis.set_major_locator(MaxNLocator(integer=True))
    _legend(figure, by_number)


PLOTS: dict[str, Callable[[Figure, Sequence[Portrait], Published], None]] = {
    "watch_time": plot_watch_time,
    "hourly_share": plot_hourly_share,
    "room_length": plot_room_length,
    "popularity": plot_popularity,
    "repeats": plot_repeats,
}


def _panels(figure: Figure, count: int, sharey: bool = False) -> list[Axes]:
    figure.set_size_inches(1.0 + 5.0 * count, 4.2)
    panels = figure.subplots(1, count, squeeze=False, sharey=sharey)[0].tolist()
    for axes in panels:
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(colors=INK, labelsize=9)
        axes.grid(color="#e6e8eb", linewidth=0.8)
        axes.set_axisbelow(True)
    return panels


def _logarithmic(axes: Axes, ticks: tuple[float, ...] = (1.0,)) -> None:
    """``ticks``: to label in each decade."""
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=ticks))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _mark(
    axes: Axes,
    published: Published,
    quantiles: Mapping[str, float],
    shares: Mapping[str, float] | None = None,
) -> None:
    """Mark published points of a distribution function.

    Args:
        axes: of the distribution function.
        published: whatever is.
        quantiles: name → the share up to the published value.
        shares: name → the value up to which the published share is.
    """
    points = [(published[n].value, share) for n, share in quantiles.items() if n in published]
    points += [(x, published[n].value) for n, x in (shares or {}).items() if n in published]
    if points:
        axes.plot(*np.transpose(points), "o", color=INK, markersize=5, label="published")


def _legend(figure: Figure, axes: Axes) -> None:
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=len(labels), frameon=False,
                  fontsize=10)  # fmt: skip
