import dataclasses
import subprocess
import sys

import pytest

from agents.dqn.config import DQNConfig
from agents.experiments.suites import ablations, selected, suites
from agents.policy import agent_spec


@pytest.mark.parametrize("quick", [False, True])
def test_suites_of_a_ladder_can_be_compared(quick: bool) -> None:
    plan = suites(quick)
    by_name = {suite.name: suite for suite in plan}
    assert len(by_name) == len(plan)
    for suite in plan:
        mine, ladders = suite.settings, by_name[suite.ladder].settings
        assert (mine.env_id, mine.eval_episodes, mine.eval_seed) == (
            ladders.env_id, ladders.eval_episodes, ladders.eval_seed
        )  # fmt: skip
        assert {"random", "greedy-oracle"} <= set(by_name[suite.ladder].seeds)
        # What may differ does not change the held-out episodes.
        assert {**mine.env_kwargs, "observe": 0} == {**ladders.env_kwargs, "observe": 0}


def test_no_run_is_planned_twice() -> None:
    labels = [(suite.ladder, suite.label(agent)) for suite in suites() for agent in suite.seeds]
    assert len(set(labels)) == len(labels)
    assert ("v0-ladder", "dqn, 3,000,000 steps") in labels
    runs = [(s.settings.env_id, s.settings.timesteps, str(s.settings.env_kwargs), run)
            for s in suites() for run in s.runs]  # fmt: skip
    assert len(set(runs)) == len(runs)


def test_each_ablation_turns_one_switch() -> None:
    default = dataclasses.asdict(DQNConfig.preset("default"))
    for name in ablations():
        spec = agent_spec(name)
        kwargs = {key: value for key, value in spec.kwargs.items() if key != "config"}
        changed = dataclasses.asdict(DQNConfig.preset("default", **kwargs))
        # An MLP needs another switch with it.
        switches = 2 if "mlp" in name else 1
        assert sum(changed[key] != default[key] for key in default) == switches, name


def test_quick_is_a_tenth() -> None:
    for whole, quick in zip(suites(), suites(quick=True), strict=True):
        assert quick.name == whole.name
        assert quick.settings.timesteps * 10 == whole.settings.timesteps
        assert quick.settings.eval_episodes * 10 == whole.settings.eval_episodes
        assert all(quick.seeds[agent] <= seeds for agent, seeds in whole.seeds.items())


def test_headline_has_ten_seeds_and_others_enough() -> None:
    seeds = {suite.name: suite.seeds for suite in suites()}
    assert seeds["v0-agents"]["dqn"] == seeds["v0-agents"]["sb3-dqn"] == 10
    assert min(seeds["v0-agents"].values()) == min(seeds["v0-ablations"].values()) == 5
    assert seeds["v0-long"]["dqn"] == seeds["week-long"]["dqn"] == 3


def test_selected() -> None:
    plan = suites()
    assert selected(plan, []) == plan
    assert [suite.name for suite in selected(plan, ["week-long", "v0-agents"])] == [
        "week-long", "v0-agents"
    ]  # fmt: skip
    with pytest.raises(ValueError, match="unknown suites v1; valid are v0-ladder"):
        selected(plan, ["v1", "v0-agents"])


def test_a_learner_with_an_entry_is_in_the_benchmark_its_schedule_and_its_tables() -> None:
    """Plans are made as modules are imported, so the entry is added in a process of its own."""
    code = """
import sys
from pathlib import Path
from agents.policy import AGENTS, AgentSpec
AGENTS["mine"] = AgentSpec("mine", "my_module:Mine", learns=True, group="learner", seeds=7,
                           training_steps_per_s=100)
from agents.experiments.suites import suites
whole, quick = ({s.name: s for s in suites(q)}["v0-agents"] for q in (False, True))
assert whole.seeds["mine"] == 7 and quick.seeds["mine"] == 2
job = next(job for job in whole.jobs(Path("x")) if job.run.agent == "mine")
assert job.training_steps == 300_000 and 3_000 < job.estimated_cpu_s < 3_020
assert not {"my_module", "torch", "matplotlib"} & set(sys.modules)
from agents.reports.tables import ORDERS
assert ("mine", "dqn") in ORDERS["v0-ladder"]
"""
    subprocess.run([sys.executable, "-c", code], check=True)
