"""Train and play several agents on the same viewer-days, and compare them.

For example, the agents of the article against your own:

    python -m scripts.compare --agents random,greedy-oracle,dqn --agent my_package.module:MyAgent

Writes report.html, with all there is to read, and scores.csv, curves.csv, summary.md, curves.png,
scores.png and run.json. An interrupted comparison goes on with --resume, which also adds agents or
seeds to a finished one.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from agents.experiments.runs import Settings, check_agents, open_folder, plan
from agents.experiments.suites import Suite
from agents.experiments.workers import default_workers, play_all
from agents.policy import AGENTS
from livestream_env.extras import needs
from scripts.command_line import add_env_arguments, described_parser, make_env, positive_int

DEFAULT_AGENTS = (
    "random,popularity,affinity,static-linear,cover-price,max-ctr,logging,"
    "greedy-oracle,farsighted-oracle,planner,linucb,dqn,dqn?gamma=0,sb3-dqn"
)


def make_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = described_parser("scripts.compare", __doc__)
    parser.add_argument(
        "--agents",
        default=DEFAULT_AGENTS,
        metavar="NAMES",
        help=f"separated by commas, of {', '.join(AGENTS)}; settings may follow a name, as in "
        "'dqn?double=false&n_step=1' (default: %(default)s)",
    )
    parser.add_argument(
        "--agent",
        action="append",
        default=[],
        metavar="MODULE:CLASS",
        help="also this class, constructed as Class(env, seed=seed), with predict and perhaps "
        "learn (see agents/policy.py), or a name with commas in its settings; repeatable",
    )
    parser.add_argument(
        "--timesteps",
        type=positive_int,
        default=Settings.timesteps,
        help="environment steps to train for (default: %(default)s)",
    )
    parser.add_argument(
        "--seeds", type=positive_int, default=5, help="training seeds (default: %(default)s)"
    )
    parser.add_argument(
        "--slow-seeds",
        type=positive_int,
        default=2,
        metavar="SEEDS",
        help="at most so many for the agents of AGENTS that take longest to train, those of "
        "Stable-Baselines3 for example; the table says how many each has (default: %(default)s)",
    )
    add_env_arguments(parser)
    parser.add_argument(
        "--eval-episodes",
        type=positive_int,
        default=Settings.eval_episodes,
        help="viewer-days that every trained agent plays (default: %(default)s)",
    )
    parser.add_argument(
        "--workers",
        type=positive_int,
        default=default_workers(),
        help="runs at a time, one thread each (default: one per processor, %(default)s)",
    )
    parser.add_argument("--out", type=Path, default=Path("results/compare"), help="%(default)s")
    existing = parser.add_mutually_exclusive_group()
    existing.add_argument("--resume", action="store_true", help="keep the finished runs in --out")
    existing.add_argument("--overwrite", action="store_true", help="discard them")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the comparison; returns the exit status."""
    start = time.perf_counter()
    parser = make_parser()
    args = parser.parse_args(argv)
    with needs("agents", "scripts.compare"):
        from agents.reports.page import write_comparison

    names = [name.strip() for name in args.agents.split(",") if name.strip()] + args.agent
    env = make_env(parser, args)
    env.reset(seed=0)
    env.step(0)  # compiles the simulator here, once, instead of in each worker
    env.close()
    try:
        settings = Settings(
            args.env_id,
            args.env_kwargs,
            args.timesteps,
            args.eval_episodes,
            curve_episodes=min(Settings.curve_episodes, args.eval_episodes),
        )
    except ValueError as error:
        parser.error(str(error))
    try:
        runs = plan(names, args.seeds, args.slow_seeds)
        check_agents(names, settings)
    except ValueError as error:
        parser.error(f"argument --agents or --agent: {error}")
    try:
        for line in open_folder(args.out, settings, args.resume, args.overwrite):
            print(line, file=sys.stderr)
    except (ValueError, FileExistsError) as error:
        parser.error(str(error))
    # A benchmark of one suite, which is its own ladder.
    folder, name = args.out.parent, args.out.name
    suite = Suite(name, settings, Counter(run.agent for run in runs), ladder=name)
    arguments = {**vars(args), "out": str(args.out)}
    try:
        jobs = suite.jobs(folder)
        failed = {job.run: why for job, why in play_all(jobs, args.workers).items()}
    except KeyboardInterrupt:
        print(f"\ninterrupted; --resume goes on with what is missing in {args.out}")
        return 130
    wall_clock_s = time.perf_counter() - start
    text = write_comparison(folder, suite, failed, arguments, wall_clock_s)
    print(f"\n{text}\nWritten to {args.out} after {wall_clock_s:.0f} s.")
    for run, reason in failed.items():
        print(f"\n{run.agent}, seed {run.seed}, failed:\n{reason}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
