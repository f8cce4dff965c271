"""Damaged and edited files: refused with path and reason, or loaded and played.

Half of the cases damage bytes, as disks and networks do. The others edit arrays and JSON and give
the file a new checksum, as one who knows the format could: then the checks of values must hold.
"""

from __future__ import annotations

import functools
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from safetensors import SafetensorError

from agents.dqn import DQN
from agents.dqn.checkpoint import read_checkpoint, write_checkpoint
from agents.dqn.config import DQNConfig
from agents.evaluation import EPISODE_DTYPE
from agents.experiments.runs import CURVE_DTYPE, Result
from livestream_env import LiveStreamRecEnv, World, WorldConfig
from livestream_env.files import array_from_bytes, array_to_bytes, read_arrays, write_arrays
from livestream_env.world.tables import ROOM_RANGES, STREAMER_RANGES, VIEWER_RANGES
from tests.fuzz.harness import find_nothing

SMALL = {"num_viewers": 40, "num_streamers": 30, "days": 2}
SETTINGS: dict[str, Any] = {
    "hidden_sizes": (8,), "batch_size": 16, "learning_starts": 40, "replay_size": 400,
    "train_interval": 8, "prioritized": True, "seed": 0, "n_step": 3,
}  # fmt: skip
RANGES = {**VIEWER_RANGES, **STREAMER_RANGES, **ROOM_RANGES}
ODD: tuple[Any, ...] = (
    None, True, 0, -1, 1, 2, 0.5, 1e308, -1e308, float("nan"), float("inf"), 10**7, 10**9, 10**30,
    "", "text", "3", [], {}, [[]], [1, 2], {"a": 1}, [10**9], "cuda:99", "\ud800",
)  # fmt: skip
NUMBERS = (0, 1, -1, 2, 7, 1000, 10**6, 2**31 - 1, -(2**31), 2**63 - 1, -(2**63))
FLOATS = (np.nan, np.inf, -np.inf, 3e38, -3e38, 1e-45, 1e300, 0.5, -0.5)


# What a file consists of, by kind: the whole bytes; arrays with JSON; writing both; loading.


@functools.cache
def _env() -> Any:
    return gym.make_vec("LiveStreamRec-v0", 4, "vector_entry_point", config=SMALL)


@functools.cache
def _agent() -> DQN:
    agent = DQN(_env(), DQNConfig(**SETTINGS))
    agent.learn(400)
    return agent


@functools.cache
def _base(kind: str) -> tuple[bytes, dict[str, np.ndarray], dict[str, Any]]:
    """The bytes, the arrays and the JSON of a whole file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"whole.{kind}"
        if kind == "world":
            World.synthetic(WorldConfig(**SMALL), seed=0).save(path)
            names = ("viewers", "streamers", "rooms", "content", "hourly_activity",
                     "viewer_ids", "streamer_ids", "room_ids", "meta")  # fmt: skip
            arrays = read_arrays(path, names)
            return path.read_bytes(), arrays, json.loads(str(arrays.pop("meta")))
        if kind == "result":
            episodes, curve = np.ones(20, EPISODE_DTYPE), np.ones(3, CURVE_DTYPE)
            timing = {"train_wall_s": 1.0, "train_cpu_s": 1.0, "eval_wall_s": 1.0}
            Result(episodes, curve, timing).save(path)
            return path.read_bytes(), {"episodes": episodes, "curve": curve}, timing
        _agent().save(path) if kind == "model" else _agent().save_checkpoint(path)
        return path.read_bytes(), *read_checkpoint(path, kind)


def _write(kind: str, path: Path, arrays: dict[str, np.ndarray], header: Any) -> None:
    """A file of these arrays and this JSON, with its checksum."""
    if kind in ("model", "checkpoint"):
        write_checkpoint(path, kind, arrays, header)
    else:
        name = "meta" if kind == "world" else "timing"
        write_arrays(path, {**arrays, name: np.array(json.dumps(header))})


def _use_world(path: Path, rng: np.random.Generator) -> None:
    world = World.load(path)
    try:
        env = LiveStreamRecEnv(world=world)
    except ValueError as error:
        # A smaller world is one all the same, but not for these arguments.
        assert str(error).startswith(("num_candidates", "horizon")), error
        return
    for _ in range(2):
        observation, _ = env.reset(seed=int(rng.integers(1000)))
        assert env.observation_space.contains(observation), "an observation outside its space"
        for _ in range(15):
            observation, reward, terminated, _, _ = env.step(int(rng.integers(10)))
            assert env.observation_space.contains(observation), "an observation outside its space"
            assert np.isfinite(reward), "no reward"
            if terminated:
                break


def _use_model(path: Path, rng: np.random.Generator) -> None:
    agent = DQN.load(path)
    # A shared scorer reads the columns of its layout only, however many more the file declares.
    size = agent.observation_size
    if size > 1_000_000:
        return
    rows = rng.uniform(-1, 1, (5, size)).astype(np.float32)
    with np.errstate(all="ignore"):
        action, _ = agent.predict(rows)
    assert ((action >= 0) & (action < agent.num_actions)).all(), "no such action"


def _use_checkpoint(path: Path, rng: np.random.Generator) -> None:
    agent = DQN.load_checkpoint(path, _env())
    with np.errstate(all="ignore"):
        agent.learn(60, reset_num_timesteps=False)


def _use_result(path: Path, rng: np.random.Generator) -> None:
    result = Result.load(path)
    with np.errstate(all="ignore"):
        assert isinstance(float(result.episodes["reward"].mean()), float)


USE: dict[str, Callable[[Path, np.random.Generator], None]] = {
    "world": _use_world, "model": _use_model, "checkpoint": _use_checkpoint, "result": _use_result,
}  # fmt: skip


# Damage


def _damaged(whole: bytes, rng: np.random.Generator) -> tuple[str, bytes]:
    """Bytes as a disk, a network or an editor might leave them."""
    data = bytearray(whole)
    at = int(rng.integers(len(data)))
    how = ("flip", "flip", "end", "span", "zeros", "lost", "twice", "head")[rng.integers(8)]
    length = int(10 ** rng.uniform(0, 4))
    if how == "flip":
        for _ in range(int(rng.integers(1, 9))):
            data[rng.integers(len(data))] ^= 1 << rng.integers(8)
    elif how == "end":
        del data[at:]
    elif how == "span":
        data[at : at + length] = rng.bytes(len(data[at : at + length]))
    elif how == "zeros":
        data[at : at + length] = bytes(len(data[at : at + length]))
    elif how == "lost":
        del data[at : at + length]
    elif how == "twice":
        data[at:at] = data[at : at + length]
    else:  # where headers are
        for _ in range(int(rng.integers(1, 4))):
            place = int(rng.integers(min(300, len(data))))
            data[place if rng.random() < 0.5 else len(data) - 1 - place] = rng.integers(256)
    return how, bytes(data)


def _edit_json(value: Any, rng: np.random.Generator) -> None:
    """Change something in nested lists and dicts, in place."""
    places = [value]
    while True:
        inner = list(places[-1].values()) if isinstance(places[-1], dict) else places[-1]
        deeper = [one for one in inner if isinstance(one, (dict, list)) and one]
        if not deeper or rng.random() < 0.4:
            break
        places.append(deeper[rng.integers(len(deeper))])
    place = places[-1]
    keys = list(place) if isinstance(place, dict) else list(range(len(place)))
    key = keys[rng.integers(len(keys))]
    how = rng.integers(8)
    if how == 0:
        del place[key]
    elif how == 1 and isinstance(place, dict):
        place["foreign"] = ODD[rng.integers(len(ODD))]
    elif how < 4 and type(place[key]) in (int, float):
        place[key] = type(place[key])(place[key] * rng.choice([-1, 2, 10, 0.1]) + rng.integers(2))
    else:
        place[key] = ODD[rng.integers(len(ODD))]


def _edit_array(name: str, array: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Another array: of other values, mostly, or of another shape or type."""
    if name == "env/state" and rng.random() < 0.8:
        inner = array_from_bytes(array)
        return array_to_bytes(_edit_array("", inner, rng))
    array = array.copy()
    how = rng.integers(10)
    if how == 0:
        return array[: int(rng.integers(len(array) + 1))] if array.ndim else array[None]
    if how == 1:
        other = (np.float64, np.int32, np.uint8, "U3")[rng.integers(4)]
        return array.astype(other) if array.dtype.names is None else array.view(np.uint8)
    if how == 2 and array.ndim and len(array):
        return np.concatenate([array, array[: int(rng.integers(1, len(array) + 1))]])
    values = array
    if array.dtype.names is not None:
        field = array.dtype.names[rng.integers(len(array.dtype.names))]
        values, name = array[field], field
    if not values.size:
        return array
    one = tuple(int(rng.integers(size)) for size in values.shape)
    place: Any = ... if rng.random() < 0.3 else one
    with np.errstate(all="ignore"):
        if name in RANGES and values.dtype.kind == "f" and rng.random() < 0.5:
            low, high = RANGES[name]
            value = (low, high)[rng.integers(2)] if rng.random() < 0.5 else 10 ** rng.uniform(-9, 9)
            values[place] = min(max(value, low), high)
        elif how < 6:
            numbers = NUMBERS + (FLOATS if values.dtype.kind == "f" else ())
            values[place] = np.array(numbers[rng.integers(len(numbers))]).astype(values.dtype)
        elif how < 8:
            values[place] = rng.permutation(values.reshape(-1))[0]
        elif values.dtype.kind == "b":
            values[place] = ~values[place]
        else:
            values[place] = values[place] + np.array(rng.choice([-1, 1])).astype(values.dtype)
    return array


def _edited(kind: str, path: Path, rng: np.random.Generator) -> str:
    """Write a file whose contents are edited and whose checksum is right."""
    _, arrays, header = _base(kind)
    arrays, header = dict(arrays), json.loads(json.dumps(header))
    what = ""
    for _ in range(int(rng.integers(1, 3))):
        what = ("values", "values", "json", "names")[rng.integers(4)]
        name = sorted(arrays)[rng.integers(len(arrays))]
        if what == "json":
            _edit_json(header, rng)
        elif what == "values":
            arrays[name] = _edit_array(name, arrays[name], rng)
        elif len(arrays) > 1 and rng.random() < 0.7:
            other = sorted(arrays)[rng.integers(len(arrays))]
            arrays[other] = arrays.pop(name)
        else:
            arrays["foreign"] = np.zeros(3)
    if kind == "result" and what == "json" and rng.random() < 0.1:
        header = ODD[rng.integers(len(ODD))]
    _write(kind, path, arrays, header)
    return what


def _try(kind: str, seed: int) -> str:
    rng = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"a.{kind}"
        if rng.random() < 0.5:
            what, data = _damaged(_base(kind)[0], rng)
            path.write_bytes(data)
        else:
            try:
                what = _edited(kind, path, rng)
            except (
                ValueError,
                TypeError,
                KeyError,
                SafetensorError,
            ):  # what cannot be written at all
                return "not written"
        try:
            USE[kind](path, rng)
        except (ValueError, OSError) as error:
            assert str(path) in str(error), f"{type(error).__name__} without the path: {error}"
            return f"{what}: refused"
        return f"{what}: played"


def try_world(seed: int) -> str:
    """A world."""
    return _try("world", seed)


def try_model(seed: int) -> str:
    """A model of a DQN."""
    return _try("model", seed)


def try_checkpoint(seed: int) -> str:
    """A checkpoint of a DQN."""
    return _try("checkpoint", seed)


def try_result(seed: int) -> str:
    """The result of a run."""
    return _try("result", seed)


def prepare() -> None:
    """Compile what all cases need."""
    for kind, use in USE.items():
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"a.{kind}"
            path.write_bytes(_base(kind)[0])
            use(path, np.random.default_rng(0))


@pytest.mark.fuzz
@pytest.mark.slow
@pytest.mark.parametrize("kind", list(USE))
def test_damaged_files_are_refused_or_played(kind: str) -> None:
    find_nothing(f"tests.fuzz.test_files:try_{kind}", batch=2_500, more_memory=6 << 30)
