"""Runs of different comparisons, side by side: where each writes, and about how long it takes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from agents.experiments.runs import Report, Run, Settings, play
from agents.policy import agent_spec

IMPRESSIONS_PER_EPISODE = {"LiveStreamRecSession-v0": 12, "LiveStreamRecWeek-v0": 230}
OTHER_IMPRESSIONS_PER_EPISODE = 40
START_S = 6.0  # of a process: imports, loading compiled functions


class Job(NamedTuple):
    """One run of one comparison.

    Attributes:
        run: Agent and training seed.
        settings: Of the comparison.
        folder: Of the comparison.
    """

    run: Run
    settings: Settings
    folder: Path

    def __str__(self) -> str:
        return f"{self.folder.name}: {self.run.agent}, seed {self.run.seed}"

    @property
    def home(self) -> Path:
        """Where it writes."""
        return self.run.folder(self.folder)

    @property
    def result_path(self) -> Path:
        """Its result."""
        return self.run.result_path(self.folder)

    @property
    def finished(self) -> bool:
        """Whether its result is there."""
        return self.result_path.exists()

    @property
    def training_steps(self) -> int:
        """Environment steps that it trains for; 0 for agents that do not learn."""
        return self.settings.timesteps if agent_spec(self.run.agent).learns else 0

    @property
    def estimated_cpu_s(self) -> float:
        """About how long it takes on one core; good for order and planning, not for claims."""
        settings, spec = self.settings, agent_spec(self.run.agent)
        episodes = settings.eval_episodes
        if self.training_steps:
            episodes += (settings.curve_points + 1) * settings.curve_episodes
        impressions = episodes * IMPRESSIONS_PER_EPISODE.get(
            settings.env_id, OTHER_IMPRESSIONS_PER_EPISODE
        )
        return (
            START_S
            + self.training_steps / spec.training_steps_per_s
            + impressions / spec.impressions_per_s
        )

    def play(self, report: Report) -> None:
        """Train, evaluate, save the result."""
        play(self.run, self.settings, self.folder, report)


def longest_first(jobs: Iterable[Job]) -> list[Job]:
    """Those without a result, in the order that leaves no processor idle at the end."""
    missing = [job for job in jobs if not job.finished]
    return sorted(missing, key=lambda job: -job.estimated_cpu_s)
