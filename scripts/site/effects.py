"""What changes when a parameter is doubled: the logging policy's days, before and after.

Both times the same viewers' days under the same chance, so that what differs comes of the
parameter. Ratios of means, with intervals by a bootstrap over viewer-days.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import matplotlib
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

import livestream_env  # noqa: F401 - registers the ids
from agents.evaluation import evaluate
from agents.policy import agent_spec
from livestream_env.config import SimulatorConfig, WorldConfig
from livestream_env.files import atomic_path
from scripts.site.places import GENERATED

EPISODES = 1_024  # viewer-days of each bar
RESAMPLES = 200
# Parameters that are 0 by default, and those that mean something with another one only: what is
# shown instead of twice the default.
SWITCHED_ON = {
    "cover_correlation": 0.5, "community_std": 0.6, "interest_std": 0.5, "sensitivity_std": 1.0,
    "click_propensity_std": 0.5, "community_sensationalism": -0.5, "community_quality": -0.5,
    "sensitivity_min": 0.5, "click_sensitivity": 0.3, "click_seen": 1.0, "click_audience": 0.3,
    "watch_sensitivity": 0.5, "gift_community": 1.0, "gift_audience": 0.5, "gift_price_tier": 0.9,
    "gift_price_propensity": 0.3, "return_loyalty": 1.0, "return_breadth": 1.0,
    "notification": 0.3, "retrieval_memory": 8, "audience_rhythm": 0.3, "audience_age": 0.5,
    "audience_highlight": 0.3, "audience_noise_std": 0.3, "initial_strength_taste": 0.5,
}  # fmt: skip
# Statistic → numerator and denominator.
STATISTICS: dict[str, tuple[str, str]] = {
    "reward a day": ("reward", ""),
    "impressions a day": ("impressions", ""),
    "visits a day": ("visits", ""),
    "clicks per impression": ("clicks", "impressions"),
    "watch per click": ("watch_s", "clicks"),
    "likes per click": ("likes", "clicks"),
    "comments per click": ("comments", "clicks"),
    "gifts per click": ("gifts", "clicks"),
    "value of a gift": ("gift_value", "gifts"),
    "follows per click": ("follows", "clicks"),
}
_LIMIT = 2.0  # of the axis: halved to doubled, in log2 twice
_UP, _DOWN, _SAME = "#2b8a5e", "#c8601a", "#8a94a3"


def changed(name: str) -> tuple[float, str]:
    """The other value of a parameter, and in words what it is to the default."""
    group = SimulatorConfig if name in SimulatorConfig.names() else WorldConfig
    default: Any = group.__dataclass_fields__[name].default
    if name in SWITCHED_ON:
        return SWITCHED_ON[name], "changed" if default else "switched on"
    for factor, word in ((2, "doubled"), (0.5, "halved, as twice is out of range")):
        try:
            group().replace({name: type(default)(default * factor)})
        except ValueError:
            continue
        return type(default)(default * factor), word
    raise ValueError(f"SWITCHED_ON needs a value of {name}")


def write_effects(names: Sequence[str]) -> None:
    """A picture of each parameter's effect."""
    matplotlib.rcParams["svg.fonttype"] = "none"
    base = _play({})
    for name in names:
        value, _ = changed(name)
        _draw(name, base, _play({name: value}))


def _play(config: dict[str, float]) -> NDArray[Any]:
    kwargs: dict[str, Any] = {"world": "plain", "config": config}
    env = gym.make("LiveStreamRec-v0", **kwargs)
    policy = agent_spec("logging").make(env, seed=0)
    return evaluate(policy, env_kwargs=kwargs, episodes=EPISODES)


@functools.cache
def _resampled(count: int) -> NDArray[np.int64]:
    """(RESAMPLES, count) viewer-days, the same for every picture; the first row is all of them."""
    rows = np.random.default_rng(0).integers(count, size=(RESAMPLES, count))
    rows[0] = np.arange(count)
    return rows


def ratios(base: NDArray[Any], other: NDArray[Any]) -> NDArray[np.float64]:
    """(statistics, RESAMPLES) of ``other`` to ``base``, log2; NaN where there is nothing."""
    rows = _resampled(len(base))

    def mean(episodes: NDArray[Any], numerator: str, denominator: str) -> NDArray[np.float64]:
        above = episodes[numerator][rows].sum(1)
        below = episodes[denominator][rows].sum(1) if denominator else rows.shape[1]
        return np.asarray(above / below)

    with np.errstate(divide="ignore", invalid="ignore"):
        return np.array(
            [np.log2(mean(other, *pair) / mean(base, *pair)) for pair in STATISTICS.values()]
        )


def _draw(name: str, base: NDArray[Any], other: NDArray[Any]) -> None:
    ratio = ratios(base, other)
    low, high = np.nanpercentile(ratio, (2.5, 97.5), axis=1)
    figure = Figure(figsize=(3.9, 2.1), layout="constrained")
    axes = figure.subplots()
    for place, (mean, least, most) in enumerate(zip(ratio[:, 0], low, high, strict=True)):
        colour = _UP if least > 0 else _DOWN if most < 0 else _SAME
        ends = np.clip([least, most], -_LIMIT, _LIMIT)
        axes.plot(ends, [place, place], color=colour, linewidth=1.5)
        axes.plot(np.clip(mean, -_LIMIT, _LIMIT), place, "o", color=colour, markersize=3.5)
    axes.set_yticks(range(len(STATISTICS)), list(STATISTICS), fontsize=7)
    ticks = (-2, -1, 0, 1, 2)
    axes.set_xticks(ticks, ["÷ 4", "÷ 2", "same", "× 2", "× 4"], fontsize=7)
    axes.set_xlim(-_LIMIT - 0.1, _LIMIT + 0.1)
    axes.axvline(0.0, color="#b8c0cb", linewidth=0.8, zorder=0)
    axes.invert_yaxis()
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    with atomic_path(GENERATED / "site" / "images" / "effects" / f"{name}.svg") as path:
        figure.savefig(path, transparent=True, metadata={"Date": None})
