"""The study of learning from logged decisions: its data, its learners, and how one learns.

What a learner may use is a file of decisions; how good it is, is measured as for any other agent,
on held-out viewer-days that all of them play. A set of data is a folder of runs beside ``rules``,
whose agents need no data.
"""

from __future__ import annotations

import importlib.util
import math
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from agents.experiments.jobs import IMPRESSIONS_PER_EPISODE, OTHER_IMPRESSIONS_PER_EPISODE, Job
from agents.experiments.runs import CURVE_DTYPE, Report, Result, Run, Settings
from agents.policy import agent_spec
from livestream_env.settings import check_choice, check_integer

# Quality of the data → who decided; the first is what a platform has.
BEHAVIOURS = {
    "logging": "logging",
    "mixture": "logging?uniform_share=0.5",
    "uniform": "random",
}
DECISIONS, RULES = "decisions", "rules"  # folders of a study


class Learner(NamedTuple):
    """One of the study's learners.

    Attributes:
        label: In tables.
        agent: As in the list of agents.
        seconds_per_update: Of one core; good for order and planning, not for claims.
        needs: A package that is not among the project's dependencies.
    """

    label: str
    agent: str
    seconds_per_update: float
    needs: str = ""

    @property
    def installed(self) -> bool:
        """Whether what it needs is there."""
        return not self.needs or importlib.util.find_spec(self.needs) is not None


# Corrections as in their papers' experiments or milder, not tuned here. CQL takes no Q by clicks:
# it is to be compared with the DQN of direct form.
LEARNERS = (
    Learner("DQN", "dqn", 0.003),
    Learner("DQN + BCQ", "dqn?bcq_threshold=0.3", 0.0045),
    Learner("DQN, γ = 0", "dqn?gamma=0", 0.003),
    Learner("DQN, direct", "dqn?q_form=direct", 0.0025),
    Learner("DQN, direct + CQL", "dqn?q_form=direct&cql_weight=0.1", 0.003),
    Learner("behaviour cloning", "agents.dqn.cloning:BehaviourCloning", 0.002),
    Learner("d3rlpy DiscreteCQL", "agents.d3rlpy.discrete_cql:DiscreteCQL", 0.008, "d3rlpy"),
)
# Agents that need no data → in tables.
RULE_LABELS = {
    "random": "random",
    "logging": "logging policy",
    "affinity": "affinity",
    "cover-price": "cover-price",  # tuned in the simulator: no log would do
    "greedy": "greedy",
}


@dataclass(frozen=True)
class OfflineSettings(Settings):
    """What decides the numbers of the runs that learn from one set of data.

    ``timesteps`` are gradient steps here.

    Attributes:
        behaviour: Who decided, of :data:`BEHAVIOURS`.
        steps: Decisions asked for.
        data_seed: Of the logged episodes.
    """

    behaviour: str = "logging"
    steps: int = 300_000
    data_seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("behaviour", self.behaviour, BEHAVIOURS)
        check_integer("steps", self.steps, 1)
        check_integer("data_seed", self.data_seed, 0)

    @property
    def name(self) -> str:
        """Of the data's folder and file: ``logging-300000``."""
        return f"{self.behaviour}-{self.steps}"

    def data(self, study: Path) -> Path:
        """The file of decisions in the folder of a study."""
        return study / DECISIONS / f"{self.name}.parquet"


class OfflineJob(Job):
    """A run that learns from a file of decisions; its settings are :class:`OfflineSettings`."""

    @property
    def training_steps(self) -> int:
        """Gradient steps."""
        return self.settings.timesteps

    @property
    def estimated_cpu_s(self) -> float:
        """See :class:`Job`."""
        cost = next((x.seconds_per_update for x in LEARNERS if x.agent == self.run.agent), 0.003)
        settings = self.settings
        impressions = settings.eval_episodes * IMPRESSIONS_PER_EPISODE.get(
            settings.env_id, OTHER_IMPRESSIONS_PER_EPISODE
        )
        return 10.0 + settings.timesteps * cost + impressions / 20_000

    def play(self, report: Report) -> None:
        """Read the data, learn, evaluate, save the result."""
        from livestream_env.decisions import read_decisions  # with PyArrow, not for --help

        settings = self.settings
        assert isinstance(settings, OfflineSettings)
        shutil.rmtree(self.home, ignore_errors=True)
        decisions = read_decisions(settings.data(self.folder.parent))
        env = decisions.description.make_env()
        policy = agent_spec(self.run.agent).make(env, seed=self.run.env_seed)
        wall, cpu = time.perf_counter(), time.process_time()
        policy.learn_offline(decisions, settings.timesteps, report)  # type: ignore[attr-defined]
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        if hasattr(policy, "save"):
            self.home.mkdir(parents=True)
            policy.save(self.home / "model")
        start = time.perf_counter()
        episodes = settings.evaluate(policy, settings.eval_episodes)
        timing = {
            "train_wall_s": wall,
            "train_cpu_s": cpu,
            "eval_wall_s": time.perf_counter() - start,
        }
        Result(episodes, np.zeros(0, CURVE_DTYPE), timing).save(self.result_path)
        env.close()


@dataclass(frozen=True)
class Study:
    """The plan.

    Attributes:
        folder: Where it writes.
        behaviours: Of :data:`BEHAVIOURS`.
        sizes: Decisions of each set of data.
        learners: What learns from each.
        seeds: Training seeds of each learner.
        updates: Gradient steps.
        episodes: Held-out viewer-days.
    """

    folder: Path
    behaviours: Sequence[str] = tuple(BEHAVIOURS)
    sizes: Sequence[int] = (30_000, 300_000)
    learners: Sequence[Learner] = LEARNERS
    seeds: int = 3
    updates: int = 20_000
    episodes: int = 4_000

    @property
    def rules(self) -> Settings:
        """Of the agents that need no data."""
        return Settings(eval_episodes=self.episodes)

    @property
    def data(self) -> list[OfflineSettings]:
        """One entry for each set of data."""
        return [
            OfflineSettings(
                timesteps=self.updates,
                eval_episodes=self.episodes,
                behaviour=behaviour,
                steps=steps,
            )
            for behaviour in self.behaviours
            for steps in self.sizes
        ]

    def rule_jobs(self) -> list[Job]:
        """The runs of the agents that need no data."""
        return [Job(Run(agent, 0), self.rules, self.folder / RULES) for agent in RULE_LABELS]

    def jobs(self, settings: OfflineSettings) -> list[Job]:
        """The runs that learn from one set of data."""
        return [
            OfflineJob(Run(learner.agent, seed), settings, self.folder / settings.name)
            for seed in range(self.seeds)
            for learner in self.learners
            if learner.installed
        ]

    def scores(self, settings: OfflineSettings) -> dict[str, np.ndarray]:
        """Label → rewards (seeds, viewer-days) of the finished runs, the rules' first."""
        found: dict[str, list[np.ndarray]] = {}
        labels = RULE_LABELS | {learner.agent: learner.label for learner in self.learners}
        for job in (*self.rule_jobs(), *self.jobs(settings)):
            if job.finished:
                label = labels[job.run.agent]
                rewards = Result.load(job.result_path).episodes["reward"]
                found.setdefault(label, []).append(rewards)
        return {label: np.stack(rewards) for label, rewards in found.items()}


def quick(study: Study) -> Study:
    """The same in less than ten minutes of two cores: one size, one seed, a quarter of the rest."""
    return Study(
        study.folder,
        study.behaviours,
        (30_000,),
        study.learners,
        1,
        study.updates // 4,
        math.ceil(study.episodes / 4),
    )
