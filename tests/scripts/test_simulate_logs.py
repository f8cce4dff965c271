"""The command: its policies, its refusals, and the sample log that it made."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from livestream_env import progress
from livestream_env.config import SYNTHETIC_WORLDS
from livestream_env.decisions import read_decisions
from livestream_env.logs import read_logs
from scripts.simulate_logs import main

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "data" / "sample_log"
SMALL = {"config": {"num_viewers": 25, "num_streamers": 60, "days": 2, "visits_per_day": 8.0}}
USER_CLASS = """
import numpy as np

class Last:
    '''Shows the last slot.'''
    def __init__(self, env, seed=None):
        assert env.unwrapped.simulation.num_slots == 1 and seed == 4
    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        return np.full(len(observation), 9), state
"""


def run(out: Path, *more: str, kwargs: dict | None = None) -> pd.DataFrame:
    """The sidecar of a small log."""
    arguments = ["--viewers", "20", "--days", "1", "--out", str(out)]
    assert main([*arguments, "--env-kwargs", json.dumps(kwargs or SMALL), *more]) == 0
    return pd.read_parquet(out / "exposure.parquet")


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    return capsys.readouterr().err


class TestPolicies:
    def test_logging_by_default(self, tmp_path, capsys, monkeypatch):
        monkeypatch.setattr(progress, "FIRST_LINE_S", 0.0)
        exposure = run(tmp_path / "log")
        assert exposure["user_id"].nunique() == 20 and exposure["propensity"].notna().all()
        assert "simulate: 20 of 20 viewers (100 %)" in capsys.readouterr().err
        made = json.loads((tmp_path / "log" / "simulation.json").read_text())
        assert made["policy"] == "logging" and made["seed"] == 0 and made["days"] == 1
        assert made["env_kwargs"] == SMALL
        assert made["config"] == {**SYNTHETIC_WORLDS["default"], **SMALL["config"]}
        assert shlex.split(made["command"])[:3] == ["python", "-m", "scripts.simulate_logs"]
        assert made["rows"]["exposure"] == len(exposure)
        read_logs(tmp_path / "log", strict=True)

    def test_random_with_its_propensities(self, tmp_path):
        exposure = run(tmp_path / "log", "--policy", "random")
        candidates = (np.stack(exposure["candidate_live_ids"]) >= 0).sum(axis=1)
        np.testing.assert_allclose(exposure["propensity"], 1 / candidates)

    def test_oracle(self, tmp_path):
        assert run(tmp_path / "log", "--policy", "greedy-oracle")["propensity"].isna().all()

    def test_ones_own(self, tmp_path, monkeypatch):
        (tmp_path / "own_policies.py").write_text(USER_CLASS)
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, "own_policies", raising=False)
        exposure = run(tmp_path / "log", "--policy", "own_policies:Last", "--seed", "4")
        assert set(exposure["slot"]) == {9}

    def test_decisions_beside_the_log(self, tmp_path):
        exposure = run(tmp_path / "log", "--decisions", str(tmp_path / "d.parquet"))
        decisions = read_decisions(tmp_path / "d.parquet")
        shown = decisions.steps[decisions.action_mask[decisions.steps].any(axis=1)]
        assert len(shown) == len(exposure) and decisions.num_episodes == 20
        by_viewer = exposure.sort_values(["user_id", "timestamp"], kind="stable")
        order = np.lexsort((decisions.clock_s[shown], decisions.viewer[shown]))
        np.testing.assert_array_equal(decisions.action[shown][order], by_viewer["slot"])
        chances = decisions.propensity[shown, decisions.action[shown]]
        np.testing.assert_allclose(chances[order], by_viewer["propensity"], rtol=1e-6)
        env = decisions.description.make_env()
        assert env.unwrapped.world.digest == decisions.description.world_digest

    def test_learners_bring_what_they_learned(self, tmp_path, capsys):
        message = refused(capsys, "--policy", "linucb", "--out", str(tmp_path / "log"))
        assert "'linucb' learns" in message and "--model" in message
        assert not list(tmp_path.iterdir())


class TestArguments:
    def test_same_seed_same_log(self, tmp_path):
        first, second, other = (
            run(tmp_path / name, "--seed", seed)
            for name, seed in (("a", "1"), ("b", "1"), ("c", "2"))
        )
        pd.testing.assert_frame_equal(first, second)
        for path in (tmp_path / "a").iterdir():
            if path.name != "simulation.json":
                assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()
        assert first["timestamp"].iloc[0] != other["timestamp"].iloc[0]

    def test_world_seed(self, tmp_path):
        seeded = run(tmp_path / "a", "--world-seed", "3")
        named = run(tmp_path / "b", kwargs={**SMALL, "world_seed": 3})
        pd.testing.assert_frame_equal(seeded, named)
        assert seeded["live_id"].iloc[0] != run(tmp_path / "c")["live_id"].iloc[0]

    def test_all_viewers_by_default(self, tmp_path):
        main(["--days", "1", "--out", str(tmp_path / "log"), "--format", "parquet",
              "--env-kwargs", json.dumps(SMALL)])  # fmt: skip
        assert len(pd.read_parquet(tmp_path / "log" / "user.parquet")) == 25

    def test_overwrite(self, tmp_path, capsys):
        run(tmp_path / "log")
        message = refused(capsys, "--viewers", "20", "--out", str(tmp_path / "log"))
        assert "is not empty" in message and "--overwrite" in message
        run(tmp_path / "log", "--overwrite", "--seed", "9")
        assert json.loads((tmp_path / "log" / "simulation.json").read_text())["seed"] == 9

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (("--viewers", "0"), ["--viewers", "at least 1"]),
            (("--viewers", "26"), ["--viewers must be at most 25", "got 26", '"num_viewers": 26']),
            (("--days", "3"), ["horizon=3 needs a world of 3 days, this has 2"]),
            (("--days", "1.5"), ["--days"]),
            (("--format", "xlsx"), ["--format", "csv", "parquet"]),
            (("--policy", "best"), ["unknown agent 'best'", "logging"]),
            (("--seed", "-1"), ["--seed must be at least 0, got -1"]),
        ],
        ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
    )
    def test_wrong_ones(self, tmp_path, capsys, arguments, words):
        out = ("--out", str(tmp_path / "log"), "--days", "1", "--env-kwargs", json.dumps(SMALL))
        message = refused(capsys, *out, *arguments)
        assert all(word in message for word in words), message
        assert not list(tmp_path.iterdir())

    def test_days_are_the_horizon(self, tmp_path, capsys):
        message = refused(
            capsys, "--out", str(tmp_path / "log"), "--env-kwargs", '{"horizon": "week"}'
        )
        assert "--days" in message


class TestSampleLog:
    @pytest.fixture
    def made(self) -> dict:
        return json.loads((SAMPLE / "simulation.json").read_text())

    def test_small_and_clean(self, made):
        assert sum(path.stat().st_size for path in SAMPLE.iterdir()) < 5_000_000
        logs = read_logs(SAMPLE, strict=True)
        assert logs.days == made["days"] + 1 and len(logs.user) == made["viewers"]
        rows = {name: report.kept for name, report in logs.report.files.items()}
        assert {name: rows[name] for name in made["rows"] if name in rows} == {
            name: count for name, count in made["rows"].items() if name != "exposure"
        }

    def test_is_what_its_command_writes(self, made, tmp_path):
        """``make sample-log`` makes it anew."""
        words = shlex.split(made["command"])[3:]
        makefile = (ROOT / "Makefile").read_text()
        assert all(word in makefile for word in words)
        words[words.index("--out") + 1] = str(tmp_path / "log")
        main(words)
        again = json.loads((tmp_path / "log" / "simulation.json").read_text())
        assert again["rows"] == made["rows"]
        names = {path.name for path in SAMPLE.iterdir()}
        assert names == {path.name for path in (tmp_path / "log").iterdir()}
        for name in names - {"simulation.json"}:
            assert_alike(SAMPLE / name, tmp_path / "log" / name)


def assert_alike(one: Path, other: Path) -> None:
    """The same rows but for the last bits of numbers, in which processors differ.

    Whole numbers, milliseconds for the most part, may then be rounded the other way.
    """
    if one.suffix == ".npy":
        np.testing.assert_allclose(np.load(one), np.load(other), rtol=1e-5, atol=1e-6)
        return
    read = pd.read_parquet if one.suffix == ".parquet" else pd.read_csv
    left, right = read(one), read(other)
    assert left.columns.tolist() == right.columns.tolist() and len(left) == len(right), one.name
    for column in left:
        a, b = left[column], right[column]
        assert a.dtype == b.dtype, column
        if a.dtype.kind in "iu":
            assert (a - b).abs().max() <= 1, column
        elif a.dtype.kind == "f":
            np.testing.assert_allclose(a, b, rtol=1e-6, err_msg=column)
        else:
            assert a.map(repr).equals(b.map(repr)), column
