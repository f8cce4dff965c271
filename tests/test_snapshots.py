"""Copies of the single environment: pickled, deep, in other processes, and by snapshot."""

from __future__ import annotations

import copy
import math
import pickle

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from hypothesis import given
from hypothesis import strategies as st

from livestream_env import World
from livestream_env.simulator.snapshots import limits
from livestream_env.simulator.state import slot_fields
from tests.helpers import IDS, LIVELY, LONG, SMALL, assert_same, same_state

# The moves of a lively world, whatever its size.
LIVELY_MOVES = {name: value for name, value in LIVELY.items() if not name.startswith("num_")}
LIVELY_MOVES.pop("days")


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
        assert same_state(env.get_state(), before)


class TestOrigin:
    """A snapshot is of its world and settings; anywhere else it is refused."""

    @pytest.mark.parametrize(
        ("name", "arguments"),
        [
            ("world", {"world": "plain", "world_seed": 1, "config": SMALL}),
            ("world", {"world": "plain", "config": {**SMALL, "num_viewers": 900}}),
            ("world", {"availability": False}),
            ("horizon", {"horizon": "visit"}),
            ("horizon", {"horizon": 2}),
            ("config", {"config": {"exit_bias": -2.0}}),
            ("switched mechanisms", {"satiation": False}),
        ],
    )
    def test_another_one_is_named(self, make_env, name, arguments):
        env, other = make_env(), make_env(**arguments)
        before = other.reset(seed=0) and other.get_state()
        for seed in range(5):
            env.reset(seed=seed)
            with pytest.raises(ValueError, match=f"an environment with another {name}$"):
                other.set_state(env.get_state())
        assert same_state(other.get_state(), before)

    def test_what_the_state_does_not_depend_on_may_differ(self, make_env, small_world, tmp_path):
        env = make_env()
        env.reset(seed=0)
        small_world.save(tmp_path / "world.npz")
        for arguments in (
            {"world": World.load(tmp_path / "world.npz")},
            {"horizon": 1, "config": {"click_bias": -2.6}},
            {"observe": "full", "reward_weights": {"watch": 2.0}, "watch": "minutes"},
        ):
            other = make_env(**arguments)
            other.set_state(env.get_state())
            assert same_state(other.get_state(), env.get_state())
            assert other.step(3)[4]["clock_s"] == copy.deepcopy(env).step(3)[4]["clock_s"]


FIELDS = slot_fields(8, 10, 8)  # of the default shape


class TestRanges:
    """Each field has a range; what lies outside is refused, what lies inside can be played."""

    @pytest.mark.parametrize("spec", FIELDS, ids=lambda spec: spec.name)
    def test_just_outside_is_refused(self, spec, small_envs):
        env, began = small_envs[IDS[0]]
        low, high = bounds(env, spec)
        dtype = began[spec.name].dtype
        outside = [value for value in (low - 1, high + 1, -np.inf, np.inf, np.nan)
                   if _fits(value, dtype) and not low <= value <= high]  # fmt: skip
        if dtype.kind == "f" and high > 1:
            outside += [value for value in (2.0 * low, 2.0 * high) if not low <= value <= high]
        assert outside or dtype.kind in "ub"  # of which every value is inside
        for value in outside:
            for place in {0, began[spec.name].size - 1}:
                state = began.copy()
                state[spec.name].flat[place] = value
                with pytest.raises(ValueError, match=f"state: {spec.name} must be in "):
                    env.set_state(state)
        assert same_state(env.get_state(), began)

    @given(data=st.data(), spec=st.sampled_from(FIELDS), horizon=st.sampled_from(IDS))
    def test_any_value_of_any_field(self, data, spec, horizon, small_envs):
        env, began = small_envs[horizon]
        state, name = began.copy(), spec.name
        low, high = bounds(env, spec)
        place = data.draw(st.integers(0, state[name].size - 1))
        state[name].flat[place] = value = data.draw(_values(state[name].dtype))
        if not low <= value <= high:
            with pytest.raises(ValueError, match=f"state(: {name} must be| is of an environment)"):
                env.set_state(state)
            return
        try:
            env.set_state(state)
        except ValueError as error:
            assert str(error).startswith("state")  # it contradicts another field
        else:
            play_on(env)
        finally:
            env.set_state(began)

    def test_a_flag_is_0_or_1(self, make_env):
        env = make_env()
        env.reset(seed=0)
        state = env.get_state()
        state["ended"].view(np.uint8)[0] = 2
        with pytest.raises(ValueError, match=r"state: ended must be in \[0, 1\], got 2 in slot 0"):
            env.set_state(state)

    def test_slots_before_the_first_reset_hold_nothing(self, make_venv):
        env = make_venv(2)
        unbegun = env.get_state()
        env.set_state(unbegun)
        unbegun["room_start_s"][1, 3] = 7.0
        with pytest.raises(ValueError, match="a slot without an episode must hold nothing"):
            env.set_state(unbegun)

    @pytest.mark.parametrize(
        ("name", "value", "message"),
        [
            ("next_viewer", 10**6, r"next_viewer must be in \[-1, 299\], got 1000000"),
            ("num_attached", 1000, r"num_attached must be in \[0, 32\]"),
            ("num_attached", 32, "attached_streamer must be -1 from num_attached on"),
            ("known", 31, "known must say where streamer is"),
            ("streamer", 0, "streamer must be that of room"),
            ("room", 5, "streamer must be that of room"),
            ("room_start_s", 0.0, "room_start_s must be that of room"),
            ("cell", 10**6, "cell must be the half minute"),
            ("time_s", np.inf, r"time_s must be in \[0, 1e\+30\], got inf"),
            ("time_s", 1e9, "time_s must be within the horizon"),
            ("time_s", 0.0, "time_s must be within the horizon"),
            ("end_s", np.inf, "end_s must be at most the horizon after start_s"),
            ("start_s", 1.0, "start_s must be 04:00 of a day"),
            ("visit_start_s", 0.0, "visit_start_s must lie between"),
            ("clicks", 2, "clicks must be at most impression"),
            ("called", 31, "called must be -1 or an entry below num_attached"),
            ("attached_room", 0, "attached_room must be a room of attached_streamer"),
            ("attached_until_s", np.inf, "attached_until_s must be that of attached_room"),
        ],
    )
    def test_fields_fit_each_other(self, make_env, name, value, message):
        env = make_env()
        env.reset(seed=1)
        env.step(0)
        before = env.get_state()
        state = before.copy()
        state[name] = value
        with pytest.raises(ValueError, match=f"state: {message}"):
            env.set_state(state)
        assert same_state(env.get_state(), before)

    def test_states_of_long_play_are_taken(self, make_venv):
        for horizon, arguments in (
            ("visit", {"config": LONG}),
            ("day", {"config": LIVELY_MOVES}),
            ("week", {"config": {"visits_per_day": 50.0}, "observe": "full"}),
        ):
            env = make_venv(32, horizon=horizon, **arguments)
            env.reset(seed=3)
            for step in range(300):
                env.step(np.full(32, step % 10))
                if step % 10 == 0:
                    env.set_state(env.get_state())


def bounds(env, spec) -> tuple[float, float]:
    """What a field's values lie between, in the world of ``env``."""
    known = limits(env.world, env.simulation._parameters)
    return known.get(spec.low, spec.low), known.get(spec.high, spec.high)


def _fits(value: float, dtype: np.dtype) -> bool:
    """Whether the type can hold the value."""
    if dtype.kind == "f":
        return bool(dtype.type(value) == value or np.isnan(value))
    if dtype.kind == "b" or not math.isfinite(value):
        return False
    return bool(np.iinfo(dtype).min <= value <= np.iinfo(dtype).max)


def _values(dtype: np.dtype) -> st.SearchStrategy:
    """Any value of the type, small ones as often as those at its ends."""
    if dtype.kind == "f":
        return st.floats(width=8 * dtype.itemsize) | st.integers(-2, 2).map(float)
    if dtype.kind == "b":
        return st.booleans()
    info = np.iinfo(dtype)
    near = st.integers(max(info.min, -2), min(info.max, 1000))
    return near | st.integers(int(info.min), int(info.max))


@pytest.fixture(scope="session")
def small_envs(small_world) -> dict:
    """Each id's environment that shows all it knows, and a state in the midst of an episode."""
    made = {}
    for name in IDS:
        env = gym.make(name, world=small_world, observe="full", config=LONG).unwrapped
        env.reset(seed=2)
        for action in range(10):
            env.step(action)
        made[name] = env, env.get_state()
    return made


def play_on(env, steps: int = 20) -> None:
    """Play; every observation is in its space."""
    ended = bool(env.get_state()["ended"][0])
    observations = [env.reset()[0]] if ended else []
    for step in range(steps):
        observation, _, terminated, *_ = env.step(step % 10)
        observations.append(observation)
        if terminated:
            observations.append(env.reset()[0])
    assert all(observation in env.observation_space for observation in observations)
