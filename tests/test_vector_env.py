"""The native vector env is the single env, N times: bit for bit Gymnasium's ``SyncVectorEnv``."""

from __future__ import annotations

import copy
import pickle
import warnings
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv
from gymnasium.wrappers import TimeLimit

from livestream_env import LiveStreamRecVectorEnv
from livestream_env.infos import OFFERED
from tests.helpers import IDS, LONG, SMALL, assert_same, same_state

MODES = [mode.value for mode in AutoresetMode]


class TestEqualsSyncVectorEnv:
    @pytest.mark.parametrize("observation", ["flat", "dict"])
    @pytest.mark.parametrize("mode", MODES)
    @pytest.mark.parametrize("num_envs", [1, 3, 64])
    def test_bit_for_bit(self, make_env, make_venv, num_envs, mode, observation):
        kwargs = {"horizon": "visit", "observation": observation}
        native = make_venv(num_envs, autoreset_mode=mode, max_episode_steps=12, **kwargs)
        serial = SyncVectorEnv(
            [lambda: TimeLimit(make_env(**kwargs), 12)] * num_envs,
            autoreset_mode=AutoresetMode(mode),
        )
        terminated, truncated = self.compare(native, serial, mode, steps=60)
        assert terminated and (truncated or num_envs == 1)

    @pytest.mark.parametrize("horizon", ["day", "week"])
    @pytest.mark.parametrize("mode", MODES)
    def test_other_horizons_and_empty_slots(self, make_env, make_venv, mode, horizon):
        kwargs = {
            "horizon": horizon, "world": "plain", "observe": "full",
            "config": {"num_streamers": 40, "num_viewers": 50, "exit_bias": 0.0},
        }  # fmt: skip
        native = make_venv(3, autoreset_mode=mode, **kwargs)
        serial = SyncVectorEnv([lambda: make_env(**kwargs)] * 3, autoreset_mode=AutoresetMode(mode))
        terminated, _ = self.compare(native, serial, mode, steps=150)
        assert terminated

    @staticmethod
    def compare(native: VectorEnv, serial: VectorEnv, mode: str, steps: int) -> tuple[int, int]:
        assert native.metadata["autoreset_mode"] == serial.metadata["autoreset_mode"]
        for name in ("observation_space", "single_observation_space", "action_space"):
            assert getattr(native, name) == getattr(serial, name)
        rng = np.random.default_rng(0)
        assert_same(native.reset(seed=5), serial.reset(seed=5))
        ends = np.zeros(2, int)
        for _ in range(steps):
            actions = rng.integers(native.single_action_space.n, size=native.num_envs)
            a, b = native.step(actions), serial.step(actions)
            assert_same(a, b)
            assert native.observation_space.contains(a[0])
            ends += [a[2].sum(), a[3].sum()]
            ended = a[2] | a[3]
            if mode == "Disabled" and ended.any():
                mask = {"reset_mask": ended}
                (a, of_all), (b, of_some) = native.reset(options=mask), serial.reset(options=mask)
                assert_same(a, b)
                for name in OFFERED:  # of the other slots, too, where Gymnasium has zeros
                    assert of_all.pop(f"_{name}").all()
                    np.testing.assert_array_equal(of_some.pop(f"_{name}"), ended)
                    of_all[name][~ended] = 0
                assert_same(of_all, of_some)
        return int(ends[0]), int(ends[1])


class TestSeeds:
    def test_slot_of_many_is_slot_of_few(self, make_venv):
        few, many = make_venv(2), make_venv(7)
        a, b = few.reset(seed=3)[0], many.reset(seed=3)[0]
        for _ in range(20):
            np.testing.assert_array_equal(a, b[:2])
            a, b = few.step(np.full(2, 4))[0], many.step(np.full(7, 4))[0]

    def test_viewers_differ_between_slots_seeds_and_episodes(self, make_venv):
        env = make_venv(32)
        clocks = [env.reset(seed=0)[1]["clock_s"], env.reset()[1]["clock_s"],
                  env.reset(seed=1000)[1]["clock_s"]]  # fmt: skip
        assert len(np.unique(clocks)) == 96

    def test_a_seed_per_slot(self, make_venv):
        env = make_venv(3)
        observation = env.reset(seed=[5, 9, 5])[0]
        np.testing.assert_array_equal(observation[0], observation[2])
        assert (observation[0] != observation[1]).any()
        np.testing.assert_array_equal(observation[1], make_venv(1).reset(seed=9)[0][0])
        mixed = env.reset(seed=[5, None, None])[0]
        np.testing.assert_array_equal(mixed[0], observation[0])
        assert (mixed[1] != observation[1]).any()

    def test_number_of_seeds(self, make_venv):
        with pytest.raises(ValueError, match="seed must have num_envs=3 entries, got 2"):
            make_venv(3).reset(seed=[1, 2])

    def test_unseeded_resets_differ(self, make_venv):
        a, b = make_venv(2).reset()[1]["clock_s"], make_venv(2).reset()[1]["clock_s"]
        assert len({*a.tolist(), *b.tolist()}) == 4

    def test_np_random_follows_the_seed(self, make_venv):
        a, b = make_venv(2), make_venv(2)
        a.reset(seed=4)
        b.reset(seed=4)
        assert a.np_random_seed == 4 and a.np_random.random() == b.np_random.random()


class TestBuffers:
    def test_fresh_arrays_by_default(self, make_venv):
        env = make_venv(config=LONG)
        results = [env.reset(seed=0)] + [env.step(np.zeros(4, np.int64)) for _ in range(3)]
        kept = copy.deepcopy(results)
        env.step(np.ones(4, np.int64))
        env.reset()
        assert_same(results, kept)

    def test_info_is_not_shared_with_the_state(self, make_venv):
        env = make_venv(config=LONG)
        _, info = env.reset(seed=0)
        before = env.get_state()
        for value in info.values():
            if isinstance(value, np.ndarray):
                value[...] = 1
        assert same_state(env.get_state(), before)

    @pytest.mark.parametrize("observation", ["flat", "dict"])
    def test_reuse_buffer(self, make_venv, observation):
        fresh = make_venv(observation=observation)
        reusing = make_venv(observation=observation, reuse_buffer=True)
        first = reusing.reset(seed=0)[0]
        assert_same(fresh.reset(seed=0)[0], first)
        for _ in range(5):
            actions = np.zeros(4, np.int64)
            expected, got = fresh.step(actions), reusing.step(actions)
            assert_same(expected, got)
            memory = [x["viewer"] if observation == "dict" else x for x in (first, got[0])]
            assert np.shares_memory(*memory)

    def test_out(self, make_venv):
        env, other = make_venv(), make_venv()
        env.reset(seed=0)
        other.reset(seed=0)
        rollout = np.full((2, 4, env.layout.size), np.nan, np.float32)
        actions = np.zeros(4, np.int64)
        for row in rollout:
            observation = env.step(actions, out=row)[0]
            assert np.shares_memory(observation, rollout)
            np.testing.assert_array_equal(row, other.step(actions)[0])

    @pytest.mark.parametrize(
        "spoil",
        [
            lambda a, _: a[:2],
            lambda a, _: a.astype(np.float64),
            lambda a, _: a.astype(">f4"),
            lambda a, _: np.asfortranarray(a),
            lambda a, _: a[:, ::-1],
            lambda a, _: np.broadcast_to(a[0], a.shape),
            lambda a, _: np.frombuffer(a.tobytes(), np.float32).reshape(a.shape),
            lambda a, _: np.frombuffer(bytearray(a.nbytes + 1), np.float32, a.size, 1).reshape(
                a.shape
            ),
            lambda a, path: _read_only_file(a, path),
            lambda a, _: a.tolist(),
            lambda a, _: memoryview(a),
        ],
    )
    def test_unsuitable_out(self, make_venv, spoil, tmp_path):
        env = make_venv()
        env.reset(seed=0)
        before = env.get_state()
        out = spoil(np.zeros((4, env.layout.size), np.float32), tmp_path / "out")
        with pytest.raises(ValueError, match="out must be a writeable, C-contiguous float32 array"):
            env.step(np.zeros(4, np.int64), out=out)
        assert same_state(env.get_state(), before)
        assert not np.asarray(out).any()


def _read_only_file(array: np.ndarray, path: Path) -> np.memmap:
    array.tofile(path)
    return np.memmap(path, np.float32, "r", shape=array.shape)


class TestResetMask:
    def test_resets_those_slots_only(self, make_venv):
        env = make_venv(4, autoreset_mode="Disabled", config=LONG)
        env.reset(seed=0)
        before = env.step(np.zeros(4, np.int64))[0]
        mask = np.array([True, False, False, True])
        after, info = env.reset(options={"reset_mask": mask})
        np.testing.assert_array_equal(after[~mask], before[~mask])
        assert (after[mask] != before[mask]).any(1).all()
        np.testing.assert_array_equal(info["_viewer"], mask)

    def test_masks_and_candidates_are_of_every_slot(self, make_venv):
        few = {"num_streamers": 40, "num_viewers": 50}
        env = make_venv(4, autoreset_mode="Disabled", world="plain", config={**few, **LONG})
        env.reset(seed=0)
        before = env.step(np.zeros(4, np.int64))[-1]
        others = np.array([True, False, False, True])
        info = env.reset(options={"reset_mask": ~others})[1]
        np.testing.assert_array_equal(info["action_mask"], env.action_masks())
        for name in OFFERED:
            assert info[f"_{name}"].all()
            np.testing.assert_array_equal(info[name][others], before[name][others])

    @pytest.mark.parametrize(
        "mask",
        [np.zeros(4, bool), np.ones(3, bool), np.ones(4), np.ones((4, 1), bool), [1, 0, 0, 1], 3],
        ids=repr,
    )
    def test_wrong_masks(self, make_venv, mask):
        env = make_venv(4, autoreset_mode="Disabled")
        env.reset(seed=0)
        with pytest.raises(ValueError, match=r"reset_mask.*bool array of shape \(4,\)"):
            env.reset(options={"reset_mask": mask})

    def test_step_while_a_slot_waits_for_its_reset(self, make_venv):
        env = make_venv(3, autoreset_mode="Disabled", horizon="visit", config={"exit_bias": 20.0})
        env.reset(seed=0)
        env.step(np.zeros(3, np.int64))
        with pytest.raises(ResetNeeded, match=r"slots \[0, 1, 2\] have ended"):
            env.step(np.zeros(3, np.int64))
        env.reset(options={"reset_mask": np.array([True, False, True])})
        with pytest.raises(ResetNeeded, match=r"slots \[1\] have ended"):
            env.step(np.zeros(3, np.int64))


class TestStep:
    def test_before_reset(self, make_venv):
        with pytest.raises(ResetNeeded):
            make_venv().step(np.zeros(4, np.int64))

    @pytest.mark.parametrize(
        "actions",
        [[0, 0, 0, -1], [0, 0, 0, 10], [0.0] * 4, [0, 0, 0, np.nan], [0] * 3, [[0] * 4], 0,
         [True] * 4, None, ["a"] * 4],
        ids=repr,
    )  # fmt: skip
    def test_bad_actions(self, make_venv, actions):
        env = make_venv()
        env.reset(seed=0)
        before = env.get_state()
        with pytest.raises(ValueError, match=r"actions must be 4 integers in \[0, 10\)"):
            env.step(np.array(actions) if actions is not None else None)
        assert same_state(env.get_state(), before)

    @pytest.mark.parametrize("dtype", [np.int32, np.uint8, np.int64])
    def test_integer_types_and_lists(self, make_venv, dtype):
        a, b = make_venv(), make_venv()
        a.reset(seed=0)
        b.reset(seed=0)
        assert_same(a.step(np.array([1, 2, 3, 4], dtype)), b.step([1, 2, 3, 4]))

    def test_masks_and_expectations_are_of_every_slot(self, make_venv):
        env = make_venv()
        observation, info = env.reset(seed=0)
        np.testing.assert_array_equal(env.action_masks(), info["action_mask"].astype(bool))
        np.testing.assert_array_equal(env.action_masks(), env.layout.action_mask(observation))
        assert all(value.shape == (4, 10) for value in env.expected_response().values())


class TestCall:
    """As Gymnasium's ``SyncVectorEnv`` answers."""

    NAMES = ("action_masks", "expected_response", "get_state", "render", "action_space",
             "observation_space", "layout", "render_mode", "world")  # fmt: skip

    def test_equals_sync_vector_env(self, make_env, make_venv):
        native = make_venv(3, render_mode="ansi")
        serial = SyncVectorEnv([lambda: make_env(render_mode="ansi")] * 3)
        for env in (native, serial):
            env.reset(seed=2)
            env.step(np.zeros(3, np.int64))
        for name in self.NAMES:
            ours, theirs = native.call(name), serial.call(name)
            assert type(ours) is type(theirs) is tuple and len(ours) == 3
            if name == "get_state":
                assert all(map(same_state, ours, theirs))
            elif name in ("layout", "world"):
                assert ours == theirs
            else:
                assert_same(ours, theirs)
        assert make_venv(2).call("render_mode") == (None, None)

    def test_attributes(self, make_env, make_venv):
        for env in (make_venv(2), SyncVectorEnv([make_env] * 2)):
            env.set_attr("group", "a")
            assert env.get_attr("group") == ("a", "a")
            env.set_attr("group", ["a", "b"])
            assert env.get_attr("group") == ("a", "b")
            with pytest.raises(ValueError, match="alues must"):
                env.set_attr("group", [1, 2, 3])

    def test_refusals(self, make_venv):
        env = make_venv(2)
        with pytest.raises(AttributeError, match=r"action_masks.*layout.*got 'step'"):
            env.call("step", 0)
        with pytest.raises(AttributeError, match="world cannot be set: viewers share one"):
            env.set_attr("world", None)


class TestState:
    @pytest.mark.parametrize("mode", ["NextStep", "SameStep"])
    def test_exact_across_episode_ends(self, make_venv, mode):
        env = make_venv(5, autoreset_mode=mode, horizon="visit", max_episode_steps=9)
        observation = env.reset(seed=0)[0]
        for action in range(4):
            observation = env.step(np.full(5, action))[0]
        state = env.get_state()
        expected = [env.step(np.full(5, step % 10)) for step in range(60)]
        assert sum(result[2].sum() for result in expected) and sum(r[3].sum() for r in expected)
        np.testing.assert_array_equal(env.set_state(pickle.loads(pickle.dumps(state))), observation)
        assert_same(expected, [env.step(np.full(5, step % 10)) for step in range(60)])

    def test_foreign_snapshots_are_refused(self, make_venv):
        env = make_venv(3)
        env.reset(seed=0)
        for state in (make_venv(2).get_state(), make_venv(3, num_candidates=4).get_state(), None):
            with pytest.raises(ValueError, match="num_envs"):
                env.set_state(state)

    def test_pickle_and_deepcopy(self, make_venv):
        env = make_venv(3, autoreset_mode="SameStep", render_mode="ansi")
        env.reset(seed=0)
        copies = [pickle.loads(pickle.dumps(env)), copy.deepcopy(env)]
        expected = [env.step(np.full(3, step % 10)) for step in range(30)]
        for other in copies:
            assert_same(expected, [other.step(np.full(3, step % 10)) for step in range(30)])


class TestMakeVec:
    @pytest.mark.parametrize("env_id", IDS)
    @pytest.mark.parametrize("mode", MODES)
    def test_without_warning(self, env_id, mode):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            env = gym.make_vec(
                env_id, num_envs=3, vectorization_mode="vector_entry_point",
                autoreset_mode=mode, config=SMALL,
            )  # fmt: skip
        assert isinstance(env.unwrapped, LiveStreamRecVectorEnv)
        assert env.metadata["autoreset_mode"] is AutoresetMode(mode) is env.unwrapped.autoreset_mode
        assert LiveStreamRecVectorEnv.metadata["autoreset_mode"] is AutoresetMode.NEXT_STEP
        observation, _ = env.reset(seed=0)
        assert env.observation_space.contains(observation)
        env.close()
        env.close()

    def test_registered_limit_truncates(self):
        env = gym.make_vec(
            IDS[0], num_envs=2, vectorization_mode="vector_entry_point", config={**SMALL, **LONG},
            max_episode_steps=3,
        )  # fmt: skip
        env.reset(seed=0)
        flags = [env.step(np.zeros(2, np.int64))[2:4] for _ in range(3)]
        assert not np.any(flags[:2]) and not flags[2][0].any() and flags[2][1].all()

    def test_minus_one_is_no_limit(self):
        """As ``gymnasium.make`` takes it, where the registered limit does not hold then either."""
        kwargs = {"config": {**SMALL, **LONG}, "max_episode_steps": -1}
        env = gym.make_vec(IDS[0], 2, vectorization_mode="vector_entry_point", **kwargs)
        env.reset(seed=0)
        assert env.unwrapped._limit > 10**12
        single = gym.make(IDS[0], **kwargs)
        assert "TimeLimit" not in str(single)

    @pytest.mark.parametrize("limit", [0, -2, 1.5, True, "9", -1.0, np.array([1, 2])], ids=repr)
    def test_other_limits(self, limit):
        with pytest.raises(ValueError, match="max_episode_steps must be an integer in"):
            LiveStreamRecVectorEnv(2, max_episode_steps=limit, config=SMALL)

    @pytest.mark.parametrize("value", [1, None, "yes", np.array([True, False])], ids=repr)
    def test_reuse_buffer_is_a_flag(self, value):
        with pytest.raises(ValueError, match="reuse_buffer must be True or False"):
            LiveStreamRecVectorEnv(2, reuse_buffer=value, config=SMALL)

    def test_enum_is_taken_too(self, make_venv):
        env = make_venv(autoreset_mode=AutoresetMode.SAME_STEP)
        assert env.autoreset_mode is AutoresetMode.SAME_STEP
