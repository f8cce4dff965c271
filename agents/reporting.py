"""The files of a comparison: scores, curves, a summary to read, and two plots."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from livestream_env.files import atomic_path, write_text

from .comparison import Result, Run, Settings
from .evaluation import EPISODE_DTYPE
from .markdown import estimate_text, markdown_table
from .plots import plot_curves, plot_scores
from .policy import AGENTS
from .statistics import FEW_SEEDS, Comparison

LOW, HIGH = "random", "greedy-oracle"  # what normalised scores call 0 and 1
PACKAGES = ("livestream-env", "gymnasium", "numpy", "numba", "scipy", "torch", "stable-baselines3")


def load_results(folder: Path, runs: Sequence[Run]) -> dict[Run, Result]:
    """The results of those ``runs`` that are finished."""
    finished = [run for run in runs if run.result_path(folder).exists()]
    return {run: Result.load(run.result_path(folder)) for run in finished}


def scores_table(results: Mapping[Run, Result]) -> pd.DataFrame:
    """One row per agent, training seed and evaluated viewer-day."""
    frames = []
    for run, result in results.items():
        frame = pd.DataFrame(result.episodes)
        frame.insert(0, "agent", run.agent)
        frame.insert(1, "seed", run.seed)
        frame.insert(2, "episode", np.arange(len(frame)))
        frames.append(frame)
    columns = ["agent", "seed", "episode", *(EPISODE_DTYPE.names or ())]
    return pd.concat(frames) if frames else pd.DataFrame(columns=columns)


def curves_table(results: Mapping[Run, Result]) -> pd.DataFrame:
    """One row per learner, training seed and evaluation while training."""
    frames = [
        pd.DataFrame(result.curve).assign(agent=run.agent, seed=run.seed)
        for run, result in results.items()
    ]
    columns = ["agent", "seed", "timesteps", "cpu_s", "reward"]
    frames = [frame for frame in frames if len(frame)]
    return pd.concat(frames)[columns] if frames else pd.DataFrame(columns=columns)


def per_agent(results: Mapping[Run, Result], field: str) -> dict[str, np.ndarray]:
    """For each agent an array (its training seeds, viewer-days) of one field."""
    collected: dict[str, list[np.ndarray]] = {}
    for run, result in results.items():
        collected.setdefault(run.agent, []).append(result.episodes[field].astype(np.float64))
    return {agent: np.stack(rows) for agent, rows in collected.items()}


def describe_episodes(episodes: np.ndarray) -> str:
    """The mean of each total over viewer-days with its 95 % interval, as plain text."""
    count = len(episodes)
    lines = [f"per viewer-day, {count:,} of them:"]
    for name in episodes.dtype.names or ():
        values = episodes[name].astype(np.float64)
        margin = 1.96 * values.std(ddof=1) / np.sqrt(count) if count > 1 else np.nan
        lines.append(f"  {name:12s} {values.mean():10.3f} ± {margin:.3f}")
    return "\n".join(lines)


def write_report(
    folder: Path,
    runs: Sequence[Run],
    settings: Settings,
    failed: Mapping[Run, str],
    arguments: Mapping[str, Any],
    wall_clock_s: float,
) -> str:
    """Write every file of a comparison from its finished runs.

    Args:
        folder: Of the comparison.
        runs: All runs that belong to it.
        settings: Common to all.
        failed: Runs that failed, with the reason.
        arguments: Of the command, for ``run.json``.
        wall_clock_s: How long the command has taken.

    Returns:
        The summary, Markdown.
    """
    results = load_results(folder, runs)
    curves = curves_table(results)
    for name, table in (("scores.csv", scores_table(results)), ("curves.csv", curves)):
        with atomic_path(folder / name) as temporary:
            table.to_csv(temporary, index=False, float_format="%.9g")
    comparison = Comparison(per_agent(results, "reward")) if results else None
    text = summary(results, comparison, settings, failed)
    write_text(folder / "summary.md", text)
    record = run_record(results, settings, failed, arguments, wall_clock_s)
    write_text(folder / "run.json", json.dumps(record, indent=2) + "\n")
    if comparison is not None:
        first_days = {
            agent: float(values[:, : settings.curve_episodes].mean())
            for agent, values in per_agent(results, "reward").items()
            if agent not in set(curves["agent"])
        }
        with atomic_path(folder / "curves.png") as temporary:
            plot_curves(temporary, curves, first_days)
        with atomic_path(folder / "scores.png") as temporary:
            plot_scores(temporary, {agent: comparison.score(agent) for agent in comparison.value},
                        LOW, HIGH)  # fmt: skip
    return text


def run_record(
    results: Mapping[Run, Result],
    settings: Settings,
    failed: Mapping[Run, str],
    arguments: Mapping[str, Any],
    wall_clock_s: float,
) -> dict[str, Any]:
    """What is needed to repeat the comparison, and how long it took; JSON values."""
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "wall_clock_s": round(wall_clock_s, 1),
        "arguments": dict(arguments),
        "settings": asdict(settings),
        "seeds": {
            "evaluation": settings.eval_seed,
            "training": {str(run.seed): run.env_seed for run in results},
        },
        "versions": versions,
        "machine": {"platform": platform.platform(), "processors": os.cpu_count()},
        "runs": [
            {"agent": run.agent, "seed": run.seed}
            | {name: round(value, 3) for name, value in result.timing.items()}
            for run, result in results.items()
        ],
        "failed": [
            {"agent": run.agent, "seed": run.seed, "reason": reason}
            for run, reason in failed.items()
        ],
    }


def summary(
    results: Mapping[Run, Result],
    comparison: Comparison | None,
    settings: Settings,
    failed: Mapping[Run, str],
) -> str:
    """The comparison in words and tables, Markdown."""
    env = settings.env_id + (f" {json.dumps(settings.env_kwargs)}" if settings.env_kwargs else "")
    lines = ["# Comparison", "", f"Environment: `{env}`", ""]
    if comparison is not None:
        lines += _score_lines(results, comparison, settings)
        for agent in _challengers(list(comparison.value)):
            lines += _pair_lines(agent, comparison)
        lines += _method_lines(results, settings)
    if failed:
        lines += ["## Failed runs", ""]
        lines += [
            f"- {run.agent}, seed {run.seed}: `{reason.strip().splitlines()[-1]}`"
            for run, reason in failed.items()
        ]
        lines += [""]
    return "\n".join(lines)


def _score_lines(
    results: Mapping[Run, Result], comparison: Comparison, settings: Settings
) -> list[str]:
    watch_s, likes = per_agent(results, "watch_s"), per_agent(results, "likes")
    scale = {LOW, HIGH} <= set(comparison.value)
    rows = []
    for agent in sorted(comparison.value, key=lambda name: -comparison.value[name]):
        timing = [result.timing for run, result in results.items() if run.agent == agent]
        learns = any(len(result.curve) for run, result in results.items() if run.agent == agent)
        wall_s = float(np.mean([row["train_wall_s"] for row in timing]))
        rows.append(
            [
                f"`{agent}`",
                str(len(timing)) if learns else "–",
                estimate_text(comparison.score(agent)),
                estimate_text(comparison.normalised(agent, LOW, HIGH)) if scale else "–",
                f"{watch_s[agent].mean() / 60:.1f}",
                f"{likes[agent].mean():.2f}",
                f"{wall_s:.0f}" if learns else "–",
                f"{settings.timesteps / wall_s:,.0f}" if learns else "–",
            ]
        )
    header = ["agent", "seeds", "reward (IQM, 95 %)", "normalised score", "watch (min)", "likes",
              "wall-clock (s)", "steps/s"]  # fmt: skip
    lines = markdown_table(header, rows, left=1)
    lines += ["", "All per viewer-day; wall-clock seconds and steps/s of training one seed. "]
    if scale:
        lines[-1] += f"Normalised score: 0 is `{LOW}`, 1 is `{HIGH}`; above 1 an agent plans."
    return [*lines, ""]


def _challengers(agents: list[str]) -> list[str]:
    """Whose paired differences are shown: our DQN's and the user's own classes'."""
    learners = [agent for agent in agents if agent in AGENTS and AGENTS[agent].learns]
    return [a for a in agents if a == "dqn" or a not in AGENTS] or learners[:1] or agents[:1]


def _pair_lines(agent: str, comparison: Comparison) -> list[str]:
    others = [other for other in comparison.value if other != agent]
    if not others:
        return []
    # Learners first: the comparison most asked for is DQN against SB3.
    others.sort(key=lambda name: not (name not in AGENTS or AGENTS[name].learns))
    rows = []
    for other in others:
        difference = comparison.difference(agent, other)
        verdict = "no difference shown"
        if difference.excludes_zero:
            verdict = f"`{agent}` is {'better' if difference.value > 0 else 'worse'}"
        rows.append([f"`{agent}` − `{other}`", estimate_text(difference, sign="+"), verdict])
    header = ["paired difference", "reward (95 %)", ""]
    table = markdown_table(header, rows, left=1)
    return [f"## `{agent}` against the others, on the same viewer-days", "", *table, ""]


def _method_lines(results: Mapping[Run, Result], settings: Settings) -> list[str]:
    seeds = max(len([r for r in results if r.agent == run.agent]) for run in results)
    text = (
        f"Learners were trained for {settings.timesteps:,} environment steps per seed; every agent "
        f"then played the same {settings.eval_episodes:,} held-out viewer-days, which no learner "
        "trained on, and chose without exploring. A seed's score is its mean over viewer-days, an "
        "agent's the interquartile mean over its seeds. Intervals are percentiles of a bootstrap "
        "that resamples viewer-days (the same ones for all agents, so that differences are paired) "
        "and, within each agent, training seeds."
    )
    learned = any(len(result.curve) for result in results.values())
    if learned and seeds == 1:
        text += " **With 1 seed the intervals know nothing of the variation between trainings.**"
    elif learned and seeds < FEW_SEEDS:
        text += (
            f" **With {seeds} seeds the intervals are too narrow**: nominal 95 % cover about 75 % "
            f"with 3 seeds and 90 % with 5; use {FEW_SEEDS} or more for a claim."
        )
    return ["## How it was measured", "", text, ""]
