"""Train one agent, save it, and score it on held-out viewer-days.

    python -m scripts.train --agent dqn --timesteps 500_000 --out runs/dqn
    python -m scripts.train --agent "dqn?cql_weight=0.1" --offline logging.parquet --out runs/cql

Writes the model, progress.csv and TensorBoard's events to --out; `tensorboard --logdir runs` shows
them while it trains, `python -m scripts.evaluate --agent dqn --model FILE` scores the model again.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gymnasium as gym

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
    parser.add_argument(
        "--offline",
        type=Path,
        metavar="DATA",
        help="learn from logged decisions (python -m scripts.log_decisions) instead of playing; "
        "they name the environment, in which the agent is then scored",
    )
    parser.add_argument(
        "--updates", type=positive_int, default=20_000, help="with --offline: %(default)s"
    )
    parser.add_argument("--seed", type=whole_number, default=0, help="%(default)s")
    add_env_arguments(parser)
    parser.add_argument("--eval-episodes", type=positive_int, default=1000, help="%(default)s")
    parser.add_argument("--out", type=Path, default=None, help="default: runs/AGENT-SEED")
    return parser


def _logged(parser: argparse.ArgumentParser, args: argparse.Namespace) -> tuple[Any, gym.Env]:
    """The decisions of ``--offline`` and their environment, which ``args`` then name, too."""
    from livestream_env.decisions import read_decisions

    try:
        decisions = read_decisions(args.offline, progress_bar=True)
        env = decisions.description.make_env()
    except (OSError, ValueError, gym.error.Error) as error:
        parser.error(f"--offline: {error}")
    args.env_id = decisions.description.env_id
    args.env_kwargs = dict(decisions.description.env_kwargs)
    return decisions, env


def main(argv: Sequence[str] | None = None) -> int:
    """Train; returns the exit status."""
    parser = make_parser()
    args = parser.parse_args(argv)
    with needs("agents", "scripts.train"):
        from agents.reports.diagnostics import diagnostics_text
        from agents.reports.reporting import describe_episodes

    decisions = None
    if args.offline is None:
        env = make_env(parser, args)
    else:
        decisions, env = _logged(parser, args)
    try:
        agent = agent_spec(args.agent).make(env, args.seed, **args.config)
    except ValueError as error:
        parser.error(str(error))
    method = "learn" if decisions is None else "learn_offline"
    if not hasattr(agent, method):
        parser.error(f"agent {args.agent!r} does not learn: it has no {method}")
    out = args.out or Run(args.agent, args.seed).folder(Path())
    try:
        if decisions is not None:
            agent.learn_offline(decisions, args.updates, progress_bar=True)  # type: ignore[attr-defined]
        else:
            with Progress(args.timesteps, args.agent) as progress:
                learn(
                    agent,
                    args.timesteps,
                    callback=lambda agent: progress.reach(agent.num_timesteps),
                    log_dir=out,
                )
    except ValueError as error:
        parser.error(str(error))
    if hasattr(agent, "save"):
        out.mkdir(parents=True, exist_ok=True)
        agent.save(out / "model")
        print(f"saved in {out}")
    print(describe_episodes(evaluate(agent, args.env_id, args.env_kwargs, args.eval_episodes)))
    if hasattr(agent, "diagnose"):
        found = agent.diagnose(args.env_id, args.env_kwargs)
        print(f"\n{diagnostics_text({args.agent: [found]})}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
