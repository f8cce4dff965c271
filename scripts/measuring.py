"""Measuring speed on a machine that others use too: ratios within one run, never times.

A :class:`Line` sets something of ours against a reference. All lines are measured in turn, round by
round, on one core, in processor time; the ratio of a line is the median over the rounds of the
ratios within a round. A group of lines is a module with ``results(rounds)``, named in
``scripts.speed``.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

Steps = Callable[[int], object]  # plays that many steps
WORST = 0.75  # of the ratio kept in the reference: what is below it has fallen


@dataclass(frozen=True)
class Line:
    """Something of ours against a reference.

    Attributes:
        name: unique; the reference file keeps ratios by it.
        against: the reference, in words.
        must, goal: ratios to reach, None where there is none.
        steps: played in one round, some 50 ms long.
        make: returns the two to measure, ours first, ready to play; not measured.
        items: what one step counts for, such as the number of viewers.
    """

    name: str
    against: str
    must: float | None
    goal: float | None
    steps: int
    make: Callable[[], tuple[Steps, Steps]]
    items: int = 1


@dataclass(frozen=True)
class Result:
    """What was measured of a line: microseconds per item, and how many times faster ours is."""

    name: str
    against: str
    ours_us: float
    reference_us: float
    ratio: float
    must: float | None
    goal: float | None

    def to_dict(self) -> dict[str, object]:
        """As JSON has it."""
        return asdict(self)


def pin_to_one_core() -> None:
    """Keep this process on the last of the cores that it may use, where the system can."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def each(do: Callable[[int], object]) -> Steps:
    """Steps of which the ``i``-th in a row is ``do(i)``."""

    def play(steps: int) -> None:
        for i in range(steps):
            do(i)

    return play


def seconds(steps: Steps, count: int) -> float:
    """Processor seconds of ``count`` steps."""
    begin = time.process_time()
    steps(count)
    return time.process_time() - begin


def measure(lines: Sequence[Line], rounds: int) -> list[Result]:
    """Measure the lines in turn, ``rounds`` times, after one round that does not count."""
    pairs = [line.make() for line in lines]
    times: list[list[tuple[float, float]]] = [[] for _ in lines]
    for counts in (False, *[True] * rounds):
        for line, (ours, reference), measured in zip(lines, pairs, times, strict=True):
            pair = seconds(ours, line.steps), seconds(reference, line.steps)
            if counts:
                measured.append(pair)
    results = []
    for line, measured in zip(lines, times, strict=True):
        to_us = 1e6 / (line.steps * line.items)
        results.append(
            Result(
                name=line.name,
                against=line.against,
                ours_us=to_us * statistics.median(a for a, _ in measured),
                reference_us=to_us * statistics.median(b for _, b in measured),
                ratio=statistics.median(b / a for a, b in measured),
                must=line.must,
                goal=line.goal,
            )
        )
    return results


def table(results: Sequence[Result]) -> str:
    """The results in Markdown."""
    rows = [
        "| line | ours, µs | reference, µs | against | ratio | must | goal |",
        "|---|---:|---:|---|---:|---:|---:|",
    ]
    for r in results:
        must, goal = ("" if limit is None else f"{limit:g}" for limit in (r.must, r.goal))
        rows.append(
            f"| {r.name} | {r.ours_us:.3f} | {r.reference_us:.3f} | {r.against} | {r.ratio:.2f} "
            f"| {must} | {goal} |"
        )
    return "\n".join(rows)


def fallen(results: Sequence[Result], reference: Mapping[str, float]) -> list[str]:
    """What fell by more than a quarter since ``reference`` (name → ratio), in words."""
    return [
        f"{r.name}: {r.ratio:.2f}, was {reference[r.name]:.2f}"
        for r in results
        if r.name in reference and r.ratio < WORST * reference[r.name]
    ]
