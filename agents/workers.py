"""Playing many runs, several at a time, each in a process of its own.

A process per run keeps the runs apart: one that fails, or is killed for its memory, costs no
other; each has one thread, and its CPU clock is its own.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
import traceback
from collections import deque
from collections.abc import Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import cast

from tqdm import tqdm

from .comparison import Run, Settings, play
from .policy import agent_spec

REPORT_EVERY_S = 0.5
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def default_workers() -> int:
    """One process per processor that we may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def play_all(
    runs: Sequence[Run], settings: Settings, folder: Path, workers: int = 1, quiet: bool = False
) -> dict[Run, str]:
    """Play the runs that have no result in ``folder`` yet.

    Args:
        runs: What to play.
        settings: Common to all.
        folder: Of the comparison.
        workers: Processes at a time.
        quiet: No progress bar and no messages.

    Returns:
        The runs that failed, with the reason.
    """
    missing = [run for run in runs if not run.result_path(folder).exists()]
    # The long ones first, so that no processor idles at the end.
    pending = deque(sorted(missing, key=lambda run: not agent_spec(run.agent).learns))
    active: dict[Connection, tuple[Run, BaseProcess]] = {}
    failed: dict[Run, str] = {}
    progress = _Progress(missing, len(runs) - len(missing), settings.timesteps, quiet)
    for name in THREAD_VARIABLES:
        os.environ.setdefault(name, "1")  # read by the children's libraries as they load
    try:
        while pending or active:
            while pending and len(active) < workers:
                run = pending.popleft()
                connection, process = _start(run, settings, folder)
                active[connection] = (run, process)
            for ready in wait(list(active)):
                connection = cast(Connection, ready)
                run, process = active[connection]
                try:
                    message = connection.recv()
                except EOFError:
                    del active[connection]
                    process.join()
                    if process.exitcode != 0:
                        failed.setdefault(run, f"its process ended with code {process.exitcode}")
                    progress.finish(run, failed.get(run))
                else:
                    if isinstance(message, int):
                        progress.update(run, message)
                    else:
                        failed[run] = message
    finally:
        for _, process in active.values():
            process.terminate()
            process.join()
        progress.close()
    return failed


def _start(run: Run, settings: Settings, folder: Path) -> tuple[Connection, BaseProcess]:
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(sender, run, settings, folder), daemon=True)
    process.start()
    sender.close()  # ours; the child's closes when it ends, however it ends
    return receiver, process


def _work(sender: Connection, run: Run, settings: Settings, folder: Path) -> None:
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
        play(run, settings, folder, report)
    except Exception:
        sender.send(traceback.format_exc())
        raise SystemExit(1) from None


class _Progress:
    """One bar for all runs: the training steps of the learners."""

    def __init__(self, runs: Sequence[Run], done: int, timesteps: int, quiet: bool) -> None:
        learning = [run for run in runs if agent_spec(run.agent).learns]
        self.timesteps = timesteps
        self.steps = dict.fromkeys(learning, 0)
        self.finished, self.total = done, done + len(runs)
        self.quiet = quiet
        # No bar in a log file (disable=None: if it is not a terminal); the messages remain.
        self.bar = tqdm(
            total=len(learning) * timesteps,
            unit=" steps",
            unit_scale=True,
            disable=True if quiet else None,
            desc=f"run {done}/{self.total}",
        )
        if done and not quiet:
            tqdm.write(f"{done} of {self.total} runs were finished before")

    def update(self, run: Run, timesteps: int) -> None:
        if run in self.steps:
            timesteps = min(timesteps, self.timesteps)
            self.bar.update(timesteps - self.steps[run])
            self.steps[run] = timesteps

    def finish(self, run: Run, failure: str | None) -> None:
        self.finished += 1
        self.update(run, self.timesteps)
        self.bar.set_description(f"run {self.finished}/{self.total}")
        if not self.quiet:
            outcome = "done" if failure is None else "FAILED: " + failure.strip().splitlines()[-1]
            tqdm.write(f"[{self.finished}/{self.total}] {run.agent}, seed {run.seed}: {outcome}")

    def close(self) -> None:
        self.bar.close()
