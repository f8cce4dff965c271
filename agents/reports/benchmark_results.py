"""What the finished runs of a benchmark scored: one table of all, and groups to be compared."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from agents.experiments.runs import Result, Run
from agents.experiments.suites import Suite
from agents.reports.results import curve_areas, load_results, per_agent
from agents.reports.statistics import Comparison, area_under_curve
from agents.reports.summary import HIGH, LOW
from livestream_env.files import atomic_path

COLUMNS = (
    "suite",
    "env_id",
    "env_kwargs",
    "agent",
    "seed",
    "timesteps",
    "episodes",
    "reward",
    "normalised",
    "area_under_curve",
    "watch_min",
    "likes",
    "train_cpu_s",
    "steps_per_cpu_s",
)


def score_row(suite: Suite, run: Run, result: Result) -> dict[str, Any]:
    """One run's line of the table of scores, without its normalised score.

    Returns:
        Means over the episodes; ``area_under_curve`` in units of reward; what an agent that does
        not learn has not is NaN. ``train_cpu_s`` is without evaluations.
    """
    settings, episodes = suite.settings, result.episodes
    learns = len(result.curve) > 1
    cpu_s = result.timing["train_cpu_s"]
    return {
        "suite": suite.name,
        "env_id": settings.env_id,
        "env_kwargs": json.dumps(settings.env_kwargs),
        "agent": run.agent,
        "seed": run.seed,
        "timesteps": settings.timesteps if learns else 0,
        "episodes": len(episodes),
        "reward": episodes["reward"].mean(),
        "area_under_curve": float(
            area_under_curve(result.curve["timesteps"], result.curve["reward"])
        )
        if learns
        else np.nan,
        "watch_min": episodes["watch_s"].mean() / 60,
        "likes": episodes["likes"].mean(),
        "train_cpu_s": round(cpu_s, 2) if learns else np.nan,
        "steps_per_cpu_s": round(settings.timesteps / cpu_s) if learns else np.nan,
    }


class ScoresFile:
    """The table of all scores, which grows run by run.

    Args:
        folder: Of the benchmark.
        suites: The plan; what is finished of it is read.
    """

    def __init__(self, folder: Path, suites: Sequence[Suite]) -> None:
        self.folder = folder
        self.suites = suites
        self.rows: dict[tuple[str, Run], dict[str, Any]] = {}
        for suite in suites:
            for run in suite.runs:
                self.add(suite, run)

    def add(self, suite: Suite, run: Run) -> None:
        """Read the run's result, if it is finished."""
        path = run.result_path(self.folder / suite.name)
        if path.exists():
            self.rows[suite.name, run] = score_row(suite, run, Result.load(path))

    def table(self) -> pd.DataFrame:
        """Columns :data:`COLUMNS`, in the order of the plan."""
        reward = {(name, run.agent): row["reward"] for (name, run), row in self.rows.items()}
        rows = []
        for suite in self.suites:
            for run in suite.runs:
                if (row := self.rows.get((suite.name, run))) is not None:
                    low, high = (reward.get((suite.ladder, end), np.nan) for end in (LOW, HIGH))
                    rows.append(row | {"normalised": (row["reward"] - low) / (high - low)})
        return pd.DataFrame(rows, columns=list(COLUMNS))

    def write(self, path: Path) -> None:
        """Write the table as CSV."""
        with atomic_path(path) as temporary:
            self.table().to_csv(temporary, index=False, float_format="%.9g")


class Group:
    """Results of suites with the same ladder, hence the same episodes.

    Args:
        folder: Of the benchmark.
        suites: Those of the group.

    Attributes:
        results: By run; the agent's name is its suite's label of it.
    """

    def __init__(self, folder: Path, suites: Iterable[Suite]) -> None:
        self.results: dict[Run, Result] = {}
        for suite in suites:
            for run, result in load_results(folder / suite.name, suite.runs).items():
                self.results[Run(suite.label(run.agent), run.seed)] = result
        self._comparisons: dict[str, Comparison] = {}

    @cached_property
    def labels(self) -> list[str]:
        """The agents of which something is finished."""
        return list(dict.fromkeys(run.agent for run in self.results))

    def comparison(self, field: str = "reward") -> Comparison:
        """Of one field of the final evaluations' episodes."""
        if field not in self._comparisons:
            self._comparisons[field] = Comparison(per_agent(self.results, field))
        return self._comparisons[field]

    @cached_property
    def areas(self) -> Comparison | None:
        """Of the areas under the learners' curves; None without learners."""
        areas = curve_areas(self.results)
        return Comparison(areas) if areas else None

    def learns(self, label: str) -> bool:
        """Whether it was trained, seed by seed."""
        return self.areas is not None and label in self.areas.value

    def seeds(self, label: str) -> int:
        """How many of its runs are finished."""
        return sum(run.agent == label for run in self.results)

    def cpu_s(self, label: str) -> float:
        """Mean CPU seconds of training one seed, evaluations not counted."""
        runs = (result for run, result in self.results.items() if run.agent == label)
        return float(np.mean([result.timing["train_cpu_s"] for result in runs]))


def groups(folder: Path, suites: Sequence[Suite]) -> dict[str, Group]:
    """The finished runs by ladder; ladders without any are left out."""
    ladders = dict.fromkeys(suite.ladder for suite in suites)
    found = {
        ladder: Group(folder, [suite for suite in suites if suite.ladder == ladder])
        for ladder in ladders
    }
    return {ladder: group for ladder, group in found.items() if group.results}
