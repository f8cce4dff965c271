"""What a change takes: each is made in a copy of the package, by inserting lines, and played."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

import livestream_env
from livestream_env import LiveStreamRecVectorEnv

ARGUMENTS = {
    "num_envs": 2,
    "observe": "full",
    "history_length": 3,
    "config": {"num_viewers": 20, "num_streamers": 30, "days": 2, "click_bias": 1.0},
}
STEPS = 6


class Insertion(NamedTuple):
    """A line inserted after another one, of which the file has one, and as far to the right."""

    path: str
    after: str
    line: str


def trajectory() -> dict[str, np.ndarray]:
    """Every block of a short run's observations (T, B, rows, columns), and the columns' names."""
    env = LiveStreamRecVectorEnv(**ARGUMENTS)
    observations = [env.reset(seed=3)[0]]
    observations += [env.step(np.full(2, step % 10))[0] for step in range(STEPS)]
    values = {}
    for block, columns in env.layout.to_dict(np.stack(observations)).items():
        names = env.layout.names[block]
        values[block] = columns.reshape(STEPS + 1, 2, -1, len(names))
        values[f"names_{block}"] = np.array(names)
    return values


def trajectory_with(insertions: Iterable[Insertion], folder: Path) -> dict[str, np.ndarray]:
    """The trajectory that a changed package plays, as plain Python, which need not be compiled."""
    package = folder / "livestream_env"
    shutil.copytree(Path(livestream_env.__file__).parent, package)
    for path, after, line in insertions:
        lines = (package / path).read_text().splitlines(keepends=True)
        (place,) = [i for i, text in enumerate(lines) if text.strip().startswith(after)]
        indent = lines[place][: -len(lines[place].lstrip())]
        lines.insert(place + 1, f"{indent}{line}\n")
        (package / path).write_text("".join(lines))
    shutil.copy(__file__, folder / "changes.py")
    code = (
        "import pathlib, numpy as np, changes, livestream_env;"
        "assert pathlib.Path(livestream_env.__file__).parents[1].samefile('.');"
        "np.savez('trajectory.npz', **changes.trajectory())"
    )
    subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"NUMBA_DISABLE_JIT": "1"},
        cwd=folder,
        check=True,
        timeout=120,
    )
    with np.load(folder / "trajectory.npz") as file:
        return dict(file)


# Where a column of each block, "new" and 0.25 for all, is computed.
COMPUTED = {
    "viewer": Insertion(
        "simulator/world_arrays.py",
        "ViewerColumn.AGE:",
        "ViewerColumn.NEW: np.full(len(viewers), 0.25),",
    ),
    "context": Insertion(
        "simulator/encoding.py", "out[ContextColumn.TIME_LEFT] =", "out[ContextColumn.NEW] = 0.25"
    ),
    "history": Insertion(
        "simulator/encoding.py",
        "head[HistoryColumn.COVER_APPEAL] =",
        "head[HistoryColumn.NEW] = 0.25",
    ),
    "candidates": Insertion(
        "simulator/encoding.py",
        "row[CandidateColumn.VIEWERS] =",
        "row[CandidateColumn.NEW] = 0.25",
    ),
    "hidden": Insertion(
        "simulator/encoding.py", "out[HiddenColumn.FATIGUE] =", "out[HiddenColumn.NEW] = 0.25"
    ),
    "hidden_candidates": Insertion(
        "simulator/encoding.py",
        "row[HiddenCandidateColumn.QUALITY] =",
        "row[HiddenCandidateColumn.NEW] = 0.25",
    ),
}
# The column that it is named after, so that it is not the last one.
NAMED_AFTER = {
    "viewer": "AGE",
    "context": "HOUR_SIN",
    "history": "CLICKED",
    "candidates": "VALID",
    "hidden": "SATISFACTION",
    "hidden_candidates": "TRUE_AFFINITY",
}


def test_a_column_of_the_observation_is_a_name_and_the_line_that_computes_it(tmp_path):
    named = [
        Insertion("observation.py", f"{name} = auto()", "NEW = auto()")
        for name in NAMED_AFTER.values()
    ]
    changed = trajectory_with([*named, *COMPUTED.values()], tmp_path / "changed")
    before = trajectory_with([], tmp_path / "before")
    for block in COMPUTED:
        first, *others = before[f"names_{block}"]
        assert changed[f"names_{block}"].tolist() == [first, "new", *others]
        old = np.delete(changed[block], 1, axis=-1)
        np.testing.assert_array_equal(old, before[block])
        # Rows of history and candidates are zeros where there is nothing.
        expected = np.where(old.any(axis=-1), np.float32(0.25), np.float32(0.0))
        np.testing.assert_array_equal(changed[block][..., 1], expected)
        assert np.count_nonzero(expected.any(axis=(1, 2))) >= STEPS
