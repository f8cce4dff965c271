"""Training from the command line."""

import sys
from pathlib import Path

import pytest

from livestream_env import progress
from scripts import log_decisions, train

PLAIN = """
class Plain:
    num_timesteps = 0
    def __init__(self, env, seed): self.env = env
    def predict(self, o, state=None, episode_start=None, deterministic=False):
        return [0] * len(o), state
    def learn(self, total_timesteps, callback=None):
        for self.num_timesteps in range(0, total_timesteps + 1, 100):
            callback(self)
"""


@pytest.mark.parametrize("agent", ["linucb", "plain_agent:Plain"])
def test_a_log_file_gets_lines_with_the_time_left(
    agent: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "plain_agent.py").write_text(PLAIN)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "plain_agent", raising=False)
    monkeypatch.setattr(progress, "FIRST_LINE_S", 0.0)
    monkeypatch.setattr(progress, "LINE_EVERY_S", 0.0)
    arguments = ["--agent", agent, "--timesteps", "1e3", "--eval-episodes", "4"]
    assert train.main([*arguments, "--out", str(tmp_path / "out")]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) > 3 and not any("\r" in line for line in lines)
    assert all(line.startswith(f"{agent}: ") for line in lines)
    assert "of 1,000 steps" in lines[1] and lines[1].endswith(" left")
    assert " steps (100 %) in " in lines[-1] or "(102 %) in" in lines[-1]


@pytest.mark.parametrize(
    "agent",
    [
        "dqn?bcq_threshold=0.1",
        "dqn?config=plain&cql_weight=0.1&bcq_threshold=0.1",
        "agents.dqn.cloning:BehaviourCloning",
    ],
)
def test_offline(agent: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = ["--steps", "400", "--out", str(tmp_path / "d.parquet")]
    assert log_decisions.main(log) == 0
    said = capsys.readouterr().out
    assert "steps in" in said and "MB" in said
    arguments = ["--agent", agent, "--offline", str(tmp_path / "d.parquet"), "--updates", "20"]
    assert train.main([*arguments, "--eval-episodes", "4", "--out", str(tmp_path / "out")]) == 0
    assert "per viewer-day, 4 of them" in capsys.readouterr().out


def test_what_only_logs_have_a_use_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--timesteps", "300", "--out", str(tmp_path / "out")]
    with pytest.raises(SystemExit):
        train.main(["--agent", "dqn?config=plain&cql_weight=0.1", *arguments])
    assert "cql_weight is for learn_offline" in capsys.readouterr().err


def test_offline_refuses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        train.main(["--offline", str(tmp_path / "none.parquet")])
    assert "--offline: " in capsys.readouterr().err
    (tmp_path / "d.parquet").write_text("nothing")
    with pytest.raises(SystemExit):
        train.main(["--offline", str(tmp_path / "d.parquet")])
    assert "d.parquet is not a file of logged decisions" in capsys.readouterr().err
