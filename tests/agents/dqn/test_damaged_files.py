"""Models and checkpoints are read whole or refused, with the path and the reason.

Edits here have a right checksum: what is tested is what it cannot find.
"""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
import safetensors.numpy
import torch

from agents.dqn import DQN
from agents.dqn.checkpoint import read_checkpoint, write_checkpoint
from agents.dqn.config import DQNConfig
from tests.agents.small_envs import small_platform

SETTINGS = {
    "hidden_sizes": (8,),
    "batch_size": 16,
    "learning_starts": 20,
    "replay_size": 400,
    "prioritized": True,
    "seed": 0,
}


def make_env(num_envs=3):
    return small_platform(num_envs)


@pytest.fixture(scope="module")
def agent():
    return DQN(make_env(), DQNConfig(**SETTINGS)).learn(120)


@pytest.fixture
def model(agent, tmp_path):
    agent.save(tmp_path / "model")
    return tmp_path / "model.safetensors"


@pytest.fixture
def checkpoint(agent, tmp_path):
    agent.save_checkpoint(tmp_path / "run")
    return tmp_path / "run.safetensors"


def edit(path, kind, change):
    """Change arrays and header of a file, which gets its checksum anew."""
    arrays, header = read_checkpoint(path, kind)
    change(arrays, header)
    write_checkpoint(path, kind, arrays, header)


def refuse(path, kind, change, message):
    edit(path, kind, change)
    with pytest.raises(ValueError, match=message) as caught:
        DQN.load(path) if kind == "model" else DQN.load_checkpoint(path, make_env())
    assert f"{path} is not a {kind} of a DQN: " in str(caught.value)


def put(mapping, place, value):
    """``mapping[a][b] = value`` for the place "a/b"."""
    *way, last = place.split("/")
    for key in way:
        mapping = mapping[key]
    mapping[last] = value


HEADERS = [
    ("config", None, "TypeError"),
    ("config", ["gamma"], "is not a"),
    ("config/gamma", float("nan"), "gamma must be a number in"),
    ("config/gama", 0.5, "unknown field 'gama'.*did you mean 'gamma'"),
    ("config/network", "transformer", "network must be one of"),
    ("config/hidden_sizes", [9], "must be float32"),
    ("config/hidden_sizes", [8] * 2000, "at most 1000 layers"),
    ("config/hidden_sizes", [10**9, 10**9], "must be|RuntimeError"),
    ("observation_size", 0, "observation_size must be an integer"),
    ("observation_size", "7", "observation_size must be an integer"),
    ("num_actions", 10**9, r"candidate_columns must have the shape \(1000000000"),
    ("num_timesteps", -1, "num_timesteps must be an integer"),
    ("num_updates", 1.5, "num_updates must be an integer"),
    ("layout/valid_columns", [0], "valid_columns must have the shape"),
    ("layout/candidate_columns", [[], [], []], "candidate_columns must have the shape"),
    ("layout/shared_columns", [10**6], "shared_columns must be in"),
    ("layout/shared_columns", [-1], "shared_columns must be in"),
    ("layout/past_columns", [10**6], "past_columns must be in"),
    ("layout/trace_columns", [[0]], "trace_columns must have the shape"),
    ("layout/shared_columns", [0.5], "layout must hold integers only"),
    ("layout/more_columns", [0], "TypeError"),
    ("layout", [], "AttributeError"),
]


@pytest.mark.parametrize(("place", "value", "message"), HEADERS)
@pytest.mark.parametrize("kind", ["model", "checkpoint"])
def test_edited_headers(kind, place, value, message, model, checkpoint):
    path = model if kind == "model" else checkpoint
    refuse(path, kind, lambda arrays, header: put(header, place, value), message)


@pytest.mark.parametrize("kind", ["model", "checkpoint"])
def test_missing_headers(kind, model, checkpoint):
    path = model if kind == "model" else checkpoint
    for name in ("config", "layout", "num_updates", "horizon", "num_actions"):
        original = path.read_bytes()
        refuse(path, kind, lambda arrays, header, n=name: header.pop(n), f"KeyError.*{name}")
        path.write_bytes(original)


def test_other_weights(model):
    original = model.read_bytes()
    arrays, _ = read_checkpoint(model, "model")
    for name in arrays:
        short = name.removeprefix("network/")
        refuse(model, "model", lambda a, h, n=name: a.pop(n), f"it has no array {short}")
        model.write_bytes(original)
        for other in (arrays[name].astype(np.float64), arrays[name][..., None], np.zeros(0)):
            edit(model, "model", lambda a, h, n=name, o=other: a.update({n: o}))
            with pytest.raises(ValueError, match=f"{short} must be float32"):
                DQN.load(model)
            model.write_bytes(original)
    refuse(model, "model", lambda a, h: a.update({"network/x": np.zeros(1)}), "something else: x")


def first_stored(arrays):
    return np.flatnonzero(arrays["replay/stored"])[0]


ARRAYS = [
    ("replay/priority", lambda a, at: np.nan, "priority must be in"),
    ("replay/priority", lambda a, at: -1.0, "priority must be in"),
    ("replay/priority", lambda a, at: np.inf, "priority must be in"),
    ("replay/priority", lambda a, at: 0.0, "priority must be positive"),
    ("replay/priority", lambda a, at: 1.7e308, None),
    ("replay/action", lambda a, at: 10**6, "action must be in"),
    ("replay/action", lambda a, at: -1, "action must be in"),
    ("replay/reward", lambda a, at: np.nan, "reward must be in"),
    ("replay/discount", lambda a, at: -0.5, "discount must be in"),
    ("replay/observation", lambda a, at: np.inf, "observation must be in"),
    ("replay/stored", lambda a, at: False, "priority must be positive"),
]


@pytest.mark.parametrize(("name", "value", "message"), ARRAYS)
def test_wrong_values_in_the_memory(name, value, message, checkpoint):
    def change(arrays, header):
        at = first_stored(arrays)
        arrays[name] = arrays[name].copy()
        arrays[name][at] = value(arrays, at)

    if message is not None:
        refuse(checkpoint, "checkpoint", change, message)
        return
    edit(checkpoint, "checkpoint", change)
    DQN.load_checkpoint(checkpoint, make_env())


REPLACED = [
    ("replay/head", lambda a: a + 10**6, "head must be in"),
    ("replay/head", lambda a: a * 0 - 1, "head must be in"),
    ("replay/head", lambda a: a - 1, "must be False where an environment stands"),
    ("replay/head", lambda a: a.astype(np.float64), "head must be int64"),
    ("replay/stored", lambda a: a[:-1], "stored must be at most"),
    ("replay/stored", lambda a: np.tile(a, 50), "stored must be at most"),
    ("replay/reward", lambda a: a[:-3], "reward must be float32"),
    ("replay/action", lambda a: a.astype(np.int32), "action must be int64"),
    ("replay/max_priority", lambda a: a * np.nan, "max_priority must be in"),
    ("replay/max_priority", lambda a: a[:0], "max_priority must be float64"),
    ("learner/weights", lambda a: a[:-1], "weights must be float32"),
    ("learner/square", lambda a: a - 1, "square must be in"),
    ("learner/steps", lambda a: a * 0 - 1, "steps must be in"),
    ("env/observation", lambda a: a[:, :-1], "observation must be float32"),
    ("env/ended", lambda a: a.astype(np.int64), "ended must be bool"),
    ("env/state", lambda a: a[:-1], "is not a checkpoint"),
    ("env/state", lambda a: a[:0], "is not a checkpoint"),
    ("episodes/length", lambda a: a - 10**6, "length must be in"),
    ("episodes/latest", lambda a: np.zeros((101, 2)), "latest must be float64"),
    ("episodes/latest", lambda a: a * np.nan, "latest must be in"),
    ("torch_rng", lambda a: a[:-1], "RuntimeError"),
    ("torch_rng", lambda a: a.astype(np.float32), "TypeError"),
]


@pytest.mark.parametrize(("name", "change", "message"), REPLACED)
def test_other_arrays(name, change, message, checkpoint):
    before = torch.get_rng_state()
    refuse(checkpoint, "checkpoint", lambda a, h: a.update({name: change(a[name])}), message)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("name", ["learner/mean", "replay/stored", "replay/head", "torch_rng",
                                  "env/ended", "episodes/reward"])  # fmt: skip
def test_missing_arrays(name, checkpoint):
    refuse(checkpoint, "checkpoint", lambda a, h: a.pop(name), name.rpartition("/")[2])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rng: rng.pop("env"), "rng must be of env, explore"),
        (lambda rng: rng["env"].pop("state"), "is not a checkpoint"),
        (lambda rng: rng["env"].update(bit_generator="MT19937"), "must be for a PCG64"),
        (lambda rng: rng["env"]["state"].update(state=-1), "is not a checkpoint"),
        (lambda rng: rng.update(env=3), "is not a checkpoint"),
    ],
)
def test_other_random_states(change, message, checkpoint):
    refuse(checkpoint, "checkpoint", lambda a, h: change(h["rng"]), message)


def test_updates_that_nobody_owes(checkpoint):
    refuse(
        checkpoint,
        "checkpoint",
        lambda arrays, header: header.update(num_timesteps=10**12),
        "num_updates must be at least .* after 1000000000000 steps",
    )


def test_a_memory_larger_than_any(checkpoint):
    def change(arrays, header):
        header["config"]["replay_size"] = 100_000_000_000

    refuse(checkpoint, "checkpoint", change, "replay_size must be an integer")


@pytest.mark.parametrize("kind", ["model", "checkpoint"])
def test_flipped_bits_and_missing_ends(kind, model, checkpoint):
    path = model if kind == "model" else checkpoint
    whole = path.read_bytes()
    header = int.from_bytes(whole[:8], "little")
    rng = np.random.default_rng(0)
    in_header = rng.integers(12, 8 + header, 20)
    for at in (*range(12), *in_header, *rng.integers(8 + header, len(whole), 60)):
        damaged = bytearray(whole)
        damaged[at] ^= 1
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match="is not a"):
            read_checkpoint(path, kind)
    for length in (0, 7, 8, 100, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match="is not a"):
            read_checkpoint(path, kind)


def test_a_file_without_a_checksum(model):
    arrays, header = read_checkpoint(model, "model")
    safetensors.numpy.save_file(arrays, model, metadata={"json": json.dumps(header)})
    with pytest.raises(ValueError, match=r"model\.safetensors is not .* it has no checksum"):
        DQN.load(model)


def test_a_directory(tmp_path):
    (tmp_path / "model.safetensors").mkdir()
    with pytest.raises(IsADirectoryError, match=r"model\.safetensors is a directory"):
        DQN.load(tmp_path / "model")


def test_a_full_disk(tmp_path):
    path = tmp_path / "model.safetensors"
    write_checkpoint(path, "model", {"a": np.zeros(3)}, {})
    before = path.read_bytes()
    # A limit on the size of files is met as a full disk is: in the middle of a write.
    code = (
        "import resource, sys, numpy as np\n"
        "from agents.dqn.checkpoint import write_checkpoint\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n"
        "try: write_checkpoint(sys.argv[1], 'model', {'a': np.ones(100_000)}, {})\n"
        "except OSError as error: print(error.errno, error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"27 [Errno 27] File too large: {str(path)!r}\n", done.stderr
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]
