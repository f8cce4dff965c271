"""A result is read whole or refused, with its path and the reason."""

from __future__ import annotations

import json

import numpy as np
import pytest

from agents.evaluation import EPISODE_DTYPE
from agents.experiments.runs import CURVE_DTYPE, Result
from livestream_env.files import read_arrays, write_arrays

NAMES = ("episodes", "curve", "timing")
TIMING = {"train_wall_s": 1.0, "train_cpu_s": 2.0, "eval_wall_s": 3.0}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "result.npz"
    episodes = np.zeros(5, EPISODE_DTYPE)
    episodes["reward"] = np.arange(5)
    Result(episodes, np.zeros(2, CURVE_DTYPE), TIMING).save(path)
    return path


def refuse(path, message):
    with pytest.raises(ValueError, match=message) as caught:
        Result.load(path)
    assert f"{path} is not a result of a run: " in str(caught.value)


def test_round_trip(path):
    result = Result.load(path)
    assert result.episodes["reward"].tolist() == [0, 1, 2, 3, 4] and result.timing == TIMING
    assert result.curve.dtype == CURVE_DTYPE and len(result.curve) == 2


@pytest.mark.parametrize("length", [0, 1, 100, -30, -1])
def test_truncated(path, length):
    path.write_bytes(path.read_bytes()[:length])
    refuse(path, "is not")


def test_text_and_nothing_and_a_folder(path):
    path.write_text("reward: 3")
    refuse(path, "File is not a zip file")
    with pytest.raises(FileNotFoundError, match=r"no result of a run at .*other"):
        Result.load(path.with_name("other"))
    with pytest.raises(IsADirectoryError, match="is a directory"):
        Result.load(path.parent)


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("episodes", np.zeros(0, EPISODE_DTYPE), "episodes must be at least one"),
        ("episodes", np.zeros((2, 2), EPISODE_DTYPE), "episodes must be a table"),
        ("episodes", np.zeros(3), "episodes must be a table"),
        ("curve", np.zeros(3, EPISODE_DTYPE), "curve must be a table"),
        ("timing", np.array("[]"), "AttributeError"),
        ("timing", np.array("{}"), "timing must be train_wall_s, train_cpu_s, eval_wall_s, got"),
        ("timing", np.array(json.dumps({**TIMING, "eval_wall_s": "3"})), "must be a number"),
        ("timing", np.zeros(3), "is not a result"),
    ],
)
def test_other_arrays(path, name, array, message):
    arrays = read_arrays(path, NAMES)
    arrays[name] = array
    write_arrays(path, arrays)
    refuse(path, message)


def test_without_a_checksum(path):
    arrays = read_arrays(path, NAMES)
    np.savez(path, **arrays)
    refuse(path, "it has no checksum")
