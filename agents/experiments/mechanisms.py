"""What each mechanism is worth to a clairvoyant rule that puts a price on it.

A price is tuned by itself, on other viewers than those it is then scored on, in the world with all
mechanisms and in those with one alone. What it adds to greedy choice there is what the mechanism
leaves to plan for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np

from agents.evaluation import evaluate
from agents.rules.far_sighted import tune_weight
from agents.rules.oracles import FarsightedOracle, GreedyOracle, OnePriceOracle
from livestream_env.progress import Progress

GREEDY = "greedy-oracle"
# At a time: few, as all play on until the last has played her share, and a week of the most eager
# viewer is eight times the mean one. Of 256, three quarters of the choices would be for nothing.
NUM_ENVS = 16
# Each price by its attribute of the oracle; the first is 0, which wins where nothing is gained.
PRICES = {
    "weight": (0.0, 1.0, 2.0, 3.0, 4.0, 6.0),
    "bond": (0.0, 0.5, 1.0, 2.0, 4.0, 8.0),
    "breadth": (0.0, 1.0, 2.0, 4.0, 8.0, 16.0),
}


@dataclass(frozen=True)
class Row:
    """A price to tune and score.

    Attributes:
        name: Of the row.
        price: Which is tuned: a key of :data:`PRICES`.
        off: The environment's switches that are off.
        given: The row before whose prices this one adds to; None: the others are 0.
        oracle: Whose price it is.
    """

    name: str
    price: str
    off: tuple[str, ...] = ()
    given: str | None = None
    oracle: type[FarsightedOracle] = FarsightedOracle


ROWS = (
    Row("all on: harm", "weight"),
    Row("all on: harm + bond", "bond", given="all on: harm"),
    Row("all on: harm + breadth", "breadth", given="all on: harm"),
    Row("all on: harm, as the mean viewer's", "weight", oracle=OnePriceOracle),
    Row("trust alone: harm", "weight", ("attachment", "curiosity")),
    Row("ties alone: bond", "bond", ("curiosity", "satisfaction")),
    Row("breadth alone: breadth", "breadth", ("attachment", "satisfaction")),
)


class Worth(NamedTuple):
    """What came of a row: its prices by attribute, and the episodes' rewards, (episodes,).

    ``greedy`` are those of greedy choice in the same world, on the same viewers.
    """

    row: Row
    prices: dict[str, float]
    reward: np.ndarray
    greedy: np.ndarray


def worth_of_prices(
    env_id: str,
    env_kwargs: Mapping[str, Any],
    episodes: int,
    seed: int,
    tuning_episodes: int,
    rows: Sequence[Row] = ROWS,
    progress: Progress | None = None,
) -> list[Worth]:
    """Tune and score each row's price.

    Args:
        env_id: A registered environment.
        env_kwargs: Its arguments, beside the switches.
        episodes: Scored on, the same of every row.
        seed: Of their viewers.
        tuning_episodes: Played with each price, by other viewers.
        rows: In this order: one that is given another's prices comes after it.
        progress: Told of the episodes, as :func:`num_episodes` counts them.
    """
    progress = progress or Progress(0, show=False)
    greedy: dict[tuple[str, ...], np.ndarray] = {}
    found: dict[str, Worth] = {}

    def play(policy: GreedyOracle, kwargs: dict[str, Any]) -> np.ndarray:
        show = progress.from_here()
        return evaluate(policy, env_id, kwargs, episodes, seed, NUM_ENVS, show)["reward"]

    for row in rows:
        kwargs = {**env_kwargs, **dict.fromkeys(row.off, False)}
        if row.off not in greedy:
            progress.describe(f"{env_id}, {row.name.partition(':')[0]}, {GREEDY}")
            greedy[row.off] = play(GreedyOracle(), kwargs)
        progress.describe(f"{env_id}, {row.name}")
        oracle = row.oracle()
        start = dict.fromkeys(PRICES, 0.0) if row.given is None else found[row.given].prices
        for name, price in start.items():
            setattr(oracle, name, price)
        env = gym.make(env_id, **kwargs)
        choices = PRICES[row.price]
        price = tune_weight(oracle, env, choices, tuning_episodes, row.price, NUM_ENVS)
        progress.update(len(choices) * tuning_episodes)
        found[row.name] = Worth(
            row, start | {row.price: price}, play(oracle, kwargs), greedy[row.off]
        )
    return list(found.values())


def num_episodes(episodes: int, tuning_episodes: int, rows: Sequence[Row] = ROWS) -> int:
    """How many :func:`worth_of_prices` plays."""
    scored = len(rows) + len({row.off for row in rows})
    return scored * episodes + sum(len(PRICES[row.price]) for row in rows) * tuning_episodes
