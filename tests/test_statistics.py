"""The default world as a whole: like a real platform, and worth planning in."""

import gymnasium as gym
import numpy as np
import pytest

from agents.evaluation import evaluate
from agents.oracles import FarsightedOracle, GreedyOracle
from agents.policy import agent_spec
from livestream_env.calibration import read_published_statistics
from scripts.calibrate import PUBLISHED, main, simulated_statistics

pytestmark = pytest.mark.statistical


def ratio_interval(above, below, resamples=2000):
    """Ratio of the means of paired scores, and its 95 % bootstrap interval over viewer-days."""
    rng = np.random.default_rng(0)
    draws = rng.integers(len(above), size=(resamples, len(above)))
    ratios = above[draws].mean(1) / below[draws].mean(1)
    return above.mean() / below.mean(), *np.percentile(ratios, [2.5, 97.5])


def rewards(policy, env_id, episodes):
    return evaluate(policy, env_id, episodes=episodes, seed=2026)["reward"]


def test_required_statistics_are_within_their_tolerances():
    published = [row for row in read_published_statistics(PUBLISHED) if row.required]
    simulated = simulated_statistics(50_000, seed=1, env_kwargs={})
    missed = {
        row.statistic: (simulated[row.statistic], row.bounds)
        for row in published
        if not row.accepts(simulated[row.statistic])
    }
    assert not missed


def test_calibrate_exits_with_1_on_a_miss(capsys):
    arguments = ["--check", "--viewer-days", "500", "--env-kwargs"]
    assert main([*arguments, '{"config": {"click_bias": -6}}']) == 1
    printed = capsys.readouterr().out
    assert "MISS" in printed
    assert "missed: ctr" in printed


def test_planning_pays_on_the_day():
    episodes = 2048
    random = agent_spec("random").make(gym.make("LiveStreamRec-v0"), seed=0)
    noise = rewards(random, "LiveStreamRec-v0", episodes)
    greedy = rewards(GreedyOracle(), "LiveStreamRec-v0", episodes)
    farsighted = rewards(FarsightedOracle(), "LiveStreamRec-v0", episodes)
    assert ratio_interval(farsighted, greedy)[1] >= 1.3
    assert ratio_interval(greedy, noise)[1] >= 2.5


def test_planning_pays_more_on_the_week():
    greedy = rewards(GreedyOracle(), "LiveStreamRecWeek-v0", 1024)
    farsighted = rewards(FarsightedOracle(), "LiveStreamRecWeek-v0", 1024)
    assert ratio_interval(farsighted, greedy)[1] >= 1.4
