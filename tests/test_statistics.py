"""The named worlds as a whole: like a real platform, and worth planning in."""

import json

import pytest

from livestream_env.calibration import check, read_published_statistics
from scripts.calibrate import PUBLISHED, main, simulated_statistics
from scripts.planning import IDS, ladder
from scripts.planning import main as planning_main

pytestmark = pytest.mark.statistical
PLAIN = {"world": "plain", "traces": False}  # of which anybody's viewer-days are KuaiLive's


def test_required_statistics_are_within_their_tolerances():
    """Those that do not depend on how long viewers are watched."""
    published = read_published_statistics(PUBLISHED)
    published = [row for row in published if row.required and not row.days]
    assert len(published) == 22
    simulated = simulated_statistics(50_000, seed=1, env_kwargs=PLAIN)
    missed = {
        row.statistic: (simulated[row.statistic].value, row.bounds)
        for row in published
        if not row.accepts(simulated[row.statistic].value)
    }
    assert not missed


def test_calibrate_exits_with_1_on_a_miss(capsys):
    arguments = ["--check", "--on", "days", "--viewer-days", "500", "--env-kwargs"]
    assert main([*arguments, '{"config": {"click_bias": -6}}']) == 1
    printed = capsys.readouterr().out
    assert "MISS" in printed
    assert "missed: ctr" in printed
    assert "room_reentries" not in printed  # takes a log


def test_the_log_decides_where_it_is_asked_for(capsys, monkeypatch):
    """It misses several, which are printed; without it the viewer-days decide."""
    monkeypatch.setattr(check, "LARGE_CATALOGUE", 2_000)
    few = ["--viewer-days", "20000", "--log-viewers", "200", "--large-viewers", "200"]
    few += ["--env-kwargs", json.dumps(PLAIN)]
    assert main(["--check", *few]) == 1
    printed = capsys.readouterr().out
    assert "viewer-days: 22 of 22 required statistics within tolerance\n" in printed
    assert "room_reentries" in printed.split("log: ")[-1]  # missed
    assert main(["--check", "--on", "log", *few]) == 1
    printed = capsys.readouterr().out
    assert "viewer-days: " not in printed
    assert "active: " in printed
    assert main(["--check", "--on", "days", *few]) == 0
    assert "active: " not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("env_id", "episodes", "far_sighted_gain", "greedy_gain"),
    [
        ("LiveStreamRec-v0", 2048, 1.3, 2.5),
        pytest.param("LiveStreamRecWeek-v0", 1024, 1.4, 2.0, marks=pytest.mark.slow),
    ],
)
def test_planning_pays(env_id, episodes, far_sighted_gain, greedy_gain):
    played = ladder(env_id, episodes, seed=7, tuning_episodes=64)
    assert played.ratio("farsighted-oracle", "greedy-oracle").low >= far_sighted_gain
    assert played.ratio("greedy-oracle", "random").low >= greedy_gain


def test_planning_prints_a_row_for_each_environment(capsys):
    assert planning_main(["--episodes", "32"]) == 0
    rows = capsys.readouterr().out.splitlines()[2:]
    assert [row.split("`")[1] for row in rows] == list(IDS)
