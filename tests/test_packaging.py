"""The wheel, as a stranger meets it: installed where there is no checkout."""

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
EPISODE = """
import sys
import gymnasium as gym
import livestream_env

assert "site-packages" in livestream_env.__file__, livestream_env.__file__
env = gym.make("LiveStreamRec-v0")
observation, info = env.reset(seed=0)
done = False
while not done:
    observation, reward, terminated, truncated, info = env.step(int(info["action_mask"].argmax()))
    done = terminated or truncated
assert terminated and env.observation_space.contains(observation)
absent = {"torch", "pandas", "agents", "scripts"} & set(sys.modules)
assert not absent, absent
"""


def run(*command: object, cwd: Path, **env: str) -> None:
    """Run a command away from the checkout; fail with its output."""
    kept = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=kept | env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "pip", "wheel", ROOT, "-w", out, "-q", "--no-deps",
        "--no-build-isolation", "--disable-pip-version-check", cwd=out)  # fmt: skip
    (path,) = out.glob("*.whl")
    return path


def test_wheel_holds_only_the_environment(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0].split("-")[0] for name in names} == {"livestream_env"}
    assert "livestream_env/py.typed" in names
    assert not [name for name in names if name.endswith((".pyc", ".nbi", ".nbc"))]
    sources = {str(path.relative_to(ROOT)) for path in (ROOT / "livestream_env").rglob("*.py")}
    assert sources <= set(names)


def test_links_of_the_readme_lead_somewhere_on_pypi(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as files:
        (name,) = (name for name in files.namelist() if name.endswith("METADATA"))
        page = files.read(name).decode()
    readme = (ROOT / "README.md").read_text("utf-8")
    expected = re.findall(r"\]\(([^)]*)\)", readme)
    links = re.findall(r"\]\(([^)]*)\)", page)
    assert len(links) == len(expected) > 0
    version = re.findall(r"^Version: (.*)$", page, re.MULTILINE)[0]
    for link, path in zip(links, expected, strict=True):
        if link != path:
            kind = "raw" if path.endswith((".gif", ".png")) else "blob"
            path = f"https://github.com/livestreamrec/livestreamrec/{kind}/v{version}/{path}"
        assert link == path and link.startswith("https://")


def test_episode_in_an_empty_environment(wheel: Path, tmp_path: Path) -> None:
    """Nothing but the wheel and what it declares to need."""
    run(sys.executable, "-m", "venv", "--without-pip", "fresh", cwd=tmp_path)
    python = tmp_path / "fresh" / "bin" / "python"
    run(sys.executable, "-m", "pip", "--python", python, "install", wheel, "-q", "--no-compile",
        "-c", ROOT / "constraints.txt", "--disable-pip-version-check", cwd=tmp_path)  # fmt: skip
    run(python, "-c", EPISODE, cwd=tmp_path)
