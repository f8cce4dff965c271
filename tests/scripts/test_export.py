"""Exporting from the command line, from the folder of a run."""

from pathlib import Path

import gymnasium as gym
import pytest

from agents.dqn import DQN
from agents.sb3.dqn import SB3DQN
from scripts import evaluate, export

pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

SESSION = ["--env-id", "LiveStreamRecSession-v0"]


@pytest.mark.parametrize(
    ("agent", "cls"), [("dqn", DQN), pytest.param("sb3-dqn", SB3DQN, marks=pytest.mark.slow)]
)
def test_a_run_is_exported_checked_and_evaluated(
    agent: str, cls: type, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, out = tmp_path / "run", tmp_path / "policy.onnx"
    run.mkdir()
    cls(gym.make("LiveStreamRecSession-v0"), seed=0).save(run / "model")
    (run / "progress.csv").write_text("")
    chosen = ["--agent", agent, "--model", str(run), *SESSION]
    trust = ["--trust-pickle"] if agent != "dqn" else []
    assert export.main([*chosen, *trust, "--out", str(out), "--check", "200"]) == 0
    said = capsys.readouterr().out
    assert f"wrote {out}: " in said and "slots, for LiveStreamRecSession-v0 in world " in said
    assert "equal to the original: the same action in 200 of 200 observations" in said

    few = [*SESSION, "--episodes", "4"]
    assert evaluate.main([*chosen, *trust, "--episodes", "4"]) == 0
    original = capsys.readouterr().out
    onnx = ["--agent", "agents.export:OnnxPolicy", "--model", str(out)]
    assert evaluate.main([*onnx, *few]) == 0
    assert capsys.readouterr().out == original


def test_what_cannot_be_exported_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments, complaint in (
        (["--agent", "popularity"], "policy must be a DQN"),
        (["--agent", "dqn"], "name what it learned with --model"),
        (["--agent", "dqn", "--model", str(tmp_path)], "holds one file called model.*"),
    ):
        with pytest.raises(SystemExit):
            export.main([*arguments, "--out", str(tmp_path / "p.onnx")])
        assert complaint in capsys.readouterr().err
