"""How much does planning pay? Random, clairvoyant greedy and the far-sighted rule, side by side.

    python -m scripts.planning

plays the three on the same viewers of each registered environment and prints mean rewards and their
ratios, with 95 % bootstrap intervals over viewers. The rule's one weight is tuned on other viewers
first, for each environment.

    python -m scripts.planning --mechanisms --env-id LiveStreamRecWeek-v0 --episodes 800

asks what each mechanism leaves to plan for: what a price on it adds to clairvoyant greedy choice,
with all mechanisms and with one alone, each price tuned on a third as many other viewers (at most
512). A world with another parameter is asked by --env-kwargs '{"config": {"return_limit": 2.5}}'.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import gymnasium as gym

from agents.evaluation import evaluate
from agents.policy import agent_spec
from agents.rules.far_sighted import EPISODES
from livestream_env.extras import needs
from livestream_env.progress import Progress
from scripts.command_line import (
    add_env_arguments,
    described_parser,
    make_env,
    positive_int,
    whole_number,
)

if TYPE_CHECKING:
    from agents.experiments.mechanisms import Worth
    from agents.reports.statistics import Comparison

IDS = ("LiveStreamRec-v0", "LiveStreamRecSession-v0", "LiveStreamRecWeek-v0")
DAY_AND_WEEK = (IDS[0], IDS[2])  # a visit is over before ties and breadth bring anybody back
PRICE_NAMES = {"weight": "harm"}
LADDER = ("random", "greedy-oracle", "farsighted-oracle")


def ladder(
    env_id: str,
    episodes: int,
    seed: int,
    tuning_episodes: int = EPISODES,
    progress: Progress | None = None,
    env_kwargs: Mapping[str, Any] | None = None,
) -> Comparison:
    """The policies of the ladder on the same viewers.

    Args:
        env_id: A registered environment.
        episodes: Played by each policy.
        seed: Of their viewers.
        tuning_episodes: Played with each weight of the far-sighted rule beforehand.
        progress: Told of the episodes, as :func:`num_episodes` counts them.
        env_kwargs: Arguments of the environment.
    """
    with needs("agents", "scripts.planning"):
        from agents.reports.statistics import Comparison
    from agents.rules.oracles import FarsightedOracle

    env = gym.make(env_id, **(env_kwargs or {}))
    *others, rule = LADDER
    policies = {name: agent_spec(name).make(env, seed=0) for name in others}
    progress = progress or Progress(0, show=False)
    progress.describe(f"{env_id}, weight of {rule}")
    policies[rule] = FarsightedOracle(env, episodes=tuning_episodes).learn()
    progress.update(len(FarsightedOracle.weights) * tuning_episodes)
    rewards = {}
    for name, policy in policies.items():
        progress.describe(f"{env_id}, {name}")
        show = progress.from_here()
        result = evaluate(policy, env_id, env_kwargs, episodes, seed, on_step=show)
        rewards[name] = result["reward"][None]
        show(episodes)
    return Comparison(rewards)


def num_episodes(episodes: int, tuning_episodes: int) -> int:
    """How many :func:`ladder` plays."""
    from agents.rules.oracles import FarsightedOracle

    return len(LADDER) * episodes + len(FarsightedOracle.weights) * tuning_episodes


def print_ladders(args: argparse.Namespace, ids: Sequence[str]) -> None:
    """Print a row for each environment."""
    print(
        "| environment | random | greedy | far-sighted | far-sighted / greedy | greedy / random |"
    )
    print("|---|---:|---:|---:|---:|---:|")
    tuning = min(EPISODES, args.episodes)
    total = len(ids) * num_episodes(args.episodes, tuning)
    with Progress(total, unit="episodes", leave=False) as progress:
        for env_id in ids:
            played = ladder(env_id, args.episodes, args.seed, tuning, progress, args.env_kwargs)
            estimates = [played.score(name) for name in LADDER]
            estimates += [played.ratio(*pair) for pair in (LADDER[:0:-1], LADDER[1::-1])]
            cells = [f"{e.value:.2f} [{e.low:.2f}, {e.high:.2f}]" for e in estimates]
            print(f"| `{env_id}` | {' | '.join(cells)} |", flush=True)


def print_mechanisms(args: argparse.Namespace, ids: Sequence[str]) -> None:
    """Print a table of each environment, of which a row is a mechanism's price."""
    with needs("agents", "scripts.planning"):
        from agents.reports.markdown import markdown_table
    from agents.experiments import mechanisms

    tuning = min(EPISODES, -(-args.episodes // 3))
    total = len(ids) * mechanisms.num_episodes(args.episodes, tuning)
    with Progress(total, unit="episodes", leave=False) as progress:
        for env_id in ids:
            worths = mechanisms.worth_of_prices(
                env_id, args.env_kwargs, args.episodes, args.seed, tuning, progress=progress
            )
            header = (env_id, "prices", "reward", "/ greedy", "/ harm's price alone")
            print(
                "\n".join([*markdown_table(header, mechanism_rows(worths), left=2), ""]), flush=True
            )


def mechanism_rows(worths: Sequence[Worth]) -> list[list[str]]:
    """The cells: name, prices, reward, its ratio to greedy and to the row it adds a price to."""
    from agents.reports.markdown import NONE, estimate_text
    from agents.reports.statistics import Comparison

    rewards = {worth.row.name: worth.reward for worth in worths}
    rows = []
    for worth in worths:
        given = worth.row.given
        played = {"row": worth.reward, "greedy": worth.greedy, "given": rewards.get(given or "")}
        compared = Comparison({name: r[None] for name, r in played.items() if r is not None})
        prices = [
            f"{PRICE_NAMES.get(name, name)} {price:g}"
            for name, price in worth.prices.items()
            if price or name == worth.row.price
        ]
        added = estimate_text(compared.ratio("row", "given")) if given else NONE
        estimates = compared.score("row"), compared.ratio("row", "greedy")
        rows.append([worth.row.name, ", ".join(prices), *map(estimate_text, estimates), added])
    return rows


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table, Markdown."""
    parser = described_parser("scripts.planning", __doc__)
    parser.add_argument(
        "--mechanisms", action="store_true", help="what each mechanism is worth, day and week"
    )
    add_env_arguments(parser, None, "only this environment")
    parser.add_argument("--episodes", type=positive_int, default=4096, help="of each environment")
    parser.add_argument("--seed", type=whole_number, default=2026, help="of the viewers")
    args = parser.parse_args(argv)
    ids: Sequence[str] = DAY_AND_WEEK if args.mechanisms else IDS
    if args.env_id is not None:
        ids = (args.env_id,)
    for args.env_id in ids:
        make_env(parser, args).close()  # so that a wrong argument is refused at once
    (print_mechanisms if args.mechanisms else print_ladders)(args, ids)
    return 0


if __name__ == "__main__":
    sys.exit(main())
