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
from livestream_env.progress import Progress, duration

REPORT_EVERY_S = 0.5
WAIT_S = 5.0  # at most, for news of the processes, so that lines of progress come in time
GRACE_S = 5.0  # for a process that was told to end
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
    progress = JobsProgress(jobs, pending, quiet, workers)
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
            for ready in wait(list(active), timeout=WAIT_S):
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
            progress.say_how_long()
    finally:
        _end([process for _, process in active.values()])
        progress.close()
    return failed


def _end(processes: Sequence[BaseProcess]) -> None:
    """End them, those that do not heed it by force."""
    for process in processes:
        process.terminate()
    for process in processes:
        process.join(GRACE_S)
        if process.is_alive():
            process.kill()
            process.join()


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


class JobsProgress:
    """One bar for all jobs, the training steps of the learners, and about how long it will take.

    The time left is what :attr:`Job.estimated_cpu_s` says of the jobs, corrected, as time passes,
    by how fast this machine has been. Where there is no terminal a line says it now and then.

    Args:
        jobs: All of them.
        missing: Those without a result.
        quiet: No bar and no messages.
        workers: Jobs at a time.
    """

    def __init__(
        self, jobs: Sequence[Job], missing: Sequence[Job], quiet: bool, workers: int = 1
    ) -> None:
        self.steps = dict.fromkeys(missing, 0)
        self.finished, self.total = len(jobs) - len(missing), len(jobs)
        self.quiet = quiet
        self.workers = max(1, min(workers, len(missing)))
        self.cost_s = {job: job.estimated_cpu_s for job in missing}
        self.ended: set[Job] = set()
        self.begun = time.monotonic()
        self.bar = Progress(
            sum(job.training_steps for job in missing),
            f"run {self.finished}/{self.total}",
            show=not quiet,
            seconds_left=self.seconds_left,
        )
        if missing and not quiet:
            tqdm.write(f"about {duration(self.seconds_left())} for {len(missing)} runs")
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
        self.ended.add(job)
        self.update(job, job.training_steps)
        self.bar.describe(f"run {self.finished}/{self.total}")
        if not self.quiet:
            outcome = "done" if failure is None else f"FAILED: {last_line(failure)}"
            tqdm.write(f"[{self.finished}/{self.total}] {job}: {outcome}")

    def seconds_left(self) -> float:
        """About how long the rest takes.

        The estimate alone to begin with; it counts as much as what was seen when a tenth is done.
        """
        total = sum(self.cost_s.values())
        left = sum(
            cost * (1.0 - self.steps[job] / job.training_steps if job.training_steps else 1.0)
            for job, cost in self.cost_s.items()
            if job not in self.ended
        )
        if total == 0.0:
            return 0.0
        done, trust = total - left, 0.1 * total
        expected_s = done / self.workers
        passed_s = time.monotonic() - self.begun
        slowness = (passed_s + trust / self.workers) / (expected_s + trust / self.workers)
        # The last job runs alone, however many could run beside it.
        longest = max((self.cost_s[job] for job in self.cost_s if job not in self.ended), default=0)
        return slowness * max(left / self.workers, min(left, longest))

    def say_how_long(self) -> None:
        """In the bar; elsewhere as a line now and then."""
        self.bar.update(0)

    def close(self) -> None:
        """Leave the bar."""
        self.bar.close()


def last_line(failure: str) -> str:
    """What a traceback ends with."""
    return (failure.strip().splitlines() or ["no reason given"])[-1]
