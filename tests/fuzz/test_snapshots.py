"""Damaged snapshots: refused with a reason, or played on within the observation's space."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest

from livestream_env import LiveStreamRecEnv, LiveStreamRecVectorEnv
from livestream_env.simulator.snapshots import limits
from livestream_env.simulator.state import slot_fields
from tests.fuzz.harness import find_nothing
from tests.helpers import LIVELY, same_state

STEPS = 50
# Shapes of the default world, for which there is compiled code.
SMALL = {"num_viewers": 60, "num_streamers": 80, "days": 8}
KINDS: tuple[dict[str, Any], ...] = (
    {"horizon": "day", "config": SMALL},
    {"horizon": "visit", "config": SMALL | {"exit_bias": -2.0}, "observe": "full"},
    {"horizon": "week", "config": LIVELY | {"days": 8}, "observe": "full"},
    {"horizon": "day", "config": SMALL, "world_seed": 1},
    {"horizon": 3, "config": SMALL | {"num_streamers": 12}},  # empty slots
    {"horizon": "day", "config": SMALL, "availability": False},
)


@functools.cache
def _env(kind: int, num_envs: int) -> Any:
    """An environment of a kind; of several viewers the vector one."""
    if num_envs == 1:
        return LiveStreamRecEnv(**KINDS[kind])
    return LiveStreamRecVectorEnv(num_envs, **KINDS[kind])


def prepare() -> None:
    for kind in range(len(KINDS)):
        _env(kind, 1).reset(seed=0)


def _state(kind: int, num_envs: int, rng: np.random.Generator) -> np.ndarray:
    """Of an environment that has played a while, or not at all."""
    env = _env(kind, num_envs)
    if rng.random() < 0.02:
        return (LiveStreamRecEnv(**KINDS[kind]) if num_envs == 1 else env).get_state()
    env.reset(seed=int(rng.integers(1_000)))
    _play(env, int(rng.integers(0, 40)), rng)
    return env.get_state()


def _play(env: Any, steps: int, rng: np.random.Generator) -> None:
    """Random steps; every observation must be in its space."""
    vector = isinstance(env, LiveStreamRecVectorEnv)
    for _ in range(steps):
        if not vector and env.simulation.slots["ended"][0]:
            _look(env, env.reset()[0])
        if rng.random() < 0.1:
            env.expected_response()
        actions = rng.integers(0, 10, len(env.simulation.slots))
        _look(env, env.step(actions if vector else actions[0])[0])


def _look(env: Any, observation: np.ndarray) -> None:
    assert env.observation_space.contains(observation), "an observation outside its space"


_NUMBERS = (0, 1, -1, 2, 5, 31, 32, 1000, 10**6, 2**31 - 1, -(2**31), 2**53, 2**63 - 1, -(2**63))
_FLOATS = (np.nan, np.inf, -np.inf, 1e-300, 1e30, -1e30, 1e300, 0.5, -0.0, 1e5, 1e6)


def _inside(env: Any, name: str, rng: np.random.Generator) -> float:
    """A value of a field's range, its ends and all magnitudes as likely."""
    simulation = env.simulation
    (spec,) = (one for one in slot_fields(*simulation._shape) if one.name == name)
    known = limits(simulation.world, simulation._parameters)
    low, high = known.get(spec.low, spec.low), known.get(spec.high, spec.high)
    if rng.random() < 0.3:
        return (low, high)[rng.integers(2)]
    sign = -1.0 if low < -1 and rng.random() < 0.5 else 1.0
    return min(max(sign * 10.0 ** rng.uniform(-9, 31), low), high)


def _edited(env: Any, state: np.ndarray, rng: np.random.Generator) -> str:
    """Change one value, or all of a field, in place; says what kind of edit it was."""
    names = state.dtype.names
    assert names is not None
    name = names[rng.integers(len(names))]
    values = state[name]
    place: Any = ... if rng.random() < 0.3 else tuple(int(rng.integers(n)) for n in values.shape)
    how = ("value", "step", "bits", "other", "scale", "inside")[rng.integers(6)]
    with np.errstate(all="ignore"):
        if how == "value":
            numbers = _NUMBERS + (_FLOATS if values.dtype.kind == "f" else ())
            values[place] = np.array(numbers[rng.integers(len(numbers))]).astype(values.dtype)
        elif how == "step" and values.dtype.kind != "b":
            step = np.array(rng.integers(1, 4)).astype(values.dtype)
            values[place] = values[place] + step if rng.random() < 0.5 else values[place] - step
        elif how == "inside":
            value = _inside(env, name, rng)
            if values.dtype.kind in "iu":  # the type may not hold the nearest float
                ends = np.iinfo(values.dtype)
                value = min(max(int(value), int(ends.min)), int(ends.max))
            values[place] = value
        elif how == "other":  # of the same field
            values[place] = rng.permutation(values.reshape(-1))[0]
        elif how == "scale" and values.dtype.kind == "f":
            values[place] = values[place] * rng.choice([0.5, 2.0, -1.0, 1 + 1e-7, 1e9])
        else:
            how = "bits"
            whole = state.view(np.uint8).reshape(-1)
            for _ in range(int(rng.integers(1, 9))):
                whole[rng.integers(len(whole))] ^= np.uint8(1 << rng.integers(8))
    return how


def try_edit(seed: int) -> str:
    """A snapshot is damaged, or another environment's, and put back."""
    rng = np.random.default_rng(seed)
    kind, num_envs = int(rng.integers(len(KINDS))), (1, 1, 3)[rng.integers(3)]
    state = _state(kind, num_envs, rng)
    env = _env(kind, num_envs)
    env.reset(seed=1)
    before = env.get_state()
    what = "foreign"
    if rng.random() < 0.1:  # as it is, but to another one
        other = int(rng.integers(len(KINDS)))
        state["made_for"] = state["made_for"] if rng.random() < 0.5 else 0
        if other != kind:
            env, before = _env(other, num_envs), None
            env.reset(seed=1)
            before = env.get_state()
            if rng.random() < 0.5:  # a forged origin
                what = "forged"
                state["made_for"] = before["made_for"]
    else:
        for _ in range(int(rng.integers(1, 4))):
            what = _edited(env, state, rng)
        if rng.random() < 0.9:  # or most bits would be refused for this alone
            state["made_for"] = before["made_for"]
    try:
        observation = env.set_state(state)
    except ValueError as error:
        assert str(error).startswith("state"), error
        assert same_state(env.get_state(), before), "refused, but something changed"
        return f"{what}: refused"
    if (env.simulation.slots["episode"] < 0).any():
        env.reset()
    else:
        _look(env, observation)
    _play(env, STEPS, rng)
    return f"{what}: played"


@pytest.mark.fuzz
@pytest.mark.slow
def test_edited_snapshots_are_refused_or_played() -> None:
    find_nothing("tests.fuzz.test_snapshots:try_edit")
