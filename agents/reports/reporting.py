"""What a result is reported with: means in plain words, versions, and the record of a run."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import numpy as np

from agents.experiments.runs import Result, Run, Settings
from agents.reports.markdown import number_text

PACKAGES = ("livestream-env", "gymnasium", "numpy", "numba", "scipy", "torch", "stable-baselines3")


def describe_episodes(episodes: np.ndarray) -> str:
    """The mean of each total over viewer-days with its 95 % interval, as plain text."""
    count = len(episodes)
    lines = [f"per viewer-day, {count:,} of them:"]
    for name in episodes.dtype.names or ():
        values = episodes[name].astype(np.float64)
        with np.errstate(all="ignore"):
            mean = values.mean() if count else np.nan
            margin = 1.96 * values.std(ddof=1) / np.sqrt(count) if count > 1 else np.nan
        lines.append(f"  {name:12s} {number_text(mean, digits=3):>10s} "
                     f"± {number_text(margin, digits=3)}")  # fmt: skip
    return "\n".join(lines)


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
