"""Playing many runs, several at a time, each in a process of its own.

A process per run keeps the runs apart: one that fails, or is killed for its memory, costs no
other; each has one thread, and its CPU clock is its own.
"""

from __future__ import annotations

import math
import multiprocessing
import os
import signal
import time
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import cast

from tqdm import tqdm

from agents.experiments.jobs import Job, longest_first

REPORT_EVERY_S = 0.5
# One thread per process: small matrices, and several processes at once.
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def default_workers() -> int:
    """One process per processor that we may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def play_all(
    jobs: Sequence[Job],
    workers: int = 1,
    quiet: bool = False,
    time_limit_s: float = math.inf,
    on_finish: Callable[[Job], object] = lambda job: None,
) -> dict[Job, str]:
    """Play those that have no result yet, the long ones first.

    Args:
        jobs: What to play.
        workers: Processes at a time.
        quiet: No progress bar and no messages.
        time_limit_s: Seconds after which none is begun; those under way are finished.
        on_finish: Called with each job as its result comes.

    Returns:
        Those that failed, with the reason.
    """
    pending = deque(longest_first(jobs))
    active: dict[Connection, tuple[Job, BaseProcess]] = {}
    failed: dict[Job, str] = {}
    progress = Progress(jobs, pending, quiet)
    no_more_after = time.monotonic() + time_limit_s
    for name in THREAD_VARIABLES:
        os.environ.setdefault(name, "1")  # read by the children's libraries as they load
    try:
        while True:
            while pending and len(active) < workers and time.monotonic() < no_more_after:
                job = pending.popleft()
                connection, process = _start(job)
                active[connection] = (job, process)
            if not active:
                break
            for ready in wait(list(active)):
                connection = cast(Connection, ready)
                job, process = active[connection]
                try:
                    message = connection.recv()
                except EOFError:
                    del active[connection]
                    process.join()
                    if process.exitcode != 0:
                        failed.setdefault(job, f"its process ended with code {process.exitcode}")
                    progress.finish(job, failed.get(job))
                    if job not in failed:
                        on_finish(job)
                else:
                    if isinstance(message, int):
                        progress.update(job, message)
                    else:
                        failed[job] = message
    finally:
        for _, process in active.values():
            process.terminate()
            process.join()
        progress.close()
    return failed


def _start(job: Job) -> tuple[Connection, BaseProcess]:
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(sender, job), daemon=True)
    process.start()
    sender.close()  # ours; the child's closes when it ends, however it ends
    return receiver, process


def _work(sender: Connection, job: Job) -> None:
    """The life of a process: play, save, report."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends us
    last = 0.0

    def report(timesteps: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last > REPORT_EVERY_S:
            sender.send(timesteps)
            last = now

    try:
        job.play(report)
    except Exception:
        sender.send(traceback.format_exc())
        raise SystemExit(1) from None


class Progress:
    """One bar for all jobs: the training steps of the learners.

    Args:
        jobs: All of them.
        missing: Those without a result.
        quiet: No bar and no messages.
    """

    def __init__(self, jobs: Sequence[Job], missing: Sequence[Job], quiet: bool) -> None:
        self.steps = dict.fromkeys(missing, 0)
        self.finished, self.total = len(jobs) - len(missing), len(jobs)
        self.quiet = quiet
        # No bar in a log file (disable=None: if it is not a terminal); the messages remain.
        self.bar = tqdm(
            total=sum(job.training_steps for job in missing),
            unit=" steps",
            unit_scale=True,
            disable=True if quiet else None,
            desc=f"run {self.finished}/{self.total}",
        )
        if self.finished and not quiet:
            tqdm.write(f"{self.finished} of {self.total} runs were finished before")

    def update(self, job: Job, timesteps: int) -> None:
        """The job has trained for that many steps."""
        timesteps = min(timesteps, job.training_steps)
        self.bar.update(timesteps - self.steps[job])
        self.steps[job] = timesteps

    def finish(self, job: Job, failure: str | None) -> None:
        """The job has ended, well or with a traceback."""
        self.finished += 1
        self.update(job, job.training_steps)
        self.bar.set_description(f"run {self.finished}/{self.total}")
        if not self.quiet:
            outcome = "done" if failure is None else "FAILED: " + failure.strip().splitlines()[-1]
            tqdm.write(f"[{self.finished}/{self.total}] {job}: {outcome}")

    def close(self) -> None:
        """Leave the bar."""
        self.bar.close()
