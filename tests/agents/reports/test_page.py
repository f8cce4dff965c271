import dataclasses
import json
import pickle

import numpy as np
import pytest

from agents.experiments.replay import REPLAY_FILE, write_replay
from agents.experiments.runs import CURVE_DTYPE, Result, Run, Settings, play
from agents.experiments.suites import Suite
from agents.reports.page import (
    comparison_page,
    comparison_plots,
    write_benchmark,
    write_comparison,
)
from agents.reports.results import Group, curve_areas
from agents.reports.summary import summary, summary_sections
from agents.reports.viewer_day import read_replay
from agents.rules.oracles import GreedyOracle
from tests.agents.malicious import Bomb, write_malicious_model

SETTINGS = Settings(eval_episodes=8, curve_episodes=4, env_kwargs={"horizon": "visit"})
TIMING = {"train_wall_s": 1.0, "train_cpu_s": 1.0, "eval_wall_s": 1.0}


def result(seed, learns=False):
    episodes = SETTINGS.evaluate(GreedyOracle(), SETTINGS.eval_episodes)
    episodes["reward"] += seed
    rows = [(0, 0.1, 1.0), (100, 0.2, 3.0 + seed)] if learns else []
    return Result(episodes, np.array(rows, CURVE_DTYPE), TIMING)


@pytest.fixture(scope="module")
def results():
    runs = [Run("linucb", 0), Run("linucb", 1), Run("random", 0), Run("greedy-oracle", 0)]
    return {run: result(k, run.agent == "linucb") for k, run in enumerate(runs)}


def store_replay(run, folder):
    given = (SETTINGS.env_id, SETTINGS.env_kwargs, SETTINGS.eval_seed)
    path = run.folder(folder) / REPLAY_FILE
    write_replay(path, run.agent, GreedyOracle(), result(0).episodes, *given)
    return path


def sections_of(results, folder, failed=None):
    group = Group(results)
    text = summary_sections(group, SETTINGS, failed or {})
    plots = comparison_plots(group, SETTINGS, "Scores", "Learning") if results else []
    return text, comparison_page(folder, group, SETTINGS, text, plots)


def test_page_has_the_summary_the_plots_and_a_replay(results, tmp_path):
    store_replay(Run("random", 0), tmp_path)
    text, sections = sections_of(results, tmp_path, {Run("dqn", 0): "why\nbecause <b>"})
    titles = [section.title for section in sections]
    assert titles == ["Scores", "Learning", "linucb against the others, on the same viewer-days",
                      "One viewer-day, twice", "How it was measured", "Failed runs"]  # fmt: skip
    page = "\n".join(section.body for section in sections)
    assert page.count("<svg") == 3 and "because &lt;b&gt;" in page
    # LinUCB has stored no replay: another agent is shown beside the oracle.
    assert '"agent":"random"' in page and '"agent":"greedy-oracle"' in page
    document = summary(SETTINGS, text)
    assert document.startswith("# Comparison") and "P(a seed is better)" in document
    assert '`LiveStreamRec-v0 {"horizon": "visit"}`' in document


def test_page_without_learners_and_without_results(results, tmp_path):
    alone = {run: result for run, result in results.items() if run.agent == "greedy-oracle"}
    _, sections = sections_of(alone, tmp_path)
    assert [section.title for section in sections] == [
        "Scores", "One viewer-day, twice", "How it was measured"]  # fmt: skip
    _, sections = sections_of({}, tmp_path, {Run("random", 0): "why"})
    assert [section.title for section in sections] == ["Failed runs"]


def test_curve_areas_are_per_seed(results):
    assert {name: areas.tolist() for name, areas in curve_areas(results).items()} == {
        "linucb": [[2.0], [2.5]]
    }


def replay_of(results, folder):
    _, sections = sections_of(results, folder)
    return next(section.body for section in sections if section.title == "One viewer-day, twice")


def test_a_run_without_a_replay_leaves_a_note(results, tmp_path):
    alone = {run: result for run, result in results.items() if run == Run("random", 0)}
    assert "There is no replay" in replay_of(alone, tmp_path)
    path = store_replay(Run("random", 0), tmp_path)
    assert '"agent":"random"' in replay_of(alone, tmp_path)
    path.write_text('{"reason": "KeyError: <b>"}')
    assert "KeyError: &lt;b&gt;" in replay_of(alone, tmp_path)


def test_a_played_run_leaves_its_replay_for_the_page(tmp_path):
    run = Run("random", 0)
    settings = dataclasses.replace(SETTINGS, env_kwargs={"horizon": "visit", "num_candidates": 4})
    play(run, settings, tmp_path)
    replay = read_replay(run.folder(tmp_path) / REPLAY_FILE)
    assert list(replay["plays"]) == ["random", "greedy-oracle"]
    rewards = Result.load(run.result_path(tmp_path)).episodes["reward"]
    total = replay["plays"]["random"]["impressions"][-1]["total"]
    assert replay["of"] == len(rewards) and np.isfinite(total)


def _change(replay, *place):
    *way, last, value = place
    for key in way:
        replay = replay[key]
    replay[last] = value


IMPRESSION = ("plays", "random", "impressions", 0)


@pytest.mark.parametrize(
    "place",
    [("day", -1), ("day", True), ("of", "8"), ("plays", {}), ("plays", [1]), ("more", 1),
     ("plays", "random", "tastes", {"games": float("nan")}), ("plays", "random", "viewer", "text"),
     ("plays", "random", "impressions", []), (*IMPRESSION, "shown", 10), (*IMPRESSION, "x", 1),
     (*IMPRESSION, "total", float("inf")), (*IMPRESSION, "cards", 0, {"streamer": 1}),
     (*IMPRESSION, "moment", {"script": 1})],
)  # fmt: skip
def test_a_replay_that_was_changed_is_refused_by_name(results, tmp_path, place):
    path = store_replay(Run("random", 0), tmp_path)
    replay = json.loads(path.read_text())
    _change(replay, *place)
    path.write_text(json.dumps(replay))
    with pytest.raises(ValueError, match=r"replay\.json is not a recording"):
        read_replay(path)


@pytest.mark.parametrize("text", [b"", b"[", b"\xff", b"[" * 100_000, b"null", b"[]"])
def test_a_file_that_is_no_replay_is_refused_by_name(tmp_path, text):
    (tmp_path / "replay.json").write_bytes(text)
    with pytest.raises(ValueError, match=r"replay\.json is not"):
        read_replay(tmp_path / "replay.json")


def test_a_report_over_a_foreign_folder_runs_nothing_of_it(results, tmp_path):
    seeds = {"sb3-dqn": 1, "linucb": 2, "random": 1, "greedy-oracle": 1}
    suite = Suite("v0-agents", SETTINGS, seeds, "v0-agents")
    home, sign = tmp_path / suite.name, tmp_path / "it-ran"
    for run, one in {Run("sb3-dqn", 0): result(0, learns=True), **results}.items():
        one.save(run.result_path(home))
        write_malicious_model(run.folder(home) / "model.zip", sign)
        (run.folder(home) / REPLAY_FILE).write_bytes(pickle.dumps(Bomb(sign)))
    write_comparison(tmp_path, suite, {}, {}, 1.0)
    assert (home / "report.html").exists() and not sign.exists()
    write_benchmark(tmp_path, [suite], "make")
    assert (tmp_path / "report.html").exists() and not sign.exists()
