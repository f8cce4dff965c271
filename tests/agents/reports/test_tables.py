"""Tables from made-up results; what the runs themselves do is tested elsewhere."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from agents.evaluation import EPISODE_DTYPE
from agents.experiments.runs import CURVE_DTYPE, Result, Run
from agents.experiments.suites import Suite, suites
from agents.policy import agent_spec
from agents.reports.page import fill, write_benchmark
from agents.reports.results import groups, run_scores, write_csv
from agents.reports.tables import ORDERS, tables

DAYS = 40
SKILL = {
    "random": 1.0, "popularity": 0.5, "max-ctr": 1.5, "logging": 2.0, "linucb": 3.0, "greedy": 4.0,
    "affinity": 2.2, "static-linear": 2.4, "cover-price": 2.6,
    "farsighted": 4.5, "greedy-oracle": 5.0, "farsighted-oracle": 7.0, "planner": 8.0, "dqn": 6.0,
    "dqn?gamma=0": 4.0, "sb3-dqn-matched": 3.0, "dqn?double=true": 6.0,
}  # fmt: skip

REFERENCE_SCORES = Path(__file__).parents[3] / "data" / "reference_scores.csv"


def made_up(suite: Suite, run: Run) -> Result:
    """A result whose mean reward is the agent's skill, but for a little that is the seed's."""
    episodes = np.zeros(DAYS, EPISODE_DTYPE)
    days = np.linspace(-1, 1, DAYS)  # the same for all: lucrative and meagre days
    episodes["reward"] = SKILL.get(run.agent, 3.5) + days + 0.01 * run.seed
    episodes["watch_s"] = 600 + 60 * days
    episodes["likes"] = np.arange(DAYS) % 3
    steps = suite.settings.timesteps
    rows = [(0, 0.0, 1.0), (steps // 2, 5.0, 3.0), (steps, 10.0, SKILL.get(run.agent, 3.5))]
    curve = np.array(rows if agent_spec(run.agent).learns else [], CURVE_DTYPE)
    return Result(episodes, curve, {"train_wall_s": 11.0, "train_cpu_s": 10.0, "eval_wall_s": 1.0})


def fill_folder(folder: Path, wanted: Callable[[Suite, Run], bool]) -> None:
    for suite in suites():
        for run in filter(lambda run: wanted(suite, run), suite.runs):
            made_up(suite, run).save(run.result_path(folder / suite.name))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("benchmark")
    fill_folder(folder, lambda suite, run: True)
    return folder


def rows_of(table: str) -> dict[str, list[str]]:
    """First cell to the others, of the lines of all tables in the text."""
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    return {row[0]: row[1:] for row in cells if len(row) > 1}


def test_every_table(whole: Path) -> None:
    finished = groups(whole, suites())
    made = tables(finished, suites())
    assert list(made) == ["ladder", "mechanisms", "agents", "ablations", "long", "order"]

    ladder = made["ladder"].split("###")[1]
    assert "LiveStreamRec-v0" in ladder and made["ladder"].count("### ") == 3
    order = [name.strip("`") for name in rows_of(ladder) if name.startswith("`")]
    assert order == sorted(order, key=SKILL.__getitem__)
    assert rows_of(ladder)["`planner`"][1] == "1.00 [1.00, 1.00]"
    assert rows_of(ladder)["`greedy-oracle`"][1].startswith("0.57 ")
    assert rows_of(ladder)["`random`"][2].startswith("10.0 ")  # minutes watched

    mechanisms = rows_of(made["mechanisms"])
    assert mechanisms["all on"][3].startswith("1.60 ") and "no satisfaction" in mechanisms
    agents = rows_of(made["agents"])
    assert list(agents)[2] == "`dqn`" and agents["`dqn`"][0] == "10"
    assert agents["`dqn`"][3].startswith("0.35 ")  # 6.045 between 5 and 8
    assert agents["`sb3-ppo`"][7] == "`dqn` is better"
    assert "too narrow" in made["agents"]
    ablations = rows_of(made["ablations"])
    assert ablations["`dqn?gamma=0`"][5] == "worse"
    assert ablations["`dqn?double=true`"][5] in ("no difference shown", "worse")
    assert "`dqn`, full observation" in ablations
    assert made["long"].count("`dqn`, 3,000,000 steps") == 2
    pairs = [
        pair for name, group in finished.items() for pair in ORDERS.get(name, ())
        if set(pair) <= set(group.labels)
    ]  # fmt: skip
    assert made["order"].count("<") == len(pairs) > 30
    # sb3-dqn-matched < sb3-dqn, and the made-up long runs have three seeds of v0's ten
    assert made["order"].count("**the other way round**") == 2
    assert "not shown" in made["order"]  # full observation scores the same here


def test_tables_of_what_is_finished(tmp_path: Path) -> None:
    assert tables(groups(tmp_path, suites()), suites()) == {}
    fill_folder(tmp_path, lambda suite, run: (suite.name, run.agent) == ("v0-agents", "sb3-ppo"))
    made = tables(groups(tmp_path, suites()), suites())
    assert list(made) == ["mechanisms", "agents"]
    assert rows_of(made["agents"])["`sb3-ppo`"][2] == "–"  # no ladder yet to normalise by


def test_scores_file_grows(tmp_path: Path) -> None:
    fill_folder(tmp_path, lambda suite, run: suite.ladder == "week-ladder" and run.seed == 0)
    before = run_scores(tmp_path, suites())
    assert tuple(before) == tuple(pd.read_csv(REFERENCE_SCORES))
    suite = next(suite for suite in suites() if suite.name == "week-long")
    made_up(suite, Run("dqn", 1)).save(Run("dqn", 1).result_path(tmp_path / suite.name))
    write_csv(run_scores(tmp_path, suites()), tmp_path / "scores.csv")
    table = pd.read_csv(tmp_path / "scores.csv")
    assert len(table) == len(before) + 1
    row = table[(table["suite"] == "week-long") & (table["seed"] == 1)].iloc[0]
    assert row["timesteps"] == 3_000_000 and row["episodes"] == DAYS
    assert row["reward"] == pytest.approx(6.01) and row["normalised"] == pytest.approx(5.01 / 7)
    assert row["area_under_curve"] == pytest.approx((1 + 2 * 3 + 6) / 4)
    assert row["steps_per_cpu_s"] == 300_000
    assert np.isnan(table[table["agent"] == "random"]["train_cpu_s"].iloc[0])


def test_pages(whole: Path, tmp_path: Path) -> None:
    docs = tmp_path / "benchmark.md"
    names = ("ladder", "mechanisms", "agents", "ablations", "long", "order")
    text = "\n".join(f"Words.\n<!-- begin: {n} -->\nbefore\n<!-- end: {n} -->" for n in names)
    docs.write_text(text, encoding="utf-8")
    write_benchmark(whole, suites(), "the command", docs)
    page = docs.read_text(encoding="utf-8")
    assert page.count("Words.") == 6 and "before" not in page and page.count("`the command`") == 6
    assert page.count("`sb3-qrdqn`") == 2  # agents, order
    for image in ("v0-ladder", "week-ladder", "curves", "profile"):
        assert f"images/benchmark-{image}.png" in page
        assert (tmp_path / f"images/benchmark-{image}.png").exists()
    html = (whole / "report.html").read_text(encoding="utf-8")
    for expected in ("Ablations of our DQN", "sb3-maskable-ppo", "section-7"):
        assert expected in html


def test_fill_wants_one_place() -> None:
    page = "a <!-- begin: x --> b <!-- end: x --> c"
    assert fill(page, "x", r"\1") == "a <!-- begin: x -->\n\\1\n<!-- end: x --> c"
    for text in ("nothing", page + page):
        with pytest.raises(ValueError, match="must have one place <!-- begin: x -->"):
            fill(text, "x", "new")
