"""The benchmark's command, end to end with a tiny plan; each run is a process of its own."""

import dataclasses
from pathlib import Path

import pandas as pd
import pytest

import scripts.benchmark
from agents.experiments.runs import Settings
from agents.experiments.suites import Suite
from agents.reports.results import load_results

DAY = Settings("LiveStreamRecSession-v0", {}, 256, 10, 2, 5)
LONG = dataclasses.replace(DAY, timesteps=512)


def tiny(settings: Settings = DAY) -> tuple[Suite, ...]:
    return (
        Suite("v0-ladder", settings, {"random": 1, "linucb": 2}, "v0-ladder"),
        Suite("v0-agents", LONG, {"linucb?alpha=2": 1, "linucb?alpha=none": 1}, "v0-ladder"),
    )


@pytest.fixture
def plan(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setattr(scripts.benchmark, "suites", lambda quick=False: tiny())
    return monkeypatch


def test_in_sittings(
    plan: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Sitting by sitting; a run that fails is reported and tried again, the rest goes on."""

    def benchmark(*arguments: str) -> tuple[int, str, str]:
        status = scripts.benchmark.main([*arguments, "--workers", "2", "--out", str(tmp_path)])
        return status, *capsys.readouterr()

    status, output, _ = benchmark("--time-limit", "0")
    assert status == 0 and "0 runs finished, 0 failed, 5 left" in output

    status, output, _ = benchmark("--only", "v0-ladder", "--max-seeds", "1")
    assert status == 0 and "2 runs finished, 0 failed, 0 left" in output
    assert (tmp_path / "report.html").exists()

    status, output, errors = benchmark()
    assert status == 1 and "4 runs finished, 1 failed, 0 left" in output
    assert "linucb?alpha=none, seed 0, failed" in errors and "Traceback" in errors
    assert "2 of 5 runs were finished before" in output
    scores = pd.read_csv(tmp_path / "reference_scores.csv")
    assert list(scores["agent"]) == ["random", "linucb", "linucb", "linucb?alpha=2"]
    assert list(scores["timesteps"]) == [0, 256, 256, 512]

    before = (tmp_path / "reference_scores.csv").read_bytes()
    status, output, _ = benchmark("--report-only")
    assert status == 0 and "runs" not in output
    assert (tmp_path / "reference_scores.csv").read_bytes() == before

    changed = dataclasses.replace(DAY, eval_episodes=12)
    plan.setattr(scripts.benchmark, "suites", lambda quick=False: tiny(changed))
    with pytest.raises(SystemExit, match="2"):
        benchmark()
    assert "eval_episodes was 10 and is now 12" in capsys.readouterr().err


def test_unknown_suite(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        scripts.benchmark.main(["--only", "v7", "--out", str(tmp_path / "out")])
    assert "unknown suites v7; valid are v0-ladder, " in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_agents_are_made_before_anything_runs(
    plan: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    suite = Suite("v0-ladder", DAY, {"random": 1, "linucb?alhpa=2": 1}, "v0-ladder")
    plan.setattr(scripts.benchmark, "suites", lambda quick=False: (suite,))
    with pytest.raises(SystemExit, match="2"):
        scripts.benchmark.main(["--out", str(tmp_path)])
    assert "'alhpa' (did you mean 'alpha'?)" in capsys.readouterr().err
    assert not list(tmp_path.glob("*/runs"))


def test_a_damaged_result_is_left_out_of_a_report(
    plan: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    suite = tiny()[0]
    for run in suite.runs:
        path = run.result_path(tmp_path / suite.name)
        path.parent.mkdir(parents=True)
        path.write_bytes(b"PK and no more")
    assert len(load_results(tmp_path / suite.name, suite.runs)) == 0
    assert f"{path}: damaged, left out" in capsys.readouterr().err
