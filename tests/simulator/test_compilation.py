"""Machine code cached on disk never outlives the sources that it was made from."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from numba.core.caching import NullCache
from numba.core.registry import CPUDispatcher

from livestream_env import reward
from livestream_env.simulator import (
    availability,
    candidates,
    encoding,
    expectation,
    kernel,
    person,
    response,
    rng,
    state,
)
from livestream_env.world import room_index, synthetic

PACKAGE = Path(reward.__file__).parent
ENTRY_POINTS = {"advance", "expected_response"}
RUN = """
import livestream_env
small = {"num_viewers": 20, "num_streamers": 20, "days": 1, "click_bias": 20.0}
env = livestream_env.LiveStreamRecEnv(config=small, num_candidates=4, history_length=1)
env.reset(seed=0)
print(env.step(0)[-1]["watch_s"])
"""


def test_only_entry_points_and_self_contained_files_are_cached():
    modules = (
        availability,
        candidates,
        encoding,
        expectation,
        kernel,
        person,
        response,
        reward,
        rng,
    )
    for module in modules:
        for name, function in vars(module).items():
            if isinstance(function, CPUDispatcher) and function.__module__ == module.__name__:
                cached = not isinstance(function._cache, NullCache)
                assert cached == (name in ENTRY_POINTS), f"{module.__name__}.{name}"
    for module in (room_index, synthetic):
        for function in vars(module).values():
            if isinstance(function, CPUDispatcher):
                assert function.__module__ == module.__name__


def test_digest_follows_every_source(tmp_path, monkeypatch):
    copy = tmp_path / "livestream_env"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(state, "__file__", str(copy / "simulator" / "state.py"))
    digests = [state._digest_of_sources()]
    changed = (
        "observation.py",
        "reward.py",
        "simulator/person.py",
        "simulator/rng.py",
        "world/room_index.py",
        "world/tables.py",
    )
    for name in changed:
        with open(copy / name, "a") as file:
            file.write("\n# changed\n")
        digests.append(state._digest_of_sources())
    assert len(set(digests)) == len(changed) + 1
    assert any(name.startswith("sources_") for name in state._PARAMETER_DTYPE.names)


@pytest.mark.slow
def test_a_change_in_another_file_takes_effect(tmp_path):
    copy = tmp_path / "livestream_env"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))

    def run() -> float:
        done = subprocess.run(
            [sys.executable, "-c", RUN],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(tmp_path), "NUMBA_CACHE_DIR": str(tmp_path / "c")},
            check=True,
            capture_output=True,
            text=True,
        )
        return float(done.stdout)

    before = run()
    source = (copy / "simulator" / "response.py").read_text()
    changed = source.replace("        p.watch_bias\n", "        1.0 + p.watch_bias\n")
    assert changed != source
    (copy / "simulator" / "response.py").write_text(changed)
    assert run() == pytest.approx(2.718281828 * before)
