"""What would these policies earn? An answer from logged decisions alone, and whether to believe it.

    python -m scripts.ope logging.parquet --policy "logging?uniform_share=0.5"
    python -m scripts.ope logging.parquet --policy dqn runs/dqn/model.safetensors --policy greedy
    python -m scripts.ope logging.parquet --policy greedy --epsilon 0.3 --horizon 10 --csv ope.csv
    python -m scripts.ope session.parquet --policy max-ctr --temperature 0.5 --simulate 10_000

DATA is a file of scripts.log_decisions. For each policy all estimators give the mean reward per
episode with a 95 % interval over viewers: importance sampling in several forms, fitted Q, doubly
robust and marginalised ones (agents/ope/estimators.py has formulas and sources). Each says what
speaks against it, and where nothing can be believed the command says that. What a deterministic
policy does is hardly ever all in a log; --epsilon and --temperature judge a neighbour of it that
explores. --simulate plays the policies, too, which only a simulator can.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from agents.evaluation import EVALUATION_SEED, evaluate
from agents.policy import AGENTS
from livestream_env.extras import needs
from livestream_env.files import atomic_path, write_text
from scripts.command_line import described_parser, positive_int, whole_number
from scripts.evaluate import load_agent

if TYPE_CHECKING:
    from agents.ope.targets import TargetPolicy
    from livestream_env.decisions import Decisions


def make_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = described_parser("scripts.ope", __doc__)
    parser.add_argument("data", type=Path, metavar="DATA", help="a .parquet of logged decisions")
    parser.add_argument(
        "--policy",
        action="append",
        nargs="+",
        required=True,
        metavar=("NAME", "MODEL"),
        help=f"{', '.join(AGENTS)}, or module:Class, and what a learner saved; may be repeated",
    )
    parser.add_argument(
        "--trust-pickle",
        action="store_true",
        help="load a model of Stable-Baselines3, although that runs whatever code is in the file",
    )
    parser.add_argument(
        "--epsilon", type=float, default=0.0, help="share of uniform decisions; %(default)s"
    )
    parser.add_argument(
        "--temperature", type=float, help="softmax over each policy's scores instead of the best"
    )
    parser.add_argument(
        "--horizon", type=positive_int, help="decisions of each episode that count; default: all"
    )
    parser.add_argument("--gamma", type=float, default=1.0, help="discount; %(default)s")
    parser.add_argument("--tau-s", type=float, help="seconds per factor gamma; default: a step")
    parser.add_argument("--steps", type=positive_int, help="only the first decisions of DATA")
    parser.add_argument("--resamples", type=positive_int, default=1_000, help="%(default)s")
    parser.add_argument("--seed", type=whole_number, default=0, help="%(default)s")
    parser.add_argument(
        "--simulate",
        type=positive_int,
        metavar="EPISODES",
        help="also play the policies, whole episodes without discount",
    )
    parser.add_argument("--csv", type=Path, help="also write one row per policy and estimator")
    parser.add_argument("--json", type=Path, help="the same as JSON")
    return parser


def load_targets(
    parser: argparse.ArgumentParser, args: argparse.Namespace, decisions: Decisions
) -> dict[str, TargetPolicy]:
    """The policies by the words that named them; ends the program if one cannot be."""
    from agents.ope.targets import TargetPolicy
    from livestream_env.wrappers import layout_under

    about = decisions.description
    layout = layout_under(about.make_env())
    assert layout is not None  # all registered environments have one
    targets = {}
    for words in args.policy:
        if len(words) > 2:
            parser.error(f"--policy takes a name and at most one model, got {' '.join(words)}")
        model = Path(words[1]) if len(words) == 2 else None
        agent = argparse.Namespace(
            agent=words[0],
            model=model,
            trust_pickle=args.trust_pickle,
            seed=args.seed,
            env_id=about.env_id,
            env_kwargs=dict(about.env_kwargs),
        )
        targets[" ".join(words)] = TargetPolicy(
            load_agent(parser, agent), layout, args.epsilon, args.temperature, args.seed
        )
    return targets


def main(argv: Sequence[str] | None = None) -> int:
    """Estimate; returns the exit status."""
    parser = make_parser()
    args = parser.parse_args(argv)
    if args.simulate and (args.horizon or args.gamma != 1.0):
        parser.error("--simulate plays whole episodes: leave out --horizon and --gamma")
    with needs("agents", "scripts.ope"):
        from agents.ope.evaluation import evaluate_off_policy
        from agents.reports.markdown import estimate_text
        from agents.reports.ope import policy_section, records
        from agents.reports.statistics import Estimate
        from livestream_env.decisions import read_decisions
    try:
        decisions = read_decisions(args.data)
        if args.steps is not None:
            decisions = decisions.first(args.steps)
        targets = load_targets(parser, args, decisions)
        estimates = evaluate_off_policy(
            decisions, targets, args.horizon, args.gamma, args.tau_s, args.resamples, args.seed
        )
    except (ValueError, OSError) as error:
        parser.error(str(error))
    print(decisions)
    for name, target in targets.items():
        mine = [estimate for estimate in estimates if estimate.policy == name]
        print(f"\n## {name}\n", *policy_section(mine), sep="\n")
        if args.simulate:
            about = decisions.description
            played = evaluate(
                target, about.env_id, about.env_kwargs, args.simulate, EVALUATION_SEED
            )["reward"]
            value, width = played.mean(), 1.96 * played.std() / len(played) ** 0.5
            truth = estimate_text(Estimate(value, value - width, value + width))
            print(f"{name}: {truth} when it is played in the simulator.")
    rows = records(estimates)
    if args.json is not None:
        write_text(args.json, json.dumps(rows, indent=2).replace("NaN", "null") + "\n")
    if args.csv is not None:
        with needs("agents", "scripts.ope --csv"):
            import pandas as pd
        with atomic_path(args.csv) as temporary:
            pd.DataFrame(rows).to_csv(temporary, index=False, float_format="%.9g")
    return 0


if __name__ == "__main__":
    sys.exit(main())
