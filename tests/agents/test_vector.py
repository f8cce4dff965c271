from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from agents.vector import EpisodeStream, env_layout, make_training_env, space_sizes
from tests.agents.small_envs import CountingEnv, small_platform

MODES = pytest.mark.parametrize("mode", list(AutoresetMode))
NUM_ENVS = 3


def played(mode, steps=60):
    """Transitions (o, o', r, terminated, truncated, elapsed, click) of each env, as stored."""
    env = SyncVectorEnv([lambda i=i: CountingEnv(i) for i in range(NUM_ENVS)], autoreset_mode=mode)
    stream = EpisodeStream(env)
    observation = stream.reset(seed=0)
    transitions = [[] for _ in range(NUM_ENVS)]
    for _ in range(steps):
        step = stream.step(np.zeros(NUM_ENVS, dtype=np.int64))
        for i in np.flatnonzero(step.live):
            transitions[i].append(
                (
                    observation[i, 0],
                    step.next_observation[i, 0],
                    step.reward[i],
                    step.terminated[i],
                    step.truncated[i],
                    step.elapsed_s[i],
                    step.click[i],
                )
            )
        ended = step.live & (step.terminated | step.truncated)
        # An episode begins with t = 0, and nothing else does.
        np.testing.assert_array_equal(step.began, step.observation[:, 0] % 100 == 0)
        if mode is not AutoresetMode.NEXT_STEP:
            np.testing.assert_array_equal(step.began, ended)
        observation = step.observation
    return transitions


def expected(i, count):
    """The same from the definition of CountingEnv."""
    rows, episode = [], 0
    while len(rows) < count:
        length = 1 + (episode + i) % 4
        for t in range(1, length + 1):
            now, cut = 100.0 * episode + t, episode % 3 == 2
            over = t == length
            ends = (over and not cut, over and cut)
            rows.append((now - 1, now, float(t), *ends, 10.0 * t, t % 2 == 1))
        episode += 1
    return rows[:count]


@MODES
def test_every_mode_gives_the_transitions_that_happened(mode):
    for i, transitions in enumerate(played(mode)):
        assert len(transitions) > 30
        assert transitions == expected(i, len(transitions))


def test_next_step_mode_does_not_count_resets():
    same, following = played(AutoresetMode.SAME_STEP), played(AutoresetMode.NEXT_STEP)
    assert all(len(rows) == 60 for rows in same)
    for rows in following:
        ended = sum(row[3] or row[4] for row in rows)
        assert 60 - ended <= len(rows) <= 60 - ended + 1


def test_an_env_must_name_its_mode():
    env = small_platform()
    env.metadata = {}
    with pytest.raises(ValueError, match="autoreset_mode"):
        EpisodeStream(env)


def test_ids_use_the_native_vector_class_where_there_is_one():
    env = make_training_env("CartPole-v1", 5)
    assert env.num_envs == 5
    assert type(env).__name__ == "CartPoleVectorEnv"
    assert space_sizes(env) == (4, 2)

    env = make_training_env("Acrobot-v1", 3, {"render_mode": None})
    assert isinstance(env, SyncVectorEnv)
    assert env.num_envs == 3
    assert env.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP


def test_the_livestream_env_starts_episodes_in_the_same_step():
    pytest.importorskip("livestream_env")
    env = make_training_env("livestream_env:LiveStreamRec-v0", 4, {"num_candidates": 5})
    assert env.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
    assert env.num_envs == 4
    assert space_sizes(env)[1] == 5
    assert env_layout(env).num_candidates == 5


def test_a_single_env_is_made_anew_from_its_id_or_used_alone():
    env = make_training_env(gym.make("CartPole-v1", max_episode_steps=7), 6)
    assert env.num_envs == 6
    assert env.spec.max_episode_steps == 7

    single = CountingEnv()
    env = make_training_env(single, 6)
    assert env.num_envs == 1
    assert env.envs[0] is single


def test_vector_envs_are_used_as_they_are():
    env = small_platform()
    assert make_training_env(env, 99) is env
    assert env_layout(env) is env.layout
    assert env_layout(SyncVectorEnv([CountingEnv])) is None


def test_bad_environments_are_refused():
    with pytest.raises(ValueError, match="env_kwargs"):
        make_training_env(small_platform(), 1, {"world": "plain"})
    with pytest.raises(ValueError, match="env must be an id"):
        make_training_env(3, 1)
    with pytest.raises(ValueError, match="flat Box"):
        space_sizes(SyncVectorEnv([lambda: gym.make("FrozenLake-v1")]))
    with pytest.raises(ValueError, match="Discrete"):
        space_sizes(SyncVectorEnv([lambda: gym.make("Pendulum-v1")]))
