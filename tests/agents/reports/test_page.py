import numpy as np
import pytest

from agents.experiments.runs import CURVE_DTYPE, Result, Run, Settings
from agents.policy import agent_spec
from agents.reports.page import comparison_page, comparison_plots
from agents.reports.results import Group, curve_areas
from agents.reports.summary import summary, summary_sections
from agents.reports.viewer_day import load_agent
from agents.rules.oracles import GreedyOracle

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


def sections_of(results, folder, failed=None):
    group = Group(results)
    text = summary_sections(group, SETTINGS, failed or {})
    plots = comparison_plots(group, SETTINGS, "Scores", "Learning") if results else []
    return text, comparison_page(folder, group, SETTINGS, text, plots)


def test_page_has_the_summary_the_plots_and_a_replay(results, tmp_path):
    text, sections = sections_of(results, tmp_path, {Run("dqn", 0): "why\nbecause <b>"})
    titles = [section.title for section in sections]
    assert titles == ["Scores", "Learning", "linucb against the others, on the same viewer-days",
                      "One viewer-day, twice", "How it was measured", "Failed runs"]  # fmt: skip
    page = "\n".join(section.body for section in sections)
    assert page.count("<svg") == 3 and "because &lt;b&gt;" in page
    # LinUCB cannot be read back from a file: another agent is shown beside the oracle.
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


def test_agents_are_read_back_as_the_run_left_them(tmp_path):
    run = Run("dqn", 0)
    env = SETTINGS.make_env()
    agent = agent_spec("dqn").make(env, seed=7)
    assert load_agent(run, SETTINGS, tmp_path) is None  # nothing there
    run.folder(tmp_path).mkdir(parents=True)
    agent.save(run.folder(tmp_path) / "model")
    observation = env.reset(seed=0)[0][None]
    again = load_agent(run, SETTINGS, tmp_path)
    assert again.predict(observation, deterministic=True)[0] == agent.predict(
        observation, deterministic=True)[0]  # fmt: skip
    assert load_agent(Run("random", 0), SETTINGS, tmp_path) is not None


def test_an_agent_that_cannot_be_played_leaves_a_note(results, tmp_path):
    broken = Run("dqn", 0)
    broken.folder(tmp_path).mkdir(parents=True)
    (broken.folder(tmp_path) / "model.safetensors").write_bytes(b"not a model")
    _, sections = sections_of({**results, broken: result(0)}, tmp_path)
    body = next(section.body for section in sections if section.title == "One viewer-day, twice")
    assert "There is no replay" in body
