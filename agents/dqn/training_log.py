"""What a training run reports: episode statistics, TensorBoard, a CSV file, a progress bar."""

from __future__ import annotations

import csv
import itertools
import os
import time
from collections import deque
from pathlib import Path
from typing import Any, Self

import numpy as np

from livestream_env.extras import needs
from livestream_env.files import atomic_path
from livestream_env.progress import Progress

STEP = "time/total_timesteps"  # the first column


class EpisodeStatistics:
    """Mean reward and length of the latest 100 episodes.

    Args:
        num_envs: Environments stepped side by side.
    """

    def __init__(self, num_envs: int) -> None:
        self._reward = np.zeros(num_envs)
        self._length = np.zeros(num_envs, dtype=np.int64)
        self._latest: deque[tuple[float, int]] = deque(maxlen=100)

    def add(self, envs: np.ndarray, reward: np.ndarray, ended: np.ndarray) -> None:
        """Count one step of some environments: indices, rewards, and whether the episode ended."""
        self._reward[envs] += reward
        self._length[envs] += 1
        for env in envs[ended].tolist():
            self._latest.append((float(self._reward[env]), int(self._length[env])))
            self._reward[env] = self._length[env] = 0

    def means(self) -> dict[str, float]:
        """The two means, nan before the first episode has ended."""
        reward, length = np.mean(self._latest or [(np.nan, np.nan)], axis=0).tolist()
        return {"rollout/ep_rew_mean": reward, "rollout/ep_len_mean": length}

    def state_dict(self) -> dict[str, np.ndarray]:
        """Everything, as arrays."""
        latest = np.array(self._latest, dtype=np.float64).reshape(-1, 2)
        return {"reward": self._reward, "length": self._length, "latest": latest}

    def load_state_dict(self, state: dict[str, np.ndarray]) -> None:
        """Take over what :meth:`state_dict` gave."""
        self._reward[:] = state["reward"]
        self._length[:] = state["length"]
        self._latest.extend((reward, int(length)) for reward, length in state["latest"].tolist())


def keep_rows(path: Path, last: int) -> None:
    """Leave of a ``progress.csv`` what a training had written by its step ``last``.

    A process that was killed has gone on after its last checkpoint; what it wrote there is written
    again by the training that goes on from it. If there is nothing to keep, the file is renamed to
    ``progress-1.csv``, or the next number that is free.

    Args:
        path: The file; written anew whole or not at all.
        last: Step count; 0 keeps nothing.
    """
    header, *lines = path.read_bytes().splitlines(keepends=True) or [b""]
    kept: list[tuple[int, bytes]] = []
    for line in lines:
        first = line.split(b",", 1)[0]
        whole = line.endswith(b"\n") and line.count(b",") == header.count(b",")
        if not (whole and first.isdigit() and int(first) <= last):
            continue
        while kept and kept[-1][0] >= int(first):  # of an older version, which did not drop them
            kept.pop()
        kept.append((int(first), line))
    if header.startswith(STEP.encode()) and kept:
        if len(kept) < len(lines):
            with atomic_path(path) as temporary:
                temporary.write_bytes(header + b"".join(line for _, line in kept))
    elif not lines:
        path.unlink()
    else:
        numbered = (path.with_name(f"{path.stem}-{i}{path.suffix}") for i in itertools.count(1))
        path.rename(next(name for name in numbered if not name.exists()))


class TrainingLog:
    """Writes rows of named numbers to ``progress.csv`` and TensorBoard, and moves a progress bar.

    Use as a context manager. Without directory and bar it does nothing.

    Args:
        log_dir: Directory for the files, made if missing. What an earlier training left there is
            continued from ``start``: its later rows go, in TensorBoard, too. If ``start`` is 0 its
            ``progress.csv`` gets another name. None: no files.
        progress_bar: Show a bar, or lines where there is no terminal.
        start: Step count at the beginning.
        end: Step count at which the bar is full.
        interval: Steps between two rows.
    """

    def __init__(
        self,
        log_dir: str | os.PathLike[str] | None,
        progress_bar: bool,
        start: int,
        end: int,
        interval: int,
    ) -> None:
        self._started = (time.perf_counter(), start)
        self._interval = interval
        self._next_row = start + interval
        self._csv: Any = None
        self._events: Any = None
        self._bar: Progress | None = None
        if log_dir is not None:
            # Imported when wanted: TensorBoard takes a second to load.
            with needs("agents", "log_dir"):
                from torch.utils.tensorboard import SummaryWriter

            directory = Path(log_dir)
            directory.mkdir(parents=True, exist_ok=True)
            path = directory / "progress.csv"
            if path.exists():
                keep_rows(path, start)
            self._csv = open(path, "a", newline="", encoding="utf-8")
            # TensorBoard hides what older files have from this step on.
            self._events = SummaryWriter(str(directory), purge_step=start + 1)
        if progress_bar:
            self._bar = Progress(end, "dqn", initial=start)

    def row_is_due(self, step: int) -> bool:
        """Move the bar to ``step``, and say whether a row should be written now."""
        if self._bar is not None:
            self._bar.reach(step)
        wanted = self._csv is not None or self._bar is not None
        return wanted and step >= self._next_row

    def write(self, step: int, row: dict[str, float]) -> None:
        """Write one row; every call of a run has the same names ``group/name``."""
        self._next_row = step + self._interval
        if self._bar is not None:
            self._bar.note(f"reward {row['rollout/ep_rew_mean']:.2f}")
        if self._csv is not None:
            began_s, began_step = self._started
            fps = (step - began_step) / (time.perf_counter() - began_s)
            row = {STEP: step, "time/fps": fps, **row}
            writer = csv.DictWriter(self._csv, fieldnames=list(row))
            if self._csv.tell() == 0:
                writer.writeheader()
            writer.writerow(row)
            self._csv.flush()
            for name, value in row.items():
                self._events.add_scalar(name, value, step)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for sink in (self._csv, self._events, self._bar):
            if sink is not None:
                sink.close()
