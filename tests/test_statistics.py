"""The default world as a whole: like a real platform, and worth planning in."""

import pytest

from livestream_env.calibration import read_published_statistics
from scripts.calibrate import PUBLISHED, main, simulated_statistics
from scripts.planning import IDS, ladder
from scripts.planning import main as planning_main

pytestmark = pytest.mark.statistical


def test_required_statistics_are_within_their_tolerances():
    published = [row for row in read_published_statistics(PUBLISHED) if row.required]
    simulated = simulated_statistics(50_000, seed=1, env_kwargs={})
    missed = {
        row.statistic: (simulated[row.statistic].value, row.bounds)
        for row in published
        if not row.accepts(simulated[row.statistic].value)
    }
    assert not missed


def test_calibrate_exits_with_1_on_a_miss(capsys):
    arguments = ["--check", "--viewer-days", "500", "--env-kwargs"]
    assert main([*arguments, '{"config": {"click_bias": -6}}']) == 1
    printed = capsys.readouterr().out
    assert "MISS" in printed
    assert "missed: ctr" in printed


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
