"""Copies of the single environment: pickled, deep, in other processes, and by snapshot."""

from __future__ import annotations

import copy
import pickle

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.error import ResetNeeded

from tests.helpers import IDS, LONG, SMALL, assert_same, same_state


class TestCopies:
    def test_pickle(self, make_env):
        env = make_env(config={**LONG, "click_bias": 0.0}, render_mode="ansi")
        env.reset(seed=2)
        env.step(1)
        again = pickle.loads(pickle.dumps(env))
        for action in range(5):
            assert_same(env.step(action), again.step(action))

    def test_deepcopy_goes_on_alike_and_apart(self, make_env):
        env = make_env(config=LONG)
        env.reset(seed=2)
        copied = copy.deepcopy(env)
        assert copied.world is env.world
        expected = [env.step(a) for a in range(5)]
        assert_same(expected, [copied.step(a) for a in range(5)])
        assert_same(env.reset(), copied.reset())

    def test_wrapped_deepcopy(self):
        env = gym.make(IDS[0], config=SMALL)
        env.reset(seed=0)
        copied = copy.deepcopy(env)
        assert_same(env.step(0), copied.step(0))

    def test_async_vector_env_under_spawn(self):
        kwargs = {"num_envs": 2, "config": SMALL}
        spawned = gym.make_vec(
            IDS[0], vectorization_mode="async", vector_kwargs={"context": "spawn"}, **kwargs
        )
        serial = gym.make_vec(IDS[0], vectorization_mode="sync", **kwargs)
        try:
            assert_same(spawned.reset(seed=3), serial.reset(seed=3))
            for action in range(3):
                assert_same(spawned.step(np.full(2, action)), serial.step(np.full(2, action)))
        finally:
            spawned.close()

    def test_close_twice(self, make_env):
        env = make_env(render_mode="rgb_array")
        env.close()
        env.reset(seed=0)
        env.close()
        env.close()


class TestState:
    def test_snapshot_is_exact(self, make_env):
        env = make_env(horizon="visit", config={"exit_bias": -2.5})
        env.reset(seed=3)
        observation, _, terminated, *_ = env.step(0)
        assert not terminated
        state = env.get_state()
        np.testing.assert_array_equal(env.set_state(state), observation)

        def go_on():
            results = []
            for step in range(60):
                results.append(env.step(step % 10))
                if results[-1][2]:
                    results.append(env.reset())
            assert len(results) > 60, "no episode ended"
            return results

        expected = go_on()
        env.set_state(pickle.loads(pickle.dumps(state)))
        assert_same(expected, go_on())
        other = make_env(horizon="visit", config={"exit_bias": -2.5})
        other.set_state(state)
        assert same_state(other.get_state(), state)

    def test_counterfactuals_share_their_luck(self, make_env):
        env = make_env()
        env.reset(seed=3)
        state = env.get_state()
        results = []
        for action in (0, 1, 0):
            env.set_state(state)
            results.append(env.step(action))
        assert_same(results[0], results[2])
        assert results[0][-1]["room"] != results[1][-1]["room"]

    def test_snapshot_is_a_copy(self, make_env):
        env = make_env()
        env.reset(seed=3)
        state = env.get_state()
        kept = state.copy()
        env.step(0)
        assert same_state(state, kept)
        env.set_state(state)
        env.step(0)
        assert same_state(state, kept)

    def test_snapshot_of_an_ended_and_of_an_unbegun_episode(self, make_env):
        env = make_env(horizon="visit", config={"exit_bias": 20.0})
        unbegun = env.get_state()
        env.reset(seed=0)
        env.step(0)
        ended = env.get_state()
        env.reset()
        for state in (ended, unbegun):
            env.set_state(state)
            with pytest.raises(ResetNeeded):
                env.step(0)

    def test_foreign_snapshots_are_refused(self, make_env, make_venv):
        env = make_env()
        env.reset(seed=0)
        before = env.get_state()
        larger = make_env(world="default", config={**SMALL, "num_viewers": 50_000})
        for seed in range(3):
            larger.reset(seed=seed)
            if larger.get_state()["viewer"][0] >= SMALL["num_viewers"]:
                break
        shapes = (
            make_env(num_candidates=5).get_state(),
            make_env(history_length=3).get_state(),
            make_venv(2).get_state(),
            np.zeros(1),
            {"slots": before},
            None,
        )
        for state in shapes:
            with pytest.raises(ValueError, match="state must be a snapshot"):
                env.set_state(state)
        with pytest.raises(ValueError, match="another world"):
            env.set_state(larger.get_state())
        for name in ("viewer", "room", "attached_streamer", "attached_room"):
            for beyond in (10**6, -(10**6)):
                foreign = before.copy()
                foreign[name] = beyond
                with pytest.raises(ValueError, match=f"another world: it has a {name} unknown"):
                    env.set_state(foreign)
        assert same_state(env.get_state(), before)
