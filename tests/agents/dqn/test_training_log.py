from __future__ import annotations

import csv

import numpy as np

from agents.dqn.training_log import EpisodeStatistics, TrainingLog


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
