"""The study from end to end, small: it goes on where it ended, and its tables say who is better."""

from __future__ import annotations

import numpy as np
import pytest

from agents.experiments import offline
from agents.experiments.offline import LEARNERS, OfflineSettings, Study, quick
from agents.reports.offline import difference_table, score_table
from scripts import offline_study

SMALL = ["--data", "logging", "--sizes", "300", "--updates", "20", "--episodes", "6"]
SMALL += ["--learners", "DQN", "behaviour cloning", "--seeds", "1"]


@pytest.fixture
def played(monkeypatch):
    """The jobs played, here instead of in processes of their own."""
    jobs = []

    def play_all(planned, workers):
        for job in planned:
            if not job.finished:
                jobs.append(str(job))
                job.play(lambda updates: None)
        return {}

    monkeypatch.setattr(offline_study, "play_all", play_all)
    few = {"random": "random", "logging": "logging policy"}
    monkeypatch.setattr(offline, "RULE_LABELS", few)
    return jobs


def test_plays_what_is_missing(played, tmp_path, monkeypatch, capsys):
    page = tmp_path / "page.md"
    page.write_text("# Page\n<!-- begin: offline study -->\n<!-- end: offline study -->\n")
    monkeypatch.setattr(offline_study, "DOCS", page)
    command = [*SMALL, "--out", str(tmp_path / "study")]
    assert offline_study.main(command) == 0
    assert len(played) == 4
    text = capsys.readouterr().out
    assert "| DQN  " in text and "behaviour cloning" in text and "logging 300" in text
    (tmp_path / "study/logging-300/runs/dqn-0/result.npz").unlink()
    assert offline_study.main(command) == 0
    assert played[4:] == ["logging-300: dqn, seed 0"]
    assert offline_study.main([*command, "--report-only", "--docs"]) == 0
    assert len(played) == 5 and "| behaviour cloning |" in page.read_text()
    with pytest.raises(SystemExit):
        offline_study.main([*command, "--updates", "30"])
    assert "timesteps was 20 and is now 30" in capsys.readouterr().err


def test_damaged_decisions_are_told(played, tmp_path, capsys):
    study = Study(tmp_path)
    path = OfflineSettings(steps=300).data(study.folder)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"nothing")
    with pytest.raises(SystemExit):
        offline_study.main([*SMALL, "--out", str(tmp_path)])
    assert "logging-300.parquet is not a file of logged decisions" in capsys.readouterr().err


def test_plan(tmp_path, monkeypatch):
    study = Study(tmp_path)
    names = [settings.name for settings in study.data]
    assert names[:2] == ["logging-30000", "logging-300000"] and len(names) == 6
    missing = LEARNERS[-1]._replace(needs="no_such_package")
    jobs = Study(tmp_path, learners=(LEARNERS[0], missing)).jobs(study.data[0])
    assert [job.run for job in jobs] == [("dqn", seed) for seed in range(3)]
    assert all(job.training_steps == 20_000 and job.estimated_cpu_s > 20 for job in jobs)
    small = quick(study)
    assert len(small.data) == 3 and small.seeds == 1
    with pytest.raises(ValueError, match="behaviour must be one of"):
        OfflineSettings(behaviour="expert")


def test_tables():
    days = np.random.default_rng(0).normal(size=(1, 400))
    rules = {"random": days - 3, "logging policy": days}
    data = {
        "small": {**rules, "DQN": days + 0.001},
        "large": {**rules, "DQN": np.concatenate([days + 1, days + 2])},
    }
    header, _, first, _, learner = score_table(data, list(rules))
    assert "small" in header and "large" in header
    assert first.count("[") == 1 and learner.count("[") == 2
    rows = difference_table(data["large"], ["logging policy"])
    assert "**−3.00 [−3.00, −3.00]**" in rows[2] and "**+1.50 [+1.00, +2.00]**" in rows[4]
