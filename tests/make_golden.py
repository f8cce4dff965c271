"""Write the golden trajectories: ``python -m tests.make_golden``.

Run it after a change of the dynamics, of the default parameters or of the world that is meant,
and say so in the changelog: results before and after are not comparable.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

import livestream_env  # noqa: F401 - registers the ids
from livestream_env.observation import CandidateColumn
from tests.helpers import IDS

GOLDEN = Path(__file__).with_name("golden")
SEED, STEPS = 2026, 200
_RECORDED = ("clock_s", "watch_s", "likes", "comments", "gift_value", "follow", "viewer", "room")


def trajectory(env_id: str) -> dict[str, list[Any]]:
    """Column → value after each reset and step, where mostly the highest affinity is shown."""
    env = gym.make(env_id, observe="full")
    weights = np.random.default_rng(0).normal(size=env.observation_space.shape[0])
    columns: dict[str, list[Any]] = {name: [] for name in ("observation", "reward", *_RECORDED)}

    def record(observation: np.ndarray, reward: float, info: dict[str, Any]) -> None:
        # One number stands for all columns, each with its own weight.
        columns["observation"].append(float(weights @ observation))
        columns["reward"].append(reward)
        for name in _RECORDED:
            columns[name].append(info[name])

    observation, info = env.reset(seed=SEED)
    record(observation, 0.0, info)
    for step in range(STEPS):
        affinity = observation[env.unwrapped.layout.candidate_columns][:, CandidateColumn.AFFINITY]
        # The others in turn: also what is not liked.
        action = step % len(affinity) if step % 4 == 0 else int(affinity.argmax())
        observation, reward, terminated, _, info = env.step(action)
        record(observation, float(reward), info)
        if terminated:
            observation, info = env.reset()
            record(observation, 0.0, info)
    return columns


def main() -> None:
    """Write one file per id."""
    GOLDEN.mkdir(exist_ok=True)
    for env_id in IDS:
        path = GOLDEN / f"{env_id}.json"
        lines = ",\n".join(
            f"{json.dumps(name)}: {json.dumps(values)}"
            for name, values in trajectory(env_id).items()
        )
        path.write_text("{\n" + lines + "\n}\n")
        print(path)


if __name__ == "__main__":
    main()
