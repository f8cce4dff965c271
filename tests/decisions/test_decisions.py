"""Logged decisions: what is written is what happened, and nothing else is read."""

from __future__ import annotations

import dataclasses

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from livestream_env import LiveStreamRecEnv, LiveStreamRecVectorEnv
from livestream_env.decisions import DecisionFile, decision_writer, read_decisions
from livestream_env.decisions.schema import COLUMNS, OBSERVATION
from livestream_env.reward import DEFAULT_WEIGHTS, REWARD_FIELDS
from livestream_env.simulated_logs.policy import LoggingPolicy
from livestream_env.simulated_logs.recording import describe, log_decisions

KWARGS = {"config": {"num_viewers": 100, "num_streamers": 60, "days": 2}}
STEPS, SEED = 600, 3


@pytest.fixture(scope="module")
def env():
    return LiveStreamRecVectorEnv(8, **KWARGS)


def write(path, env, policy=None, **changes):
    about = describe(env, "LiveStreamRec-v0", KWARGS, "logging", SEED)
    with decision_writer(path, dataclasses.replace(about, **changes)) as writer:
        for rows in log_decisions(policy or LoggingPolicy(env, 0), env, STEPS, SEED):
            writer.write(rows)
    return writer


@pytest.fixture(scope="module")
def path(env, tmp_path_factory):
    path = tmp_path_factory.mktemp("decisions") / "log.parquet"
    write(path, env)
    return path


@pytest.fixture(scope="module")
def decisions(path):
    return read_decisions(path)


def test_is_what_the_single_environment_plays(decisions):
    single = LiveStreamRecEnv(**KWARGS)
    for start, length in zip(decisions.starts[:6], decisions.lengths[:6], strict=True):
        number = int(decisions.episode[start])
        single.np_random = np.random.default_rng([SEED, number])
        single.simulation.slots["episode"] = -1
        observation, info = single.reset()
        for row in range(start, start + length):
            np.testing.assert_array_equal(decisions.observations[row], observation)
            np.testing.assert_array_equal(decisions.action_mask[row], info["action_mask"])
            assert decisions.clock_s[row] == info["clock_s"]
            assert decisions.visit[row] == info["visit"]
            observation, reward, terminated, _, info = single.step(decisions.action[row])
            assert decisions.reward[row] == reward
            assert decisions.elapsed_s[row] == info["elapsed_s"]
            assert decisions.viewer[row] == info["viewer"]
            assert decisions.terminated[row] == terminated
            components = [info[name] for name in REWARD_FIELDS]
            np.testing.assert_allclose(decisions.components[row], components, rtol=1e-6)
        assert terminated and decisions.action[start + length] == -1
        np.testing.assert_array_equal(decisions.observations[start + length], observation)


def test_propensities_are_the_policys(decisions):
    policy = LoggingPolicy(decisions.description.make_env())
    expected = policy.propensities(decisions.observations[decisions.steps])
    np.testing.assert_allclose(decisions.propensity[decisions.steps], expected, atol=1e-6)
    assert decisions.has_propensities and (decisions.chosen_propensity > 0).all()


def test_reward_is_the_weighted_sum(decisions):
    weighted = decisions.components @ np.array(list(DEFAULT_WEIGHTS.values()))
    np.testing.assert_allclose(weighted, decisions.reward, rtol=1e-5, atol=1e-6)


def test_whole_episodes(decisions):
    assert STEPS <= decisions.num_steps == decisions.lengths.sum()
    assert (np.diff(np.unique(decisions.episode)) == 1).all()
    few = decisions.first(100)
    assert few.num_steps >= 100 > few.first(100).lengths[:-1].sum()
    twice = decisions.select([1, 1])
    once = decisions.select([1]).reward
    assert twice.num_episodes == 2 and np.array_equal(twice.reward, np.tile(once, 2))


def test_unknown_propensities(env, tmp_path):
    class First:
        def predict(self, observation, state=None, episode_start=None, deterministic=False):
            return np.zeros(len(observation), int), state

    write(tmp_path / "a.parquet", env, First())
    decisions = read_decisions(tmp_path / "a.parquet")
    assert not decisions.has_propensities and "propensities unknown" in repr(decisions)


def test_the_mixture(env):
    observation, _ = env.reset(seed=0)
    ranked, mixed, uniform = (
        LoggingPolicy(env, 0, share).propensities(observation) for share in (0.0, 0.5, 1.0)
    )
    np.testing.assert_allclose(mixed, (ranked + uniform) / 2)
    assert len(np.unique(uniform[uniform > 0].round(6))) <= env.layout.num_candidates
    with pytest.raises(ValueError, match="uniform_share must be a number"):
        LoggingPolicy(env, 0, 1.5)


def test_parts_are_the_whole(path, decisions):
    parts = list(DecisionFile(path).batches(max_rows=97))
    together = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    np.testing.assert_array_equal(together["action"], decisions.action)
    np.testing.assert_array_equal(together[OBSERVATION], decisions.observations[:])
    small = DecisionFile(path).read(max_steps=100)
    np.testing.assert_array_equal(small.action, decisions.first(100).action)


def test_half_precision(path, decisions):
    half = read_decisions(path, "float16")
    assert half.observations.nbytes < 0.6 * decisions.observations.nbytes
    assert abs(half.observations[:] - decisions.observations[:]).max() <= 2**-12
    with pytest.raises(ValueError, match="precision must be one of"):
        read_decisions(path, "float8")


def test_another_world_is_refused(env, tmp_path):
    write(tmp_path / "a.parquet", env, world_digest="0" * 16)
    with pytest.raises(ValueError, match="logged in a world of digest 0000"):
        read_decisions(tmp_path / "a.parquet").description.make_env()


class TestDamage:
    def test_nothing_there(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=r"no file of logged decisions at .*none"):
            read_decisions(tmp_path / "none")

    def test_flipped_bytes(self, path, tmp_path):
        data = path.read_bytes()
        for at in (len(data) // 9, len(data) // 3, len(data) // 2, len(data) - 40):
            bad = tmp_path / "bad.parquet"
            bad.write_bytes(data[:at] + bytes(b ^ 0xFF for b in data[at : at + 4]) + data[at + 4 :])
            with pytest.raises(ValueError, match=r"bad\.parquet is not a file of logged"):
                read_decisions(bad)

    def test_cut_off(self, path, tmp_path):
        (tmp_path / "bad.parquet").write_bytes(path.read_bytes()[:-100])
        with pytest.raises(ValueError, match=r"bad\.parquet is not a file of logged"):
            read_decisions(tmp_path / "bad.parquet")

    def test_foreign(self, tmp_path):
        pq.write_table(pa.table({"user_id": [1]}), tmp_path / "click.parquet")
        with pytest.raises(ValueError, match=r"its columns are user_id.*neither the candidates"):
            read_decisions(tmp_path / "click.parquet")
        with pytest.raises(ValueError, match=r"folder with the files of a log.*docs/offline\.md"):
            read_decisions(tmp_path)

    @pytest.mark.parametrize("name", ["action", "step", "episode", "terminated", "propensity"])
    def test_rows_that_cannot_be(self, path, tmp_path, name):
        table = pq.read_table(path)
        values = table[name].to_pylist()
        values[5] = {"terminated": True, "propensity": [2.0] * 10}.get(name, 77)
        column = table.schema.get_field_index(name)
        field = table.schema.field(name)
        table = table.set_column(column, field, pa.array(values, field.type))
        totals = pq.read_metadata(path).metadata[b"livestream_env.totals"]
        metadata = {**table.schema.metadata, b"livestream_env.totals": totals}
        bad = tmp_path / "bad.parquet"
        pq.write_table(table.replace_schema_metadata(metadata), bad)
        with pytest.raises(ValueError, match=r"bad\.parquet is not .* at episode \d+, step \d+"):
            read_decisions(bad)

    def test_a_failed_writer_leaves_nothing(self, env, decisions, tmp_path):
        rows = {name: getattr(decisions, name) for name in COLUMNS if hasattr(decisions, name)}
        rows |= {f"reward_{n}": decisions.components[:, i] for i, n in enumerate(DEFAULT_WEIGHTS)}
        rows[OBSERVATION] = decisions.observations[:3]
        with (
            pytest.raises(ValueError, match="last episode is not whole"),
            decision_writer(tmp_path / "a.parquet", decisions.description) as writer,
        ):
            writer.write({name: column[:3] for name, column in rows.items()})
        assert not list(tmp_path.iterdir())
