"""Learn from logged decisions of three qualities, score all learners on the same viewer-days.

    python -m scripts.offline_study --quick          # less than ten minutes, 30,000 steps each
    python -m scripts.offline_study                  # 30,000 and 300,000 steps, some hours
    python -m scripts.offline_study --data logging --sizes 300_000
    python -m scripts.offline_study --report-only --docs

Logs the decisions of the uniform policy, the logging policy and their mixture, and learns from
each: our DQN plain, with conservative Q-learning (CQL), with batch-constrained actions (BCQ) and
short-sighted (γ = 0), behaviour cloning, and d3rlpy's DiscreteCQL where d3rlpy is installed (see
docs/offline.md). What is finished is kept: the same command goes on where it ended.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from agents.experiments.jobs import Job
from agents.experiments.offline import BEHAVIOURS, LEARNERS, RULES, OfflineSettings, Study, quick
from agents.experiments.runs import open_folder
from agents.experiments.workers import default_workers, play_all
from livestream_env.extras import needs
from livestream_env.files import write_text
from scripts import log_decisions
from scripts.command_line import command_of, described_parser, positive_int

DOCS = Path(__file__).resolve().parents[1] / "docs" / "offline.md"
NAMES = [learner.label for learner in LEARNERS]


def make_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = described_parser("scripts.offline_study", __doc__)
    parser.add_argument("--quick", action="store_true", help="a small one, one seed")
    parser.add_argument(
        "--data",
        nargs="+",
        choices=BEHAVIOURS,
        default=list(BEHAVIOURS),
        help="who decided what is logged; default: all",
    )
    parser.add_argument(
        "--sizes",
        nargs="+",
        type=positive_int,
        default=[30_000, 300_000],
        metavar="STEPS",
        help="decisions of each; default: 30,000 and 300,000",
    )
    parser.add_argument("--seeds", type=positive_int, default=3, help="default: %(default)s")
    parser.add_argument("--updates", type=positive_int, default=20_000, help="default: %(default)s")
    parser.add_argument(
        "--episodes", type=positive_int, default=4_000, help="viewer-days; default: %(default)s"
    )
    parser.add_argument(
        "--learners",
        nargs="+",
        choices=NAMES,
        default=NAMES,
        metavar="LEARNER",
        help=f"of {', '.join(NAMES)}; default: all that are installed",
    )
    parser.add_argument(
        "--workers",
        type=positive_int,
        default=default_workers(),
        help="runs at a time, one thread each (default: one per processor, %(default)s)",
    )
    parser.add_argument("--out", type=Path, help="default: results/offline, or offline-quick")
    parser.add_argument("--report-only", action="store_true", help="tables of what is finished")
    parser.add_argument("--docs", action="store_true", help=f"also fill docs/{DOCS.name}")
    return parser


def log(settings: OfflineSettings, study: Path) -> None:
    """Write the file of decisions unless it is there; ``ValueError`` if it is of another world."""
    from livestream_env.decisions import DecisionFile

    path = settings.data(study)
    if path.exists():
        DecisionFile(path).description.make_env().close()
        return
    words = ["--policy", BEHAVIOURS[settings.behaviour], "--steps", str(settings.steps)]
    words += ["--env-kwargs", json.dumps(dict(settings.env_kwargs))]
    words += ["--out", str(path), "--seed", str(settings.data_seed), "--env-id", settings.env_id]
    log_decisions.main(words)


def report(study: Study, command: str) -> str:
    """The tables of what is finished, Markdown."""
    from agents.reports.offline import difference_table, score_table
    from agents.reports.page import provenance

    data = {f"{s.behaviour} {s.steps:,}": study.scores(s) for s in study.data}
    rules = list(Study(study.folder, learners=()).scores(study.data[0]))
    learned = {name: scores for name, scores in data.items() if len(scores) > len(rules)}
    lines = [
        f"Mean reward per viewer-day over {study.episodes:,} held-out ones with its 95 % interval "
        f"(over viewer-days and training seeds); {study.updates:,} updates each.",
        "",
        *score_table(learned, rules),
    ]
    for name, scores in learned.items():
        others = [label for label in (*rules, "behaviour cloning") if label != "random"]
        what = f"Differences after learning from {name}, paired by viewer-day"
        lines += ["", f"{what}; bold: excludes 0.", "", *difference_table(scores, others)]
    return "\n".join([*lines, "", provenance(command)])


def main(argv: Sequence[str] | None = None) -> int:
    """Run the study; returns the exit status."""
    parser = make_parser()
    args = parser.parse_args(argv)
    with needs("agents", "scripts.offline_study"):
        from agents.reports.page import fill

    out = args.out or Path("results") / ("offline-quick" if args.quick else "offline")
    learners = [learner for learner in LEARNERS if learner.label in args.learners]
    study = Study(out, args.data, args.sizes, learners, args.seeds, args.updates, args.episodes)
    if args.quick:
        study = quick(study)
    for learner in learners:
        if not learner.installed:
            print(f"{learner.label} is left out: {learner.needs} is not installed", file=sys.stderr)
    failed: dict[Job, str] = {}
    try:
        for name, settings in {RULES: study.rules, **{s.name: s for s in study.data}}.items():
            for line in open_folder(out / name, settings, resume=True):
                print(line, file=sys.stderr)
        if not args.report_only:
            for settings in study.data:
                log(settings, out)
            jobs = [*study.rule_jobs(), *(job for s in study.data for job in study.jobs(s))]
            failed = play_all(jobs, args.workers)
    except ValueError as error:
        parser.error(str(error))
    except KeyboardInterrupt:
        print("\ninterrupted; the same command goes on with what is missing")
        return 130
    options = ("quick", "data", "sizes", "seeds", "updates", "episodes", "learners")
    text = report(study, command_of(parser, args, options))
    write_text(out / "offline.md", text + "\n")
    print(text)
    if args.docs:
        write_text(DOCS, fill(DOCS.read_text(encoding="utf-8"), "offline study", text))
    for job, reason in failed.items():
        print(f"\n{job}, failed:\n{reason}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
