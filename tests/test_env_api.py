"""The single environment as Gymnasium and Stable-Baselines3 see it."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import check_env

import livestream_env
from livestream_env import LiveStreamRecEnv
from livestream_env.infos import INFO_KEYS
from livestream_env.reward import DEFAULT_WEIGHTS, REWARD_FIELDS
from tests.helpers import IDS, LONG, SMALL, assert_same, play, same_state

OBSERVATIONS = [
    {"observation": observation, "observe": observe}
    for observation in ("flat", "dict")
    for observe in ("partial", "full")
]
# Not for Stable-Baselines3, which wants one-dimensional boxes.
ROWS = [{"observation": "rows", "observe": observe} for observe in ("partial", "full")]
INFO_TYPES = {
    "action_mask": (np.int8, 10),
    "candidate_rooms": (np.int32, 10),
    "candidate_streamers": (np.int32, 10),
    "click": bool,
    "watch_s": float,
    "likes": int,
    "comments": int,
    "gift_value": float,
    "follow": bool,
    "elapsed_s": float,
    "clock_s": float,
    "visit": int,
    "visit_ended": bool,
    "invalid_action": bool,
    "viewer": int,
    "room": int,
    "streamer": int,
    **dict.fromkeys(REWARD_FIELDS, float),
}


class TestCheckers:
    @pytest.fixture(autouse=True)
    def no_warnings(self):
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            yield

    @pytest.mark.parametrize(
        "kwargs", OBSERVATIONS + ROWS, ids=lambda kwargs: "-".join(kwargs.values())
    )
    @pytest.mark.parametrize("env_id", IDS)
    def test_gymnasium(self, env_id, kwargs):
        # Makes a second env for every render mode, and renders it.
        check_env(gym.make(env_id, config=SMALL, **kwargs).unwrapped)

    @pytest.mark.parametrize("mode", LiveStreamRecEnv.metadata["render_modes"])
    def test_gymnasium_with_render_mode(self, mode):
        check_env(gym.make(IDS[0], config=SMALL, render_mode=mode).unwrapped)

    @pytest.mark.parametrize("kwargs", OBSERVATIONS, ids=lambda kwargs: "-".join(kwargs.values()))
    @pytest.mark.parametrize("env_id", IDS)
    def test_stable_baselines3(self, env_id, kwargs):
        sb3_checker = pytest.importorskip("stable_baselines3.common.env_checker")
        sb3_checker.check_env(gym.make(env_id, config=SMALL, **kwargs), warn=True)

    @pytest.mark.parametrize("mode", LiveStreamRecEnv.metadata["render_modes"])
    def test_stable_baselines3_with_render_mode(self, mode):
        sb3_checker = pytest.importorskip("stable_baselines3.common.env_checker")
        env = gym.make(IDS[0], config=SMALL, render_mode=mode)
        sb3_checker.check_env(env, warn=True, skip_render_check=False)


class TestRegistration:
    def test_ids(self):
        for env_id in IDS:
            assert gym.spec(env_id).max_episode_steps >= 2_000

    def test_registering_twice_does_no_harm(self):
        livestream_env.registration.register_envs()

    def test_module_prefix_needs_no_import(self):
        code = "import gymnasium; gymnasium.make('livestream_env:LiveStreamRec-v0')"
        subprocess.run([sys.executable, "-c", code], check=True, timeout=120)

    def test_spec_survives_json_with_every_argument(self):
        kwargs = {
            "world": "plain",
            "world_seed": 3,
            "num_candidates": 10,
            "history_length": 8,
            "reward_weights": {"watch": 0.0, "like": 2.0},
            "watch": "minutes",
            "observation": "dict",
            "observe": "full",
            "satiation": False,
            "satisfaction": False,
            "attachment": False,
            "highlights": False,
            "availability": False,
            "config": {**SMALL, "click_bias": -1.0},
            "render_mode": "ansi",
        }
        env = gym.make(IDS[0], **kwargs)
        spec = env.spec.to_json()
        assert json.loads(spec)["kwargs"]["config"]["click_bias"] == -1.0
        again = gym.make(EnvSpec.from_json(spec))
        assert_same(env.reset(seed=1), again.reset(seed=1))
        assert_same(env.step(2), again.step(2))


class TestStep:
    def test_before_reset(self, make_env):
        with pytest.raises(ResetNeeded, match="reset"):
            make_env().step(0)
        with pytest.raises(ResetNeeded):
            gym.make(IDS[0], config=SMALL).step(0)

    def test_after_the_end(self, make_env):
        env = make_env(horizon="visit", config={"exit_bias": 20.0})
        env.reset(seed=0)
        assert env.step(0)[2]
        with pytest.raises(ResetNeeded, match="over"):
            env.step(0)
        env.reset()
        env.step(0)

    @pytest.mark.parametrize(
        "action",
        [-1, 10, 2.0, 2.5, np.nan, np.float32(1), None, "2", [1], np.array([1, 2]), np.array(1.0)],
        ids=repr,
    )
    def test_action_outside_the_space(self, make_env, action):
        env = make_env()
        env.reset(seed=0)
        before = env.get_state()
        with pytest.raises(ValueError, match=r"action must be an integer in \[0, 10\)"):
            env.step(action)
        assert same_state(before, env.get_state())

    @pytest.mark.parametrize("kind", [int, np.int32, np.int64, np.uint8, np.array])
    def test_integer_actions(self, make_env, kind):
        env = make_env()
        env.reset(seed=0)
        assert env.step(kind(3))[-1]["room"] >= 0

    def test_return_types(self, make_env):
        env = make_env()
        observation, _ = env.reset(seed=0)
        _, reward, terminated, truncated, _ = env.step(np.int64(0))
        assert observation.dtype == np.float32 and observation.shape == (env.layout.size,)
        assert type(reward) is float and type(terminated) is bool and type(truncated) is bool

    def test_truncated_only_at_the_limit(self):
        env = gym.make(IDS[2], config=SMALL, max_episode_steps=3)
        env.reset(seed=0)
        assert [env.step(0)[2:4] for _ in range(3)] == [
            (False, False),
            (False, False),
            (False, True),
        ]


class TestInfo:
    @pytest.mark.parametrize("env_id", IDS)
    def test_constant_keys_and_types(self, env_id):
        env = gym.make(env_id, config=SMALL)
        infos = [env.reset(seed=0)[1], *(result[-1] for result in play(env, 0, 60))]
        for info in infos:
            assert info.keys() == INFO_TYPES.keys() == set(INFO_KEYS)
            for name, kind in INFO_TYPES.items():
                if isinstance(kind, tuple):
                    assert (info[name].dtype, info[name].shape) == (kind[0], kind[1:])
                else:
                    assert type(info[name]) is kind, name

    def test_reset_brings_nothing(self, make_env):
        _, info = make_env().reset(seed=0)
        nothing = ("watch_s", "likes", "comments", "gift_value", "elapsed_s", "visit")
        assert [info[name] for name in nothing] == [0] * len(nothing)
        assert not (
            info["click"] or info["follow"] or info["visit_ended"] or info["invalid_action"]
        )
        assert (info["room"], info["streamer"]) == (-1, -1)
        assert [info[name] for name in REWARD_FIELDS] == [0.0] * 5

    def test_masks_agree(self, make_env):
        env = make_env(world="plain", config={"num_streamers": 40, "num_viewers": 50})
        _, info = env.reset(seed=0)
        empty = 0
        for observation, *_, info in play(env, 0, 80):
            empty += int((info["action_mask"] == 0).sum())
            assert_same(env.layout.action_mask(observation), env.action_masks())
            assert_same(env.action_masks(), info["action_mask"].astype(bool))
            held = info["candidate_rooms"] >= 0
            np.testing.assert_array_equal(info["action_mask"], held if held.any() else 1)
            np.testing.assert_array_equal(info["candidate_streamers"] >= 0, held)
        assert empty, "a world of 40 streamers leaves slots empty"
        assert env.action_space.contains(env.action_space.sample(mask=info["action_mask"]))

    def test_shown_room_is_the_candidate_chosen(self, make_env):
        env = make_env(config=LONG)
        _, before = env.reset(seed=0)
        for step in range(10):
            info = env.step(step)[-1]
            assert info["room"] == before["candidate_rooms"][step]
            assert info["streamer"] == before["candidate_streamers"][step]
            assert env.world.rooms["streamer"][info["room"]] == info["streamer"]
            before = info

    def test_clock(self, make_env):
        env = make_env(horizon="week", config={"visits_per_day": 50.0})
        _, before = env.reset(seed=0)
        browse_s = env.simulation.config.browse_s
        ended = terminated = False
        while not terminated:
            _, _, terminated, _, info = env.step(0)
            active_s = browse_s + info["watch_s"]
            assert info["clock_s"] - before["clock_s"] == pytest.approx(info["elapsed_s"], abs=1e-6)
            assert info["visit"] - before["visit"] == int(info["visit_ended"])
            if info["visit_ended"] and not terminated:
                assert info["elapsed_s"] > active_s
            elif not terminated:
                assert info["elapsed_s"] == pytest.approx(active_s)
            ended |= info["visit_ended"]
            before = info
        assert ended

    def test_empty_slot_shows_nothing(self, make_env):
        env = make_env(world="plain", config={"num_streamers": 12, "num_viewers": 50})
        _, info = env.reset(seed=0)
        empty = int(np.flatnonzero(info["action_mask"] == 0)[0])
        observation, reward, _, _, after = env.step(empty)
        assert reward == 0.0 and after["invalid_action"] and after["room"] == -1
        assert not after["click"] and after["watch_s"] == 0.0
        assert after["elapsed_s"] >= env.simulation.config.browse_s
        assert env.observation_space.contains(observation)
        full = int(np.flatnonzero(after["action_mask"])[0])
        assert not env.step(full)[-1]["invalid_action"]

    def test_where_no_room_is_live_every_slot_is_valid_and_shows_nothing(self, make_env):
        env = make_env(world="plain", config={"num_streamers": 10, "num_viewers": 50})
        empty = 0
        _, info = env.reset(seed=0)
        env.action_space.seed(0)
        for _ in range(600):
            nothing = (info["candidate_rooms"] < 0).all()
            action = env.action_space.sample(info["action_mask"])  # would fail without any
            observation, reward, terminated, _, after = env.step(action)
            assert after["action_mask"].any() and not after["invalid_action"]
            assert_same(env.layout.action_mask(observation), env.action_masks())
            if nothing:
                empty += 1
                assert info["action_mask"].all() and reward == 0.0 and after["room"] == -1
                assert after["elapsed_s"] >= env.simulation.config.browse_s
            info = env.reset()[1] if terminated else after
        assert empty > 20


class TestObservation:
    @pytest.mark.parametrize("observe", ["partial", "full"])
    def test_dict_is_flat_by_name(self, make_env, observe):
        flat = make_env(observe=observe)
        named = make_env(observe=observe, observation="dict")
        for a, b in zip(play(flat, 3, 30), play(named, 3, 30), strict=True):
            assert named.observation_space.contains(b[0])
            np.testing.assert_array_equal(a[0], np.concatenate(list(b[0].values())))
            for block, columns in flat.layout.slices.items():
                np.testing.assert_array_equal(a[0][columns], b[0][block])
            assert_same(a[1:], b[1:])

    def test_full_appends_the_hidden_state(self, make_env):
        partial, full = make_env(), make_env(observe="full")
        size = partial.layout.size
        assert full.layout.size > size
        for a, b in zip(play(partial, 4, 30), play(full, 4, 30), strict=True):
            np.testing.assert_array_equal(a[0], b[0][:size])
        hidden = full.layout.names["hidden"]
        slot = full.get_state()[0]
        column = full.layout.slices["hidden"].start + hidden.index("satisfaction")
        assert b[0][column] == pytest.approx(slot["satisfaction"] / 2.0, abs=1e-6)


class TestReward:
    def totals(self, env, weights):
        for _, reward, *_, info in play(env, 5, 60):
            parts = {name: info[f"reward_{name}"] for name in weights}
            assert reward == pytest.approx(sum(weights[name] * parts[name] for name in parts))
            yield info

    def test_weights(self, make_env):
        chosen = {"watch": 0.25, "like": 3.0, "comment": 0.0, "gift": -1.0}
        list(self.totals(make_env(), DEFAULT_WEIGHTS))
        list(self.totals(make_env(reward_weights=chosen), {**DEFAULT_WEIGHTS, **chosen}))

    def test_watch_forms(self, make_env):
        for info in self.totals(make_env(), DEFAULT_WEIGHTS):
            assert info["reward_watch"] == pytest.approx(np.log1p(info["watch_s"] / 10))
        for info in self.totals(make_env(watch="minutes"), DEFAULT_WEIGHTS):
            assert info["reward_watch"] == pytest.approx(info["watch_s"] / 60)


class TestSeeds:
    def test_same_seed_same_episode(self, make_env):
        a, b = list(play(make_env(), 7, 50)), list(play(make_env(), 7, 50))
        assert_same(a, b)

    def test_reset_without_seed_goes_on_with_other_viewers(self, make_env):
        env = make_env()
        viewers = [env.reset(seed=0)[1]["viewer"]]
        viewers += [env.reset()[1]["viewer"] for _ in range(9)]
        assert len(set(viewers)) > 5
        again = [env.reset(seed=0)[1]["viewer"]] + [env.reset()[1]["viewer"] for _ in range(9)]
        assert viewers == again

    def test_episode_does_not_depend_on_what_was_played_before(self, make_env):
        a, b = make_env(config=LONG), make_env(config=LONG)
        a.reset(seed=1)
        b.reset(seed=1)
        for _ in range(3):
            b.step(4)
        assert_same(a.reset(), b.reset())

    def test_unseeded_environments_differ(self, make_env):
        states = {make_env().reset()[1]["clock_s"] for _ in range(5)}
        assert len(states) == 5
