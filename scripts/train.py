"""Train one agent, save it, and score it on held-out viewer-days.

    python -m scripts.train --agent dqn --timesteps 500_000 --out runs/dqn

Writes the model, progress.csv and TensorBoard's events to --out; `tensorboard --logdir runs` shows
them while it trains, `python -m scripts.evaluate --agent dqn --model FILE` scores the model again.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from agents.evaluation import evaluate
from agents.experiments.runs import Run
from agents.policy import AGENTS, agent_spec, learn
from livestream_env.extras import needs
from livestream_env.progress import Progress
from scripts.command_line import (
    add_env_arguments,
    described_parser,
    json_object,
    make_env,
    positive_int,
    whole_number,
)


def make_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = described_parser("scripts.train", __doc__)
    names = ", ".join(name for name, spec in AGENTS.items() if spec.learns)
    parser.add_argument(
        "--agent",
        default="dqn",
        help=f"{names}, or module:Class; settings may follow, as in 'dqn?double=false' "
        "(%(default)s)",
    )
    parser.add_argument(
        "--config",
        type=json_object,
        default={},
        metavar="JSON",
        help="settings that replace the agent's: for dqn those of DQNConfig, for example "
        "'{\"gamma\": 0.99}', for others arguments of their class",
    )
    parser.add_argument("--timesteps", type=positive_int, default=200_000, help="%(default)s")
    parser.add_argument("--seed", type=whole_number, default=0, help="%(default)s")
    add_env_arguments(parser)
    parser.add_argument("--eval-episodes", type=positive_int, default=1000, help="%(default)s")
    parser.add_argument("--out", type=Path, default=None, help="default: runs/AGENT-SEED")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Train; returns the exit status."""
    parser = make_parser()
    args = parser.parse_args(argv)
    with needs("agents", "scripts.train"):
        from agents.reports.reporting import describe_episodes

    env = make_env(parser, args)
    try:
        agent = agent_spec(args.agent).make(env, args.seed, **args.config)
    except ValueError as error:
        parser.error(str(error))
    if not hasattr(agent, "learn"):
        parser.error(f"agent {args.agent!r} does not learn")
    out = args.out or Run(args.agent, args.seed).folder(Path())
    with Progress(args.timesteps, args.agent) as progress:
        learn(
            agent,
            args.timesteps,
            callback=lambda agent: progress.reach(agent.num_timesteps),
            log_dir=out,
        )
    if hasattr(agent, "save"):
        out.mkdir(parents=True, exist_ok=True)
        agent.save(out / "model")
        print(f"saved in {out}")
    print(describe_episodes(evaluate(agent, args.env_id, args.env_kwargs, args.eval_episodes)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
