"""The finished runs of a comparison as tables and arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from agents.evaluation import EPISODE_DTYPE
from agents.experiments.runs import Result, Run
from agents.reports.statistics import area_under_curve


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
