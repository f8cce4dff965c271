"""Simulated logs: each viewer once, as the single environment plays her, with true propensities."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from agents.rules.baselines import RandomPolicy
from agents.rules.oracles import GreedyOracle
from livestream_env import LiveStreamRecEnv, LiveStreamRecVectorEnv, World, WorldConfig
from livestream_env.simulated_logs.policy import LoggingPolicy
from livestream_env.simulated_logs.simulation import exposure_dtype, simulate_logs
from livestream_env.simulator.state import DAY_START_S
from livestream_env.world import DAY_S
from tests.helpers import LIVELY

DAYS = 2
LIVELY_WORLD = {k: v for k, v in LIVELY.items() if k in WorldConfig.names()}
LIVELY_RESPONSE = {k: v for k, v in LIVELY.items() if k not in WorldConfig.names()}
VIEWERS = np.arange(60)


@pytest.fixture(scope="module")
def world() -> World:
    return World.synthetic(WorldConfig(**{**LIVELY_WORLD, "days": 4}), seed=1)


def make_env(world: World, num_envs: int = 6, **kwargs: Any) -> LiveStreamRecVectorEnv:
    kwargs = {"horizon": DAYS, "config": LIVELY_RESPONSE, **kwargs}
    return LiveStreamRecVectorEnv(num_envs, world=world, **kwargs)


def simulate(env, policy_class=LoggingPolicy, viewers=VIEWERS, seed=3, **kwargs) -> np.ndarray:
    """The exposures by viewer, then time."""
    chunks = list(simulate_logs(policy_class(env, seed=0), env, viewers, seed, **kwargs))
    assert all(chunk.dtype == exposure_dtype(10) and len(chunk) for chunk in chunks)
    rows = np.concatenate(chunks)
    return rows[np.lexsort((rows["clock_s"], rows["viewer"]))]


@pytest.fixture(scope="module")
def rows(world) -> np.ndarray:
    return simulate(make_env(world))


class Fixed:
    """Shows the same slots with the same probabilities, whatever they hold."""

    def __init__(self, env: Any, seed: int = 0) -> None:
        self.probability = np.array([0.5, 0.3, 0.0, 0.15, 0.05, 0, 0, 0, 0, 0])

    def propensities(self, observation: np.ndarray) -> np.ndarray:
        return np.tile(self.probability, (len(observation), 1))


class Counting:
    """Shows slot (number of the impression in the episode) % 10, and remembers by its state."""

    def __init__(self, env: Any, seed: int = 0) -> None:
        pass

    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        assert deterministic and episode_start.shape == (len(observation),)
        count = np.zeros(len(observation), int) if state is None else state + 1
        count[episode_start] = 0
        return count % 10, count


class TestWho:
    def test_each_viewer_once_and_in_order(self, rows):
        assert set(rows["viewer"]) == set(VIEWERS)
        for viewer in VIEWERS:
            own = rows[rows["viewer"] == viewer]
            assert (np.diff(own["clock_s"]) > 0).all()
            np.testing.assert_array_equal(own["step"], np.arange(len(own)))
            assert own["visit"][0] == 0 and set(np.diff(own["visit"])) <= {0, 1}
            np.testing.assert_array_equal(own["terminated"], np.arange(len(own)) == len(own) - 1)

    def test_from_day_0_for_the_horizon(self, rows):
        assert rows["clock_s"].min() >= DAY_START_S
        assert rows["clock_s"].max() < DAYS * DAY_S + DAY_START_S
        assert rows["clock_s"].max() > DAYS * DAY_S

    def test_selected_viewers_play_as_among_all(self, world, rows):
        chosen = np.array([50, 7, 33])
        few = simulate(make_env(world, 2), viewers=chosen)
        np.testing.assert_array_equal(few, rows[np.isin(rows["viewer"], chosen)])

    @pytest.mark.parametrize("num_envs", [1, 60])
    def test_number_of_slots_changes_nothing(self, world, rows, num_envs):
        np.testing.assert_array_equal(simulate(make_env(world, num_envs)), rows)

    def test_chunk_size_changes_nothing_not_even_the_order(self, world):
        def play(chunk_rows: int) -> list[np.ndarray]:
            env = make_env(world)
            policy = LoggingPolicy(env, 0)
            return list(simulate_logs(policy, env, VIEWERS, 3, chunk_rows=chunk_rows))

        small, large = play(50), play(10**6)
        assert len(large) == 1 and all(50 <= len(chunk) < 56 for chunk in small[:-1])
        np.testing.assert_array_equal(np.concatenate(small), large[0])

    def test_step_limit_and_autoreset_play_no_role(self, world, rows):
        env = make_env(world, max_episode_steps=3, autoreset_mode="Disabled")
        np.testing.assert_array_equal(simulate(env), rows)

    def test_seeds_differ(self, world, rows):
        other = simulate(make_env(world), seed=4)
        begin, other_begin = (r["clock_s"][r["step"] == 0] for r in (rows, other))
        assert len(np.intersect1d(begin, other_begin)) == 0

    def test_progress(self, world):
        finished: list[int] = []
        simulate(make_env(world), on_step=finished.append)
        assert finished[0] < 10 and finished[-1] == 60 and finished == sorted(finished)


class TestIsTheSingleEnvironment:
    @pytest.mark.parametrize("policy_class", [LoggingPolicy, RandomPolicy, GreedyOracle, Counting])
    def test_replay(self, world, policy_class):
        rows = simulate(make_env(world), policy_class)
        single = LiveStreamRecEnv(world=world, horizon=DAYS, config=LIVELY_RESPONSE, observe="full")
        for viewer in (0, 31, 59):
            single.np_random = np.random.default_rng([3, viewer])
            single.simulation.slots["episode"] = -1
            _, info = single.reset(options={"viewer": viewer, "day": 0})
            for row in rows[rows["viewer"] == viewer]:
                while (step := single.get_state()["impression"][0]) < row["step"]:
                    info = single.step(step % 10)[-1]  # an empty slot that Counting chose
                    assert info["room"] == -1
                hidden = single.get_state()[0]
                room, slot = row["room"], row["slot"]
                assert row["clock_s"] == info["clock_s"] and row["visit"] == info["visit"]
                np.testing.assert_array_equal(row["candidate_rooms"], info["candidate_rooms"])
                category = world.streamers["category"][row["streamer"]]
                assert row["satisfaction"] == np.float32(hidden["satisfaction"])
                assert row["satiation"] == np.float32(hidden["satiation"][category])
                known = hidden["known"][slot]
                attachment = hidden["attachment"][known] if known >= 0 else 0.0
                assert row["attachment"] == np.float32(attachment)
                observation = single.simulation.observe()[0]
                columns = single.layout.slices["hidden_candidates"]
                highlight = observation[columns].reshape(10, 8)[slot, 2]
                assert row["highlight"] == highlight

                _, _, terminated, _, info = single.step(slot)
                assert (info["room"], info["streamer"]) == (room, row["streamer"])
                for name in ("click", "watch_s", "likes", "comments", "gift_value", "follow"):
                    assert row[name] == info[name], name
                assert row["terminated"] == terminated
            assert terminated

    def test_a_state_follows_its_viewer(self, world):
        rows = simulate(make_env(world), Counting)
        np.testing.assert_array_equal(rows["slot"], rows["step"] % 10)

    def test_oracles_read_the_moment(self, world):
        watched = {
            policy: simulate(make_env(world), policy)["watch_s"].mean()
            for policy in (GreedyOracle, RandomPolicy)
        }
        assert watched[GreedyOracle] > 1.5 * watched[RandomPolicy]

    def test_dict_observations(self, world, rows):
        class Named(LoggingPolicy):
            def __init__(self, env, seed=0):
                super().__init__(make_env(world, 1), seed)

            def propensities(self, observation):
                return super().propensities(np.concatenate(list(observation.values()), axis=1))

        np.testing.assert_array_equal(simulate(make_env(world, observation="dict"), Named), rows)

    def test_constant_highlights(self, world):
        rows = simulate(make_env(world, highlights=False))
        assert set(rows["highlight"]) == {np.float32(world.highlight_share)}


class TestPropensities:
    def test_frequencies(self, world):
        rows = simulate(make_env(world), Fixed)
        probability = Fixed(None).probability
        np.testing.assert_array_equal(rows["propensity"], probability[rows["slot"]])
        counts = np.bincount(rows["slot"], minlength=10)
        possible = probability > 0
        assert (counts[~possible] == 0).all() and len(rows) > 3_000
        expected = probability[possible] * len(rows)
        assert stats.chisquare(counts[possible], expected).pvalue > 0.001

    @pytest.mark.parametrize("policy_class", [LoggingPolicy, RandomPolicy])
    def test_weights_count_the_candidates(self, world, policy_class):
        """The mean of 1 / propensity is the number of candidates: sum of p x 1 / p."""
        rows = simulate(make_env(world), policy_class)
        assert ((rows["propensity"] > 0) & (rows["propensity"] <= 1)).all()
        candidates = (rows["candidate_rooms"] >= 0).sum(axis=1)
        error = 1 / rows["propensity"] - candidates
        assert abs(error.mean()) < 4 * error.std() / np.sqrt(len(rows)) + 1e-9

    def test_luck_is_neither_the_kernels_nor_repeated(self, world):
        rows = simulate(make_env(world), Fixed)
        first = rows["slot"] == 0
        # 5 tests of what should be independent of the draw
        for name in ("click", "watch_s", "visit", "satisfaction", "attachment"):
            values = rows[name].astype(float)
            assert stats.ks_2samp(values[first], values[~first]).pvalue > 0.001, name
        again = rows["slot"][1:] == rows["slot"][:-1]
        same_viewer = rows["viewer"][1:] == rows["viewer"][:-1]
        rate, expected = again[same_viewer].mean(), (Fixed(None).probability ** 2).sum()
        assert rate == pytest.approx(expected, abs=4 * np.sqrt(expected / same_viewer.sum()))

    def test_unknown_without_a_statement(self, world):
        assert np.isnan(simulate(make_env(world), Counting)["propensity"]).all()

    @pytest.mark.parametrize(
        "wrong",
        [np.full(10, 0.2), np.array([1.5, -0.5, *[0] * 8]), np.full(9, 1 / 9),
         np.full(10, np.nan)],
        ids=["sum", "negative", "shape", "nan"],
    )  # fmt: skip
    def test_wrong_ones(self, world, wrong):
        env, policy = make_env(world), Fixed(None)
        policy.probability = wrong
        with pytest.raises(ValueError, match=r"propensities must be .* rows sum to 1"):
            list(simulate_logs(policy, env, VIEWERS, 0))


def test_empty_screens_have_no_row():
    world = World.synthetic(WorldConfig(num_viewers=20, num_streamers=20, days=1), seed=0)
    env = LiveStreamRecVectorEnv(1, world=world, horizon=1)
    rows = simulate(env, Fixed, viewers=np.arange(20))
    assert (rows["room"] >= 0).all() and (rows["candidate_rooms"] < 0).any()
    np.testing.assert_array_equal(
        rows["room"], rows["candidate_rooms"][np.arange(len(rows)), rows["slot"]]
    )
    skipped = np.diff(rows["step"])[np.diff(rows["viewer"]) == 0]
    assert skipped.min() == 1 and skipped.max() > 1


class TestArguments:
    @pytest.mark.parametrize(
        "viewers",
        [[], [0, 0], [-1], [100], [0.0], [[0, 1]], 3, [True, False]],
        ids=repr,
    )
    def test_viewers(self, world, viewers):
        env = make_env(world, 1)
        with pytest.raises(ValueError, match=r"viewers must be distinct integers in \[0, 99\]"):
            simulate_logs(LoggingPolicy(env), env, viewers, 0)

    @pytest.mark.parametrize(
        ("name", "value"), [("seed", -1), ("seed", 1.0), ("chunk_rows", 0), ("chunk_rows", True)]
    )
    def test_numbers(self, world, name, value):
        env = make_env(world, 1)
        with pytest.raises(ValueError, match=rf"{name} must be an integer of at least .*{value}"):
            simulate_logs(LoggingPolicy(env), env, [0], **{"seed": 0, name: value})

    def test_more_slots_than_viewers(self, world):
        env = make_env(world, 3)
        with pytest.raises(ValueError, match="at most as many slots as there are viewers, 2, got"):
            simulate_logs(LoggingPolicy(env), env, [0, 1], 0)

    def test_actions(self, world):
        class Wrong(Counting):
            def predict(self, observation, **kwargs):
                return np.full(len(observation), 10), None

        env = make_env(world, 1)
        with pytest.raises(ValueError, match=r"actions must be 1 integers in \[0, 10\)"):
            list(simulate_logs(Wrong(env), env, [0, 1], 0))
