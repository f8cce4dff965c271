"""A small piece of the committed benchmark, played again: the same numbers come out."""

import json
from pathlib import Path

import pandas as pd
import pytest

from agents.experiments.runs import Run, Settings
from agents.policy import agent_spec

SCORES = Path(__file__).resolve().parents[1] / "data" / "reference_scores.csv"


@pytest.mark.parametrize(
    ("suite", "agent"),
    [("session-ladder", "random"), ("session-ladder", "popularity"), ("v0-ladder", "random")],
)
def test_scores_come_out_again(suite: str, agent: str) -> None:
    scores = pd.read_csv(SCORES)
    (row,) = scores[(scores["suite"] == suite) & (scores["agent"] == agent)].to_dict("records")
    settings = Settings(row["env_id"], json.loads(row["env_kwargs"]), eval_episodes=row["episodes"])
    policy = agent_spec(agent).make(settings.make_env(), Run(agent, row["seed"]).env_seed)
    episodes = settings.evaluate(policy, settings.eval_episodes)
    again = {
        "reward": episodes["reward"].mean(),
        "watch_min": episodes["watch_s"].mean() / 60,
        "likes": episodes["likes"].mean(),
    }
    assert again == pytest.approx({name: row[name] for name in again}, rel=1e-7)


def test_a_row_for_every_run_once() -> None:
    scores = pd.read_csv(SCORES)
    assert not scores.duplicated(["suite", "agent", "seed"]).any()
    ends = scores[scores["suite"].str.endswith("ladder")].set_index("agent")["normalised"]
    assert (ends["random"] == 0).all() and (ends["greedy-oracle"] == 1).all()
