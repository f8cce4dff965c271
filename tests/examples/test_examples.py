"""The examples that need no other libraries than the tests do, on a few steps each.

`make examples` runs all of them, with budgets that teach something.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
sys.path.insert(0, str(EXAMPLES))
run = pytest.importorskip("run")
sys.path.remove(str(EXAMPLES))
HERE = [name for name, needs in run.examples().items() if run.satisfied(needs)]


def test_all_examples_but_the_server_say_what_they_need():
    helpers = {"run", "scoring", "serve"}
    assert run.examples().keys() == {path.stem for path in EXAMPLES.glob("*.py")} - helpers


@pytest.mark.parametrize("name", HERE)
def test_an_example_trains_and_prints_its_score(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    monkeypatch.syspath_prepend(EXAMPLES)
    monkeypatch.setattr(sys, "argv", [name, "--timesteps", "1200", "--episodes", "20"])
    runpy.run_path(str(EXAMPLES / f"{name}.py"))
    assert run.SCORE.match(capsys.readouterr().out.splitlines()[-1])


def test_an_example_that_fails_is_reported_and_the_others_run(tmp_path, monkeypatch, capfd):
    for name, code in (("broken", "raise SystemExit(3)"), ("fine", "print('score 2.0, random 1')")):
        (tmp_path / f"{name}.py").write_text(
            f"# /// script\n# dependencies = ['numpy>=2']\n# ///\n{code}\n"
        )
    monkeypatch.setattr(run, "__file__", str(tmp_path / "run.py"))
    monkeypatch.setattr(sys, "argv", ["run.py"])
    assert run.main() == 1
    broken, fine = capfd.readouterr().out.splitlines()[-3:-1]
    assert "failed (3)" in broken and fine.endswith(": score 2.0, random 1")


def test_what_no_environment_has_is_not_satisfied():
    assert run.satisfied({"dependencies": ["numpy", "torch>=2"]})
    assert not run.satisfied({"dependencies": ["numpy<1"]})
    assert not run.satisfied({"dependencies": ["no-such-library"]})
    needs = {"dependencies": ["numpy"], "tool": {"no-deps": ["no-such-library"]}}
    assert not run.satisfied(needs)
