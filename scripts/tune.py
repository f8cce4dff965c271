"""Search the main hyperparameters of agents that learn, with the same budget for each.

    python -m scripts.tune --agent sb3-ppo sb3-dqn --trials 10 --timesteps 100_000

The spaces are in agents/experiments/search_spaces.py. --out holds Optuna's journal, with which the
command goes on where it was interrupted, and trials.csv, a row per finished trial of all agents;
trial 0 is the defaults. Needs the extras [agents,tune], for SB3's agents [sb3].
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from agents.policy import AGENTS
from livestream_env.progress import Progress
from scripts.command_line import described_parser, positive_int

if TYPE_CHECKING:
    from agents.experiments.tuning import Search

SEARCHED = [name for name, spec in AGENTS.items() if spec.search_space]


def make_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = described_parser("scripts.tune", __doc__)
    parser.add_argument(
        "--agent", nargs="+", choices=SEARCHED, required=True, help="one or more agents"
    )
    parser.add_argument("--trials", type=positive_int, default=10, help="of each (%(default)s)")
    parser.add_argument("--timesteps", type=positive_int, default=100_000, help="%(default)s")
    parser.add_argument("--env-id", default="LiveStreamRec-v0", help="default: %(default)s")
    parser.add_argument("--out", type=Path, default=Path("results/tune"), help="%(default)s")
    return parser


def run_search(search: Search, trials: int, folder: Path) -> None:
    """Run what is missing of a search, and say how far it is."""
    from agents.experiments.tuning import finished, trials_table, write_table

    done = finished(search.study(folder))
    total, finished_steps = trials * search.timesteps, len(done) * search.timesteps
    best = max((trial.value for trial in done if trial.value is not None), default=float("-inf"))
    with Progress(total, search.agent, initial=finished_steps) as bar:
        for number in range(len(done), trials):
            start = number * search.timesteps

            def show(agent: object, start: int = start) -> None:
                bar.reach(start + agent.num_timesteps)  # type: ignore[attr-defined]

            trial = search.run_trial(folder, callback=show)
            write_table(trials_table(folder), folder / "trials.csv")
            best = max(best, trial.value if trial.value is not None else best)
            last = "failed" if trial.value is None else f"{trial.value:.2f}"
            bar.note(f"trial {number}: {last}, best {best:.2f}")
            bar.reach(start + search.timesteps)


def main(argv: Sequence[str] | None = None) -> int:
    """Search; returns the exit status."""
    parser = make_parser()
    args = parser.parse_args(argv)
    from agents.experiments.tuning import Search, optuna, trials_table

    searches = [Search(agent, args.timesteps, args.env_id) for agent in args.agent]
    try:
        for search in searches:
            search.check()
    except ValueError as error:
        parser.error(str(error))
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    for search in searches:
        run_search(search, args.trials, args.out)
    table = trials_table(args.out)
    print(table[table["agent"].isin(args.agent)].to_string(index=False, na_rep=""))
    return 0


if __name__ == "__main__":
    sys.exit(main())
