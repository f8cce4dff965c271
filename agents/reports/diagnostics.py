"""Is the agent learning, and if not, why? What the runs' diagnostics say, as tables and a plot."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from agents.dqn.diagnostics import Diagnostics, seed_noise
from agents.experiments.runs import DIAGNOSTICS_FILE, Run
from agents.reports.html import Section, figure, markdown
from agents.reports.markdown import code, markdown_table, number_text
from agents.reports.plots import GREY, colours_of, drawable, legend, new_figure, tidy, words
from livestream_env.reward import REWARD_COMPONENTS

TITLE = "Is the agent learning?"
CAPTION = (
    "Mean return against mean Q in each tenth of the impressions, by Q, on held-out viewer-days "
    "played greedily (dashed: an unbiased Q); how much Q differs between the candidates of a "
    "screen, and how much of that between training seeds; TD errors of transitions hardly learnt "
    "from and of replayed ones; what the reward consists of."
)
EXPLANATION = (
    "Returns are discounted as in training. `Q − return`: bias, relative to the mean return. "
    "`between slots`: s.d. of Q between the candidates of a screen; `of it noise`: the share of "
    "that variance in which training seeds differ. `TD fresh / replayed`: error on transitions "
    "hardly learnt from yet, over that on replayed ones; well above 1 is overfitting. `horizon`: "
    "discounted impressions to come, of so many in fact. docs/learning.md says what to do about "
    "each."
)
_TD = ("fresh", "replayed")
_SHADES = ("#0b6fb8", "#e8935a", "#4f9d69", "#d1495b", "#7b5ea7")

ByAgent = Mapping[str, Sequence[Diagnostics]]


def load_diagnostics(folder: Path, runs: Iterable[Run]) -> dict[str, list[Diagnostics]]:
    """By agent those of its runs that left any; what cannot be read is named on stderr.

    Args:
        folder: Of the comparison.
        runs: Of it, finished or not.
    """
    found: dict[str, list[Diagnostics]] = {}
    for run in runs:
        path = run.folder(folder) / DIAGNOSTICS_FILE
        if path.exists():
            try:
                found.setdefault(run.agent, []).append(Diagnostics.load(path))
            except Exception as error:  # whatever reading a damaged file brings
                print(f"{path}: damaged, left out ({error})", file=sys.stderr)
    return {agent: each for agent, each in found.items() if each}


def diagnostics_text(by_agent: ByAgent) -> str:
    """Tables and what their columns mean, Markdown; means over training seeds."""
    columns: dict[str, Callable[[Sequence[Diagnostics]], str]] = {
        "seeds": lambda each: str(len(each)),
        "Q − return": lambda each: _percent(_mean(each, "bias"), "+"),
        "correlation": lambda each: number_text(_mean(each, "correlation")),
        "between slots": lambda each: number_text(_mean(each, "slot_spread")),
        "of it noise": lambda each: _percent(seed_noise([one.probe for one in each])),
        "TD fresh / replayed": lambda each: number_text(
            _mean(each, "td_fresh") / (_mean(each, "td_replayed") or np.nan)
        ),
        "horizon": lambda each: number_text(_mean(each, "horizon"), digits=1),
        "of": lambda each: number_text(_mean(each, "undiscounted_horizon"), digits=1),
    }
    rows = [
        [code(agent), *(text(each) for text in columns.values())]
        for agent, each in by_agent.items()
    ]
    shares = [
        [code(agent), *map(_percent, np.mean([one.shares for one in each], axis=0))]
        for agent, each in by_agent.items()
    ]
    return "\n".join(
        [
            *markdown_table(["agent", *columns], rows),
            "",
            EXPLANATION,
            "",
            "What the reward consists of:",
            "",
            *markdown_table(["agent", *REWARD_COMPONENTS], shares),
        ]
    )


def draw_diagnostics(by_agent: ByAgent) -> Figure:
    """Calibration of Q, what ranks candidates, TD errors, and shares of the reward's components."""
    drawing = new_figure(10, 4.6 + 0.36 * len(by_agent))
    heights = (4.0, 1.6 + 0.36 * len(by_agent))
    (calibration, spread), (errors, shares) = drawing.subplots(2, 2, height_ratios=heights)
    _draw_calibration(calibration, by_agent)
    noise = {agent: seed_noise([one.probe for one in each]) for agent, each in by_agent.items()}
    variance = {agent: _mean(each, "slot_spread") ** 2 for agent, each in by_agent.items()}
    apart = {agent: noise[agent] * variance[agent] for agent in by_agent}
    both = [drawable(apart[agent]) for agent in by_agent]
    agreed = "seeds agree" if any(both) else "one seed"
    parts = {agreed: [variance[a] - np.nan_to_num(apart[a]) for a in by_agent]}
    if any(both):
        parts["seeds differ"] = list(apart.values())
    _draw_bars(spread, list(by_agent), parts)
    spread.set_xlabel("variance of Q between the candidates of a screen")
    means = {name: [_mean(each, f"td_{name}") for each in by_agent.values()] for name in _TD}
    _draw_bars(errors, list(by_agent), means, beside=True)
    errors.set_xlabel("TD error, root mean square")
    components = {
        name: [np.mean([one.shares[i] for one in each]) for each in by_agent.values()]
        for i, name in enumerate(REWARD_COMPONENTS)
    }
    _draw_bars(shares, list(by_agent), components)
    shares.xaxis.set_major_formatter(PercentFormatter(1.0))
    shares.set_xlabel("share of the reward")
    return drawing


def _draw_calibration(axes: Axes, by_agent: ByAgent) -> None:
    colours, lines = colours_of(by_agent), []
    for agent, each in by_agent.items():
        points = np.mean([one.calibration for one in each], axis=0)
        points = points[drawable(points).all(axis=1)]
        lines += axes.plot(*points.T, color=colours[agent], linewidth=2, marker="o", markersize=4)
    low, high = axes.get_xlim()
    axes.plot([low, high], [low, high], color=GREY, linewidth=1, linestyle=(0, (4, 3)))
    axes.set_xlabel("Q of the impression")
    axes.set_ylabel("return from it on")
    tidy(axes)
    legend(axes, lines, list(by_agent), fontsize=8)


def _draw_bars(
    axes: Axes,
    agents: Sequence[str],
    parts: Mapping[str, Sequence[float]],
    beside: bool = False,
) -> None:
    """A row for each agent: its parts one after another, or one below the other."""
    rows, left = np.arange(len(agents))[::-1], np.zeros(len(agents))  # from the bottom
    height = 0.6 / (len(parts) if beside else 1)
    for i, (name, values) in enumerate(parts.items()):
        width = np.where(drawable(values), values, 0.0)
        place = rows + height * ((len(parts) - 1) / 2 - i if beside else 0)
        axes.barh(place, width, height, 0 if beside else left, color=_SHADES[i], label=name)
        left += width
    axes.set_yticks(rows, [words(agent)["text"] for agent in agents], parse_math=False)
    tidy(axes)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=5, frameon=False, fontsize=8)


def diagnostics_section(by_agent: ByAgent) -> Section:
    """Both, for a page."""
    drawing = figure(draw_diagnostics(by_agent), "diagnostics", CAPTION)
    return Section(TITLE, f"{markdown(diagnostics_text(by_agent))}\n{drawing}")


def _mean(each: Sequence[Diagnostics], name: str) -> float:
    return float(np.mean([getattr(one, name) for one in each]))


def _percent(share: float, sign: str = "") -> str:
    text = number_text(100.0 * share, sign, digits=0)
    return f"{text} %" if np.isfinite(share) else text
