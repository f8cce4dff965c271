"""How long millions of logged decisions take to write and to read, and how much memory.

    python -m scripts.speed_decisions
    python -m scripts.speed_decisions --steps 300_000

Some decisions in LiveStreamRec-v0 are logged once, then written over and over until there are as
many as asked for: what is measured is the file, not the play. Each part has a process of its own.
Ends with status 1 if one takes more than 2 minutes of processor time or 2 GiB.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

from scripts.command_line import described_parser, positive_int

LOGGED_STEPS = 30_000
MOST_SECONDS, MOST_GIB = 120.0, 2.0


class Cost(NamedTuple):
    """Of a part.

    Attributes:
        cpu_s: Processor seconds.
        wall_s: Seconds by the clock; on a busy machine they say little.
        gib: The most memory that its process held.
    """

    cpu_s: float
    wall_s: float
    gib: float

    @property
    def fine(self) -> bool:
        """Whether it is within the limits."""
        return self.cpu_s <= MOST_SECONDS and self.gib <= MOST_GIB


def write(few: Path, many: Path, steps: int) -> Callable[[], object]:
    """Writes the rows of the file ``few`` over and over, as episodes of their own."""
    from livestream_env.decisions import DecisionFile, decision_writer

    file = DecisionFile(few)
    parts = list(file.batches())

    def do() -> None:
        episodes = 0
        with decision_writer(many, file.description) as writer:
            while writer.num_steps < steps:
                for rows in parts:
                    writer.write({**rows, "episode": rows["episode"] + episodes})
                episodes += file.num_episodes

    return do


def read_in_parts(few: Path, many: Path, steps: int) -> Callable[[], object]:
    """Reads all columns, keeps none."""
    from livestream_env.decisions import DecisionFile

    return lambda: sum(len(rows["action"]) for rows in DecisionFile(many).batches())


def read_whole(few: Path, many: Path, steps: int) -> Callable[[], object]:
    """Reads all decisions into memory."""
    from livestream_env.decisions import read_decisions

    return lambda: read_decisions(many, "float16")


PARTS = {
    "write": write,
    "read part by part": read_in_parts,
    'read into memory, precision="float16"': read_whole,
}


def measure(part: str, few: Path, many: Path, steps: int) -> Cost:
    """Do a part, in this process."""
    do = PARTS[part](few, many, steps)
    cpu_s, wall_s = time.process_time(), time.perf_counter()
    do()
    cpu_s, wall_s = time.process_time() - cpu_s, time.perf_counter() - wall_s
    peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return Cost(cpu_s, wall_s, peak_kib / 2**20)


def make_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = described_parser("scripts.speed_decisions", __doc__)
    parser.add_argument(
        "--steps", type=positive_int, default=3_000_000, help="default: %(default)s"
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Log, measure, print a table; returns the exit status."""
    args = make_parser().parse_args(argv)
    from scripts import log_decisions

    fine = True
    with tempfile.TemporaryDirectory() as folder:
        few, many = Path(folder) / "few.parquet", Path(folder) / "many.parquet"
        log_decisions.main(["--steps", str(min(args.steps, LOGGED_STEPS)), "--out", str(few)])
        print(f"\n| {args.steps:,} steps | processor, s | clock, s | memory, GiB |")
        print("|---|---:|---:|---:|")
        for part in PARTS:
            # A process each, so that the most memory is that of the part.
            with ProcessPoolExecutor(1, get_context("spawn")) as pool:
                cost = pool.submit(measure, part, few, many, args.steps).result()
            print(f"| {part} | {cost.cpu_s:.0f} | {cost.wall_s:.0f} | {cost.gib:.2f} |", flush=True)
            fine &= cost.fine
        print(f"\nThe file has {many.stat().st_size / 2**20:,.0f} MiB.")
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
