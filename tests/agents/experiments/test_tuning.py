import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import pandas as pd
import pytest

from agents.evaluation import EVALUATION_SEED
from agents.experiments.runs import Run
from agents.experiments.tuning import (
    SCORING_EPISODES,
    SCORING_SEED,
    SPACES,
    TRAINING_SEED,
    Search,
    finished,
    trials_table,
    write_table,
)
from agents.policy import agent_spec
from agents.sb3.tuned_settings import TUNED
from scripts import tune

DATA = Path(__file__).parents[3] / "data"


@pytest.fixture
def rate_is_score(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """A score that needs no training; returns the settings that were scored."""
    scored: list[dict[str, Any]] = []

    def score(self: Search, settings: dict[str, Any], callback: Callable | None = None) -> float:
        scored.append(settings)
        if len(scored) == 3:
            raise ValueError("diverged")
        return float(settings["learning_rate"])

    monkeypatch.setattr(Search, "score", score)
    return scored


@pytest.mark.parametrize("agent", list(SPACES))
def test_spaces_hold_their_defaults_and_name_arguments(agent: str) -> None:
    space = SPACES[agent]
    assert set(space.defaults) == set(space.distributions)
    for name, distribution in space.distributions.items():
        assert distribution._contains(distribution.to_internal_repr(space.defaults[name])), name
    env = gym.make("LiveStreamRec-v0")
    small = {} if agent in ("dqn", "sb3-ppo") else {"buffer_size": 10}
    agent_spec(agent).make(env, seed=0, **small, **space.settings(space.defaults))


def test_defaults_are_the_librarys() -> None:
    env = gym.make("LiveStreamRec-v0")
    for agent in ("sb3-dqn", "sb3-ppo", "sb3-qrdqn"):
        model = agent_spec(agent).make(env, seed=0, tuned=False).model  # type: ignore[attr-defined]
        library = inspect.signature(type(model)).parameters
        for name, value in SPACES[agent].defaults.items():
            if name in library and (agent, name) != ("sb3-ppo", "n_steps"):
                assert library[name].default == value, (agent, name)


@pytest.mark.parametrize("agent", ["sb3-dqn", "sb3-ppo", "sb3-qrdqn"])
def test_tuned_settings_are_those_of_the_best_trial(agent: str) -> None:
    table = pd.read_csv(DATA / "tuning.csv")
    trials = table[table["agent"] == agent]
    assert trials["trial"].tolist() == list(range(10))
    best = trials.loc[trials["score"].idxmax()]
    space = SPACES[agent]
    expected = space.settings({name: best[name] for name in space.defaults})
    chosen = {**space.settings(space.defaults), **TUNED[agent]}
    assert set(chosen) == set(expected)
    for name, value in expected.items():  # rounded in the code
        assert chosen[name] == (value if isinstance(value, str) else pytest.approx(value, rel=0.02))


def test_viewers_of_the_search_are_no_ones_else() -> None:
    slots = max(SCORING_EPISODES, 10_000)
    others = [Run("dqn", 0).env_seed, EVALUATION_SEED]
    for seed in (TRAINING_SEED, SCORING_SEED):
        assert all(abs(seed - other) > slots for other in others)
    assert abs(TRAINING_SEED - SCORING_SEED) > slots


def test_search_begins_with_the_defaults_and_resumes(
    rate_is_score: list[dict[str, Any]], tmp_path: Path
) -> None:
    search = Search("sb3-ppo", timesteps=10)
    for _ in range(8):
        search.run_trial(tmp_path / "whole")
    space = SPACES["sb3-ppo"]
    assert rate_is_score[0] == space.settings(space.defaults)
    whole = [trial.params for trial in finished(search.study(tmp_path / "whole"))]
    assert len(whole) == 8

    del rate_is_score[:]
    for _ in range(4):
        search.run_trial(tmp_path / "parts")
    study = search.study(tmp_path / "parts")
    study.ask(dict(space.distributions))  # interrupted: neither counted nor in the way
    for _ in range(4):
        search.run_trial(tmp_path / "parts")
    assert [trial.params for trial in finished(search.study(tmp_path / "parts"))] == whole


def test_command_writes_a_table_and_goes_on(
    rate_is_score: list[dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["--timesteps", "10", "--out", str(tmp_path), "--agent", "dqn", "sb3-ppo"]
    assert tune.main([*command, "--trials", "2"]) == 0
    assert tune.main([*command, "--trials", "4"]) == 0
    assert len(rate_is_score) == 8
    table = pd.read_csv(tmp_path / "trials.csv")
    assert table.groupby("agent")["trial"].apply(list).to_dict() == {
        "dqn": [0, 1, 2, 3],
        "sb3-ppo": [0, 1, 2, 3],
    }
    assert set(table) >= set(SPACES["dqn"].defaults) | set(SPACES["sb3-ppo"].defaults)
    assert table["score"].isna().sum() == 1  # the one that diverged
    rest = table.dropna(subset="score")
    assert rest["score"].to_numpy() == pytest.approx(rest["learning_rate"], abs=1e-3)
    assert "sb3-ppo" in capsys.readouterr().out


def test_a_trial_trains_and_scores(tmp_path: Path) -> None:
    search = Search("sb3-ppo", timesteps=64)
    seen: list[int] = []
    trial = search.run_trial(tmp_path, callback=lambda agent: seen.append(agent.num_timesteps))
    assert seen[-1] == 2048  # one rollout
    assert trial.value is not None and 0 < trial.value < 20
    assert trial.user_attrs["cpu_s"] > 0
    write_table(trials_table(tmp_path), tmp_path / "table.csv")
    assert len(pd.read_csv(tmp_path / "table.csv")) == 1


def test_unknown_agent() -> None:
    with pytest.raises(ValueError, match="agent must be one of dqn"):
        Search("random")


def test_a_search_is_checked_before_it_begins(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ["--agent", "dqn", "--out", str(tmp_path / "out")]
    with pytest.raises(SystemExit, match="2"):
        tune.main([*command, "--env-id", "LiveStreamRec-v9"])
    assert "cannot make LiveStreamRec-v9" in capsys.readouterr().err
    monkeypatch.setattr(Search, "make", lambda *_: agent_spec("dqn?doubel=1").make(None, 0))  # type: ignore[arg-type]
    with pytest.raises(SystemExit, match="2"):
        tune.main(command)
    assert "did you mean 'double'?" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
