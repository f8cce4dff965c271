"""Log the decisions of a policy: what is needed to learn from them, or to judge another policy.

    python -m scripts.log_decisions --steps 300_000 --out logging.parquet
    python -m scripts.log_decisions --policy "logging?uniform_share=0.5" --out mixture.parquet
    python -m scripts.log_decisions --policy random --env-id LiveStreamRecSession-v0 --out s.parquet

Episodes are drawn as in the environment and played to their ends, so there are a few steps more
than asked for. One Parquet file holds the observations, the candidates that could be shown and
with which probabilities, which one was, the reward and its components, and the seconds until the
next decision; it names the environment and its world. `livestream_env.decisions` reads it.
With --minari livestream/logging-v0 there is a Minari dataset of them, too.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

import gymnasium as gym

from livestream_env.progress import Progress
from scripts.command_line import add_env_arguments, described_parser, positive_int, whole_number
from scripts.evaluate import add_policy_arguments, load_agent

if TYPE_CHECKING:
    from livestream_env import LiveStreamRecVectorEnv

MAX_ENVS = 256


def make_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = described_parser("scripts.log_decisions", __doc__)
    add_policy_arguments(parser)
    parser.add_argument("--steps", type=positive_int, default=300_000, help="default: %(default)s")
    parser.add_argument("--out", type=Path, required=True, help="a .parquet, written over")
    parser.add_argument("--seed", type=whole_number, default=0, help="default: %(default)s")
    add_minari_argument(parser)
    add_env_arguments(parser)
    return parser


def add_minari_argument(parser: argparse.ArgumentParser) -> None:
    """``--minari``, of commands that write decisions."""
    parser.add_argument(
        "--minari",
        metavar="ID",
        help="also write the decisions as a local Minari dataset, for example "
        "livestream/logging-v0 (extra [minari]; uncompressed)",
    )


def check_minari(parser: argparse.ArgumentParser, dataset_id: str | None) -> None:
    """End the program if a dataset asked for cannot be written, before anything is played."""
    if dataset_id is None:
        return
    from livestream_env.decisions.minari_dataset import check_dataset_id

    try:
        check_dataset_id(dataset_id)
    except ValueError as error:
        parser.error(f"--minari: {error}")


def write_dataset(parser: argparse.ArgumentParser, decisions: Path, dataset_id: str | None) -> None:
    """Write the dataset from the file of decisions, if it is asked for."""
    if dataset_id is None:
        return
    from livestream_env.decisions import DecisionFile
    from livestream_env.decisions.minari_dataset import write_minari

    try:
        dataset = write_minari(DecisionFile(decisions), dataset_id)
    except (ValueError, OSError) as error:
        parser.error(f"--minari: {error}")
    print(f"Minari dataset {dataset_id}: {dataset.total_episodes:,} episodes")


def main(argv: Sequence[str] | None = None) -> int:
    """Play and write; returns the exit status."""
    parser = make_parser()
    args = parser.parse_args(argv)
    from livestream_env.decisions import decision_writer
    from livestream_env.simulated_logs.recording import describe, log_decisions

    if args.seed < 0:
        parser.error(f"--seed must be at least 0, got {args.seed}")
    check_minari(parser, args.minari)
    policy = load_agent(parser, args)
    num_envs = min(max(args.steps // 2_000, 1), MAX_ENVS)
    made = gym.make_vec(args.env_id, num_envs, "vector_entry_point", **args.env_kwargs)
    env = cast("LiveStreamRecVectorEnv", made.unwrapped)
    about = describe(env, args.env_id, args.env_kwargs, args.agent, args.seed)
    try:
        with (
            Progress(args.steps, "log decisions") as progress,
            decision_writer(args.out, about) as writer,
        ):
            rows = log_decisions(policy, env, args.steps, args.seed, progress.reach)
            for part in rows:
                writer.write(part)
    except ValueError as error:
        parser.error(str(error))
    size = args.out.stat().st_size / 1e6
    print(
        f"{args.out}: {writer.num_steps:,} steps in {writer.num_episodes:,} episodes, {size:.1f} MB"
    )
    write_dataset(parser, args.out, args.minari)
    return 0


if __name__ == "__main__":
    sys.exit(main())
