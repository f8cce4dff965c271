from pathlib import Path

import numpy as np
import pytest

from agents.experiments.jobs import Job
from agents.experiments.runs import Result, Run, Settings
from agents.experiments.workers import play_all

pytest.importorskip("ray")
pytestmark = pytest.mark.slow  # starts a Ray cluster


def jobs_in(folder: Path) -> list[Job]:
    small = Settings("LiveStreamRecSession-v0", {}, 512, 12, 2, 5)
    other = Settings("LiveStreamRecSession-v0", {"satiation": False}, 256, 6, 1, 3)
    runs = [Run("linucb", 0), Run("linucb", 1), Run("dqn?num_envs=8&learning_starts=100", 0)]
    jobs = [Job(run, small, folder / "small") for run in runs]
    return [*jobs, Job(Run("linucb?alpha=none", 0), other, folder / "other"),
            Job(Run("greedy-oracle", 0), other, folder / "other")]  # fmt: skip


def test_same_scores_to_the_bit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from agents.experiments import ray_workers

    theirs, ours = jobs_in(tmp_path / "ray"), jobs_in(tmp_path / "processes")
    finished: list[Job] = []
    failed = ray_workers.play_all(theirs, workers=2, on_finish=finished.append)
    assert list(failed) == [theirs[3]] and "alpha" in failed[theirs[3]]
    assert set(finished) == {*theirs} - {theirs[3]}
    assert "FAILED" in capsys.readouterr().out
    assert list(play_all(ours, workers=2, quiet=True)) == [ours[3]]
    for one, other in zip(theirs, ours, strict=True):
        if one in failed:
            continue
        mine, reference = Result.load(one.result_path), Result.load(other.result_path)
        assert np.array_equal(mine.episodes, reference.episodes)
        for column in ("timesteps", "reward"):
            assert np.array_equal(mine.curve[column], reference.curve[column])
        # Logs and models come back, too.
        assert {path.name for path in one.home.iterdir()} >= {
            path.name for path in other.home.iterdir() if not path.name.startswith("events")
        }
    # What is finished stays; nothing is begun when the time is up.
    before = finished.copy()
    assert ray_workers.play_all(theirs, 2, True, 0.0, finished.append) == {}
    assert finished == before and not theirs[3].finished
