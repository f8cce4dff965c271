"""``reset(options={"viewer": i, "day": d})`` and horizons of any number of days."""

from __future__ import annotations

import pickle

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.error import Error

from livestream_env import LiveStreamRecEnv
from livestream_env.simulator.state import DAY_START_S
from livestream_env.world import DAY_S
from tests.helpers import IDS, LIVELY, LONG, SMALL, assert_same, same_state

LIVELY_DAYS = {**LIVELY, "days": 3}


def day_of(env) -> np.ndarray:
    return (env.get_state()["start_s"] - DAY_START_S) / DAY_S


class TestSingle:
    def test_plays_that_viewer_from_that_day(self, make_env):
        env = make_env()
        for viewer, day in ((0, 7), (299, 0), (17, 3)):
            _, info = env.reset(seed=0, options={"viewer": viewer, "day": day})
            assert info["viewer"] == viewer and day_of(env) == day
            assert 0 <= info["clock_s"] - (day * DAY_S + DAY_START_S) < DAY_S

    @pytest.mark.parametrize("name", ["viewer", "day"])
    def test_either_alone(self, make_env, name):
        env = make_env()
        seen = set()
        for seed in range(20):
            _, info = env.reset(seed=seed, options={name: 5})
            drawn = {"viewer": info["viewer"], "day": int(day_of(env)[0])}
            assert drawn.pop(name) == 5
            seen |= set(drawn.values())
        assert len(seen) > 5

    def test_the_next_episode_is_drawn_as_usual(self, make_env):
        plain, chosen = make_env(), make_env()
        plain.reset(seed=4)
        chosen.reset(seed=4, options={"viewer": 3, "day": 2})
        assert_same(plain.reset(), chosen.reset())
        assert_same(plain.reset(options={}), chosen.reset(options={"viewer": None}))

    def test_what_would_have_been_drawn_is_the_same_episode(self, make_env):
        env = make_env()
        observation, info = env.reset(seed=6)
        again, info_again = env.reset(
            seed=6, options={"viewer": info["viewer"], "day": int(day_of(env)[0])}
        )
        # Unless the first viewer drawn did not visit, which seed 6 is not a case of.
        assert_same((observation, info), (again, info_again))

    def test_given_that_she_visits(self, make_env):
        rare = {"num_viewers": 20, "activity_log_mean": -5.0, "visits_per_day": 0.1}
        env = make_env(world="plain", config={"num_streamers": 60, "days": 2, **rare})
        for viewer in range(20):
            _, info = env.reset(seed=viewer, options={"viewer": viewer, "day": 1})
            assert info["viewer"] == viewer and DAY_START_S <= info["clock_s"] - DAY_S
            assert info["clock_s"] < 2 * DAY_S + DAY_START_S

    def test_snapshot(self, make_env):
        env = make_env(horizon="visit", config={"exit_bias": 0.0})
        env.reset(seed=0, options={"viewer": 9, "day": 1})
        state = pickle.loads(pickle.dumps(env.get_state()))
        expected = [env.step(0), env.reset(options={"viewer": 8}), env.reset()]
        env.set_state(state)
        assert_same(expected, [env.step(0), env.reset(options={"viewer": 8}), env.reset()])

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"viewer": 300}, r"options\['viewer'\] must be an integer in \[0, 299\], got 300"),
            ({"viewer": -1}, r"options\['viewer'\].*\[0, 299\], got -1"),
            ({"viewer": 1.0}, r"options\['viewer'\].*got 1.0"),
            ({"viewer": True}, r"options\['viewer'\].*got True"),
            ({"viewer": "7"}, r"options\['viewer'\].*got '7'"),
            ({"viewer": [1, 2]}, r"options\['viewer'\].*got \[1, 2\]"),
            ({"viewer": 2**70}, r"options\['viewer'\].*got 1180591620717411303424"),
            ({"day": 2}, r"options\['day'\] must be an integer in \[0, 1\], got 2"),
            ({"viewer": 3, "day": np.nan}, r"options\['day'\].*got nan"),
            ({"viewers": 1}, r"options has no key 'viewers' \(did you mean 'viewer'\?\)"),
            ({"viewer": 1, 7: 2}, r"options has no key 7; valid are viewer, day"),
            ({"reset_mask": [True]}, r"options has no key 'reset_mask'"),
            ([1], r"options must be a dict or None, got \[1\]"),
            ("viewer", r"options must be a dict or None, got 'viewer'"),
            (0, r"options must be a dict or None, got 0"),
            (False, r"options must be a dict or None, got False"),
            ((), r"options must be a dict or None, got \(\)"),
        ],
        ids=repr,
    )
    def test_wrong_options_change_nothing(self, make_env, options, message):
        env = make_env(horizon=7)  # of 8 days
        env.reset(seed=0)
        before = env.get_state()
        with pytest.raises(ValueError, match=message):
            env.reset(seed=1, options=options)
        assert same_state(env.get_state(), before)

    def test_through_gym_make(self):
        env = gym.make(IDS[0], config=SMALL)
        assert env.reset(seed=0, options={"viewer": 3})[1]["viewer"] == 3


class TestVector:
    def test_is_the_single_env(self, make_env, make_venv):
        viewers, days = np.array([5, 5, 250]), np.array([0, 3, 7])
        vector = make_venv(3)
        observations, infos = vector.reset(seed=11, options={"viewer": viewers, "day": days})
        np.testing.assert_array_equal(infos["viewer"], viewers)
        for i in range(3):
            single = make_env()
            options = {"viewer": int(viewers[i]), "day": int(days[i])}
            observation, info = single.reset(seed=11 + i, options=options)
            np.testing.assert_array_equal(observation, observations[i])
            assert info["clock_s"] == infos["clock_s"][i]

    def test_one_number_for_all(self, make_venv):
        env = make_venv(5)
        _, info = env.reset(seed=0, options={"viewer": 7, "day": 2})
        assert (info["viewer"] == 7).all() and (day_of(env) == 2).all()
        assert len(np.unique(info["clock_s"])) == 5

    def test_with_a_mask(self, make_venv):
        env = make_venv(4, autoreset_mode="Disabled")
        env.reset(seed=0)
        before = env.get_state()
        mask = np.array([True, False, True, False])
        # What the others would play is not looked at.
        viewers = np.array([1, -5, 3, 10**9])
        _, info = env.reset(options={"reset_mask": mask, "viewer": viewers})
        after = env.get_state()
        assert same_state(after[~mask], before[~mask])
        np.testing.assert_array_equal(after["viewer"][mask], [1, 3])
        np.testing.assert_array_equal(info["_viewer"], mask)

    @pytest.mark.parametrize("mode", ["NextStep", "SameStep"])
    def test_after_an_autoreset_as_usual(self, make_venv, mode):
        kwargs = {"autoreset_mode": mode, "horizon": "visit", "config": {"exit_bias": 20.0}}
        plain, chosen = make_venv(3, **kwargs), make_venv(3, **kwargs)
        plain.reset(seed=0)
        chosen.reset(seed=0, options={"viewer": 2, "day": 1})
        actions = np.zeros(3, np.int64)
        if mode == "NextStep":
            plain.step(actions)
            chosen.step(actions)
            assert_same(plain.step(actions), chosen.step(actions))
        else:
            np.testing.assert_array_equal(plain.step(actions)[0], chosen.step(actions)[0])

    @pytest.mark.parametrize(
        "options",
        [{"viewer": [0, 1, 300]}, {"viewer": [0, 1]}, {"viewer": [0.0, 1.0, 2.0]},
         {"day": np.array([0, 8, 0])}, {"day": [[0, 1, 2]]}, {"day": -1}],
        ids=repr,
    )  # fmt: skip
    def test_wrong_options(self, make_venv, options):
        env = make_venv(3)
        (name,) = options
        with pytest.raises(ValueError, match=rf"options\['{name}'\].*, or 3 of them, got"):
            env.reset(seed=0, options=options)

    @pytest.mark.parametrize(
        ("arguments", "error", "message"),
        [
            ({"seed": [5, None, -1]}, Error, "Seed must be"),
            ({"seed": [5, None, "a"]}, Error, "Seed must be"),
            ({"seed": [5, 6]}, ValueError, "seed must have num_envs=3 entries, got 2"),
            ({"seed": "123"}, ValueError, "seed must be an integer, a sequence of them or None"),
            ({"seed": np.array(5.0)}, ValueError, "seed must be an integer, a sequence of them or"),
            ({"seed": 1.5}, ValueError, "seed must be an integer, a sequence of them or None"),
            ({"seed": -4}, Error, "Seed must be"),
            ({"options": {"masks": 1}}, ValueError, "options has no key 'masks'"),
            ({"options": [1]}, ValueError, r"options must be a dict or None, got \[1\]"),
            ({"options": {"reset_mask": [1, 0, 1]}}, ValueError, "must be a bool array"),
            ({"seed": 7, "options": {"day": 100}}, ValueError, r"options\['day'\]"),
        ],
        ids=repr,
    )
    def test_a_refused_reset_changes_nothing(self, make_venv, arguments, error, message):
        env, other = make_venv(3), make_venv(3)
        env.reset(seed=0)
        other.reset(seed=0)
        before = env.get_state()
        with pytest.raises(error, match=message):
            env.reset(**arguments)
        assert same_state(env.get_state(), before)
        assert env.np_random_seed == other.np_random_seed
        assert env.np_random.bit_generator.state == other.np_random.bit_generator.state
        assert_same(env.step(np.zeros(3, int)), other.step(np.zeros(3, int)))

    def test_numpy_seeds(self, make_venv):
        a, b = make_venv(3), make_venv(3)
        assert_same(a.reset(seed=np.array([3, 9, 4])), b.reset(seed=[3, 9, 4]))


class TestHorizon:
    @pytest.mark.parametrize(("name", "days"), [("day", 1), ("week", 7)])
    def test_named_ones_are_numbers_of_days(self, make_env, name, days):
        a, b = (make_env(horizon=horizon, config=LONG) for horizon in (name, days))
        assert_same(a.reset(seed=3), b.reset(seed=3))
        for action in range(10):
            assert_same(a.step(action), b.step(action))
        assert same_state(a.get_state(), b.get_state())

    @pytest.mark.parametrize("days", [2, 3, np.int64(3)])
    def test_any_number(self, days):
        env = LiveStreamRecEnv(horizon=days, config=LIVELY_DAYS)
        _, info = env.reset(seed=0, options={"day": 0})
        terminated = False
        while not terminated:
            last_s = info["clock_s"]
            _, _, terminated, _, info = env.step(int(info["action_mask"].argmax()))
        end_s = days * DAY_S + DAY_START_S
        assert last_s < end_s <= info["clock_s"] and last_s > end_s - DAY_S

    def test_episodes_begin_early_enough(self, make_venv):
        env = make_venv(500, horizon=5)
        env.reset(seed=0)
        assert set(day_of(env)) == {0, 1, 2, 3}
        with pytest.raises(ValueError, match=r"options\['day'\].*\[0, 3\]"):
            env.reset(options={"day": 4})
        env.reset(options={"day": 3})

    @pytest.mark.parametrize("horizon", [0, -1, 1.0, True, "2", [1], np.nan], ids=repr)
    def test_wrong_ones(self, make_env, horizon):
        with pytest.raises(ValueError, match="horizon must be one of 'visit', 'day', 'week', or a"):
            make_env(horizon=horizon)

    def test_longer_than_the_world(self, make_env):
        make_env(horizon=8)
        with pytest.raises(ValueError, match="horizon=9 needs a world of 9 days, this has 8"):
            make_env(horizon=9)
