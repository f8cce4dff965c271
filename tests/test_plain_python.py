"""The kernel as plain Python: the same source, the same trajectory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from livestream_env import LiveStreamRecVectorEnv
from livestream_env.simulated_logs.policy import LoggingPolicy
from livestream_env.simulated_logs.simulation import simulate_logs

STEPS = 40
ARGUMENTS = {
    "num_envs": 3,
    "observe": "full",
    "autoreset_mode": "SameStep",
    "config": {
        "num_viewers": 30, "num_streamers": 40, "days": 2, "click_bias": 0.0, "watch_bias": 2.0,
        "like_per_min": 10.0, "gift_per_min": 1.0, "follow_per_click": 0.1, "exit_bias": -1.5,
    },
}  # fmt: skip


def trajectory() -> dict[str, np.ndarray]:
    """Observations, rewards, ends, oracle's numbers and clocks of a short run, and a log."""
    env = LiveStreamRecVectorEnv(**ARGUMENTS)
    observation, info = env.reset(seed=11)
    observations, clocks, rewards, ends, expected = [observation], [info["clock_s"]], [], [], []
    for step in range(STEPS):
        expected.append(env.expected_response()["expected_reward"])
        observation, reward, terminated, _, info = env.step(np.full(3, step % 10))
        observations.append(observation)
        clocks.append(info["clock_s"])
        rewards.append(reward)
        ends.append(terminated)
        if step == STEPS // 2:
            env.reset(options={"viewer": np.array([4, 4, 29]), "day": 1})
    lists = {"observation": observations, "clock": clocks, "reward": rewards, "end": ends,
             "expected": expected}  # fmt: skip
    (log,) = simulate_logs(LoggingPolicy(env), env, range(3), seed=0)
    columns = {f"log_{name}": log[name] for name in log.dtype.names}
    return {name: np.array(values) for name, values in lists.items()} | columns


def test_same_trajectory_without_numba(tmp_path):
    path = tmp_path / "plain.npz"
    code = (
        "import sys, numba; assert numba.config.DISABLE_JIT;"
        "import numpy as np; from tests.test_plain_python import trajectory;"
        "np.savez(sys.argv[1], **trajectory())"
    )
    subprocess.run(
        [sys.executable, "-W", "error::RuntimeWarning", "-c", code, path],
        env=os.environ | {"NUMBA_DISABLE_JIT": "1"},
        cwd=Path(__file__).resolve().parents[1],
        check=True,
        timeout=120,
    )
    compiled = trajectory()
    assert compiled["end"].sum() > 3 and (compiled["reward"] > 0).sum() > 30
    with np.load(path) as plain:
        for name in ("end", "log_viewer", "log_slot", "log_candidate_rooms", "log_click"):
            np.testing.assert_array_equal(plain[name], compiled[name])
        for name in compiled:
            # The last digits of exp and log may differ between Numba's and Python's library.
            np.testing.assert_allclose(plain[name], compiled[name], rtol=1e-9, atol=2e-7)
