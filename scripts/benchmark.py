"""Play the benchmark, or go on with it, and write its tables.

    python -m scripts.benchmark                            # all of it, some hours
    python -m scripts.benchmark --quick                    # a tenth of the size
    python -m scripts.benchmark --only v0-ladder v0-agents --time-limit 30
    python -m scripts.benchmark --report-only --docs       # tables from what is there

What is finished is kept: the same command goes on where it ended, was interrupted, or ran out of
time. Results are written to a folder per suite, all scores to reference_scores.csv.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from agents.experiments.jobs import Job
from agents.experiments.runs import check_agents, open_folder
from agents.experiments.suites import Suite, selected, suites
from agents.experiments.workers import default_workers
from agents.experiments.workers import play_all as play_in_processes
from livestream_env.extras import needs
from scripts.command_line import described_parser, positive_int

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs" / "benchmark.md"
REFERENCE_SCORES = ROOT / "data" / "reference_scores.csv"


def make_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = described_parser("scripts.benchmark", __doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the size, fewer seeds")
    parser.add_argument(
        "--only",
        nargs="+",
        default=[],
        metavar="SUITE",
        help=f"these suites, of {', '.join(suite.name for suite in suites())}",
    )
    parser.add_argument(
        "--max-seeds", type=positive_int, default=None, help="training seeds per agent at most"
    )
    parser.add_argument(
        "--time-limit",
        type=float,
        default=math.inf,
        metavar="MINUTES",
        help="begin no run after that, finish those under way",
    )
    parser.add_argument(
        "--workers",
        type=positive_int,
        default=default_workers(),
        help="runs at a time, one thread each (default: one per processor, %(default)s)",
    )
    parser.add_argument(
        "--ray",
        nargs="?",
        const="local",
        metavar="ADDRESS",
        help="play the runs as tasks of Ray, on this machine or on the cluster at ADDRESS, whose "
        "machines need this project's dependencies (install the extra [ray])",
    )
    parser.add_argument(
        "--out", type=Path, help="default: results/benchmark, or results/benchmark-quick"
    )
    parser.add_argument(
        "--report-only", action="store_true", help="play nothing, write what the finished runs give"
    )
    parser.add_argument(
        "--docs",
        action="store_true",
        help=f"also fill {DOCS.relative_to(ROOT)} and write {REFERENCE_SCORES.relative_to(ROOT)}",
    )
    return parser


def print_plan(plan: Sequence[Suite], jobs: Sequence[Job], folder: Path, workers: int) -> None:
    """What there is to do, and about how long it takes."""
    print(f"{'suite':24s} {'runs':>5s} {'left':>5s} {'CPU min':>8s}")
    for suite in plan:
        of_suite = [job for job in jobs if job.folder == folder / suite.name]
        print(f"{suite.name:24s} {len(of_suite):5d} {_left(of_suite)}")
    left_s = sum(job.estimated_cpu_s for job in jobs if not job.finished)
    print(f"{'all':24s} {len(jobs):5d} {_left(jobs)}")
    print(f"about {left_s / 60 / workers:.0f} min with {workers} at a time\n", flush=True)


def _left(jobs: Sequence[Job]) -> str:
    left = [job.estimated_cpu_s for job in jobs if not job.finished]
    return f"{len(left):5d} {sum(left) / 60:8.1f}"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; returns the exit status."""
    start = time.perf_counter()
    parser = make_parser()
    args = parser.parse_args(argv)
    with needs("agents", "scripts.benchmark"):
        from agents.reports.page import write_benchmark
        from agents.reports.results import run_scores, write_csv

    folder = args.out or Path("results") / ("benchmark-quick" if args.quick else "benchmark")
    whole = suites(args.quick)
    try:
        plan = selected(whole, args.only)
        for suite in plan:
            for line in open_folder(folder / suite.name, suite.settings, resume=True):
                print(line, file=sys.stderr)
    except ValueError as error:
        parser.error(str(error))
    failed: dict[Job, str] = {}
    if not args.report_only:
        jobs = [job for suite in plan for job in suite.jobs(folder)]
        jobs = [job for job in jobs if args.max_seeds is None or job.run.seed < args.max_seeds]
        try:
            check_missing(plan, jobs, folder)
        except ValueError as error:
            parser.error(str(error))
        print_plan(plan, jobs, folder, args.workers)
        compile_simulator(plan)

        def on_finish(job: Job) -> None:
            write_csv(run_scores(folder, whole), folder / REFERENCE_SCORES.name)

        try:
            play_all = player(args.ray)
            failed = play_all(jobs, args.workers, False, 60 * args.time_limit, on_finish)
        except (ImportError, ConnectionError) as error:
            parser.error(f"cannot play with --ray {args.ray}: {error}")
        except KeyboardInterrupt:
            print("\ninterrupted; the same command goes on with what is missing")
            return 130
        left = sum(not job.finished for job in jobs) - len(failed)
        print(f"{len(jobs) - left - len(failed)} runs finished, {len(failed)} failed, {left} left, "
              f"after {(time.perf_counter() - start) / 60:.0f} min")  # fmt: skip
    command = "python -m scripts.benchmark" + (" --quick" if args.quick else "")
    scores = run_scores(folder, whole)
    write_csv(scores, folder / REFERENCE_SCORES.name)
    write_benchmark(folder, whole, command, DOCS if args.docs else None)
    if args.docs:
        write_csv(scores, REFERENCE_SCORES)
    print(f"written to {folder}")
    for job, reason in failed.items():
        print(f"\n{job}, failed:\n{reason}", file=sys.stderr)
    return 1 if failed else 0


def check_missing(plan: Sequence[Suite], jobs: Sequence[Job], folder: Path) -> None:
    """Construct the agents that are to be played.

    Raises:
        ValueError: One cannot be made.
    """
    for suite in plan:
        home = folder / suite.name
        missing = [job.run.agent for job in jobs if job.folder == home and not job.finished]
        check_agents(missing, suite.settings)


def player(ray_address: str | None) -> Callable[..., dict[Job, str]]:
    """How the runs are played: in processes of our own, or as tasks of Ray.

    Raises:
        ImportError: If Ray is wanted and not installed.
    """
    if ray_address is None:
        return play_in_processes
    from agents.experiments.ray_workers import play_all

    return partial(play_all, address=ray_address)


def compile_simulator(plan: Sequence[Suite]) -> None:
    """Compile it here, once, instead of in each worker."""
    env = plan[0].settings.make_env()
    env.reset(seed=0)
    env.step(0)
    env.close()


if __name__ == "__main__":
    sys.exit(main())
