"""Jobs of two comparisons in one pool. Failures and interrupts: tests/scripts/test_compare.py."""

import time
from pathlib import Path

import pytest

from agents.experiments.jobs import Job
from agents.experiments.runs import Result, Run, Settings
from agents.experiments.workers import play_all


def jobs_of_two_comparisons(folder: Path) -> list[Job]:
    small = Settings(timesteps=256, eval_episodes=4, curve_points=2, curve_episodes=4)
    other = Settings("LiveStreamRecSession-v0", {"satiation": False}, 512, 6, 1, 3)
    return [
        Job(Run("random", 0), small, folder / "small"),
        Job(Run("linucb", 0), small, folder / "small"),
        Job(Run("linucb", 0), other, folder / "other"),
    ]


def test_jobs_of_different_settings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = jobs_of_two_comparisons(tmp_path)
    finished: list[Job] = []
    assert play_all(jobs[:1], workers=2, on_finish=finished.append) == {}
    assert finished == jobs[:1]
    assert play_all(jobs, workers=2, on_finish=finished.append) == {}
    # What was finished is not played again; each run has the settings of its comparison.
    assert len(finished) == 3 and set(finished) == set(jobs)
    results = [Result.load(job.result_path) for job in jobs]
    assert [len(result.episodes) for result in results] == [4, 4, 6]
    assert [list(result.curve["timesteps"]) for result in results[1:]] == [[0, 128, 256], [0, 512]]
    output = capsys.readouterr().out
    assert "1 of 3 runs were finished before" in output and "[3/3]" in output


def test_no_new_run_after_the_time_limit(tmp_path: Path) -> None:
    jobs = jobs_of_two_comparisons(tmp_path)
    assert play_all(jobs, quiet=True, time_limit_s=0.0) == {}
    assert not any(job.finished for job in jobs)
    begun = time.monotonic()
    assert play_all(jobs, quiet=True, time_limit_s=0.01) == {}
    assert time.monotonic() > begun
    assert sum(job.finished for job in jobs) <= 1
