"""A bar in a terminal or notebook; elsewhere lines, now and then, with the time that is left."""

from __future__ import annotations

import io
import sys
import types

import pytest

from livestream_env import progress
from livestream_env.progress import Progress, duration


class Clock:
    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


def test_a_log_file_gets_lines_with_an_eta_and_no_carriage_return(clock, capsys):
    with Progress(2000, "simulate", "viewers", initial=1000) as bar:
        for _ in range(90):  # a second and ten viewers each
            clock.now += 1.0
            bar.update(10)
        bar.reach(2000)
    out, err = capsys.readouterr()
    assert out == "" and "\r" not in err
    assert err.splitlines() == [
        "simulate: 1,050 of 2,000 viewers (52 %), about 2 min left",
        "simulate: 1,350 of 2,000 viewers (67 %), about 65 s left",
        "simulate: 1,650 of 2,000 viewers (82 %), about 35 s left",
        "simulate: 2,000 of 2,000 viewers (100 %) in 2 min",
    ]


def test_what_is_short_or_not_shown_writes_nothing(clock, capsys):
    with Progress(10) as bar:
        bar.update(10)
    with Progress(10, show=False) as bar:
        clock.now += 1000.0
        bar.update()
        bar.write("hidden")
    assert capsys.readouterr() == ("", "")


def test_nothing_done_has_no_eta_and_an_own_estimate_counts(clock, capsys):
    with Progress(0, "a") as bar:
        clock.now += 60.0
        bar.update(0)
    with Progress(4, "b", seconds_left=lambda: 7200.0) as bar:
        clock.now += 60.0
        bar.note("best 0.5")
        bar.update(0)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "a: 0 of 0 steps"
    assert lines[2] == "b: 0 of 4 steps (0 %), about 2.0 h left, best 0.5"


def test_counting_from_here():
    bar = Progress(10, show=False)
    bar.update(3)
    show = bar.from_here()
    for done in (1, 4):
        show(done)
        assert bar.n == 3 + done


def test_a_terminal_gets_a_bar(monkeypatch):
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stderr", terminal)
    with Progress(3, "play", "viewers") as bar:
        bar.describe("still")
        bar.reach(3)
        bar.write("a line")
    assert "\r" in terminal.getvalue() and "3/3" in terminal.getvalue()
    assert "still" in terminal.getvalue() and "a line\n" in terminal.getvalue()


def test_a_notebook_gets_its_own_bar(monkeypatch):
    pytest.importorskip("tqdm")
    auto = types.ModuleType("tqdm.auto")
    auto.tqdm = auto.notebook_tqdm = type("NotebookBar", (), {})
    monkeypatch.setitem(sys.modules, "IPython", types.ModuleType("IPython"))
    monkeypatch.setitem(sys.modules, "tqdm.auto", auto)
    assert progress._bar_class() is auto.tqdm


def test_without_stderr_nothing_fails(monkeypatch, clock):
    monkeypatch.setattr(sys, "stderr", None)
    with Progress(3) as bar:
        clock.now += 60.0
        bar.update(3)


@pytest.mark.parametrize(
    ("seconds", "text"), [(-1, "0 s"), (89.4, "89 s"), (90, "2 min"), (9000, "2.5 h")]
)
def test_durations(seconds, text):
    assert duration(seconds) == text
