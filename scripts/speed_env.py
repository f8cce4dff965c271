"""The environment against CartPole-v1: lines for ``scripts.speed``, and the profile of a step."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import VectorEnv

import livestream_env  # noqa: F401  (registers the environments)
from livestream_env.simulator.candidates import (
    begin_retrieval,
    continue_retrieval,
    end_retrieval,
)
from livestream_env.simulator.compiling import entry_point
from livestream_env.simulator.response import appeal, respond
from livestream_env.simulator.rng import mix
from scripts.measuring import Line, Result, Steps, each, measure, seconds

ENV_ID, REFERENCE = "LiveStreamRec-v0", "CartPole-v1"
_ACTIONS = 256  # drawn beforehand, and played again and again

_START = """
import time
begin = time.process_time()
import gymnasium
import livestream_env
env = gymnasium.make("LiveStreamRec-v0")
env.reset(seed=0)
print(time.process_time() - begin)
"""


def lines() -> list[Line]:
    """The lines of the environment."""
    return [
        Line("make", f"its gym.make({REFERENCE})", 0.8, 1.2, 6_000, lambda: _pair(single)),
        _vector_line(64, 0.7, 2.0, 800),
        _vector_line(1024, 0.1, 0.4, 60),
        Line("SB3 64", f"make_vec_env({REFERENCE}, 64)", 3.0, 10.0, 80, _sb3_pair, items=64),
    ]


def results(rounds: int) -> list[Result]:
    """What is measured of them."""
    return measure(lines(), rounds)


def _vector_line(num_envs: int, must: float, goal: float, steps: int) -> Line:
    def make() -> tuple[Steps, Steps]:
        return _pair(lambda env_id: vector(env_id, num_envs))

    against = f"its native vector env, {num_envs}"
    return Line(f"vector {num_envs}", against, must, goal, steps, make, items=num_envs)


def _pair(make: Callable[[str], Steps]) -> tuple[Steps, Steps]:
    return make(ENV_ID), make(REFERENCE)


def single(env_id: str, **kwargs: Any) -> Steps:
    """Steps of the environment that ``gym.make`` returns."""
    env = gym.make(env_id, **kwargs)
    env.reset(seed=0)
    actions = np.random.default_rng(0).integers(env.action_space.n, size=_ACTIONS)  # type: ignore[attr-defined]

    def play(steps: int) -> None:
        for i in range(steps):
            _, _, terminated, truncated, _ = env.step(actions[i % _ACTIONS])
            if terminated or truncated:
                env.reset()

    return play


def _stepping(env: Any, num_actions: int) -> Steps:
    """Steps of an environment of many viewers, which begins episodes by itself."""
    actions = np.random.default_rng(0).integers(num_actions, size=(_ACTIONS, env.num_envs))

    def play(steps: int) -> None:
        for i in range(steps):
            env.step(actions[i % _ACTIONS])

    return play


def _make_vec(env_id: str, num_envs: int, **kwargs: Any) -> VectorEnv:
    return gym.make_vec(
        env_id, num_envs=num_envs, vectorization_mode="vector_entry_point", **kwargs
    )


def vector(env_id: str, num_envs: int, **kwargs: Any) -> Steps:
    """Steps of the native vector environment."""
    env = _make_vec(env_id, num_envs, **kwargs)
    env.reset(seed=0)
    return _stepping(env, int(env.single_action_space.n))  # type: ignore[attr-defined]


def _sb3_pair() -> tuple[Steps, Steps]:
    from stable_baselines3.common.env_util import make_vec_env

    from livestream_env.sb3_vec_env import LiveStreamRecVecEnv

    ours = LiveStreamRecVecEnv(_make_vec(ENV_ID, 64, autoreset_mode="SameStep"))  # type: ignore[arg-type]
    pair = []
    for env in (ours, make_vec_env(REFERENCE, 64)):
        env.reset()
        pair.append(_stepping(env, int(env.action_space.n)))  # type: ignore[attr-defined]
    return pair[0], pair[1]


@entry_point
def _candidates(  # type: ignore[no-untyped-def]
    slots,
    w,
    parameters,
    salt,
):
    """Retrieve candidates for the moment that each slot is in."""
    for i in range(slots.shape[0]):
        begin_retrieval(slots[i], w, parameters[0], mix(slots[i].episode_key, salt))
    for i in range(slots.shape[0]):
        continue_retrieval(slots[i], w)
    for i in range(slots.shape[0]):
        end_retrieval(slots[i], w, parameters[0], mix(slots[i].episode_key, salt))


@entry_point
def _responses(  # type: ignore[no-untyped-def]
    slots,
    w,
    parameters,
    salt,
):
    """Draw a response to the first candidate of each slot; the sum of the seconds watched."""
    total = 0.0
    for i in range(slots.shape[0]):
        s = slots[i]
        if s.room[0] >= 0:
            a = appeal(s, w, parameters[0], 0)
            total += respond(a, s, w, parameters[0], mix(s.episode_key, salt)).watch_s
    return total


def profile(num_envs: int, rounds: int) -> dict[str, float]:
    """Nanoseconds of a step of one of ``num_envs`` viewers, by part.

    Parts are measured on their own, from the same states; "dynamics" is what the kernel does
    beside them, "rest" what happens outside of it.
    """
    env: Any = _make_vec(ENV_ID, num_envs).unwrapped
    env.reset(seed=0)
    rng = np.random.default_rng(0)
    actions = rng.integers(env.single_action_space.n, size=(_ACTIONS, num_envs))
    for action in actions[:100]:
        env.step(action)
    simulation = env.simulation
    observations = simulation.empty_observation()
    states = simulation.get_state()
    world = simulation.kernel_arguments

    parts = {
        "candidates": each(lambda i: _candidates(simulation.slots, *world, i)),
        "response": each(lambda i: _responses(simulation.slots, *world, i)),
        "observation": each(lambda i: simulation.observe(observations)),
        "kernel": each(lambda i: simulation.step(actions[i % _ACTIONS], observations)),
        "step": each(lambda i: env.step(actions[i % _ACTIONS])),
    }
    steps = max(1, 8_000 // num_envs)
    times: dict[str, list[float]] = {name: [] for name in parts}
    for _ in range(rounds + 1):
        for name, play in parts.items():
            simulation.set_state(states)
            play(1)
            times[name].append(1e9 * seconds(play, steps) / (steps * num_envs))
    ns = {name: statistics.median(values[1:]) for name, values in times.items()}
    shown = {name: ns[name] for name in ("candidates", "response")}
    shown["dynamics"] = ns["kernel"] - sum(shown.values()) - ns["observation"]
    shown["observation"] = ns["observation"]
    shown["rest"] = ns["step"] - ns["kernel"]
    return shown | {"step": ns["step"]}


def start_up() -> dict[str, float]:
    """Processor seconds of import, make and reset, without and with compiled code on disk."""
    times = []
    with tempfile.TemporaryDirectory() as cache:
        for _ in range(2):
            done = subprocess.run(
                [sys.executable, "-c", _START],
                env=os.environ | {"NUMBA_CACHE_DIR": cache},
                check=True,
                capture_output=True,
                text=True,
            )
            times.append(float(done.stdout))
    return {"cold": times[0], "warm": times[1]}


def bytes_per_viewer() -> int:
    """Memory of one more viewer: the slot, and what a step returns beside the observation."""
    simulation: Any = _make_vec(ENV_ID, 1).unwrapped.simulation  # type: ignore[attr-defined]
    return int(simulation.bytes_per_slot)
