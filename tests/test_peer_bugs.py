"""Bugs found in other recommender simulators: none of them here.

Each class names the bug. Found in RecSim, RecoGym, VirtualTaobao, SARDINE, RECGym, KuaiSim and
EasyRL4Rec.
"""

from __future__ import annotations

import random
import subprocess
import sys

import gymnasium as gym
import numpy as np
import pytest

from livestream_env import LiveStreamRecEnv
from livestream_env.reward import DEFAULT_WEIGHTS, REWARD_COMPONENTS
from tests.helpers import IDS, LIVELY, LONG, SMALL, assert_same, play


class TestSeedsGiveTheSameUsers:
    def test_seeds_give_different_viewers(self, make_env):
        env = make_env()
        first = [env.reset(seed=seed)[0] for seed in range(10)]
        assert len({observation.tobytes() for observation in first}) == 10
        viewers = {env.reset(seed=seed)[1]["viewer"] for seed in range(30)}
        assert len(viewers) > 20

    def test_seed_decides_the_responses_too(self, make_env):
        def clicks(seed):
            return [info["click"] for *_, info in play(make_env(config=LONG), seed, 40)]

        assert clicks(1) == clicks(1) != clicks(2)

    def test_vector_copies_are_not_clones(self, make_venv):
        observation, _ = make_venv(16).reset(seed=0)
        assert len({row.tobytes() for row in observation}) == 16
        observation, _ = make_venv(16).reset()
        assert len({row.tobytes() for row in observation}) == 16

    def test_no_hidden_seed_of_the_process(self):
        """Two processes without a seed differ; with the same seed they agree."""
        code = (
            "import livestream_env as l, sys; s = sys.argv[1];"
            f"e = l.LiveStreamRecEnv(config={SMALL});"
            "print(e.reset(seed=int(s) if s else None)[1]['clock_s'])"
        )

        def run(seed):
            command = [sys.executable, "-c", code, seed]
            return subprocess.run(command, capture_output=True, text=True, check=True).stdout

        assert run("") != run("")
        assert run("5") == run("5")


class TestTerminalObservationOfTheNextUser:
    def test_single(self, make_env):
        env = make_env(horizon="visit")
        for seed in range(10):
            _, info = env.reset(seed=seed)
            viewer, terminated, steps = info["viewer"], False, 0
            while not terminated:
                observation, _, terminated, _, info = env.step(0)
                steps += 1
                assert info["viewer"] == viewer
            shown = env.layout.to_dict(observation)["context"]
            impressions = env.layout.names["context"].index("impressions")
            assert shown[impressions] == pytest.approx(np.log1p(steps) / np.log1p(200), abs=1e-6)
            np.testing.assert_array_equal(observation, env.simulation.observe()[0])

    def test_vector(self, make_venv):
        env = make_venv(8, horizon="visit", autoreset_mode="SameStep")
        _, info = env.reset(seed=0)
        block = env.layout.slices["viewer"]
        ends = 0
        for step in range(80):
            before, viewers = env.simulation.observe(), info["viewer"]
            _, _, terminations, _, info = env.step(np.full(8, step % 10))
            for i in np.flatnonzero(terminations):
                ends += 1
                assert info["final_info"]["viewer"][i] == viewers[i]
                last = info["final_obs"][i]
                np.testing.assert_array_equal(last[block], before[i, block])
        assert ends > 10


class TestObservationsOutsideTheSpace:
    @pytest.mark.parametrize("env_id", IDS)
    @pytest.mark.parametrize("observation", ["flat", "dict"])
    def test_reset_and_step(self, env_id, observation):
        env = gym.make(env_id, config=LIVELY, observation=observation, observe="full")
        space = env.observation_space
        for seed in range(5):
            first, _ = env.reset(seed=seed)
            assert space.contains(first)
            for later, *_ in play(env, seed, 60):
                assert space.contains(later)

    def test_extreme_parameters(self):
        wild = {
            "watch_bias": 20.0, "watch_noise_std": 10.0, "click_bias": 20.0, "like_per_min": 10.0,
            "comment_per_min": 10.0, "gift_per_min": 10.0, "gift_price_log_std": 5.0,
            "watch_cap_s": 86_400.0, "satiation_gain": 10.0, "satisfaction_harm": 10.0,
            "fatigue_gain": 5.0, "return_satisfaction": 10.0, "popularity_std": 5.0,
            "sensationalism_std": 5.0, "affinity_estimate_std": 5.0,
        }  # fmt: skip
        env = gym.make(IDS[2], config={**LIVELY, **wild}, observe="full")
        for observation, reward, *_ in play(env, 0, 200):
            assert env.observation_space.contains(observation) and np.isfinite(reward)


class TestSquashedProbabilities:
    """Another applied the sigmoid twice: every probability lay between 0.50 and 0.73."""

    @pytest.mark.parametrize(("bias", "rate"), [(-20.0, 0.0), (20.0, 1.0)])
    def test_click_rates_reach_0_and_1(self, make_venv, bias, rate):
        env = make_venv(200, config={**LONG, "click_bias": bias})
        env.reset(seed=0)
        infos = [env.step(np.full(200, step))[-1] for step in range(10)]
        assert np.mean([info["click"] for info in infos]) == pytest.approx(rate, abs=0.001)

    def test_default_probabilities_are_small_and_spread(self, make_venv):
        env = make_venv(500)
        env.reset(seed=0)
        p = env.expected_response()["click_probability"]
        assert p.min() < 0.01 and p.max() > 0.9 and np.median(p) < 0.3

    def test_extreme_affinity(self, make_venv):
        env = make_venv(500, config={"click_affinity": 10.0})
        env.reset(seed=0)
        p = env.expected_response()["click_probability"]
        assert p.min() < 1e-6 and p.max() > 1 - 1e-6


class TestGlobalRandomState:
    def test_is_neither_read_nor_changed(self, make_env, make_venv):
        torch = pytest.importorskip("torch")

        def states():
            return (random.getstate(), np.random.get_state()[1].tolist(),  # noqa: NPY002
                    torch.random.get_rng_state().tolist())  # fmt: skip

        def run():
            venv = make_venv(3)
            venv.reset(seed=4)
            return [*play(make_env(), 4, 30), venv.step(np.zeros(3, np.int64))]

        results = []
        for seed in (0, 1):
            random.seed(seed)
            np.random.seed(seed)  # noqa: NPY002
            torch.manual_seed(seed)
            before = states()
            results.append(run())
            assert states() == before
        assert_same(*results)


class TestHorizonReportedAsTheWrongThing:
    def test_a_day_ends_by_termination_with_time_observed(self, make_env):
        env = make_env(config={"visits_per_day": 50.0})
        left = env.layout.slices["context"].start + env.layout.names["context"].index("time_left")
        env.reset(seed=0)
        shares, terminated = [], False
        while not terminated:
            observation, _, terminated, truncated, _ = env.step(0)
            assert truncated is False
            shares.append(observation[left])
        assert (np.diff(shares) <= 0).all() and shares[0] > 0 and shares[-1] == 0.0

    def test_truncation_only_at_the_limit(self):
        env = gym.make(IDS[0], config={**SMALL, **LONG}, max_episode_steps=7)
        env.reset(seed=0)
        flags = [env.step(0)[2:4] for _ in range(7)]
        assert flags == [(False, False)] * 6 + [(False, True)]

    def test_ordinary_play_ends_by_itself(self):
        for env_id in IDS:
            env = gym.make_vec(
                env_id, num_envs=50, vectorization_mode="vector_entry_point", config=SMALL
            )
            env.reset(seed=0)
            terminated = 0
            for step in range(600):
                _, _, terminations, truncations, _ = env.step(np.full(50, step % 10))
                assert not truncations.any()
                terminated += terminations.sum()
            assert terminated > 50


class TestBrokenInterface:
    @pytest.mark.parametrize("env_id", IDS)
    def test_reset_takes_seed_and_options_and_returns_a_pair(self, env_id):
        env = gym.make(env_id, config=SMALL)
        observation, info = env.reset(seed=1, options={})
        assert env.observation_space.contains(observation) and isinstance(info, dict)
        assert isinstance(env.action_space, gym.spaces.Discrete)
        assert observation.dtype == env.observation_space.dtype

    def test_close_and_render_work_more_than_once(self, make_env, make_venv):
        for env in (make_env(render_mode="ansi"), make_venv(2, render_mode="ansi")):
            env.reset(seed=0)
            assert env.render() == env.render()
            env.close()
            env.close()

    def test_flags_are_bools(self, make_env):
        env = make_env()
        env.reset(seed=0)
        result = env.step(0)
        assert [type(flag) for flag in result[2:4]] == [bool, bool]


class TestDynamicsOfAnAverageInsteadOfAVector:
    """One pulled the whole preference vector towards a scalar mean."""

    def test_satiation_and_logged_watching_grow_in_the_category_watched(self, make_env):
        env = make_env(config={**LONG, "click_bias": 20.0, "watch_bias": 4.0})
        _, info = env.reset(seed=0)
        for step in range(12):
            before = env.get_state()[0]
            info = env.step(step % 10)[-1]
            after = env.get_state()[0]
            category = env.world.streamers["category"][info["streamer"]]
            decay = np.exp(-info["elapsed_s"] / env.simulation.config.satiation_decay_s)
            grown = after["satiation"] - before["satiation"] * decay
            others = np.delete(grown, category)
            np.testing.assert_allclose(others, 0.0, atol=1e-6)
            assert grown[category] > 0
            forgotten = before["category_watch_s"] * np.exp(-info["elapsed_s"] / 1800)
            logged = after["category_watch_s"] - forgotten
            assert logged[category] == pytest.approx(info["watch_s"], abs=1e-3)
            np.testing.assert_allclose(np.delete(logged, category), 0.0, atol=1e-3)

    def test_attachment_grows_to_the_streamer_watched(self, make_env):
        env = make_env(config={**LONG, "click_bias": 20.0, "watch_bias": 5.0})
        env.reset(seed=0)
        for step in range(12):
            before = env.get_state()[0]
            info = env.step(step % 10)[-1]
            after = env.get_state()[0]
            changed = np.flatnonzero(before["attachment"] != after["attachment"])
            assert after["attached_streamer"][changed].tolist() == [info["streamer"]]

    def test_taste_does_not_drift(self, make_env):
        env = make_env()
        before = env.world.viewers.copy()
        list(play(env, 0, 200))
        np.testing.assert_array_equal(env.world.viewers, before)


class TestWrongRewards:
    """One crashed on its binary reward, one ignored its weights."""

    @pytest.mark.parametrize("watch", ["log", "minutes"])
    @pytest.mark.parametrize("only", [*REWARD_COMPONENTS, None])
    def test_each_component_and_weighting(self, watch, only):
        weights = None if only is None else {k: float(k == only) for k in REWARD_COMPONENTS}
        env = LiveStreamRecEnv(config=LIVELY, reward_weights=weights, watch=watch)
        total = 0.0
        for _, reward, *_, info in play(env, 3, 150):
            seconds = info["watch_s"]
            components = {
                "watch": seconds / 60 if watch == "minutes" else np.log1p(seconds / 10),
                "like": min(info["likes"], 3),
                "comment": min(info["comments"], 3),
                "gift": np.log1p(info["gift_value"]),
                "follow": float(info["follow"]),
            }
            rewarded = {name: info[f"reward_{name}"] for name in components}
            assert rewarded == pytest.approx(components)
            used = DEFAULT_WEIGHTS if weights is None else weights
            assert reward == pytest.approx(sum(used[k] * components[k] for k in components))
            total += reward
        assert total > 0

    def test_no_reward_without_a_click(self, make_env):
        for _, reward, *_, info in play(make_env(), 0, 100):
            assert info["click"] or reward == 0.0
