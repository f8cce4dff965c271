"""Run the examples, each where what it needs is installed.

    python examples/run.py                            # all: `make examples`
    python examples/run.py tianshou_dqn keras_dqn
    python examples/run.py --timesteps 500 --episodes 50

What an example needs stands at its top, as inline script metadata (PEP 723). Where this Python has
it, the example runs here; else in a virtual environment below build/examples, which is made at the
first run. Versions come from constraints.txt, but for those that an example pins itself.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import subprocess
import sys
import time
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
VENVS = ROOT / "build" / "examples"
SCORE = re.compile(r"[\w-]+ -?[\d.]+, random ")  # as scoring.print_scores prints it
BLOCK = re.compile(r"(?m)^# /// script$\n((?:^#.*$\n)+?)^# ///$")


def examples() -> dict[str, dict[str, Any]]:
    """The scripts of this folder that say what they need, by name, with what they say."""
    found = {}
    for path in sorted(Path(__file__).parent.glob("*.py")):
        if block := BLOCK.search(path.read_text(encoding="utf-8")):
            found[path.stem] = tomllib.loads(re.sub(r"(?m)^# ?", "", block[1]))
    return found


def requirements(needs: dict[str, Any]) -> list[Requirement]:
    """All that is to be installed, also what has to be without its dependencies."""
    names = [*needs.get("tool", {}).get("no-deps", []), *needs["dependencies"]]
    return [Requirement(name) for name in names]


def satisfied(needs: dict[str, Any]) -> bool:
    """Whether this Python has what an example needs, its packages' extras not looked at."""
    for requirement in requirements(needs):
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            return False
        if not requirement.specifier.contains(version, prereleases=True):
            return False
    return True


def make_python(needs: dict[str, Any], pip_flags: list[str]) -> Path:
    """The Python of a virtual environment with what an example needs.

    Raises:
        subprocess.CalledProcessError: Something could not be installed.
    """
    listed = requirements(needs)
    own = {canonicalize_name(requirement.name) for requirement in listed}
    pins = [
        line
        for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
        if canonicalize_name(line.partition("==")[0]) not in own
    ]
    home = VENVS / canonicalize_name(listed[0].name)
    python, stamp = home / "bin" / "python", home / "installed"
    wanted = "\n".join([*map(str, listed), *pins])
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return python
    subprocess.run([sys.executable, "-m", "venv", "--clear", home], check=True)
    constraints = home / "constraints.txt"
    constraints.write_text("\n".join(pins), encoding="utf-8")
    pip = [python, "-m", "pip", "install", "--disable-pip-version-check", "-q", *pip_flags]
    project = ["-e", f"{ROOT}[agents,logs]"]
    subprocess.run([*pip, "-c", constraints, *needs["dependencies"], *project], check=True)
    if without := needs.get("tool", {}).get("no-deps"):
        subprocess.run([*pip, "--no-deps", *without], check=True)
    stamp.write_text(wanted, encoding="utf-8")
    return python


def run(python: Path, name: str, options: list[str]) -> str:
    """Run an example; the scores that it printed, or that it failed."""
    command = [python, Path(__file__).with_name(f"{name}.py"), *options]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    ) as process:
        scores = []
        for line in process.stdout or ():
            print(line, end="", flush=True)
            if SCORE.match(line):
                scores.append(line.strip())
    return "; ".join(scores) if process.returncode == 0 else f"failed ({process.returncode})"


def outcome(name: str, needs: dict[str, Any], pip_flags: list[str], options: list[str]) -> str:
    """Run an example where what it needs is installed: library, version, seconds, scores."""
    library = requirements(needs)[0]
    try:
        python = Path(sys.executable) if satisfied(needs) else make_python(needs, pip_flags)
    except subprocess.CalledProcessError as error:
        return f"failed: {error}"
    started, worked = time.perf_counter(), processor_s()
    scores = run(python, name, options)
    seconds, worked = time.perf_counter() - started, processor_s() - worked
    return f"{version_of(python, library)}, {seconds:.0f} s ({worked:.0f} s of processor): {scores}"


def processor_s() -> float:
    """What all processes that were started here, and have ended, have used."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def version_of(python: Path, requirement: Requirement) -> str:
    """A library, and which version of it an environment has."""
    name = requirement.name
    code = f"from importlib.metadata import version; print({name!r}, version({name!r}))"
    return subprocess.run([python, "-c", code], capture_output=True, text=True).stdout.strip()


def main() -> int:
    """Run those that are named, or all."""
    known = examples()
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"default: {' '.join(known)}")
    parser.add_argument("--timesteps", help="to train for; default: what each example says")
    parser.add_argument("--episodes", help="viewer-days to score; default: what each example says")
    parser.add_argument("--pip-flags", default="", help="for pip, as PIP_FLAGS of the Makefile")
    args = parser.parse_args()
    if unknown := [name for name in args.names if name not in known]:
        parser.error(f"no example {unknown[0]!r}: there are {', '.join(known)}")

    options = [
        f"--{option}={value}"
        for option in ("timesteps", "episodes")
        if (value := getattr(args, option)) is not None
    ]
    rows, started = [], time.perf_counter()
    for name in args.names or known:
        needs = known[name]
        print(f"\n== {name}", flush=True)
        rows.append(f"{name:20} {outcome(name, needs, args.pip_flags.split(), options)}")
    minutes, worked = (time.perf_counter() - started) / 60, processor_s() / 60
    print("", *rows, sep="\n")
    print(f"{minutes:.1f} min ({worked:.1f} min of processor), environments made included")
    return any("failed" in row for row in rows)


if __name__ == "__main__":
    sys.exit(main())
