from __future__ import annotations

import math
import warnings

import numpy as np
import pytest

from agents.dqn.diagnostics import Diagnostics
from agents.experiments.runs import DIAGNOSTICS_FILE, Run, Settings, play
from agents.reports.diagnostics import (
    diagnostics_section,
    diagnostics_text,
    draw_diagnostics,
    load_diagnostics,
)


def made(**values):
    rng = np.random.default_rng(0)
    numbers = {
        "q": 12.0, "returns": 10.0, "correlation": 0.5, "slot_spread": 0.8, "horizon": 20.0,
        "undiscounted_horizon": 40.0, "td_fresh": 6.0, "td_replayed": 4.0,
        "calibration": np.tile(np.arange(10.0)[:, None], 2),
        "shares": np.array([0.6, 0.2, 0.1, 0.1, 0.0]),
        "probe": rng.normal(size=(20, 4)).astype(np.float32),
    }  # fmt: skip
    return Diagnostics(**numbers | values)


def test_tables_say_each_number_of_each_agent():
    text = diagnostics_text({"dqn": [made(), made(q=14.0)], "dqn?gamma=0": [made(td_fresh=4.0)]})
    (row,) = (line for line in text.splitlines() if line.startswith("| `dqn` ") and "1.50" in line)
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells == ["`dqn`", "2", "+30 %", "0.50", "0.80", "0 %", "1.50", "20.0", "40.0"]
    assert "| `dqn?gamma=0` |" in text and "60 %" in text and "docs/learning.md" in text


def test_undefined_numbers_are_dashes_and_draw():
    nothing = made(
        td_fresh=math.nan, td_replayed=math.nan, shares=np.full(5, np.nan), returns=0.0,
        calibration=np.full((10, 2), np.nan), q=math.inf,
    )  # fmt: skip
    text = diagnostics_text({"dqn": [nothing]})
    assert "nan" not in text and "inf" not in text
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drawing = draw_diagnostics({"dqn": [nothing], "_a`b": [made()]})
        drawing.canvas.draw()
    assert [text.get_text() for text in drawing.axes[1].get_yticklabels()] == ["_a`b", "dqn"]
    section = diagnostics_section({"dqn": [nothing]})
    assert section.title == "Is the agent learning?" and section.body.count("<svg") == 1


def test_a_played_run_leaves_its_diagnostics(tmp_path, capsys):
    config = {"num_viewers": 60, "num_streamers": 80, "days": 8}
    settings = Settings(
        timesteps=300, eval_episodes=4, curve_points=1, curve_episodes=4,
        env_kwargs={"horizon": "visit", "config": config},
    )  # fmt: skip
    runs = [Run("dqn?num_envs=8&learning_starts=50", seed) for seed in range(2)]
    for run in runs:
        play(run, settings, tmp_path)
    found = load_diagnostics(tmp_path, [*runs, Run("random", 0)])
    assert {agent: len(each) for agent, each in found.items()} == {runs[0].agent: 2}
    assert "%" in diagnostics_text(found)
    (runs[0].folder(tmp_path) / DIAGNOSTICS_FILE).write_text("damaged")
    assert len(load_diagnostics(tmp_path, runs)[runs[0].agent]) == 1
    assert "damaged, left out" in capsys.readouterr().err


@pytest.mark.parametrize("count", [1, 12])
def test_every_agent_has_its_bar(count):
    drawing = draw_diagnostics({f"dqn?n_step={i + 1}": [made()] for i in range(count)})
    assert len(drawing.axes[1].get_yticks()) == count
