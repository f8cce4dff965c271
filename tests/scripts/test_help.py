"""``--help`` answers at once: no command line imports what it does not need to list its options."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = sorted(
    path.stem for path in (ROOT / "scripts").glob("*.py") if "def main(" in path.read_text("utf-8")
)
SLOW = ("torch", "numba", "pandas", "stable_baselines3", "matplotlib", "optuna", "scipy", "pyarrow")
HELP = """
import importlib, sys
try:
    importlib.import_module("scripts." + sys.argv[1]).main(["--help"])
except SystemExit as ended:
    assert ended.code == 0, ended.code
print("imported:", *({name.partition(".")[0] for name in sys.modules} & set(sys.argv[2:])))
"""


def test_the_command_lines_are_found() -> None:
    assert {"train", "compare", "tune", "benchmark", "calibrate", "evaluate"} <= set(SCRIPTS)


@pytest.mark.parametrize("name", SCRIPTS)
def test_help_imports_nothing_slow(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", HELP, name, *SLOW], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert f"usage: python -m scripts.{name}" in done.stdout
    assert done.stdout.splitlines()[-1].split() == ["imported:"]
