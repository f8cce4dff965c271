"""Worlds that the argument ``world`` knows by name."""

from __future__ import annotations

import gymnasium as gym
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import check_env

from livestream_env.config import SYNTHETIC_WORLDS, SimulatorConfig, WorldConfig

SMALLER = {"num_viewers": 300, "num_streamers": 200, "days": 8}
DEFAULTS = {**WorldConfig().to_dict(), **SimulatorConfig().to_dict()}


@pytest.mark.parametrize("name", SYNTHETIC_WORLDS)
def test_names_parameters_that_differ_from_the_defaults(name):
    for parameter, value in SYNTHETIC_WORLDS[name].items():
        assert value != DEFAULTS[parameter], parameter


def test_default_is_the_default():
    named = gym.make("LiveStreamRec-v0", world="default", config=SMALLER).unwrapped
    unnamed = gym.make("LiveStreamRec-v0", config=SMALLER).unwrapped
    assert named.world is unnamed.world
    assert named.simulation.config == unnamed.simulation.config


def test_default_has_its_parameters_and_config_goes_before():
    env = gym.make("LiveStreamRec-v0", config={**SMALLER, "notification": 0.5})
    config, seed = env.unwrapped.world.recipe
    simulator = env.unwrapped.simulation.config
    assert config.num_streamers == 200 and seed == 0
    for parameter in ("sensitivity_std", "community_std", "interest_std"):
        assert getattr(config, parameter) == SYNTHETIC_WORLDS["default"][parameter]
    assert simulator.satisfaction_harm == SYNTHETIC_WORLDS["default"]["satisfaction_harm"]
    assert simulator.notification == 0.5
    check_env(env.unwrapped, skip_render_check=True)


def test_plain_has_the_parameters_own_defaults():
    env = gym.make("LiveStreamRec-v0", world="plain", config=SMALLER).unwrapped
    assert env.world.recipe == (WorldConfig(**SMALLER), 0)
    assert env.simulation.config == SimulatorConfig()


@pytest.mark.parametrize("name", SYNTHETIC_WORLDS)
def test_survives_in_a_specification(name):
    env = gym.make("LiveStreamRec-v0", world=name, config=SMALLER, world_seed=4)
    again = gym.make(EnvSpec.from_json(env.spec.to_json()))
    assert again.unwrapped.world is env.unwrapped.world
    assert again.unwrapped.simulation.config == env.unwrapped.simulation.config


def test_an_unknown_name_is_a_path():
    with pytest.raises(FileNotFoundError, match="shallow"):
        gym.make("LiveStreamRec-v0", world="shallow")
    with pytest.raises(ValueError, match="'default', 'plain', a path or a World"):
        gym.make("LiveStreamRec-v0", world=3)
