"""No finished work is lost to a report: any name, and any scores, are reported."""

import math
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from matplotlib.text import Text

from agents.evaluation import EPISODE_DTYPE
from agents.experiments.runs import CURVE_DTYPE, Result, Run, Settings
from agents.experiments.suites import Suite
from agents.reports.html import figure
from agents.reports.markdown import code, markdown_table, number_text, plain, to_html
from agents.reports.page import comparison_plots, write_csv
from agents.reports.plots import any_glyph
from agents.reports.results import Group, curves_table, run_scores, score_row, scores_table
from agents.reports.summary import summary, summary_sections
from agents.reports.tables import ablation_table, agents_table, ladder_table, mechanism_table

TIMING = {"train_wall_s": 0.0, "train_cpu_s": 0.0, "eval_wall_s": 1.0}
SETTINGS = Settings(eval_episodes=5, curve_episodes=3)
EVIL_NAMES = ["$", "$a$b$", "{x}", "{", "_hidden", "a\\b", "a|b", "``", "`", "a\nb", "x" * 3000,
              "名前", "\u202eabc", "<b>&amp;</b>", "a\x00b", " ", "%s", "\ud800"]  # fmt: skip


def result(rewards: object, curve: object = ()) -> Result:
    rewards = np.asarray(rewards, np.float64)
    episodes = np.zeros(len(rewards), EPISODE_DTYPE)
    episodes["reward"] = episodes["watch_s"] = rewards
    rows = [(100 * k, float(k), reward) for k, reward in enumerate(curve)]  # type: ignore[var-annotated, arg-type]
    return Result(episodes, np.array(rows, CURVE_DTYPE), TIMING)


def text_of(results: dict[Run, Result]) -> str:
    made = summary_sections(Group(results), SETTINGS, {})
    return summary(SETTINGS, made)


def everything(results: dict[Run, Result]) -> str:
    """All that a report makes of results; returns its Markdown."""
    group = Group(results)
    text = text_of(results)
    to_html(text)
    for table in (ladder_table, agents_table, ablation_table):
        assert "nan" not in table(group, group.labels)
    assert "nan" not in mechanism_table({"v0-ladder": group})
    for plot in comparison_plots(group, SETTINGS, "Scores", "Learning"):
        figure(plot.drawing, plot.name, plot.caption)
        with any_glyph():
            plot.drawing.canvas.draw()  # as PNG
    suite = Suite("x", SETTINGS, {}, "x")
    for run, one in results.items():
        score_row(suite, run, one)
    scores_table(results), curves_table(results)
    return text


def rows_of(text: str) -> dict[str, list[str]]:
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()]
    return {row[0]: row[1:] for row in cells if len(row) > 1}


def references(low: object, high: object) -> dict[Run, Result]:
    return {Run("random", 0): result(low), Run("planner", 0): result(high)}


def test_equal_references() -> None:
    days = [1.0, 2, 3, 4, 5]
    text = everything(references(days, days) | {Run("popularity", 0): result([2.0] * 5)})
    assert [rows_of(text)[f"`{name}`"][2] for name in ("random", "popularity")] == ["–", "–"]
    assert "No normalised scores: `random` and `planner` have the same score." in text


@pytest.mark.parametrize(
    ("rewards", "reason"),
    [
        ([1, 2, math.nan, 4, 5], "the reward of 1 of its 5 viewer-days is not finite"),
        ([math.inf, 2, -math.inf, 4, 5], "the reward of 2 of its 5 viewer-days is not finite"),
        ([1.5e308] * 5, "its rewards are too large to be averaged"),
    ],
)
def test_a_score_that_is_not_finite(rewards: list[float], reason: str) -> None:
    others = references([1.0, 2, 3, 4, 5], [2.0, 3, 4, 5, 7])
    text = everything(others | {Run("dqn", 0): result(rewards, rewards)})
    row = rows_of(text)["`dqn`"]
    assert row[1] == row[2] == row[3] == "–"
    assert f"`dqn` has no score: {reason}." in text and "nan" not in text and "inf" not in text
    # The others keep theirs, and none is called better than what has no score.
    assert rows_of(text)["`planner`"][1].startswith("4.20 [")
    assert rows_of(text)["`dqn` − `random`"] == ["–", "–", "–"]
    # References without a score.
    swapped = {Run("random", 0): result(rewards), Run("planner", 0): result([1.0] * 5)}
    assert "No normalised scores: `random` without a score." in everything(swapped)


def test_no_viewer_day_and_one() -> None:
    text = everything(references([], []))
    assert rows_of(text)["`random`"][1] == "–" and "it played no viewer-day" in text
    text = everything(references([1.0], [3.0]))
    assert rows_of(text)["`planner`"][1:3] == ["3.00 [–]", "1.00 [–]"]
    assert "one value leaves nothing to resample" in text
    difference = rows_of(text)["`random` − `planner`"]
    assert difference == ["no difference shown", "−2.00 [–]", "–"]


def test_one_seed_and_no_learner() -> None:
    others = references([1.0, 2, 3, 4, 5], [2.0, 3, 4, 5, 7])
    text = everything(others)
    assert rows_of(text)["`random` − `planner`"][2] == "–" and "for P: neither" in text
    assert "Learners were trained" not in text and "No agent was trained" in text
    assert "the agent is not trained" in text
    one = others | {Run("dqn", 0): result([1.0, 2, 3, 4, 5], [1, 2, 3])}
    text = everything(one)
    assert rows_of(text)["`dqn`"][3] == "2.00 [–]"  # an area without an interval
    assert rows_of(text)["`dqn` − `random`"][2] == "–"
    text = everything(one | {Run("dqn", 1): result([1.0, 2, 3, 4, 6], [1, 2, 3])})
    assert rows_of(text)["`dqn` − `random`"][2].startswith("0.75 [")
    assert "Learners were trained" in text


def test_a_failure_without_words_is_reported() -> None:
    made = summary_sections(Group({}), SETTINGS, {Run("a|`b", 0): " ", Run("dqn", 0): "x\ny$"})
    assert made["Failed runs"] == "- ``a|`b``, seed 0: `no reason given`\n- `dqn`, seed 0: `y$`"


def test_absurd_numbers_are_short() -> None:
    assert number_text(1e300) == "1e+300" and number_text(-2.5e12, "+") == "−2.5e+12"
    assert number_text(math.nan) == number_text(math.inf) == "–"
    assert number_text(123_456.789) == "123456.79"


class Cells(HTMLParser):
    """The text of each cell of a page's tables."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.cells: list[str] = []
        self.inside = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.inside = self.inside or tag in ("td", "th")
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_endtag(self, tag: str) -> None:
        self.inside = self.inside and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.cells[-1] += data


def check_name(name: str) -> None:
    rows = [[code(name), "1.00"], ["`b`", "2.00"]]
    lines = markdown_table(["agent", "reward"], rows)
    assert all(len(line.splitlines()) == 1 for line in lines)
    cells = Cells(to_html("\n".join(lines))).cells
    assert cells == ["agent", "reward", plain(name) or " ", "1.00", "b", "2.00"]
    assert to_html(code(name)).count("<code>") == 1


def test_evil_names() -> None:
    for name in EVIL_NAMES:
        check_name(name)
    days = [1.0, 2, 3, 4, 5]
    evil = {Run(name, seed): result(days, [1, 2, 3]) for name in EVIL_NAMES for seed in range(2)}
    text = everything(references(days, [2.0] * 5) | evil)
    text.encode("utf-8")
    made = comparison_plots(Group(evil), SETTINGS, "Scores", "Learning")
    for plot in made:  # the names are there, as they are
        words = [t.get_text() for t in plot.drawing.findobj(Text)]
        assert {plain(name, 44) for name in EVIL_NAMES} <= set(words), plot.name


def test_scores_of_any_name_are_written(tmp_path: Path) -> None:
    results = {Run(name, 0): result([1.0], [1, 2]) for name in EVIL_NAMES}
    write_csv(scores_table(results), tmp_path / "scores.csv")
    folders = {run.folder(tmp_path).name for run in results}
    assert len(folders) == len(EVIL_NAMES)
    assert all(re.fullmatch(r"[^/\0]+", f) and len(f.encode()) <= 255 for f in folders)


NAMES = st.text(min_size=1, max_size=60) | st.sampled_from(EVIL_NAMES)
FLOATS = st.floats(width=64) | st.floats(-10, 10) | st.sampled_from([0.0, 1.0, math.nan, math.inf])


@given(NAMES)
def test_any_name_is_a_cell(name: str) -> None:
    check_name(name)


@settings(
    max_examples=15,
    suppress_health_check=[HealthCheck.too_slow],
    deadline=None,
    phases=[Phase.explicit, Phase.generate],  # drawing is too slow for shrinking
)
@given(st.data())
def test_any_names_and_scores_are_reported(data: st.DataObject) -> None:
    days = data.draw(st.integers(0, 4))
    names = data.draw(st.lists(NAMES, max_size=2, unique=True))
    results: dict[Run, Result] = {}
    for name in [*names, *data.draw(st.sets(st.sampled_from(["random", "planner"])))]:
        points = data.draw(st.integers(0, 3))
        for seed in range(data.draw(st.integers(1, 3)) if points else 1):
            rewards = data.draw(arrays(np.float64, days, elements=FLOATS))
            curve = data.draw(arrays(np.float64, points, elements=FLOATS))
            results[Run(name, seed)] = result(rewards, curve)
    if results:
        text = everything(results)
        assert not re.search(r"\b(nan|inf)\b", text) or any(
            re.search(r"\b(nan|inf)\b", name) for name in names
        )
        text.encode("utf-8")


def test_scores_of_equal_references_are_empty(tmp_path: Path) -> None:
    suite = Suite("x", SETTINGS, {"random": 1, "planner": 1}, "x")
    for run, one in references([1.0] * 5, [1.0] * 5).items():
        one.save(run.result_path(tmp_path / "x"))
    assert run_scores(tmp_path, [suite])["normalised"].isna().all()
