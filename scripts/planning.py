"""How much does planning pay? Random, clairvoyant greedy and the far-sighted rule, side by side.

    python -m scripts.planning

plays the three on the same viewers of each registered environment and prints mean rewards and their
ratios, with 95 % bootstrap intervals over viewers. The rule's one weight is tuned on other viewers
first, for each environment.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import gymnasium as gym

from agents.evaluation import evaluate
from agents.policy import agent_spec
from agents.rules.far_sighted import EPISODES
from livestream_env.extras import needs
from livestream_env.progress import Progress
from scripts.command_line import described_parser, positive_int, whole_number

if TYPE_CHECKING:
    from agents.reports.statistics import Comparison

IDS = ("LiveStreamRec-v0", "LiveStreamRecSession-v0", "LiveStreamRecWeek-v0")
LADDER = ("random", "greedy-oracle", "farsighted-oracle")


def ladder(
    env_id: str,
    episodes: int,
    seed: int,
    tuning_episodes: int = EPISODES,
    progress: Progress | None = None,
) -> Comparison:
    """The policies of the ladder on the same viewers.

    Args:
        env_id: A registered environment.
        episodes: Played by each policy.
        seed: Of their viewers.
        tuning_episodes: Played with each weight of the far-sighted rule beforehand.
        progress: Told of the episodes, as :func:`num_episodes` counts them.
    """
    with needs("agents", "scripts.planning"):
        from agents.reports.statistics import Comparison
    from agents.rules.oracles import FarsightedOracle

    env = gym.make(env_id)
    *others, rule = LADDER
    policies = {name: agent_spec(name).make(env, seed=0) for name in others}
    progress = progress or Progress(0, show=False)
    progress.describe(f"{env_id}, weight of {rule}")
    policies[rule] = FarsightedOracle(env, episodes=tuning_episodes).learn()
    progress.update(len(FarsightedOracle.weights) * tuning_episodes)
    rewards = {}
    for name, policy in policies.items():
        before = progress.n
        progress.describe(f"{env_id}, {name}")

        def show(done: int, before: float = before) -> None:
            progress.reach(before + done)

        result = evaluate(policy, env_id, episodes=episodes, seed=seed, on_step=show)
        rewards[name] = result["reward"][None]
        progress.reach(before + episodes)
    return Comparison(rewards)


def num_episodes(episodes: int, tuning_episodes: int) -> int:
    """How many :func:`ladder` plays."""
    from agents.rules.oracles import FarsightedOracle

    return len(LADDER) * episodes + len(FarsightedOracle.weights) * tuning_episodes


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table, Markdown."""
    parser = described_parser("scripts.planning", __doc__)
    parser.add_argument("--episodes", type=positive_int, default=4096, help="of each environment")
    parser.add_argument("--seed", type=whole_number, default=2026, help="of the viewers")
    args = parser.parse_args(argv)
    print(
        "| environment | random | greedy | far-sighted | far-sighted / greedy | greedy / random |"
    )
    print("|---|---:|---:|---:|---:|---:|")
    tuning = min(EPISODES, args.episodes)
    total = len(IDS) * num_episodes(args.episodes, tuning)
    with Progress(total, unit="episodes", leave=False) as progress:
        for env_id in IDS:
            played = ladder(env_id, args.episodes, args.seed, tuning, progress)
            estimates = [played.score(name) for name in LADDER]
            estimates += [played.ratio(*pair) for pair in (LADDER[:0:-1], LADDER[1::-1])]
            cells = [f"{e.value:.2f} [{e.low:.2f}, {e.high:.2f}]" for e in estimates]
            print(f"| `{env_id}` | {' | '.join(cells)} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
