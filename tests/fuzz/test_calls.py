"""Anything at all as seed, options, actions and out: refused in words, or played."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
from gymnasium.error import Error

from livestream_env import LiveStreamRecEnv, LiveStreamRecVectorEnv
from tests.fuzz.harness import find_nothing
from tests.helpers import same_state

SMALL = {"num_viewers": 60, "num_streamers": 80, "days": 8}
NUM_ENVS = 3


@functools.cache
def _env(kind: int) -> Any:
    if kind == 0:
        return LiveStreamRecEnv(config=SMALL)
    mode = ("NextStep", "SameStep", "Disabled")[kind - 1]
    return LiveStreamRecVectorEnv(NUM_ENVS, config=SMALL, autoreset_mode=mode)


def prepare() -> None:
    for kind in range(4):
        _env(kind).reset(seed=0)


_SCALARS = (
    *(None, True, False, 0, 1, 2, -1, 9, 10, 59, 60, 2**31, 2**63, 2**64, -(2**63), 10**30),
    *(0.0, 1.0, 0.5, float("nan"), float("inf"), "1", "viewer", b"2", 1j, object(), print),
)
_DTYPES = ("i1", "u1", "i4", "i8", "u8", "f4", ">f4", ">i8", "f8", "?", "O", "U3", "c8", "M8[s]")


def _array(rng: np.random.Generator, width: int) -> Any:
    """An array of about the shapes that are expected, of any type and layout."""
    n = NUM_ENVS
    shapes = (
        (),
        (1,),
        (n,),
        (n,),
        (n + 1,),
        (n, 1),
        *2 * ((n, width),),
        (n, width + 1),
        (0, width),
    )
    shape = shapes[rng.integers(len(shapes))]
    dtype = np.dtype(_DTYPES[rng.integers(len(_DTYPES))])
    if rng.random() < 0.4:
        dtype = np.dtype("f4" if len(shape) == 2 else "i8")
    size = int(np.prod(shape))
    how = rng.integers(6)
    if dtype.hasobject or how == 0:
        array = np.full(shape, _SCALARS[rng.integers(12)]).astype(object)
        return array if dtype.hasobject else array.astype(bool)
    if how == 1:  # read-only memory
        return np.frombuffer(bytes(size * dtype.itemsize), dtype, size).reshape(shape)
    if how == 2:  # not aligned
        return np.frombuffer(bytearray(size * dtype.itemsize + 1), dtype, size, 1).reshape(shape)
    array = np.array(rng.integers(-2, 12, shape)).astype(dtype)
    if how == 3 and shape:
        return array[::-1] if rng.random() < 0.5 else np.asfortranarray(array)
    if how == 4 and shape:
        return np.broadcast_to(array[:1], shape) if shape[0] else array
    return array


def _thing(rng: np.random.Generator, width: int) -> Any:
    """Anything."""
    how = rng.random()
    if how < 0.4:
        return _SCALARS[rng.integers(len(_SCALARS))]
    if how < 0.7:
        return _array(rng, width)
    items = [_SCALARS[rng.integers(len(_SCALARS))] for _ in range(rng.integers(5))]
    return items if how < 0.85 else tuple(items)


def _options(rng: np.random.Generator, width: int) -> Any:
    if rng.random() < 0.2:
        return _thing(rng, width)
    names = ("viewer", "day", "reset_mask", "viewers", 7, None)
    return {names[rng.integers(len(names) - 3 * (rng.random() < 0.8))]: _thing(rng, width)
            for _ in range(rng.integers(1, 3))}  # fmt: skip


def try_call(seed: int) -> str:
    """One call with anything, then a few steps as usual."""
    rng = np.random.default_rng(seed)
    kind = int(rng.integers(4))
    env = _env(kind)
    env.reset(seed=int(rng.integers(100)))  # her day may end with the first impression
    before, width = env.get_state(), env.layout.size
    call = ("reset", "step", "out", "state")[rng.integers(4)]
    usual = np.int64(0) if kind == 0 else np.zeros(NUM_ENVS, np.int64)
    try:
        with np.errstate(all="ignore"):
            if call == "reset":
                arguments = {"options": _options(rng, width), "seed": _thing(rng, width)}
                if rng.random() < 0.6:
                    del arguments[("options", "seed")[rng.integers(2)]]
                env.reset(**arguments)
            elif call == "step":
                env.step(_thing(rng, width))
            elif call == "state":
                env.set_state(_thing(rng, width))
            elif kind:
                env.step(usual, out=_thing(rng, width))
    except (ValueError, Error) as error:
        assert str(error), "refused without a word"
        assert same_state(env.get_state(), before), "refused, but something changed"
        result = "refused"
    else:
        result = "played"
    for _ in range(3):
        if env.simulation.slots["ended"].any():
            env.reset()
        observation = env.step(usual)[0]
        assert env.observation_space.contains(observation), "an observation outside its space"
    return f"{call}: {result}"


@pytest.mark.fuzz
@pytest.mark.slow
def test_calls_with_anything_are_refused_or_played() -> None:
    find_nothing("tests.fuzz.test_calls:try_call")
