"""The plumbing of the speed command; how fast things are is for ``make speed`` to say."""

from __future__ import annotations

import json
import time

import pytest

from scripts import measuring, speed, speed_env
from scripts.measuring import Line, Result, fallen, measure, table


def busy(seconds):
    """Steps that take so much processor time each."""

    def play(steps):
        until = time.process_time() + steps * seconds
        while time.process_time() < until:
            pass

    return play


def line(name="line", ours=1e-3, reference=3e-3, **changes):
    values = {
        "name": name, "against": "something slow", "must": 1.0, "goal": None, "steps": 2,
        "make": lambda: (busy(ours), busy(reference)), "items": 1,
    }  # fmt: skip
    return Line(**values | changes)


def result(name, ratio):
    return Result(name, "x", 1.0, ratio, ratio, must=None, goal=None)


def test_ratio_is_reference_over_ours():
    first, second = measure([line(), line("other", 2e-3, 1e-3, items=10)], rounds=3)
    assert first.ratio == pytest.approx(3.0, rel=0.2)
    assert (first.ours_us, first.reference_us) == pytest.approx((1e3, 3e3), rel=0.2)
    assert second.ratio == pytest.approx(0.5, rel=0.2)
    assert second.ours_us == pytest.approx(200.0, rel=0.2)


def test_rounds_are_interleaved_and_the_first_does_not_count():
    played = []

    def noting(name):
        def play(steps):
            played.append((name, steps))
            busy(1e-4)(steps)

        return play

    lines = [line(n, make=lambda n=n: (noting(n), noting(f"against {n}"))) for n in "ab"]
    measure(lines, rounds=2)
    assert played == [("a", 2), ("against a", 2), ("b", 2), ("against b", 2)] * 3


def test_fallen_by_more_than_a_quarter():
    reference = {"a": 4.0, "b": 4.0, "gone": 1.0}
    results = [result("a", 2.99), result("b", 3.01), result("new", 0.1)]
    assert fallen(results, reference) == ["a: 2.99, was 4.00"]


def test_table_has_a_row_per_line():
    rows = table([result("a", 2.5), result("b", 0.125)]).splitlines()
    assert len(rows) == 4 and rows[2].startswith("| a |") and "| 2.50 |" in rows[2]


@pytest.fixture
def quick(monkeypatch):
    """One fast line instead of the environment's, and no core of its own."""
    monkeypatch.setattr(speed_env, "lines", lambda: [line("quick", steps=1)])
    monkeypatch.setattr(speed, "pin_to_one_core", lambda: None)


def test_command_keeps_and_compares_ratios(quick, tmp_path, capsys):
    reference, figures = tmp_path / "reference.json", tmp_path / "figures.json"
    arguments = ["--only", "environment", "--lines-only", "--reference", str(reference)]
    arguments += ["--rounds", "3"]
    assert speed.main([*arguments, "--json", str(figures)]) == 0  # nothing to compare with
    assert json.loads(figures.read_text())["lines"][0]["name"] == "quick"

    reference.write_text('{"other": 1.0}')
    assert speed.main([*arguments, "--update-reference"]) == 0
    kept = json.loads(reference.read_text())
    assert kept["other"] == 1.0 and kept["quick"] == pytest.approx(3.0, rel=0.3)
    assert speed.main(arguments) == 0

    reference.write_text('{"quick": 100.0}')
    assert speed.main(arguments) == 1
    assert "fell by more than a quarter: quick" in capsys.readouterr().out


def test_every_line_of_the_environment_can_be_played():
    for item in speed_env.lines():
        for play in item.make():
            play(2)


def test_reference_has_every_line():
    known = json.loads(speed.REFERENCE.read_text())
    assert {item.name for item in speed_env.lines()} <= set(known)


def test_profile_and_memory():
    profile = speed_env.profile(num_envs=2, rounds=1)
    parts = ("candidates", "response", "dynamics", "observation", "rest")
    assert sum(profile[part] for part in parts) == pytest.approx(profile["step"])
    assert 0 < speed_env.bytes_per_viewer() <= 16 * 1024


@pytest.mark.slow
def test_start_up():
    start = speed_env.start_up()
    assert 0 < start["warm"] < start["cold"]


def test_measures_on_one_core(monkeypatch):
    pinned = []
    monkeypatch.setattr(measuring.os, "sched_getaffinity", lambda pid: {3, 5}, raising=False)
    monkeypatch.setattr(
        measuring.os, "sched_setaffinity", lambda pid, cores: pinned.append(cores), raising=False
    )
    measuring.pin_to_one_core()
    assert pinned == [{5}]
