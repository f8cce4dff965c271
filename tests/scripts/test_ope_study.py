"""The study from end to end, small; and its scores on made-up estimates."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from agents.experiments import ope as experiment
from agents.experiments.ope import Cell, OpeStudy, estimate_cell, find_truth
from agents.ope.targets import TargetPolicy
from agents.reports import ope_study as report
from agents.rules.baselines import LoggingPolicy, RandomPolicy
from livestream_env import LiveStreamRecEnv
from livestream_env.wrappers import layout_under
from scripts import ope_study


@pytest.fixture
def small(monkeypatch):
    """Two targets, judged here instead of in processes of their own; what was done."""
    env = LiveStreamRecEnv()
    layout = layout_under(env)
    targets = {
        "random": TargetPolicy(RandomPolicy(env, 0), layout, seed=0),
        "logging policy": TargetPolicy(LoggingPolicy(env, 0), layout, seed=0),
    }
    monkeypatch.setattr(experiment, "TARGETS", dict.fromkeys(targets, ("", 0.0)))
    done = []

    def play(study, workers):
        for label in targets:
            if not study.path(label).exists():
                find_truth(study, label, targets[label])
        for cell in study.cells:
            if not study.path(cell).exists():
                estimate_cell(study, cell, targets)
                done.append(cell)
                yield str(cell)

    monkeypatch.setattr(experiment, "play", play)
    return done


def test_plays_what_is_missing_and_fills_the_page(small, tmp_path, monkeypatch, capsys):
    page = tmp_path / "page.md"
    page.write_text("<!-- begin: ope study default -->\n<!-- end: ope study default -->\n")
    monkeypatch.setattr(ope_study, "DOCS", page)
    command = ["--sizes", "60", "--repeats", "1", "--resamples", "5", "--episodes", "8"]
    command += ["--out", str(tmp_path / "study")]
    assert ope_study.main(command) == 0
    assert len(small) == 6
    study = OpeStudy(tmp_path / "study", (60,), 1, 5, 8)
    study.path(small[0]).unlink()
    assert ope_study.main([*command, "--docs"]) == 0
    assert len(small) == 7 and "| phis" in page.read_text() and "`scripts.ope`" in page.read_text()
    with pytest.raises(SystemExit):
        ope_study.main([*command[2:], "--sizes", "70"])
    assert "sizes was [60] and is now [70]" in capsys.readouterr().err


def test_part_of_it(small, tmp_path, capsys):
    command = ["--sizes", "60", "--repeats", "2", "--resamples", "5", "--episodes", "8"]
    command += ["--horizons", "session", "--estimators", "phis", "--out", str(tmp_path)]
    assert ope_study.main([*command, "--first-seed", "5"]) == 0
    text = capsys.readouterr().out
    assert len(small) == 6 and "--estimators phis --first-seed 5" in text
    assert "| phis" in text and not any(row in text for row in ("| snis", "| `scripts.ope`", "day"))
    with pytest.raises(SystemExit):
        ope_study.main([*command, "--first-seed", "6"])
    assert "first_seed was 5 and is now 6" in capsys.readouterr().err
    for option in ("horizons", "estimators"):
        with pytest.raises(SystemExit):
            ope_study.main([f"--{option}", "week", "--out", str(tmp_path)])
        assert f"{option} must be some of" in capsys.readouterr().err


def test_quick_is_smaller(tmp_path):
    study = ope_study.quick(OpeStudy(tmp_path))
    assert study.sizes == (3_000, 10_000) and study.repeats == 2
    assert len(OpeStudy(tmp_path).cells) == 60 and len(study.cells) == 12
    assert study.path(Cell("logging", "x", 1)).name == "logging-x-1.csv"
    assert study.path("planner, cloned").name == "truth-planner_cloned.csv"


def estimates(values, half_width=0.1):
    """Of one estimator, policies with truths 0, 1, 2, ...; one log per row of ``values``."""
    rows = []
    for repeat, log in enumerate(values):
        for truth, value in enumerate(log):
            row = {"behaviour": "uniform", "repeat": repeat, "size": 10, "policy": str(truth)}
            row |= {"truth": truth + 1.0, "value": value, "trusted": truth == 0}
            low, high = value - half_width, value + half_width
            rows.append(row | {"low": low, "high": high, "covered": low <= truth + 1 <= high})
    return pd.DataFrame(rows)


def test_scores():
    right, wrong = [1.0, 2.0, 3.0], [3.0, 2.0, 1.0]
    assert report.rank_correlation(estimates([right, wrong])) == pytest.approx(0.0)
    assert report.rank_correlation(estimates([right])) == pytest.approx(1.0)
    assert report.covered(estimates([right, wrong])) == pytest.approx(4 / 6)
    assert report.regret(estimates([right, wrong])) == pytest.approx(1.0)
    assert report.relative_error(estimates([[1.1, 2.2, 3.3]])) == pytest.approx(0.1)
    assert report.believed(estimates([right])) == pytest.approx(1 / 3)
    widths = [0.2 / truth for truth in right]
    assert report.relative_width(estimates([right])) == pytest.approx(np.median(widths))
    assert report.relative_bias(estimates([wrong])) == pytest.approx((2 + 0 - 2 / 3) / 3)
    logs = estimates([right, wrong]).assign(estimator="phis")
    assert report.covered_error(logs) == pytest.approx((1 - 1 / 3) / 2)
    undefined = estimates([[np.nan, 2.0, 3.0]])
    assert report.rank_correlation(undefined) == pytest.approx(1.0)
    assert report.covered(undefined) == pytest.approx(2 / 3)
    said = report.said_by_the_command(pd.concat([estimates([right]), estimates([wrong], 0.05)]))
    assert list(said["value"]) == [3.0]
