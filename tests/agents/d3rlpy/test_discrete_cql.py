import numpy as np
import pytest

from livestream_env import LiveStreamRecVectorEnv
from livestream_env.decisions import decision_writer, read_decisions
from livestream_env.simulated_logs.policy import LoggingPolicy
from livestream_env.simulated_logs.recording import describe, log_decisions

pytest.importorskip("d3rlpy")
from agents.d3rlpy.discrete_cql import DiscreteCQL

KWARGS = {"config": {"num_viewers": 50, "num_streamers": 40, "days": 2}}


def test_learns_from_decisions(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    env = LiveStreamRecVectorEnv(4, **KWARGS)
    about = describe(env, "LiveStreamRec-v0", KWARGS, "logging", 0)
    with decision_writer("log.parquet", about) as writer:
        for rows in log_decisions(LoggingPolicy(env, 0), env, 300, 0):
            writer.write(rows)
    decisions = read_decisions("log.parquet")
    single = about.make_env()
    updates = []
    agent = DiscreteCQL(single, seed=0, batch_size=8)
    capsys.readouterr()
    assert agent.learn_offline(decisions, 7, updates.append) is agent
    assert updates == list(range(1, 8)) and not capsys.readouterr().out
    rows = decisions.observations[decisions.steps[:5]]
    actions, state = agent.predict(rows, state="kept", deterministic=True)
    assert actions.shape == (5,) and state == "kept"
    assert agent.predict(rows[0])[0] == actions[0]
    assert [path.name for path in tmp_path.iterdir()] == ["log.parquet"]  # no logs of its own
    again = DiscreteCQL(single, seed=0, batch_size=8).learn_offline(decisions, 7)
    np.testing.assert_array_equal(again.predict(rows)[0], actions)
    with pytest.raises(ValueError, match=r"DiscreteCQL has no setting 'alhpa'.*alpha"):
        DiscreteCQL(single, alhpa=2.0)
