"""The ladder of policies: its table on stdout, how far it is on stderr."""

from __future__ import annotations

import json

import numpy as np
import pytest

from agents.experiments import mechanisms
from livestream_env import progress
from scripts import planning
from tests.helpers import SMALL


@pytest.mark.slow
def test_progress_is_on_stderr_as_lines(monkeypatch, capsys):
    monkeypatch.setattr(planning, "IDS", planning.IDS[:1])
    monkeypatch.setattr(progress, "FIRST_LINE_S", 0.0)
    monkeypatch.setattr(progress, "LINE_EVERY_S", 0.0)
    assert planning.main(["--episodes", "4"]) == 0
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 3 and "\r" not in err
    total = planning.num_episodes(4, 4)
    assert f"LiveStreamRec-v0, farsighted-oracle: {total} of {total} episodes (100 %)" in err


def test_mechanisms_are_a_table_of_each_environment(monkeypatch, capsys):
    monkeypatch.setattr(mechanisms, "PRICES", {name: (0.0, 2.0) for name in mechanisms.PRICES})
    session = planning.IDS[1]
    kwargs = json.dumps({"config": {**SMALL, "return_limit": 2.5}})
    arguments = ["--mechanisms", "--env-id", session, "--env-kwargs", kwargs, "--episodes", "6"]
    assert planning.main(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[1] == session and not lines[-1]
    names = [line.split("|")[1].strip() for line in lines[2:-1]]
    assert names == [row.name for row in mechanisms.ROWS]


def test_a_row_says_its_prices_and_ratios():
    """Prices that are 0 are left out, but for the one that was tuned."""
    harm, bond, *_ = mechanisms.ROWS
    prices = {"weight": 3.0, "bond": 0.0, "breadth": 0.0}
    greedy = np.array([1.0, 2.0, 3.0])
    rows = planning.mechanism_rows(
        [
            mechanisms.Worth(harm, prices, 2 * greedy, greedy),
            mechanisms.Worth(bond, prices, 3 * greedy, greedy),
        ]
    )
    assert [row[1] for row in rows] == ["harm 3", "harm 3, bond 0"]
    assert [row[2].split()[0] for row in rows] == ["4.00", "6.00"]
    assert [row[3:] for row in rows] == [
        ["2.00 [2.00, 2.00]", "–"],
        ["3.00 [3.00, 3.00]", "1.50 [1.50, 1.50]"],
    ]


def test_a_wrong_argument_of_the_environment_is_refused(capsys):
    with pytest.raises(SystemExit):
        planning.main(["--env-kwargs", '{"config": {"return_limits": 2}}'])
    assert "return_limit" in capsys.readouterr().err
