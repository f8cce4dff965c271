"""The comparison, end to end at tiny budgets; each run is a process of its own."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from agents.experiments.runs import Result
from scripts.compare import DEFAULT_AGENTS, main

ROOT = Path(__file__).resolve().parents[2]
USER_CLASSES = """
import os
import time
from pathlib import Path
import numpy as np

class FirstSlots:
    '''Learns, after a fashion, which slot to show.'''
    def __init__(self, env, seed=None):
        self.rng, self.seed, self.num_timesteps = np.random.default_rng(seed), seed, 0
    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        return np.full(len(observation), self.num_timesteps % 3), state
    def learn(self, total_timesteps, callback=None):
        while self.num_timesteps < total_timesteps:
            self.num_timesteps += 10
            callback(self)

class Patient(FirstSlots):
    '''With its second training seed it waits as long as a file called wait is there.'''
    def learn(self, total_timesteps, callback=None):
        while self.seed > 2_000_000 and (Path(__file__).parent / "wait").exists():
            time.sleep(0.05)
        super().learn(total_timesteps, callback)

class Broken(FirstSlots):
    def learn(self, total_timesteps, callback=None):
        raise RuntimeError("this one does not work")

class NoPolicy:
    pass

class Refuses(FirstSlots):
    def __init__(self, env, seed=None):
        raise RuntimeError("not today")

class Killed(FirstSlots):
    def learn(self, total_timesteps, callback=None):
        os.kill(os.getpid(), 9)
"""
SCORES = ["agent", "seed", "episode", "reward", "watch_s", "clicks", "likes", "comments", "gifts",
          "gift_value", "follows", "impressions", "visits"]  # fmt: skip


@pytest.fixture(autouse=True)
def user_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "user_agents.py").write_text(USER_CLASSES)
    (tmp_path / "user_agents_broken.py").write_text("this is no Python")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "user_agents", raising=False)
    return tmp_path


def compare(out: Path, *arguments: str) -> int:
    small = ("--timesteps", "200", "--eval-episodes", "20", "--workers", "1", "--out", str(out))
    return main([*small, *arguments])


def test_all_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    status = compare(out, "--agents", "random,greedy-oracle,dqn,sb3-dqn", "--seeds", "1",
                     "--agent", "user_agents:FirstSlots")  # fmt: skip
    assert status == 0
    scores, curves = pd.read_csv(out / "scores.csv"), pd.read_csv(out / "curves.csv")
    agents = ["random", "greedy-oracle", "dqn", "sb3-dqn", "user_agents:FirstSlots"]
    assert list(scores) == SCORES and list(scores["agent"].unique()) == agents
    for _, episodes in scores.groupby("agent")["episode"]:
        assert list(episodes) == list(range(20))
    assert scores.notna().all(axis=None) and (scores["impressions"] > 0).all()
    assert list(curves) == ["agent", "seed", "timesteps", "cpu_s", "reward"]
    for agent in agents[2:]:
        rows = curves[curves["agent"] == agent]
        assert len(rows) <= 11 and rows["timesteps"].iloc[0] == 0
        assert rows["timesteps"].iloc[-1] >= 200
        assert rows["timesteps"].is_monotonic_increasing and rows["cpu_s"].is_monotonic_increasing
    assert set(curves["agent"]) == set(agents[2:])

    summary = (out / "summary.md").read_text()
    for expected in (*agents, "normalised score", "`dqn` − `sb3-dqn`", "With 1 seed"):
        assert expected in summary
    assert summary in capsys.readouterr().out
    record = json.loads((out / "run.json").read_text())
    assert record["arguments"]["timesteps"] == 200 and record["failed"] == []
    assert {"python", "numpy", "gymnasium", "torch"} <= set(record["versions"])
    assert record["seeds"]["training"] == {"0": 2_000_000}
    assert [run["agent"] for run in record["runs"]] == agents
    for name in ("curves.png", "scores.png"):
        assert (out / name).read_bytes().startswith(b"\x89PNG")
    page = (out / "report.html").read_text(encoding="utf-8")
    assert page.count("<svg") == 3 and '"agent":"dqn"' in page and "There is no replay" not in page
    assert (out / "runs/dqn-0/model.safetensors").exists()
    assert (out / "runs/sb3-dqn-0/model.zip").exists()
    assert (out / "runs/sb3-dqn-0/progress.csv").exists()


def test_interrupted_and_resumed(tmp_path: Path) -> None:
    """An interrupted comparison, gone on with, gives what an uninterrupted one gives."""
    arguments = ("--agents", "random", "--agent", "user_agents:Patient", "--seeds", "2")
    assert compare(tmp_path / "whole", *arguments) == 0

    out = tmp_path / "out"
    (tmp_path / "wait").touch()
    command = [sys.executable, "-m", "scripts.compare", "--timesteps", "200", "--workers", "2",
               "--eval-episodes", "20", "--out", str(out), *arguments]  # fmt: skip
    # Whoever began the tests in a shell's background ignores this signal, and so would the child.
    ours = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(
        command, cwd=ROOT, env={"PYTHONPATH": str(tmp_path), "PATH": ""}, stdout=subprocess.PIPE
    )
    signal.signal(signal.SIGINT, ours)
    finished = [out / "runs/user_agents.Patient-0/result.npz", out / "runs/random-0/result.npz"]
    deadline = time.monotonic() + 120
    while not all(path.exists() for path in finished) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 130 and b"--resume" in output
    assert not (out / "scores.csv").exists()
    (tmp_path / "wait").unlink()

    before = [path.stat().st_mtime_ns for path in finished]
    assert compare(out, *arguments, "--resume") == 0
    assert before == [path.stat().st_mtime_ns for path in finished]
    assert (out / "scores.csv").read_bytes() == (tmp_path / "whole/scores.csv").read_bytes()
    ours, whole = (pd.read_csv(folder / "curves.csv") for folder in (out, tmp_path / "whole"))
    assert ours.drop(columns="cpu_s").equals(whole.drop(columns="cpu_s"))


def test_failed_runs_do_not_stop_the_rest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    classes = ("--agent", "user_agents:Broken", "--agent", "user_agents:Killed")
    assert compare(out, "--agents", "random", *classes, "--seeds", "1") == 1
    assert set(pd.read_csv(out / "scores.csv")["agent"]) == {"random"}
    summary = (out / "summary.md").read_text()
    assert "this one does not work" in summary and "its process ended with code -9" in summary
    assert "Traceback" in capsys.readouterr().err
    assert len(json.loads((out / "run.json").read_text())["failed"]) == 2


def test_finished_runs_are_not_lost_by_accident(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert compare(out, "--agents", "popularity") == 0
    days = np.array(pd.read_csv(out / "scores.csv")["reward"])
    for arguments, reason in (
        ((), "--overwrite"),
        (("--resume", "--eval-episodes", "30"), "eval_episodes was 20 and is now 30"),
    ):
        with pytest.raises(SystemExit, match="2"):
            compare(out, "--agents", "popularity", *arguments)
        assert reason in capsys.readouterr().err
    assert compare(out, "--agents", "popularity", "--overwrite", "--eval-episodes", "30") == 0
    assert np.array_equal(pd.read_csv(out / "scores.csv")["reward"][:20], days)


def test_invalid_agents_discard_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All agents are checked before --overwrite removes what is there."""
    kept = tmp_path / "out/runs/random-0/result.npz"
    kept.parent.mkdir(parents=True)
    kept.touch()
    with pytest.raises(SystemExit, match="2"):
        compare(tmp_path / "out", "--agents", "dqn?doubel=false", "--overwrite")
    assert kept.exists()


def test_damaged_results_are_named_and_played_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    arguments = ("--agents", "random,popularity,max-ctr,logging,greedy-oracle")
    assert compare(out, *arguments) == 0
    scores = (out / "scores.csv").read_bytes()
    paths = [out / f"runs/{name}-0/result.npz" for name in arguments[1].split(",")]
    whole, short, empty, other, length = paths
    intact = whole.stat().st_mtime_ns
    short.write_bytes(short.read_bytes()[:200])
    empty.write_bytes(b"")
    np.savez(other, weights=np.zeros(3))
    result = Result.load(length)
    Result(result.episodes[:7], result.curve, result.timing).save(length)
    capsys.readouterr()
    assert compare(out, *arguments, "--resume") == 0
    output, errors = capsys.readouterr()
    assert all(f"{path}: damaged, its run is played again" in errors for path in paths[1:])
    assert str(whole) not in errors and "it has 7 viewer-days, not 20" in errors
    assert "1 of 5 runs were finished before" in output
    assert (out / "scores.csv").read_bytes() == scores and whole.stat().st_mtime_ns == intact


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "is missing"),
        ("[]", "it must be an object with env_id, env_kwargs, timesteps"),
        ('{"env_id": "LiveStr', "is damaged"),
        ('{"timesteps": 200}', "it must be an object with"),
        ("[" * 100_000, "is damaged"),
    ],
)
def test_runs_are_not_adopted_without_their_settings(
    content: str | None, reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    finished = out / "runs/popularity-0/result.npz"
    finished.parent.mkdir(parents=True)
    finished.touch()
    if content is not None:
        (out / "settings.json").write_text(content)
    with pytest.raises(SystemExit, match="2"):
        compare(out, "--agents", "popularity", "--resume")
    error = capsys.readouterr().err
    assert f"{out / 'settings.json'}" in error and reason in error and "Traceback" not in error
    assert finished.exists()


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--agents", "random,nobody"], "unknown agent 'nobody'; valid are random, popularity"),
        (["--agents", "random,random"], "more than once: random"),
        (["--agents", "dqnn"], "unknown agent 'dqnn' (did you mean 'dqn'?)"),
        (
            ["--agents", "dqn?doubel=false"],
            "--agents or --agent: 'dqn?doubel=false': unknown field "
            "'doubel' (did you mean 'double'?)",
        ),
        (["--agents", "random,dqn?n_step=many"], "n_step must be an integer"),
        (["--agents", "linucb?alhpa=1"], "'alhpa' (did you mean 'alpha'?)"),
        (["--agents", "sb3-dqn?gama=1"], "'gama' (did you mean 'gamma'?)"),
        (["--agents", "sb3-dqn?seed=1"], "seed"),
        (["--agent", "user_agents:Nobody"], "no class 'Nobody'"),
        (["--agent", "user_agents:NoPolicy"], "must be a class with a method predict"),
        (["--agent", "user_agents:Refuses"], "'user_agents:Refuses': RuntimeError('not today')"),
        (["--agent", "user_agents_broken:A"], "cannot import 'user_agents_broken'"),
        (["--agent", "no_such:Thing"], "cannot import 'no_such'"),
        (["--env-id", "LiveStreamRec-v9"], "LiveStreamRec-v9"),
        (["--env-kwargs", "{num_candidates: 3}"], "not JSON"),
        (["--env-kwargs", "[1]"], "must be an object"),
        (["--env-kwargs", '{"candidates": 3}'], "candidates"),
        (["--env-kwargs", '{"watch": "hours"}'], "'hours'"),
        (["--env-kwargs", '{"world": "absent.npz"}'], "absent.npz"),
        (["--timesteps", "0"], "at least 1"),
        (["--seeds", "many"], "many"),
    ],
)
def test_bad_arguments(
    arguments: list[str], reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main([*arguments, "--out", str(tmp_path / "out")])
    error = capsys.readouterr().err
    assert reason in error and "Traceback" not in error
    assert not (tmp_path / "out").exists()


def test_default_agents() -> None:
    assert DEFAULT_AGENTS.split(",")[-3:] == ["dqn", "dqn?gamma=0", "sb3-dqn"]
