"""Agents that read columns by their place refuse environments in which they are elsewhere."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import wrappers
from gymnasium.vector import SyncVectorEnv, VectorWrapper
from gymnasium.wrappers import vector as vector_wrappers

import livestream_env  # noqa: F401
from agents.dqn import DQN
from agents.rules.baselines import LinUCB, LoggingPolicy, PopularityPolicy
from agents.sb3.base import SB3MaskablePPO
from agents.sb3.candidate import SB3CandidateDQN
from agents.vector import make_training_env
from livestream_env.vector_env import LiveStreamRecVectorEnv

ID = "LiveStreamRecSession-v0"
SMALL = {"learning_starts": 32, "batch_size": 8, "replay_size": 400, "num_envs": 4, "seed": 0}


def made(observation="flat"):
    return gym.make(ID, observation=observation)


SINGLE = {
    "FlattenObservation": lambda: wrappers.FlattenObservation(made("dict")),
    "FrameStackObservation": lambda: wrappers.FlattenObservation(
        wrappers.FrameStackObservation(made(), 2)
    ),
    "NormalizeObservation": lambda: wrappers.NormalizeObservation(made()),
    "RescaleObservation": lambda: wrappers.RescaleObservation(
        made(), np.float32(-0.5), np.float32(0.5)
    ),
    "TransformObservation": lambda: wrappers.TransformObservation(
        made(), lambda rows: rows[::-1].copy(), made().observation_space
    ),
    "ReshapeObservation": lambda: wrappers.FlattenObservation(
        wrappers.ReshapeObservation(made(), (1, made().observation_space.shape[0]))
    ),
    "DelayObservation": lambda: wrappers.DelayObservation(made(), 1),
    "MaxAndSkipObservation": lambda: wrappers.MaxAndSkipObservation(made(), 2),
}


def vector(observation="flat"):
    # Gymnasium's wrappers refuse "SameStep" by themselves.
    return make_training_env(ID, 4, {"observation": observation, "autoreset_mode": "NextStep"})


VECTOR = {
    "FlattenObservation": lambda: vector_wrappers.FlattenObservation(vector("dict")),
    "NormalizeObservation": lambda: vector_wrappers.NormalizeObservation(vector()),
    "RescaleObservation": lambda: vector_wrappers.RescaleObservation(
        vector(), np.float32(-0.5), np.float32(0.5)
    ),
    "TransformObservation": lambda: vector_wrappers.TransformObservation(
        vector(), lambda rows: rows[:, ::-1].copy()
    ),
    "ReshapeObservation": lambda: vector_wrappers.FlattenObservation(
        vector_wrappers.ReshapeObservation(vector(), (1, vector().layout.size))
    ),
}


@pytest.mark.parametrize("name", SINGLE)
@pytest.mark.parametrize("agent", [DQN, LinUCB, LoggingPolicy, SB3MaskablePPO, SB3CandidateDQN])
def test_a_wrapper_that_changes_the_observation_is_refused_by_name(name, agent):
    # What is named is the outermost one that changes it.
    with pytest.raises(ValueError, match=r"(Flatten)?\w*Observation moves or rescales") as error:
        agent(SINGLE[name]())
    assert name in str(error.value) or "FlattenObservation" in str(error.value)


@pytest.mark.parametrize("name", VECTOR)
@pytest.mark.parametrize("agent", [DQN, PopularityPolicy])
def test_a_vector_wrapper_that_changes_the_observation_is_refused_by_name(name, agent):
    with pytest.raises(ValueError, match="moves or rescales") as error:
        agent(VECTOR[name]())
    assert name in str(error.value) or "FlattenObservation" in str(error.value)


def test_wrapped_single_environments_in_a_vector_environment_are_refused():
    env = SyncVectorEnv([SINGLE["NormalizeObservation"]] * 2)
    with pytest.raises(ValueError, match="NormalizeObservation moves"):
        DQN(env)
    with pytest.raises(ValueError, match="NormalizeObservation moves"):
        PopularityPolicy(env)
    trained = DQN(ID, **SMALL).learn(64)
    with pytest.raises(ValueError, match="NormalizeObservation moves"):
        trained.set_env(env)


@pytest.mark.parametrize("make", [SINGLE["NormalizeObservation"], VECTOR["NormalizeObservation"]])
def test_an_agent_that_reads_no_column_learns_from_any_observation(make):
    agent = DQN(make(), "plain", network="mlp", mask_actions=False, **SMALL)
    assert agent.layout is None and agent.learn(64).num_timesteps >= 64

    def mask_fn(rows):
        return np.ones((len(rows), 10))

    everything = DQN(make(), "plain", network="mlp", **SMALL, mask_fn=mask_fn)
    assert everything.learn(64).learner.num_updates > 0
    with pytest.raises(ValueError, match="NormalizeObservation"):
        DQN(make(), "plain", network="mlp", **SMALL)


class Rewrites(gym.Wrapper):
    """In the same space, and not called what it is."""

    def reset(self, **kwargs):
        observation, info = self.env.reset(**kwargs)
        return observation[::-1].copy(), info


class RewritesAll(VectorWrapper):
    def reset(self, **kwargs):
        observation, info = self.env.reset(**kwargs)
        return -observation, info


@pytest.mark.parametrize(
    "make", [lambda: SyncVectorEnv([lambda: Rewrites(made())] * 2), lambda: RewritesAll(vector())]
)
def test_a_wrapper_that_hides_what_it_does_is_found_when_training_begins(make):
    with pytest.raises(ValueError, match=r"Rewrites\w* .*rewrites the observation"):
        DQN(make(), **SMALL).learn(64)


class Shaped(gym.Wrapper):
    def step(self, action):
        observation, reward, *rest = self.env.step(action)
        return observation, reward / 2, *rest


def test_wrappers_that_leave_the_observation_alone_serve_as_before():
    def plain(env):
        return Shaped(wrappers.TimeLimit(wrappers.RecordEpisodeStatistics(env), 30))

    agent = DQN(SyncVectorEnv([lambda: plain(made())] * 4), **SMALL).learn(128)
    assert agent.learner.num_updates > 0
    assert DQN(plain(made()), **SMALL).learn(64).num_timesteps == 64
    PopularityPolicy(plain(made()))

    bare = DQN(LiveStreamRecVectorEnv(4, autoreset_mode="SameStep"), **SMALL).learn(128)
    recorded = vector_wrappers.RecordEpisodeStatistics(
        LiveStreamRecVectorEnv(4, autoreset_mode="SameStep")
    )
    same = DQN(recorded, **SMALL).learn(128)
    for name, value in bare.learner.network_state().items():
        np.testing.assert_array_equal(same.learner.network_state()[name], value)


def test_a_policy_of_columns_needs_columns():
    with pytest.raises(ValueError, match="PopularityPolicy needs a LiveStreamRec environment"):
        PopularityPolicy(gym.make("CartPole-v1"))
