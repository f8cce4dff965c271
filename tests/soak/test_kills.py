"""Every long command, killed twenty times at any moment: nothing is lost, nothing is half-written.

After each kill what there is can be read; in the end the result is that of a run nobody disturbed.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from agents.dqn import DQN
from agents.experiments.runs import Result
from livestream_env import World
from livestream_env.logs import read_logs

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
LOG = ROOT / "data/sample_log"
KILLS = 20


@dataclass(frozen=True)
class Command:
    """A command, what may be there after a kill, and what must be there in the end.

    Attributes:
        arguments: Of ``python -m``; ``OUT`` stands for the folder or file it writes.
        check: Reads what a killed process left.
        outcome: What two undisturbed runs have in common.
        keeps: Whether the same command goes on with what is there; else it begins again.
    """

    arguments: tuple[str, ...]
    check: Callable[[Path], object]
    outcome: Callable[[Path], object]
    keeps: bool = False

    def start(self, out: Path) -> subprocess.Popen[bytes]:
        words = [word.replace("OUT", str(out)) for word in self.arguments]
        return subprocess.Popen(
            [sys.executable, "-m", *words], cwd=ROOT, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip


def results(out: Path) -> list[float]:
    """Of every finished run below it."""
    return [Result.load(p).episodes["reward"].sum() for p in sorted(out.rglob("result.npz"))]


def trials(out: Path) -> list[dict[str, object]]:
    table = pd.read_csv(out / "trials.csv")
    return table.drop(columns="cpu_s").to_dict("records")


def scores(out: Path) -> list[dict[str, object]]:
    table = pd.read_csv(out / "reference_scores.csv")
    return table.drop(columns=["train_cpu_s", "steps_per_cpu_s"]).fillna(-1).to_dict("records")


def model(out: Path) -> object:
    """The trained network's bytes; nothing where none is saved yet."""
    path = out / "model.safetensors"
    if not path.exists():
        return 0
    network = DQN.load(path).learner.network_state()
    return {name: array.tobytes() for name, array in network.items()}


def world(out: Path) -> object:
    path = out / "world.npz"
    return World.load(path).viewers.tobytes() if path.exists() else 0


def rows(out: Path) -> object:
    return len(read_logs(out).click) if out.exists() else 0


SMALL_LOG = ("--viewers", "100", "--days", "3", "--env-kwargs",
             '{"config": {"num_viewers": 100, "num_streamers": 100, "days": 7}}')  # fmt: skip
COMMANDS = {
    "compare": Command(
        ("scripts.compare", "--agents", "random,linucb,dqn?learning_starts=200", "--seeds", "2",
         "--timesteps", "4000", "--eval-episodes", "100", "--workers", "2", "--resume",
         "--out", "OUT"),
        results, lambda out: (out / "scores.csv").read_bytes(), keeps=True,
    ),
    "benchmark": Command(
        ("scripts.benchmark", "--quick", "--only", "session-ladder", "--max-seeds", "1",
         "--workers", "2", "--out", "OUT"),
        results, scores, keeps=True,
    ),
    "tune": Command(
        ("scripts.tune", "--agent", "dqn", "--trials", "4", "--timesteps", "2000", "--out", "OUT"),
        lambda out: trials(out) if (out / "trials.csv").exists() else 0, trials, keeps=True,
    ),
    "train": Command(
        ("scripts.train", "--timesteps", "6000", "--eval-episodes", "50", "--out", "OUT"),
        model, model,
    ),
    "simulate_logs": Command(
        ("scripts.simulate_logs", "--out", "OUT", "--overwrite", *SMALL_LOG), rows, rows
    ),
    "calibrate": Command(
        ("scripts.calibrate", str(LOG), "--world", "OUT/world.npz", "--viewers", "200"),
        world, world,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", COMMANDS)
def test_killed_twenty_times(name: str, tmp_path: Path) -> None:
    command = COMMANDS[name]
    begun = time.monotonic()
    whole = command.start(tmp_path / "whole")
    _, errors = whole.communicate()
    assert whole.returncode == 0, errors.decode()
    takes_s = time.monotonic() - begun
    wanted = command.outcome(tmp_path / "whole")

    rng = np.random.default_rng(0)
    out, kills, ended = tmp_path / "killed", 0, False
    while kills < KILLS or not ended:
        process = command.start(out)
        # In the end it is left alone.
        patience_s = rng.uniform(0.3 * takes_s, takes_s) if kills < KILLS else None
        try:
            _, errors = process.communicate(timeout=patience_s)
            ended = True
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            kills, ended = kills + 1, False
            command.check(out)
            continue
        assert process.returncode == 0, errors.decode()
        assert command.outcome(out) == wanted
        if kills < KILLS:
            shutil.rmtree(out)
    left = [path for path in out.rglob(".*") if path.name.endswith(("safetensors", "npz", "csv"))]
    left += list(out.parent.glob(f".{out.name}-*"))
    assert not left, f"leftovers of killed saves: {left}"
