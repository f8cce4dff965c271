from pathlib import Path

from agents.experiments.jobs import Job, longest_first
from agents.experiments.runs import Run, Settings


def test_long_ones_first_and_finished_ones_not_at_all(tmp_path: Path) -> None:
    short, long = Settings(timesteps=1_000), Settings(timesteps=100_000, env_kwargs={"days": 3})
    jobs = [
        Job(Run(agent, 0), settings, tmp_path / name)
        for agent in ("random", "greedy-oracle", "dqn?n_step=1", "sb3-dqn")
        for name, settings in (("a", short), ("b", long))
    ]
    jobs[-1].result_path.parent.mkdir(parents=True)
    jobs[-1].result_path.touch()
    order = [(job.run.agent, job.folder.name) for job in longest_first(jobs)]
    assert order[0] == ("dqn?n_step=1", "b") and len(order) == 7
    assert order[-2:] == [("random", "a"), ("random", "b")]


def test_steps_count_for_learners_only() -> None:
    settings = Settings(timesteps=500)
    assert Job(Run("dqn", 1), settings, Path("x")).training_steps == 500
    assert Job(Run("popularity", 0), settings, Path("x")).training_steps == 0
