import json

import numpy as np

from agents.evaluation import EVALUATION_SEED, evaluate
from agents.experiments.replay import record, typical_day, write_replay
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


def test_typical_day_is_nearest_the_mean():
    assert typical_day(np.array([0.0, 5, 4.2, 11])) == 1
    assert typical_day(np.full(3, 2.0)) == 0


def test_a_replay_is_the_typical_day_of_the_evaluation_twice(tmp_path):
    policy = FarsightedOracle()
    episodes = evaluate(policy, episodes=6)
    given = ("LiveStreamRec-v0", {}, EVALUATION_SEED)
    write_replay(tmp_path / "replay.json", "mine", policy, episodes, *given)
    replay = json.loads((tmp_path / "replay.json").read_text())
    assert list(replay["plays"]) == ["mine", "greedy-oracle"] and replay["of"] == 6
    assert replay["day"] == typical_day(episodes["reward"])
    total = replay["plays"]["mine"]["impressions"][-1]["total"]
    assert abs(total - episodes["reward"][replay["day"]]) < 1e-3
    write_replay(tmp_path / "alone.json", "greedy-oracle", GreedyOracle(), episodes, *given)
    assert list(json.loads((tmp_path / "alone.json").read_text())["plays"]) == ["greedy-oracle"]


def test_what_a_policy_raises_when_it_is_recorded_costs_no_run(tmp_path):
    class Broken:
        def predict(self, observation, **_):
            raise KeyError("one row")

    episodes = evaluate(GreedyOracle(), episodes=2)
    write_replay(tmp_path / "replay.json", "mine", Broken(), episodes, "LiveStreamRec-v0", {}, 0)
    assert json.loads((tmp_path / "replay.json").read_text()) == {"reason": "KeyError: 'one row'"}
