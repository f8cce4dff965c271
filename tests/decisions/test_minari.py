"""Logged decisions as a Minari dataset: nothing is lost, and the environment is the same."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from livestream_env import LiveStreamRecVectorEnv, WorldConfig
from livestream_env.decisions import DecisionFile, decision_writer, read_decisions
from livestream_env.simulated_logs.policy import LoggingPolicy
from livestream_env.simulated_logs.recording import describe, log_decisions
from livestream_env.world import World
from scripts import log_decisions as log_command
from scripts import simulate_logs as simulate_command

minari = pytest.importorskip("minari")
pytest.importorskip("h5py")
from livestream_env.decisions.minari_dataset import (  # noqa: E402
    INFOS,
    check_dataset_id,
    description_of,
    write_minari,
)

KWARGS = {"config": {"num_viewers": 50, "num_streamers": 40, "days": 2}}
ID = "livestream/logging-v0"


@pytest.fixture(autouse=True)
def datasets(tmp_path, monkeypatch):
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "minari"))
    return tmp_path / "minari"


def write(path, kwargs, **changes):
    env = LiveStreamRecVectorEnv(4, **kwargs)
    about = describe(env, "LiveStreamRec-v0", kwargs, "logging", 0)
    with decision_writer(path, dataclasses.replace(about, **changes)) as writer:
        for rows in log_decisions(LoggingPolicy(env, 0), env, 200, 0):
            writer.write(rows)
    return DecisionFile(path)


def test_is_what_was_logged(tmp_path, monkeypatch):
    file = write(tmp_path / "log.parquet", KWARGS)
    whole = DecisionFile.batches
    with monkeypatch.context() as small:  # episodes begin in one part and end in a later one
        small.setattr(DecisionFile, "batches", lambda self: whole(self, max_rows=37))
        written = write_minari(file, ID)
    decisions, dataset = read_decisions(file.path), minari.load_dataset(ID)
    assert written.total_steps == dataset.total_steps == decisions.num_steps
    assert dataset.total_episodes == decisions.num_episodes
    episodes = list(dataset.iterate_episodes())
    for start, length, episode in zip(decisions.starts, decisions.lengths, episodes, strict=True):
        rows, steps = slice(start, start + length + 1), slice(start, start + length)
        np.testing.assert_array_equal(episode.observations, decisions.observations[rows])
        np.testing.assert_array_equal(episode.actions, decisions.action[steps])
        np.testing.assert_array_equal(episode.rewards, decisions.reward[steps])
        np.testing.assert_array_equal(episode.terminations, decisions.terminated[steps])
        np.testing.assert_array_equal(episode.truncations, decisions.truncated[steps])
        assert sorted(episode.infos) == sorted(INFOS)
        for name in ("propensity", "action_mask", "elapsed_s", "clock_s", "visit", "viewer"):
            np.testing.assert_array_equal(episode.infos[name], getattr(decisions, name)[rows], name)


def test_the_environment_is_recovered(tmp_path):
    dataset = write_minari(write(tmp_path / "log.parquet", KWARGS), ID)
    env = minari.load_dataset(ID).recover_environment()
    about = description_of(dataset)
    assert env.spec.id == "LiveStreamRec-v0"
    assert env.unwrapped.world.digest == about.world_digest
    assert about.make_env().observation_space == dataset.observation_space == env.observation_space
    replayed = next(iter(dataset.iterate_episodes()))
    env.unwrapped.np_random = np.random.default_rng([0, 0])
    env.unwrapped.simulation.slots["episode"] = -1
    env.reset()
    rewards = [env.step(action)[1] for action in replayed.actions]
    np.testing.assert_array_equal(rewards, replayed.rewards)


def test_a_world_from_a_file(tmp_path, monkeypatch):
    """By its path, from wherever the dataset is read; another world in that file is told."""
    config = WorldConfig(num_viewers=50, num_streamers=40, days=2)
    World.synthetic(config, 7).save(tmp_path / "w.npz")
    monkeypatch.chdir(tmp_path)
    dataset = write_minari(write(tmp_path / "log.parquet", {"world": "w.npz"}), ID)
    monkeypatch.chdir("/")
    env = minari.load_dataset(ID).recover_environment()
    assert env.unwrapped.world.digest == description_of(dataset).world_digest
    World.synthetic(config, 8).save(tmp_path / "w.npz")
    with pytest.raises(ValueError, match="logged in a world of digest"):
        description_of(dataset).make_env(world=tmp_path / "w.npz")


def test_refusals(tmp_path, datasets):
    file = write(tmp_path / "log.parquet", KWARGS)
    with pytest.raises(ValueError, match="Malformed dataset ID"):
        write_minari(file, "no version")
    with pytest.raises(ValueError, match="digest 0000"):
        write_minari(write(tmp_path / "b.parquet", KWARGS, world_digest="0000"), ID)
    data = file.path.read_bytes()
    at = len(data) // 2
    file.path.write_bytes(data[:at] + bytes(b ^ 0xFF for b in data[at : at + 4]) + data[at + 4 :])
    with pytest.raises(ValueError, match=r"log\.parquet is not a file of logged decisions"):
        write_minari(file, ID)
    assert ID not in minari.list_local_datasets()
    assert not list((datasets / "livestream").glob("*logging*"))
    write_minari(write(tmp_path / "log.parquet", KWARGS), ID)
    with pytest.raises(ValueError, match=r"there is a Minari dataset .* already"):
        check_dataset_id(ID)


def test_commands(tmp_path, capsys):
    arguments = ["--env-kwargs", json.dumps(KWARGS), "--minari", ID]
    out = ["--out", str(tmp_path / "a.parquet"), "--steps", "100"]
    assert log_command.main([*out, *arguments]) == 0
    assert f"Minari dataset {ID}: " in capsys.readouterr().out
    with pytest.raises(SystemExit):
        log_command.main([*out, *arguments])
    assert "--minari: there is a Minari dataset" in capsys.readouterr().err
    arguments[-1] = "simulated-v0"
    simulate = ["--viewers", "3", "--days", "1", "--out", str(tmp_path / "logs"), *arguments]
    with pytest.raises(SystemExit):
        simulate_command.main(simulate)
    assert "--minari needs --decisions" in capsys.readouterr().err
    assert simulate_command.main([*simulate, "--decisions", str(tmp_path / "b.parquet")]) == 0
    assert minari.load_dataset("simulated-v0").total_episodes == 3
