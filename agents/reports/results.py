"""Finished runs as one table of scores, as curves, and as groups to be compared."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from agents.evaluation import EPISODE_DTYPE
from agents.experiments.runs import Result, Run
from agents.experiments.suites import Suite
from agents.reports.statistics import Comparison, area_under_curve
from livestream_env.files import atomic_path

# What normalised scores call 0 and 1: chance, and the best policy known (2026-11-29).
LOW, HIGH = "random", "planner"
GREEDY = "greedy-oracle"  # what a policy passes that plans, if it is not told the hidden state


def score_row(suite: Suite, run: Run, result: Result) -> dict[str, Any]:
    """One run's line of the table of scores; its normalised score is not known yet.

    Returns:
        Means over the episodes; ``area_under_curve`` in units of reward; what an agent that does
        not learn has not is NaN. ``train_cpu_s`` is without evaluations.
    """
    settings, episodes = suite.settings, result.episodes
    mean = Group({run: result}).mean
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
        "reward": mean(run.agent, "reward"),
        "normalised": np.nan,
        "area_under_curve": float(
            area_under_curve(result.curve["timesteps"], result.curve["reward"])
        )
        if learns
        else np.nan,
        "watch_min": mean(run.agent, "watch_s") / 60,
        "likes": mean(run.agent, "likes"),
        "train_cpu_s": round(cpu_s, 2) if learns else np.nan,
        "steps_per_cpu_s": round(settings.timesteps / cpu_s) if learns and cpu_s > 0 else np.nan,
    }


def run_scores(folder: Path, suites: Sequence[Suite]) -> pd.DataFrame:
    """One row per finished run, in the order of the plan: :func:`score_row`, and ``normalised``.

    Args:
        folder: Of the benchmark.
        suites: The plan.
    """
    rows = [
        (suite, score_row(suite, run, result))
        for suite in suites
        for run, result in load_results(folder / suite.name, suite.runs).items()
    ]
    reward = {(row["suite"], row["agent"]): row["reward"] for _, row in rows}
    for suite, row in rows:
        low, high = (reward.get((suite.ladder, end), np.nan) for end in (LOW, HIGH))
        if high != low:
            row["normalised"] = (row["reward"] - low) / (high - low)
    return pd.DataFrame([row for _, row in rows])


def write_csv(table: pd.DataFrame, path: Path) -> None:
    """Write a table whole or not at all."""
    with atomic_path(path) as temporary:
        table.to_csv(temporary, index=False, float_format="%.9g", errors="backslashreplace")


class Group:
    """Finished runs that played the same episodes.

    Args:
        results: By run; the agents' names are what tables call them.
    """

    def __init__(self, results: Mapping[Run, Result]) -> None:
        self.results = results
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

    def of(self, label: str) -> list[Result]:
        """Of each of its runs that is finished."""
        return [result for run, result in self.results.items() if run.agent == label]

    def mean(self, label: str, field: str) -> float:
        """Of one field, over the episodes of all seeds."""
        values = np.concatenate([result.episodes[field] for result in self.of(label)])
        with np.errstate(all="ignore"):
            return float(values.mean()) if len(values) else math.nan

    def timing(self, label: str, name: str) -> float:
        """Mean over its seeds of one of :attr:`agents.experiments.runs.Result.timing`."""
        return float(np.mean([result.timing[name] for result in self.of(label)]))


def groups(folder: Path, suites: Sequence[Suite]) -> dict[str, Group]:
    """The finished runs by ladder; ladders without any are left out.

    Args:
        folder: Of the benchmark.
        suites: The plan; those with the same ladder, hence the same episodes, are a group. An
            agent is called by its suite's label of it.
    """
    found: dict[str, dict[Run, Result]] = {}
    for suite in suites:
        for run, result in load_results(folder / suite.name, suite.runs).items():
            found.setdefault(suite.ladder, {})[Run(suite.label(run.agent), run.seed)] = result
    return {ladder: Group(results) for ladder, results in found.items()}


def load_results(folder: Path, runs: Sequence[Run]) -> dict[Run, Result]:
    """The results of those ``runs`` that are finished.

    One that cannot be read is left out, and named on stderr.
    """
    results = {}
    for run in runs:
        if (path := run.result_path(folder)).exists():
            try:
                results[run] = Result.load(path)
            except Exception as error:  # whatever reading a damaged file brings
                print(f"{path}: damaged, left out ({error})", file=sys.stderr)
    return results


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


def curve_areas(results: Mapping[Run, Result]) -> dict[str, np.ndarray]:
    """For each learner ``(its training seeds, 1)``: the mean height of its learning curve.

    Shaped like scores of one viewer-day, for :class:`agents.reports.statistics.Comparison`.
    """
    collected: dict[str, list[list[float]]] = {}
    for run, result in results.items():
        if len(result.curve) > 1:
            area = area_under_curve(result.curve["timesteps"], result.curve["reward"])
            collected.setdefault(run.agent, []).append([float(area)])
    return {agent: np.array(rows) for agent, rows in collected.items()}
