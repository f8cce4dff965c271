import json

import numpy as np

from agents.evaluation import EVALUATION_SEED, evaluate
from agents.reports.viewer_day import record, typical_day
from agents.rules.oracles import FarsightedOracle, GreedyOracle


def test_a_recording_is_the_viewer_day_that_an_evaluation_plays():
    episodes = evaluate(GreedyOracle(), episodes=6)
    played = record(GreedyOracle(), seed=EVALUATION_SEED + 5)
    impressions = played["impressions"]
    assert len(impressions) == episodes["impressions"][5]
    assert abs(impressions[-1]["total"] - episodes["reward"][5]) < 1e-3
    assert abs(sum(one["watch_s"] for one in impressions) - episodes["watch_s"][5]) < 1
    assert sum(one["away_s"] is not None for one in impressions) == episodes["visits"][5]
    assert np.allclose(np.cumsum([one["reward"] for one in impressions]),
                       [one["total"] for one in impressions], atol=0.01)  # fmt: skip


def test_a_recording_is_json_and_says_what_was_offered():
    kwargs = {"num_candidates": 4, "horizon": "visit"}
    played = record(GreedyOracle(), "LiveStreamRec-v0", kwargs, seed=3)
    assert json.loads(json.dumps(played, allow_nan=False)) == played
    times = [one["time_s"] for one in played["impressions"]]
    assert times == sorted(times)
    for one in played["impressions"]:
        assert len(one["cards"]) == 4
        values = [card["expected_reward"] for card in one["cards"] if card]
        assert one["cards"][one["shown"]]["expected_reward"] == max(values)


def test_two_policies_meet_the_same_viewer_and_the_same_first_candidates():
    one, other = (record(oracle(), seed=11) for oracle in (GreedyOracle, FarsightedOracle))
    assert one["viewer"] == other["viewer"] and one["tastes"] == other["tastes"]
    assert one["impressions"][0]["cards"] == other["impressions"][0]["cards"]
    assert one["impressions"] != other["impressions"]


def test_typical_day_is_near_every_mean():
    assert typical_day([np.array([0.0, 5, 4, 11]), np.array([0.0, 0, 6, 14])]) == 2
    assert typical_day([np.full(3, 2.0)]) == 0
