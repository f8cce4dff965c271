"""Playing many runs as tasks of Ray, on this machine or on a cluster.

Ray decides what runs where. Its workers may share no disk with us, so that a task plays in a
temporary folder and sends back what it wrote; the scores are those of
:mod:`agents.experiments.workers` to the bit, as a run depends on its agent, its seed and its
settings only.
"""

from __future__ import annotations

import io
import math
import shutil
import tarfile
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import agents
import livestream_env
from agents.experiments.jobs import Job, longest_first
from agents.experiments.workers import THREAD_VARIABLES, JobsProgress
from livestream_env.extras import needs
from livestream_env.files import atomic_folder

with needs("ray", __name__):
    import ray

LOCAL = "local"


def play_all(
    jobs: Sequence[Job],
    workers: int = 1,
    quiet: bool = False,
    time_limit_s: float = math.inf,
    on_finish: Callable[[Job], object] = lambda job: None,
    address: str = LOCAL,
) -> dict[Job, str]:
    """Play those that have no result yet, the long ones first.

    Args:
        jobs: What to play.
        workers: Tasks at a time on this machine; a cluster takes as many as it has processors.
        quiet: No progress bar and no messages.
        time_limit_s: Seconds after which none is begun; those under way are finished.
        on_finish: Called with each job as its result comes.
        address: Of a cluster, as :func:`ray.init` takes it; its machines need this project's
            dependencies, the code is sent. ``"local"``: this machine.

    Returns:
        Those that failed, with the reason.

    Raises:
        ConnectionError: There is no cluster at ``address``.
    """
    environment: dict[str, Any] = {"env_vars": dict.fromkeys(THREAD_VARIABLES, "1")}
    if address != LOCAL:
        environment["py_modules"] = [agents, livestream_env]
    ray.init(
        address,
        num_cpus=workers if address == LOCAL else None,
        include_dashboard=False if address == LOCAL else None,
        runtime_env=environment,
        log_to_driver=False,
        configure_logging=False,
    )
    missing = longest_first(jobs)
    progress = JobsProgress(jobs, missing, quiet, workers)
    failed: dict[Job, str] = {}
    # A process of its own for each run, as without Ray.
    task = ray.remote(num_cpus=1, max_calls=1, max_retries=0)(_play)
    no_more_after = time.time() + time_limit_s
    try:
        running = {task.remote(job, no_more_after): job for job in missing}
        while running:
            (ready,), _ = ray.wait(list(running), num_returns=1)
            job = running.pop(ready)
            try:
                archive = ray.get(ready)
            except ray.exceptions.RayError as error:
                failed[job] = str(error)
            else:
                if archive is None:  # not begun: the time was up
                    continue
                _unpack(archive, job.home)
            progress.finish(job, failed.get(job))
            if job not in failed:
                on_finish(job)
            progress.say_how_long()
    finally:
        progress.close()
        ray.shutdown()
    return failed


def _play(job: Job, no_more_after: float) -> bytes | None:
    """What the run writes, as a tar archive; None if it is too late to begin."""
    if time.time() > no_more_after:
        return None
    with tempfile.TemporaryDirectory() as name:
        here = job._replace(folder=Path(name))
        here.play(lambda timesteps: None)
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
            archive.add(here.home, arcname=".")
    return buffer.getvalue()


def _unpack(content: bytes, home: Path) -> None:
    """Put what a run wrote where it belongs, all at once; what an earlier attempt left goes."""
    shutil.rmtree(home, ignore_errors=True)
    with atomic_folder(home) as folder, tarfile.open(fileobj=io.BytesIO(content)) as archive:
        archive.extractall(folder, filter="data")
