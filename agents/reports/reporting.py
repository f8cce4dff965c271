"""The files of a comparison: scores, curves, a summary to read, plots, and a page with all."""

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
from matplotlib.figure import Figure

from agents.experiments.runs import Result, Run, Settings
from agents.reports.comparison_page import comparison_figures, comparison_page
from agents.reports.html import write_html
from agents.reports.plots import save_png
from agents.reports.results import curves_table, load_results, per_agent, scores_table
from agents.reports.statistics import Comparison
from agents.reports.summary import environment, summary, summary_sections
from livestream_env.files import atomic_path, write_text

PACKAGES = ("livestream-env", "gymnasium", "numpy", "numba", "scipy", "torch", "stable-baselines3")


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
    sections = summary_sections(results, comparison, settings, failed)
    text = summary(settings, sections)
    write_text(folder / "summary.md", text)
    record = run_record(results, settings, failed, arguments, wall_clock_s)
    write_text(folder / "run.json", json.dumps(record, indent=2) + "\n")
    figures: dict[str, Figure] = {}
    if comparison is not None:
        figures = comparison_figures(results, comparison, settings)
        save_png(figures["curves"], folder / "curves.png")
        save_png(figures["scores"], folder / "scores.png")
    page = comparison_page(folder, results, settings, sections, figures)
    subtitle = f"{environment(settings)}, finished {record['finished']}"
    write_html(folder / "report.html", "Comparison", page, subtitle)
    return text


def package_versions() -> dict[str, str]:
    """Of Python and the packages that decide the numbers, as far as they are installed."""
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def run_record(
    results: Mapping[Run, Result],
    settings: Settings,
    failed: Mapping[Run, str],
    arguments: Mapping[str, Any],
    wall_clock_s: float,
) -> dict[str, Any]:
    """What is needed to repeat the comparison, and how long it took; JSON values."""
    return {
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "wall_clock_s": round(wall_clock_s, 1),
        "arguments": dict(arguments),
        "settings": asdict(settings),
        "seeds": {
            "evaluation": settings.eval_seed,
            "training": {str(run.seed): run.env_seed for run in results},
        },
        "versions": package_versions(),
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
