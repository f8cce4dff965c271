"""The command that measures files of decisions, on few of them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from scripts import speed_decisions


@pytest.mark.parametrize(("most_gib", "status"), [(1_000.0, 0), (0.0, 1)])
def test_measures_and_judges(most_gib, status, monkeypatch, capsys):
    monkeypatch.setattr(speed_decisions, "MOST_GIB", most_gib)
    monkeypatch.setattr(speed_decisions, "LOGGED_STEPS", 60)
    monkeypatch.setattr(
        speed_decisions, "ProcessPoolExecutor", lambda workers, context: ThreadPoolExecutor(workers)
    )
    assert speed_decisions.main(["--steps", "150"]) == status
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    assert "150 steps" in rows[0]
    assert [row.split(" | ")[0].strip("| ") for row in rows[1:]] == list(speed_decisions.PARTS)
