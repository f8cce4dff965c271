"""Score one agent on held-out viewer-days.

python -m scripts.evaluate --agent dqn --model runs/dqn-0
python -m scripts.evaluate --agent popularity --episodes 5000 --csv popularity.csv

Models of Stable-Baselines3 are pickles and can hold code: --trust-pickle is needed to load them.
"""

from __future__ import annotations

import argparse
import inspect
import sys
from collections.abc import Sequence
from pathlib import Path

from agents.evaluation import EVALUATION_SEED, evaluate
from agents.policy import AGENTS, Policy, agent_spec, load_policy_class
from livestream_env.extras import needs
from livestream_env.files import atomic_path
from scripts.command_line import (
    add_env_arguments,
    described_parser,
    make_env,
    positive_int,
    whole_number,
)


def make_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = described_parser("scripts.evaluate", __doc__)
    parser.add_argument("--agent", required=True, help=f"{', '.join(AGENTS)}, or module:Class")
    add_model_arguments(parser)
    add_env_arguments(parser)
    parser.add_argument("--episodes", type=positive_int, default=1000, help="%(default)s")
    parser.add_argument("--seed", type=whole_number, default=EVALUATION_SEED, help="%(default)s")
    parser.add_argument("--csv", type=Path, help="also write one row per viewer-day")
    return parser


def add_policy_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``--policy``, of commands that log what it shows, and what :func:`load_agent` needs."""
    parser.add_argument(
        "--policy",
        dest="agent",
        default="logging",
        help=f"{', '.join(AGENTS)}, or module:Class; default: %(default)s",
    )
    add_model_arguments(parser)


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """``--model`` and ``--trust-pickle``, which :func:`load_agent` reads."""
    parser.add_argument(
        "--model",
        type=Path,
        help="what a learner saved, or the folder of its run; read with Class.load",
    )
    parser.add_argument(
        "--trust-pickle",
        action="store_true",
        help="load a model of Stable-Baselines3, although that runs whatever code is in the file",
    )


def load_agent(parser: argparse.ArgumentParser, args: argparse.Namespace) -> Policy:
    """The agent, from its file if it has one; ends the program if that cannot be."""
    env = make_env(parser, args)
    try:
        spec = agent_spec(args.agent)
        if args.model is not None:
            cls = load_policy_class(spec.target)
            if not hasattr(cls, "load"):
                parser.error(f"agent {args.agent!r} has no load: leave out --model")
            # Only those that read pickles ask for it.
            asks = "trust_pickle" in inspect.signature(cls.load).parameters
            options = {"trust_pickle": args.trust_pickle} if asks else {}
            agent: Policy = cls.load(_model_file(args.model), **options)
            return agent
        if spec.learns:
            parser.error(f"agent {args.agent!r} learns: name what it learned with --model")
        agent = spec.make(env, args.seed)
        if hasattr(agent, "learn"):
            agent.learn()
        return agent
    except (ValueError, OSError) as error:
        parser.error(str(error))


def _model_file(path: Path) -> Path:
    """``path``, or in a run's folder its model."""
    if not path.is_dir():
        return path
    found = [file for file in sorted(path.glob("model.*")) if file.is_file()]
    if len(found) != 1:
        names = ", ".join(file.name for file in found) or "none"
        raise ValueError(f"the folder of a run holds one file called model.*, {path} {names}")
    return found[0]


def main(argv: Sequence[str] | None = None) -> int:
    """Evaluate; returns the exit status."""
    parser = make_parser()
    args = parser.parse_args(argv)
    with needs("agents", "scripts.evaluate"):
        from agents.reports.reporting import describe_episodes
    if args.csv is not None:
        with needs("agents", "scripts.evaluate --csv"):
            import pandas as pd
    agent = load_agent(parser, args)
    episodes = evaluate(agent, args.env_id, args.env_kwargs, args.episodes, args.seed)
    print(describe_episodes(episodes))
    if args.csv is not None:
        with atomic_path(args.csv) as temporary:
            pd.DataFrame(episodes).to_csv(temporary, index_label="episode", float_format="%.9g")
    return 0


if __name__ == "__main__":
    sys.exit(main())
