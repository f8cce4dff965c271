"""The ladder of policies: its table on stdout, how far it is on stderr."""

from __future__ import annotations

import pytest

from livestream_env import progress
from scripts import planning


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
