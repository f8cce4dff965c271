from collections import Counter
from pathlib import Path

import pytest

from agents.experiments.runs import Run, plan


def test_folders_of_runs_are_safe_and_differ() -> None:
    def folder(agent: str) -> str:
        return Run(agent, 3).folder(Path("here")).relative_to("here/runs").as_posix()

    assert folder("dqn") == "dqn-3"
    assert folder("my.module:Class") == "my.module.Class-3"
    assert folder("dqn?double=false&n_step=1") == "dqn,double=false,n_step=1-3"
    names = ["dqn?a=1&b=2", "dqn?a=1,b=2", "dqn?a=x/../y", "dqn?a=x*", 'dqn?a="x y"', "dqn?a=[1,2]"]
    folders = [folder(name) for name in names]
    assert len(set(folders)) == len(names)
    assert not set("".join(folders)) & set('/\\:*?"<>| &')


def test_plan() -> None:
    assert plan(["random", "dqn?n_step=1"], 2) == [
        Run("random", 0),
        Run("dqn?n_step=1", 0),
        Run("dqn?n_step=1", 1),
    ]
    with pytest.raises(ValueError, match="more than once: random"):
        plan(["random", "random"], 1)
    with pytest.raises(ValueError, match="seeds must be at least 1"):
        plan(["random"], 0)
    with pytest.raises(ValueError, match="unknown agent 'nobody'"):
        plan(["nobody?a=1"], 1)


def test_slow_agents_have_fewer_seeds() -> None:
    runs = plan(["dqn", "sb3-dqn", "random", "sb3-ppo?seed=1"], 3, slow_seeds=2)
    count = Counter(run.agent for run in runs)
    assert count == {"dqn": 3, "sb3-dqn": 2, "random": 1, "sb3-ppo?seed=1": 2}
    assert len(plan(["sb3-dqn"], 1, slow_seeds=2)) == 1
