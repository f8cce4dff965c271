"""What each command line says of itself."""

from __future__ import annotations

import os
import subprocess
import sys

from scripts.site.markdown import write_part
from scripts.site.places import ROOT


def write_command_lines() -> None:
    """Write the part of the page: each ``--help``."""
    write_part("reference/command_lines", "\n\n".join(map(_section, command_lines())))


def command_lines() -> list[str]:
    """The names of the modules of ``scripts`` that are command lines."""
    files = sorted((ROOT / "scripts").glob("*.py"))
    return [path.stem for path in files if "def main(" in path.read_text(encoding="utf-8")]


def _section(name: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", f"scripts.{name}", "--help"],
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "92"},
        capture_output=True,
        text=True,
        check=True,
    )
    return f"## scripts.{name}\n\n```text\n{done.stdout.strip()}\n```"
