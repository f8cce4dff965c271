from __future__ import annotations

import math
import warnings

import numpy as np
import pytest

from agents.dqn.diagnostics import Diagnostics
from agents.evaluation import EPISODE_DTYPE
from agents.experiments.runs import (
    CURVE_DTYPE,
    DIAGNOSTICS_FILE,
    RESULT_FILE,
    Result,
    Run,
    Settings,
    play,
)
from agents.experiments.suites import Suite
from agents.reports.diagnostics import (
    diagnostics_section,
    diagnostics_text,
    draw_diagnostics,
    load_diagnostics,
)
from agents.reports.page import write_benchmark, write_comparison


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
    assert [text.get_text() for text in drawing.axes[3].get_yticklabels()] == ["dqn", "_a`b"]
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


def test_both_pages_have_the_section(tmp_path):
    suite = Suite("v0-agents", Settings(eval_episodes=4), {"linucb": 2}, "v0-ladder")
    episodes = np.zeros(4, EPISODE_DTYPE)
    timing = {"train_wall_s": 1.0, "train_cpu_s": 1.0, "eval_wall_s": 1.0}
    for run in suite.runs:
        folder = run.folder(tmp_path / suite.name)
        folder.mkdir(parents=True)
        Result(episodes, np.zeros(0, CURVE_DTYPE), timing).save(folder / RESULT_FILE)
        made().save(folder / DIAGNOSTICS_FILE)
    assert "## Is the agent learning?" in write_comparison(tmp_path, suite, {}, {}, 1.0)
    write_benchmark(tmp_path, [suite], "make")
    for page in (tmp_path / suite.name / "report.html", tmp_path / "report.html"):
        text = page.read_text(encoding="utf-8")
        assert text.count(">Is the agent learning?</h2>") == 1
        assert text.count('id="diagnostics"') == 1
    assert (tmp_path / suite.name / "diagnostics.png").exists()


@pytest.mark.parametrize("count", [1, 12])
def test_every_agent_has_its_bar(count):
    drawing = draw_diagnostics({f"dqn?n_step={i + 1}": [made()] for i in range(count)})
    assert len(drawing.axes[1].get_yticks()) == count
