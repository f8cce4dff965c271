"""The harness finds what it is there for."""

from __future__ import annotations

import os
import signal
import time

from tests.fuzz.harness import run_cases


def misbehave(seed: int) -> str:
    if seed == 3:
        os.kill(os.getpid(), signal.SIGSEGV)
    if seed == 5:
        time.sleep(60)
    if seed == 6:
        raise KeyError("six")
    if seed == 7:
        bytearray(1 << 31)
    print("chatter")
    return "even" if seed % 2 == 0 else "odd"


def test_crashes_hangs_and_errors_are_found_and_the_rest_is_tried():
    report = run_cases(
        "tests.fuzz.test_harness:misbehave", range(10), limit_s=1.0, batch=8, more_memory=1 << 30
    )
    found = {(one.seed, one.kind) for one in report.findings}
    assert found == {(3, "died"), (5, "hung"), (6, "raised"), (7, "raised")}
    assert report.cases == 10 and report.outcomes["even"] == 4 and report.outcomes["odd"] == 2
    text = str(report)
    assert "seed 3 died: exit status -11" in text and "KeyError" in text and "MemoryError" in text
