"""How far can off-policy estimates be trusted? Estimates from logs against the simulator's truth.

    python -m scripts.ope_study --quick          # less than ten minutes
    python -m scripts.ope_study                  # under an hour of two cores
    python -m scripts.ope_study --horizons session --estimators phis --out results/phis
    python -m scripts.ope_study --report-only --docs

Ten policies, from random to a clone of the planner, are judged by all estimators of scripts.ope
from logs of three behaviour policies, of several sizes, over three horizons; and played. The tables
say how each estimator ranks the policies, how often its interval covers the truth, how far it is
off, and what choosing by it costs. What is finished is kept: the same command goes on where it
ended.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from livestream_env.extras import needs
from livestream_env.files import write_text
from scripts.command_line import command_of, described_parser, positive_int, whole_number

if TYPE_CHECKING:
    from agents.experiments.ope import OpeStudy

DOCS = Path(__file__).resolve().parents[1] / "docs" / "offline.md"


def make_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = described_parser("scripts.ope_study", __doc__)
    parser.add_argument("--world", default="default", help="default or plain; %(default)s")
    parser.add_argument("--quick", action="store_true", help="two logs each, none of the largest")
    parser.add_argument(
        "--sizes",
        nargs="+",
        type=positive_int,
        default=[3_000, 10_000, 30_000],
        metavar="DECISIONS",
        help="of each log; default: 3,000, 10,000 and 30,000",
    )
    parser.add_argument(
        "--repeats", type=positive_int, default=10, help="logs of each kind; %(default)s"
    )
    parser.add_argument("--resamples", type=positive_int, default=300, help="%(default)s")
    parser.add_argument(
        "--episodes", type=positive_int, default=16_000, help="played for the truth; %(default)s"
    )
    parser.add_argument(
        "--horizons", nargs="+", metavar="KEY", help="of first-5, session and day; default: all"
    )
    parser.add_argument(
        "--estimators", nargs="+", metavar="KEY", help="as scripts.ope names them; default: all"
    )
    parser.add_argument(
        "--first-seed",
        type=whole_number,
        default=2_001,
        help="of the first log of each kind; others are other logs; %(default)s",
    )
    parser.add_argument(
        "--workers", type=positive_int, default=2, help="processes, one thread each; %(default)s"
    )
    parser.add_argument("--out", type=Path, help="default: results/ope, or ope-quick")
    parser.add_argument("--report-only", action="store_true", help="tables of what is finished")
    parser.add_argument("--docs", action="store_true", help=f"also fill docs/{DOCS.name}")
    return parser


def quick(study: OpeStudy) -> OpeStudy:
    """The same in less than ten minutes of two cores."""
    sizes = tuple(size for size in study.sizes if size <= 10_000) or study.sizes[:1]
    return dataclasses.replace(
        study, sizes=sizes, repeats=2, truth_episodes=study.truth_episodes // 4
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the study; returns the exit status."""
    parser = make_parser()
    args = parser.parse_args(argv)
    with needs("agents", "scripts.ope_study"):
        from agents.experiments.ope import HORIZONS, OpeStudy, play
        from agents.experiments.runs import note_settings
        from agents.ope.estimators import ESTIMATORS
        from agents.reports.ope_study import study_tables
        from agents.reports.page import fill, provenance
    out = args.out or Path("results") / ("ope-quick" if args.quick else "ope")
    try:
        study = OpeStudy(
            out,
            tuple(sorted(args.sizes)),
            args.repeats,
            args.resamples,
            args.episodes,
            args.first_seed,
            tuple(args.horizons or HORIZONS),
            tuple(args.estimators or ESTIMATORS),
            args.world,
        )
        if args.quick:
            study = quick(study)
        note_settings(out, study.settings(), begun=any(out.glob("*.csv")))
        if not args.report_only:
            for line in play(study, args.workers):
                print(line, file=sys.stderr, flush=True)
    except ValueError as error:
        parser.error(str(error))
    except KeyboardInterrupt:
        print("\ninterrupted; the same command goes on with what is missing")
        return 130
    truth, estimates = study.load()
    if truth.empty or estimates.empty:
        parser.error(f"{out} holds no finished study")
    options = ("world", "quick", "sizes", "repeats", "resamples", "episodes", "horizons")
    command = command_of(parser, args, (*options, "estimators", "first_seed"))
    text = "\n".join([*study_tables(truth, estimates), "", provenance(command)])
    write_text(out / "ope.md", text + "\n")
    print(text)
    if args.docs:
        write_text(DOCS, fill(DOCS.read_text(encoding="utf-8"), f"ope study {study.world}", text))
    return 0


if __name__ == "__main__":
    sys.exit(main())
