import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
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


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a cluster that asks for a token, which is in this environment."""
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ray = [Path(sys.executable).with_name("ray"), "start", "--head", "--block", f"--port={port}"]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:  # tmp_path is too long
        options = ["--num-cpus=1", "--include-dashboard=false", f"--temp-dir={folder}"]
        with subprocess.Popen(
            [*ray, *options], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            start_new_session=True,
        ) as head:  # fmt: skip
            try:
                assert any("runtime started" in line for line in head.stdout or ())
                yield f"127.0.0.1:{port}"
            finally:
                os.killpg(head.pid, signal.SIGTERM)


def test_a_cluster_by_address_with_its_token(cluster: str, tmp_path: Path) -> None:
    """In a process of its own: Ray reads its environment once."""
    program = """
import sys
from pathlib import Path
from agents.experiments.ray_workers import play_all
from tests.agents.experiments.test_ray_workers import jobs_in

jobs = jobs_in(Path(sys.argv[1]))[:1]
assert play_all(jobs, quiet=True, address=sys.argv[2]) == {}
assert jobs[0].finished
"""
    arguments = [sys.executable, "-c", program, str(tmp_path), cluster]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
