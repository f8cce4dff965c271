"""Export a trained DQN, ours or Stable-Baselines3's, as an ONNX model.

    python -m scripts.export --agent dqn --model runs/dqn-0 --out dqn.onnx
    python -m scripts.export --agent sb3-dqn --model runs/sb3-dqn-0 --trust-pickle --out sb3.onnx

The environment's arguments are those that the agent was trained with. The model is then held
against the original; if they differ by more than rounding, the exit status is 1. It plays by

    python -m scripts.evaluate --agent agents.export:OnnxPolicy --model dqn.onnx

and examples/serve.py serves it over HTTP.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from agents.evaluation import EVALUATION_SEED
from livestream_env.extras import needs
from scripts.command_line import (
    add_env_arguments,
    described_parser,
    make_env,
    positive_int,
    whole_number,
)
from scripts.evaluate import add_model_arguments, load_agent


def make_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = described_parser("scripts.export", __doc__)
    parser.add_argument("--agent", default="dqn", help="whose class has a DQN (%(default)s)")
    add_model_arguments(parser)
    add_env_arguments(parser)
    parser.add_argument("--out", type=Path, required=True, help="the .onnx file")
    parser.add_argument(
        "--check",
        type=positive_int,
        default=10_000,
        metavar="N",
        help="observations that both must agree on, met by the agent as it plays (%(default)s)",
    )
    parser.add_argument(
        "--seed", type=whole_number, default=EVALUATION_SEED, help="of their viewers (%(default)s)"
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Export and check; returns the exit status."""
    parser = make_parser()
    args = parser.parse_args(argv)
    with needs("export", "scripts.export"):
        from agents.export import OnnxPolicy, export_policy
        from agents.export.parity import compare, met_observations
    agent = load_agent(parser, args)
    env = make_env(parser, args)
    try:
        path = export_policy(agent, args.out, env)
    except (ValueError, OSError) as error:
        parser.error(str(error))
    exported = OnnxPolicy(path)
    about = exported.description
    print(
        f"wrote {path}: {path.stat().st_size / 1e3:.0f} kB, {about.observation_size} columns, "
        f"{about.num_actions} slots, for {about.env_id} in world {about.world_digest}"
    )
    parity = compare(agent, exported, met_observations(agent, env, args.check, args.seed))
    print(parity)
    return 0 if parity.holds else 1


if __name__ == "__main__":
    sys.exit(main())
