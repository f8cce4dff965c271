"""The wrappers of ``livestream_env.wrappers``, with Gymnasium alone."""

from __future__ import annotations

import json
import warnings

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from livestream_env.infos import INFO_KEYS
from livestream_env.wrappers import ArrayInfo, MaskObservation, VectorMaskObservation
from tests.helpers import IDS, assert_same, play

FEW = {"num_streamers": 40, "num_viewers": 50}  # slots are empty in most states, all in some
RLLIB = {"observation": "observations", "mask": "action_mask"}


def few(**kwargs):
    return gym.make("LiveStreamRec-v0", config=FEW, **kwargs)


class TestMaskObservation:
    @pytest.mark.parametrize("observation", ["flat", "dict", "rows"])
    @pytest.mark.parametrize("keys", [{}, RLLIB], ids=["default", "rllib"])
    def test_is_observation_and_mask(self, keys, observation):
        env = MaskObservation(few(observation=observation), **keys)
        bare = few(observation=observation)
        names = tuple(keys.values()) or ("obs", "mask")
        assert set(env.observation_space.keys()) == set(names)
        empty = 0
        for ours, theirs in zip(play(env, 3, 60), play(bare, 3, 60), strict=True):
            seen, mask = (ours[0][name] for name in names)
            assert env.observation_space.contains(ours[0])
            assert mask.dtype == np.bool_ and mask.any()
            empty += (~mask).sum()
            np.testing.assert_array_equal(mask, ours[-1]["action_mask"] == 1)
            assert_same((seen, *ours[1:]), theirs)
        assert empty > 0

    def test_passes_gymnasiums_checker_and_is_in_the_specification(self):
        env = MaskObservation(few(), **RLLIB)
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            warnings.filterwarnings("ignore", message=".*is different from the unwrapped version")
            check_env(env, skip_render_check=True)
        assert json.loads(env.spec.to_json())["additional_wrappers"][0]["kwargs"] == RLLIB
        again = gym.make(EnvSpec.from_json(env.spec.to_json()))
        assert_same(env.reset(seed=1), again.reset(seed=1))

    @pytest.mark.parametrize("mode", list(AutoresetMode))
    def test_of_a_vector_env(self, make_env, make_venv, mode):
        kwargs = {"world": "plain", "horizon": "visit", "config": FEW}
        native = VectorMaskObservation(make_venv(3, autoreset_mode=mode, **kwargs))
        serial = SyncVectorEnv(
            [lambda: MaskObservation(make_env(**kwargs))] * 3, autoreset_mode=mode
        )
        assert native.observation_space == serial.observation_space
        assert native.single_observation_space == serial.single_observation_space
        assert_same(native.reset(seed=5), serial.reset(seed=5))
        ended = 0
        for step in range(60):
            actions = np.full(3, step % 10)
            ours, theirs = native.step(actions), serial.step(actions)
            assert_same(ours, theirs)
            over = ours[2]
            ended += over.sum()
            if mode == AutoresetMode.DISABLED and over.any():
                options = {"reset_mask": over}
                assert_same(native.reset(options=options)[0], serial.reset(options=options)[0])
        assert ended > 0

    @pytest.mark.parametrize("kind", [MaskObservation, VectorMaskObservation])
    def test_refusals(self, make_env, make_venv, kind):
        env = make_env() if kind is MaskObservation else make_venv()
        with pytest.raises(ValueError, match="two keys, got 'obs' for both"):
            kind(env, mask="obs")

    def test_refuses_what_has_no_mask(self):
        with pytest.raises(ValueError, match=r"env must have action_masks\(\).*CartPole"):
            MaskObservation(gym.make("CartPole-v1"))


def test_array_info_has_arrays_of_the_same():
    env, bare = ArrayInfo(gym.make(IDS[0])), gym.make(IDS[0])
    for ours, theirs in ((env.reset(seed=0), bare.reset(seed=0)), (env.step(3), bare.step(3))):
        assert tuple(ours[-1]) == INFO_KEYS
        assert all(isinstance(value, np.ndarray) for value in ours[-1].values())
        np.testing.assert_equal(ours[-1], theirs[-1])
        assert_same(ours[:-1], theirs[:-1])
