from __future__ import annotations

import numpy as np
import pytest

from agents.evaluation import evaluate
from agents.experiments import mechanisms
from agents.experiments.mechanisms import ROWS, num_episodes, worth_of_prices
from agents.rules.oracles import FarsightedOracle, GreedyOracle
from livestream_env.progress import Progress
from tests.helpers import SMALL

SESSION, KWARGS = "LiveStreamRecSession-v0", {"config": SMALL}


@pytest.fixture
def few_prices(monkeypatch):
    monkeypatch.setattr(
        mechanisms, "PRICES", {"weight": (0.0, 2.0), "bond": (3.0,), "breadth": (0.0, 1.0)}
    )


def test_every_row_adds_to_one_before_it_in_the_same_world() -> None:
    before = {}
    for row in ROWS:
        assert mechanisms.PRICES[row.price][0] == 0.0  # wins where nothing is gained
        if row.given is not None:
            assert before[row.given].off == row.off
        before[row.name] = row
    assert len(before) == len(ROWS)


def test_what_is_scored(few_prices) -> None:
    """The oracle with the row's prices, and greedy, on the same viewers of the row's world."""
    progress = Progress(0, show=False)
    worths = {
        worth.row.name: worth
        for worth in worth_of_prices(SESSION, KWARGS, 8, 5, 4, progress=progress)
    }
    assert list(worths) == [row.name for row in ROWS]
    assert progress.n == num_episodes(8, 4)
    harm, both = worths["all on: harm"], worths["all on: harm + bond"]
    assert both.prices == {**harm.prices, "bond": 3.0}
    assert worths["ties alone: bond"].prices == {"weight": 0.0, "bond": 3.0, "breadth": 0.0}
    oracle = FarsightedOracle()
    oracle.weight, oracle.bond = both.prices["weight"], 3.0
    played = evaluate(oracle, SESSION, KWARGS, 8, 5)["reward"]
    assert np.array_equal(both.reward, played)
    alone = worths["breadth alone: breadth"]
    kwargs = {**KWARGS, "attachment": False, "satisfaction": False}
    assert np.array_equal(alone.greedy, evaluate(GreedyOracle(), SESSION, kwargs, 8, 5)["reward"])


def test_a_price_on_what_is_off_stays_0(monkeypatch) -> None:
    monkeypatch.setattr(mechanisms, "PRICES", {"weight": (0.0,), "bond": (0.0, 5.0), "breadth": ()})
    (worth,) = worth_of_prices(
        SESSION, KWARGS, 4, 5, 4, [mechanisms.Row("none", "bond", ("attachment",))]
    )
    assert worth.prices["bond"] == 0.0 and np.array_equal(worth.reward, worth.greedy)
