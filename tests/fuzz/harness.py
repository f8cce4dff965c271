"""Thousands of damaged inputs, tried in processes of their own, so that a crash is a finding.

A case is a function of a seed: it damages something in the way that the seed says, hands it to the
project and returns how that went, in a word or two ("refused", "played"). Whatever it raises is a
finding; so is a process that dies, or that is silent for longer than ``limit_s``::

    find_nothing("tests.fuzz.test_snapshots:try_edit")
"""

from __future__ import annotations

import collections
import contextlib
import importlib
import json
import os
import resource
import selectors
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
CASES = int(os.environ.get("FUZZ_CASES", 10_000))  # of each test
FIRST_SEED = int(os.environ.get("FUZZ_SEED", 0))  # of the first case
LIMIT_S = 10.0  # of a case
START_S = 300.0  # until a process has compiled and made what its cases share
BATCH = 500  # cases per process


@dataclass(frozen=True)
class Finding:
    """What no input may bring about."""

    seed: int
    kind: str  # "raised", "died" or "hung"
    detail: str


@dataclass
class Report:
    """What came of the cases."""

    function: str
    cases: int = 0
    seconds: float = 0.0
    outcomes: collections.Counter[str] = field(default_factory=collections.Counter)
    findings: list[Finding] = field(default_factory=list)

    def __str__(self) -> str:
        """The figures, and the first findings with the seeds that bring them back."""
        lines = [
            f"{self.function}: {self.cases:,} cases in {self.seconds:.0f} s, "
            f"{len(self.findings)} findings",
            *(f"  {count:>7,} {outcome}" for outcome, count in self.outcomes.most_common(40)),
            *(f"  seed {one.seed} {one.kind}: {one.detail}" for one in self.findings[:20]),
        ]
        return "\n".join(lines)


def seeds() -> range:
    """The seeds of a test's cases: 10,000, or what FUZZ_CASES and FUZZ_SEED say."""
    return range(FIRST_SEED, FIRST_SEED + CASES)


def find_nothing(function: str, **options: Any) -> None:
    """Fail if :func:`run_cases` finds anything in the seeds of a test; print the figures."""
    report = run_cases(function, seeds(), **options)
    print(f"\n{report}")
    assert not report.findings, str(report)


def run_cases(
    function: str,
    seeds: Iterable[int],
    *,
    limit_s: float = LIMIT_S,
    batch: int = BATCH,
    more_memory: int | None = None,
    stop_after: int = 50,
) -> Report:
    """Call ``function``, named as "module:name", with each of ``seeds``.

    Its module may have a function ``prepare()``, which is called first in each process, and whose
    time does not count.

    Args:
        function: takes a seed and returns an outcome, a short string.
        seeds: of the cases.
        limit_s: seconds that a case may take.
        batch: cases per process.
        more_memory: bytes of address space that a process may add to what it has when it begins
            its cases; no limit by default.
        stop_after: findings after which no further process is started.
    """
    report, left, began = Report(function), collections.deque(seeds), time.monotonic()
    while left and len(report.findings) < stop_after:
        now = [left.popleft() for _ in range(min(batch, len(left)))]
        done = _run_batch(report, function, now, limit_s, more_memory)
        left.extendleft(reversed(now[done:]))
    report.seconds = time.monotonic() - began
    return report


def _run_batch(
    report: Report, function: str, seeds: list[int], limit_s: float, more_memory: int | None
) -> int:
    """Try ``seeds`` in one process until one kills it; returns how many were tried."""
    job = json.dumps({"function": function, "seeds": seeds, "more_memory": more_memory})
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.fuzz.harness"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,  # so that what it starts can be ended with it
    )
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(job.encode())
    process.stdin.close()
    done, ready = 0, False

    def patience_s() -> float:
        return limit_s if ready else START_S

    try:
        for line in _lines(process.stdout.fileno(), patience_s):
            if line is None:
                if not ready:
                    raise RuntimeError(f"{function}: no first case after {START_S:g} s")
                report.cases += 1
                report.outcomes["hung"] += 1
                report.findings.append(Finding(seeds[done], "hung", f"longer than {limit_s:g} s"))
                return done + 1
            message = json.loads(line)
            if message == "ready":
                ready = True
                continue
            outcome, detail = message
            done += 1
            report.cases += 1
            report.outcomes[outcome] += 1
            if outcome == "raised":
                report.findings.append(Finding(seeds[done - 1], "raised", detail))
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        status = process.wait()
        process.stdout.close()
    if not ready:
        raise RuntimeError(f"{function}: the process ended with {status} before its first case")
    if done < len(seeds):
        report.cases += 1
        report.outcomes["died"] += 1
        report.findings.append(Finding(seeds[done], "died", f"exit status {status}"))
        done += 1
    return done


def _lines(descriptor: int, limit_s: Callable[[], float]) -> Iterator[bytes | None]:
    """Lines as they come, to the end; None when nothing came for ``limit_s()``."""
    rest = b""
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        while True:
            if not selector.select(limit_s()):
                yield None
                return
            part = os.read(descriptor, 1 << 16)
            if not part:
                return
            *lines, rest = (rest + part).split(b"\n")
            yield from lines


def _work() -> None:
    """The process of a batch: the job comes by stdin, a line of JSON per case goes to stdout."""
    job = json.load(sys.stdin)
    # What the project prints must not come between the lines.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    module_name, name = job["function"].split(":")
    module = importlib.import_module(module_name)
    function = getattr(module, name)
    if hasattr(module, "prepare"):
        module.prepare()
    if job["more_memory"] is not None:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + job["more_memory"]
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    print(json.dumps("ready"), file=answers)
    for seed in job["seeds"]:
        try:
            answer = (function(seed), "")
        except BaseException as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{Path(where.filename).name}:{where.lineno}"
            answer = ("raised", f"{type(error).__name__} at {place}: {str(error)[:300]}")
        print(json.dumps(answer), file=answers)


if __name__ == "__main__":
    _work()
