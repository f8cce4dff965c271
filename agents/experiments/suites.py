"""The plan of the benchmark, as data: which agents play what, for how long, with how many seeds.

A *suite* is a comparison with a fixed plan: agents that play the same held-out episodes under the
same settings. No run is planned twice: an agent that several tables show, such as ``dqn`` in the
ablations, is in one suite, and :mod:`agents.reports.tables` reads suites of the same
episodes together.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agents.dqn.config import DQNConfig
from agents.experiments.jobs import Job
from agents.experiments.runs import Run, Settings, plan
from agents.policy import AGENTS, Group
from livestream_env.settings import hint

V0, SESSION, WEEK = "LiveStreamRec-v0", "LiveStreamRecSession-v0", "LiveStreamRecWeek-v0"
MECHANISMS = (
    "satiation", "satisfaction", "attachment", "curiosity", "audience", "highlights",
    "availability",
)  # fmt: skip

TIMESTEPS, LONG_TIMESTEPS = 300_000, 3_000_000
EPISODES = 5_000
CURVE_EPISODES = 512  # of each evaluation while training; a week costs six times a day
CURVE_EPISODES_WEEK = 256


def _seeds(*groups: Group) -> dict[str, int]:
    """The agents of these groups that the benchmark plays, with their training seeds."""
    specs = [spec for spec in AGENTS.values() if spec.group in groups and spec.seeds]
    return {spec.name: spec.seeds for spec in specs}


LADDER = _seeds("rule", "bandit", "oracle")
# The headline, which has the most seeds, first.
AGENTS_V0 = dict(sorted(_seeds("learner").items(), key=lambda item: -item[1]))
LONG = {"dqn": 3}


def ablations() -> dict[str, int]:
    """Our DQN with one of its switches the other way round each, and the seeds of each.

    γ = 0 is the learned myopic policy: every bootstrap has the factor 0, whatever ``n_step`` is.
    An MLP has no value by clicks, hence ``q_form=direct`` with it too.
    """
    default = DQNConfig.preset("default")
    flipped = ("crosses", "double", "prioritized", "mask_actions")
    changes: dict[str, Any] = {
        **{name: not getattr(default, name) for name in flipped},
        "history_length": None,
        "inverse_variance": None,
        "n_step": 1,
        "gamma": 0,
    }
    texts = [f"{name}={json.dumps(value)}" for name, value in changes.items()]
    texts += ["q_form=direct", "q_form=direct&network=mlp", "discount=step"]
    return {f"dqn?{text}": 5 for text in texts}


@dataclass(frozen=True)
class Suite:
    """Agents that play the same held-out episodes.

    Attributes:
        name: Of its folder.
        settings: Common to its runs.
        seeds: For each agent how many training seeds (one run for those that do not learn).
        ladder: Suite with the ``random`` and ``planner`` that normalise its scores: itself,
            or one with the same episodes. Suites with the same ladder are compared with each other.
        note: What tells its agents from those of the same name in suites with the same ladder;
            ``{timesteps}`` stands for the steps of its training.
    """

    name: str
    settings: Settings
    seeds: Mapping[str, int]
    ladder: str
    note: str = ""

    def label(self, agent: str) -> str:
        """The agent's name among suites with the same ladder."""
        note = self.note.format(timesteps=f"{self.settings.timesteps:,}")
        return f"{agent}, {note}" if note else agent

    @property
    def runs(self) -> list[Run]:
        """All of its runs."""
        return [run for agent, seeds in self.seeds.items() for run in plan([agent], seeds)]

    def jobs(self, folder: Path) -> list[Job]:
        """Its runs as jobs of a benchmark in ``folder``."""
        return [Job(run, self.settings, folder / self.name) for run in self.runs]


def suites(quick: bool = False) -> tuple[Suite, ...]:
    """The whole benchmark.

    Args:
        quick: A tenth of the training and of the episodes, and a quarter of the seeds.
    """
    return tuple(map(_quick, _suites())) if quick else tuple(_suites())


def _suites() -> Iterator[Suite]:
    day = Settings(
        V0, timesteps=TIMESTEPS, eval_episodes=EPISODES, curve_points=10,
        curve_episodes=CURVE_EPISODES,
    )  # fmt: skip
    week = dataclasses.replace(day, env_id=WEEK, curve_episodes=CURVE_EPISODES_WEEK)
    ladder = "v0-ladder"
    yield Suite(ladder, day, LADDER, ladder)
    yield Suite("v0-agents", day, AGENTS_V0, ladder)
    yield Suite("v0-ablations", day, ablations(), ladder)
    full = dataclasses.replace(day, env_kwargs={"observe": "full"})
    yield Suite("v0-full-observation", full, {"dqn": 5}, ladder, "full observation")
    long = dataclasses.replace(day, timesteps=LONG_TIMESTEPS)
    yield Suite("v0-long", long, LONG, ladder, "{timesteps} steps")
    ladder = "session-ladder"
    session = dataclasses.replace(day, env_id=SESSION)
    yield Suite(ladder, session, LADDER, ladder)
    ladder = "week-ladder"
    yield Suite(ladder, week, LADDER, ladder)
    yield Suite("week-agents", week, {"dqn": 5, "sb3-dqn": 5}, ladder)
    long = dataclasses.replace(week, timesteps=LONG_TIMESTEPS)
    yield Suite("week-long", long, LONG, ladder, "{timesteps} steps")
    for mechanism in MECHANISMS:
        name = f"v0-no-{mechanism}"
        without = dataclasses.replace(day, env_kwargs={mechanism: False})
        yield Suite(name, without, LADDER, name)


def _quick(suite: Suite) -> Suite:
    settings = suite.settings
    return dataclasses.replace(
        suite,
        settings=dataclasses.replace(
            settings,
            timesteps=settings.timesteps // 10,
            eval_episodes=settings.eval_episodes // 10,
            curve_points=5,
            curve_episodes=64,
        ),
        seeds={agent: math.ceil(seeds / 4) for agent, seeds in suite.seeds.items()},
    )


def selected(plan: Iterable[Suite], names: Iterable[str]) -> tuple[Suite, ...]:
    """Those suites that are named, all if none is.

    Raises:
        ValueError: If a name is not one of theirs.
    """
    by_name = {suite.name: suite for suite in plan}
    if unknown := [name for name in names if name not in by_name]:
        near = hint(unknown[0], by_name)
        raise ValueError(
            f"unknown suites {', '.join(unknown)}{near}; valid are {', '.join(by_name)}"
        )
    return tuple(by_name[name] for name in names) or tuple(by_name.values())
