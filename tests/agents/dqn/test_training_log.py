from __future__ import annotations

import csv

import numpy as np

from agents.dqn import DQN
from agents.dqn.training_log import EpisodeStatistics, TrainingLog, keep_rows
from tests.agents.small_envs import chain


def test_episode_statistics_by_hand():
    episodes = EpisodeStatistics(3)
    assert all(np.isnan(value) for value in episodes.means().values())
    everyone = np.arange(3)
    episodes.add(everyone, np.array([1.0, 2.0, 3.0]), np.array([False, True, False]))
    assert episodes.means() == {"rollout/ep_rew_mean": 2.0, "rollout/ep_len_mean": 1.0}
    episodes.add(np.array([0, 2]), np.array([10.0, 20.0]), np.array([True, True]))
    means = {"rollout/ep_rew_mean": (2 + 11 + 23) / 3, "rollout/ep_len_mean": 5 / 3}
    assert episodes.means() == means

    copy = EpisodeStatistics(3)
    copy.load_state_dict(episodes.state_dict())
    assert copy.means() == means
    for _ in range(100):  # only the latest hundred count
        episodes.add(np.array([1]), np.array([7.0]), np.array([True]))
    assert episodes.means() == {"rollout/ep_rew_mean": 7.0, "rollout/ep_len_mean": 1.0}


def test_rows_are_written_when_due_and_a_log_is_continued(tmp_path):
    for start in (0, 30):
        with TrainingLog(tmp_path, False, start, start + 30, interval=10) as log:
            for step in range(start + 4, start + 31, 4):
                if log.row_is_due(step):
                    log.write(step, {"rollout/ep_rew_mean": step / 2})
    with open(tmp_path / "progress.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["time/total_timesteps"]) for row in rows] == [12, 24, 42, 54]
    assert [float(row["rollout/ep_rew_mean"]) for row in rows] == [6.0, 12.0, 21.0, 27.0]


def test_nothing_is_written_without_a_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with TrainingLog(None, False, 0, 100, interval=1) as log:
        assert not log.row_is_due(50)
    assert not list(tmp_path.iterdir())


def steps_in(path):
    with open(path, encoding="utf-8") as file:
        return [int(row["time/total_timesteps"]) for row in csv.DictReader(file)]


def steps_on_tensorboard(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder)).Reload()
    return [event.step for event in events.Scalars("train/n_updates")]


def test_a_resumed_log_has_no_rows_of_the_dead_run(tmp_path):
    settings = {"network": "mlp", "learning_starts": 50, "batch_size": 8, "seed": 0}

    def until_killed(agent):
        if agent.num_timesteps == 200:
            agent.save_checkpoint(tmp_path / "run")
        return agent.num_timesteps < 360

    log = {"log_dir": tmp_path / "log", "log_interval": 40}
    DQN(chain(4), "plain", **settings).learn(500, until_killed, **log)
    assert steps_in(tmp_path / "log" / "progress.csv") == list(range(40, 361, 40))
    again = DQN.load_checkpoint(tmp_path / "run", chain(4))
    again.learn(300, log_dir=tmp_path / "log", log_interval=44, reset_num_timesteps=False)
    expected = [40, 80, 120, 160, 200, *range(244, 501, 44)]
    assert steps_in(tmp_path / "log" / "progress.csv") == expected
    assert steps_on_tensorboard(tmp_path / "log") == expected

    # A new training loses nothing of the old one.
    again.learn(100, **log)
    assert steps_in(tmp_path / "log" / "progress.csv") == [40, 80]
    assert steps_on_tensorboard(tmp_path / "log") == [40, 80]
    assert steps_in(tmp_path / "log" / "progress-1.csv") == expected


HEADER = b"time/total_timesteps,x\r\n"


def test_which_rows_are_kept(tmp_path):
    path = tmp_path / "progress.csv"
    rows = {n: b"%d,0.5\r\n" % n for n in (10, 20, 30, 40)}
    for lines, kept in [
        ([rows[10], rows[20], rows[30]], [rows[10], rows[20]]),
        ([rows[10], rows[20]], [rows[10], rows[20]]),
        ([rows[10], b"20,0."], [rows[10]]),  # cut off by the kill
        ([rows[10], b"20\r\n", b"x,1\r\n", b"\r\n", rows[20]], [rows[10], rows[20]]),
        ([rows[10], rows[30], rows[10], rows[20], rows[40]], [rows[10], rows[20]]),
    ]:
        path.write_bytes(HEADER + b"".join(lines))
        keep_rows(path, 25)
        assert path.read_bytes() == HEADER + b"".join(kept)
    assert [file.name for file in tmp_path.iterdir()] == ["progress.csv"]
    for i, content in enumerate([HEADER + rows[30], b"a,b\r\n10,1\r\n"], 1):
        path.write_bytes(content)
        keep_rows(path, 25)
        assert not path.exists() and (tmp_path / f"progress-{i}.csv").read_bytes() == content
    path.write_bytes(HEADER)
    keep_rows(path, 25)
    assert not path.exists() and len(list(tmp_path.iterdir())) == 2
