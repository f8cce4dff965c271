"""Wrong arguments are refused at construction, by name, with the value and what is valid."""

from __future__ import annotations

import dataclasses
import inspect
import pydoc
import re
import subprocess
import sys
from pathlib import Path
from typing import get_type_hints

import gymnasium as gym
import numpy as np
import pytest

from livestream_env import (
    LiveStreamRecEnv,
    LiveStreamRecVectorEnv,
    SimulatorConfig,
    World,
    WorldConfig,
)
from livestream_env.arguments import EnvArguments
from livestream_env.config import SYNTHETIC_WORLDS
from tests.helpers import IDS, SMALL

# argument → wrong value → words that the message must hold
WRONG = [
    ("world", "nowhere.npz", FileNotFoundError, ["world", "nowhere.npz"]),
    ("world", Path("nowhere.npz"), FileNotFoundError, ["world", "nowhere.npz"]),
    ("world", 7, ValueError, ["world", "'default'", "path", "World", "7"]),
    ("world", None, ValueError, ["world", "'default'", "None"]),
    ("world_seed", -1, ValueError, ["world_seed", "integer", "[0,", "-1"]),
    ("world_seed", 1.5, ValueError, ["world_seed", "integer", "1.5"]),
    ("horizon", "year", ValueError, ["horizon", "'visit', 'day', 'week'", "'year'"]),
    ("horizon", None, ValueError, ["horizon", "None"]),
    ("num_candidates", 1, ValueError, ["num_candidates", "[2,", "got 1"]),
    ("num_candidates", 1001, ValueError, ["num_candidates", "1000]", "1001"]),
    ("num_candidates", 10.0, ValueError, ["num_candidates", "integer", "10.0"]),
    ("num_candidates", "10", ValueError, ["num_candidates", "integer", "'10'"]),
    ("num_candidates", True, ValueError, ["num_candidates", "integer", "True"]),
    ("num_candidates", np.nan, ValueError, ["num_candidates", "integer", "nan"]),
    ("num_candidates", 201, ValueError, ["num_candidates", "at most 200", "201"]),
    ("history_length", 0, ValueError, ["history_length", "[1,", "got 0"]),
    ("history_length", None, ValueError, ["history_length", "None"]),
    ("reward_weights", {"clicks": 1.0}, ValueError, ["reward_weights", "'clicks'", "watch, like"]),
    ("reward_weights", {"like": "1"}, ValueError, ["reward_weights['like']", "finite", "'1'"]),
    ("reward_weights", {"like": np.inf}, ValueError, ["reward_weights['like']", "finite", "inf"]),
    ("reward_weights", {"like": np.nan}, ValueError, ["reward_weights['like']", "finite", "nan"]),
    ("reward_weights", {"watch": 1e308}, ValueError, ["['watch']", "in [-1e+06, 1e+06]", "1e+308"]),
    ("reward_weights", {"gift": -(10**400)}, ValueError, ["['gift']", "in [-1e+06, 1e+06]"]),
    ("reward_weights", {"like": np.ones(2)}, ValueError, ["reward_weights['like']", "array"]),
    ("reward_weights", {"like": True}, ValueError, ["reward_weights['like']", "True"]),
    ("reward_weights", [1, 1, 1, 1, 1], ValueError, ["reward_weights", "mapping", "[1, 1"]),
    ("watch", np.array(["log", "log"]), ValueError, ["watch must be one of", "array(['log'"]),
    ("watch", "seconds", ValueError, ["watch", "'log', 'minutes'", "'seconds'"]),
    ("observation", "image", ValueError, ["observation", "'flat', 'dict', 'rows'", "'image'"]),
    ("observe", "all", ValueError, ["observe", "'partial', 'full'", "'all'"]),
    ("satiation", 1, ValueError, ["satiation", "True or False", "1"]),
    ("satisfaction", "no", ValueError, ["satisfaction", "True or False", "'no'"]),
    ("attachment", None, ValueError, ["attachment", "True or False", "None"]),
    ("highlights", 0.5, ValueError, ["highlights", "True or False", "0.5"]),
    ("availability", "off", ValueError, ["availability", "True or False", "'off'"]),
    ("config", {"click_bais": 0.0}, ValueError, ["config", "'click_bais'", "click_bias"]),
    ("config", {"click_bias": "0"}, ValueError, ["config['click_bias']", "number", "'0'"]),
    ("config", {"click_bias": np.nan}, ValueError, ["config['click_bias']", "nan"]),
    ("config", {"watch_noise_std": -1}, ValueError, ["config['watch_noise_std']", "[0,", "-1"]),
    ("config", {"fatigue_memory": None}, ValueError, ["config['fatigue_memory']", "None"]),
    ("config", {"browse_s": True}, ValueError, ["config['browse_s']", "True"]),
    ("config", ["click_bias"], ValueError, ["config", "mapping", "['click_bias']"]),
    ("config", {"num_viewers": 10}, ValueError, ["num_viewers", "world='default'"]),
    (
        "config",
        {"retrieval_attached_share": 0.7, "retrieval_category_share": 0.7},
        ValueError,
        ["retrieval_attached_share", "retrieval_category_share", "at most 1", "0.7"],
    ),
    ("render_mode", "window", ValueError, ["render_mode", "'ansi', 'rgb_array'", "'window'"]),
]
WRONG_VECTOR = [
    ("num_envs", 0, ["num_envs", "[1,", "got 0"]),
    ("num_envs", 2.0, ["num_envs", "integer", "2.0"]),
    ("autoreset_mode", "Never", ["autoreset_mode", "'NextStep'", "'Disabled'", "'Never'"]),
    ("autoreset_mode", None, ["autoreset_mode", "None"]),
    ("max_episode_steps", 0, ["max_episode_steps", "[1,", "got 0"]),
    ("max_episode_steps", 2.5, ["max_episode_steps", "integer", "2.5"]),
]


def refuse(make, error, words):
    with pytest.raises(error) as caught:
        make()
    message = str(caught.value)
    assert all(word in message for word in words), message


@pytest.mark.parametrize(
    ("name", "value", "error", "words"), WRONG, ids=lambda value: re.sub(r"\W+", "_", repr(value))
)
def test_wrong_arguments(make_env, make_venv, name, value, error, words):
    refuse(lambda: make_env(**{name: value}), error, words)
    refuse(lambda: make_venv(**{name: value}), error, words)


@pytest.mark.parametrize(("name", "value", "words"), WRONG_VECTOR)
def test_wrong_arguments_of_the_vector_env(small_world, name, value, words):
    refuse(lambda: LiveStreamRecVectorEnv(world=small_world, **{name: value}), ValueError, words)


@pytest.mark.parametrize("face", [LiveStreamRecEnv, LiveStreamRecVectorEnv])
class TestSignature:
    def test_it_lists_the_fields_with_types_and_defaults(self, face):
        own = {"num_envs", "max_episode_steps", "autoreset_mode", "reuse_buffer"}
        parameters = inspect.signature(face).parameters
        shared = [parameter for name, parameter in parameters.items() if name not in own]
        types = get_type_hints(EnvArguments)
        assert [(p.name, p.default, p.annotation) for p in shared] == [
            (field.name, field.default, types[field.name])
            for field in dataclasses.fields(EnvArguments)
        ]
        assert {parameter.kind for parameter in shared} == {inspect.Parameter.KEYWORD_ONLY}

    def test_help_describes_every_argument(self, face):
        page = pydoc.render_doc(face, renderer=pydoc.plaintext)
        assert "{arguments}" not in page and "**arguments" not in page
        description = inspect.getdoc(face).partition("Args:\n")[2]
        assert max(map(len, description.splitlines())) <= 100
        words = " ".join(description.split())
        for name in inspect.signature(face).parameters:
            assert re.search(rf"\b{name}: \S", words), name
        for field in dataclasses.fields(EnvArguments):
            doc = field.metadata["doc"]
            assert doc.endswith(".") and f" {field.name}: {doc}" in f" {words}", field.name

    def test_the_defaults_may_be_given(self, face, small_world):
        defaults = {**EnvArguments().to_dict(), "world": small_world}
        assert face(**defaults).world == small_world

    def test_a_subclass_has_that_of_its_own_constructor(self, face):
        class Longer(face):
            def __init__(self, bonus: float = 1.0) -> None:
                super().__init__()

        assert list(inspect.signature(Longer).parameters) == ["bonus"]

    def test_an_argument_not_in_it_is_answered_with_the_nearest_that_is(self, face):
        expected = (
            f"{face.__name__}() got an unexpected keyword argument 'num_candidate' "
            "(did you mean 'num_candidates'?); valid are "
        )
        with pytest.raises(TypeError, match=re.escape(expected)):
            face(num_candidate=3)


def test_the_vector_env_has_its_own_arguments_around_the_shared_ones():
    assert list(inspect.signature(LiveStreamRecVectorEnv).parameters) == [
        "num_envs", *EnvArguments.names(), "max_episode_steps", "autoreset_mode", "reuse_buffer"
    ]  # fmt: skip
    with pytest.raises(TypeError, match="did you mean 'num_envs'"):
        LiveStreamRecVectorEnv(num_env=3)


def test_arguments_are_given_by_name():
    with pytest.raises(TypeError, match="positional"):
        LiveStreamRecEnv("default")
    with pytest.raises(TypeError, match="positional"):
        LiveStreamRecVectorEnv(2, "default")


def test_there_is_a_signature_where_python_drops_docstrings():
    code = (
        "import inspect, livestream_env as l\n"
        "from livestream_env.arguments import EnvArguments\n"
        "names = tuple(inspect.signature(l.LiveStreamRecEnv).parameters)\n"
        "print(l.LiveStreamRecEnv.__doc__, names == EnvArguments.names())"
    )
    done = subprocess.run([sys.executable, "-OO", "-c", code], capture_output=True, text=True)
    assert done.stdout == "None True\n", done.stderr


@pytest.mark.parametrize("name", IDS)
def test_registered_arguments_are_valid(name):
    EnvArguments(**gym.spec(name).kwargs)


def test_unknown_argument_names_itself():
    with pytest.raises(TypeError, match="num_rooms"):
        gym.make(IDS[0], num_rooms=3)


def test_world_parameters_and_seed_shape_the_synthetic_world_only(make_env, small_world, tmp_path):
    path = tmp_path / "world.npz"
    small_world.save(path)
    assert LiveStreamRecEnv(world=str(path)).world == small_world
    assert LiveStreamRecEnv(world=path).world == small_world
    refuse(
        lambda: make_env(world=path, world_seed=1), ValueError, ["world_seed", "world='default'"]
    )
    for name, parameters in SYNTHETIC_WORLDS.items():
        of_world = {k: v for k, v in parameters.items() if k in WorldConfig.names()}
        made = World.synthetic(WorldConfig(**{**of_world, **SMALL}), seed=0)
        assert LiveStreamRecEnv(world=name, config=SMALL).world == made
        assert LiveStreamRecEnv(world=name, config=SMALL, world_seed=1).world != made


@pytest.mark.parametrize("content", [b"", b"not a world", b"PK\x03\x04 broken"])
def test_world_file_that_is_none(tmp_path, content):
    path = tmp_path / "world.npz"
    path.write_bytes(content)
    refuse(lambda: LiveStreamRecEnv(world=path), ValueError, ["world", str(path), "not a world"])


def test_directory_is_no_world(tmp_path):
    refuse(
        lambda: LiveStreamRecEnv(world=tmp_path),
        IsADirectoryError,
        ["world", str(tmp_path), "is a directory"],
    )


def test_foreign_npz_is_no_world(tmp_path):
    path = tmp_path / "other.npz"
    np.savez(path, weights=np.zeros(3))
    refuse(lambda: LiveStreamRecEnv(world=path), ValueError, ["world", "not a world file"])


def test_week_needs_seven_days():
    config = {**SMALL, "days": 6}
    refuse(lambda: LiveStreamRecEnv(horizon="week", config=config), ValueError, ["week", "7", "6"])
    LiveStreamRecEnv(horizon="week", config={**SMALL, "days": 7})


def test_every_parameter_is_checked_at_both_ends():
    for group in (SimulatorConfig, WorldConfig):
        defaults = group().to_dict()
        for name, spec in group.__dataclass_fields__.items():
            low, high = spec.metadata["low"], spec.metadata["high"]
            for beyond in (low - 1, high * 2 + 1, float("inf"), float("-inf"), "1", None):
                with pytest.raises(ValueError, match=rf"config\['{name}'\] must be"):
                    group().replace({name: beyond})
            assert low <= defaults[name] <= high and spec.metadata["doc"]


def test_numpy_numbers_are_numbers(make_env):
    env = make_env(
        num_candidates=np.int64(10), history_length=np.int32(8), satiation=np.bool_(True),
        reward_weights={"like": np.float32(2)}, config={"click_bias": np.float64(-1)},
    )  # fmt: skip
    env.reset(seed=0)
    env.step(0)


def test_arguments_are_not_changed(make_env):
    config, weights = {"click_bias": 0.0, **SMALL}, {"like": 2.0}
    make_env(world="plain", config=config, reward_weights=weights)
    assert config == {"click_bias": 0.0, **SMALL} and weights == {"like": 2.0}
