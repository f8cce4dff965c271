"""Links in the pages lead somewhere, and what is written twice is the same."""

import functools
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import livestream_env
from scripts.site.places import ELSEWHERE, TUTORIALS, place_of

ROOT = Path(__file__).resolve().parents[1]
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "data").rglob("*.md")]
CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
NAMED = re.compile(r"`([\w./-]+\.(?:py|csv|md|json))`")
HEADING = re.compile(r"^#+ +(.*)$", re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """The headings of a page as GitHub links to them."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")
        for heading in HEADING.findall(text)
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    for link in LINK.findall(CODE.sub("", page.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_that_a_page_names_exists(page: Path) -> None:
    files = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.split()
    known = {f"/{name}" for name in files} or pytest.skip("not a git checkout")
    for name in NAMED.findall(page.read_text(encoding="utf-8")):
        assert any(path.endswith(f"/{name}") for path in known), name


def commands(page: Path) -> set[tuple[str, str]]:
    """Command line and option of each call in the code of a page."""
    text = re.sub(r"\\\n(?:# )?", " ", page.read_text(encoding="utf-8"))
    calls = re.findall(r"python -m scripts\.(\w+)([^\n`|;]*)", text)
    return {(name, option) for name, rest in calls for option in re.findall(r"--[\w-]+", rest)}


@functools.cache
def help_of(name: str) -> str:
    command = [sys.executable, "-m", f"scripts.{name}", "--help"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(
    "page",
    [*PAGES, *(ROOT / "docs" / "tutorials").glob("*.py")],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_every_option_that_a_page_gives_exists(page: Path) -> None:
    for name, option in commands(page):
        assert re.search(rf"{option}\b", help_of(name)), f"scripts.{name} {option}"


def test_every_command_line_and_package_is_on_the_page_of_the_architecture() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = page.partition("## `scripts`")[2]
    scripts = {
        path.stem
        for path in (ROOT / "scripts").glob("*.py")
        if "def main(" in path.read_text(encoding="utf-8")
    }
    assert scripts <= set(re.findall(r"`(\w+)`", table))
    packages = page.partition("## `agents`")[2].partition("## `scripts`")[0]
    named = set(re.findall(r"`(\w+)`", "".join(re.findall(r"^\* \*\*(.*)\*\*", packages, re.M))))
    agents = {path.stem for path in (ROOT / "agents").glob("[!_]*") if path.name != "__pycache__"}
    assert agents <= named


def test_every_example_is_on_a_page() -> None:
    pages = [ROOT / "docs" / "environments" / "libraries.md", ROOT / "docs" / "architecture.md"]
    named = re.findall(r"`(\w+)(?:\.py)?`", "".join(page.read_text("utf-8") for page in pages))
    assert {path.stem for path in (ROOT / "examples").glob("*.py")} <= set(named)


def test_numbers_of_the_readme_are_those_of_the_results() -> None:
    def rows(page: str) -> dict[str, set[str]]:
        lines = (ROOT / page).read_text(encoding="utf-8").splitlines()
        cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
        return {row[0].partition(":")[0]: set(row[1:]) for row in reversed(cells) if len(row) > 3}

    results = rows("docs/results.md")
    agents = {name: row for name, row in rows("README.md").items() if name.startswith("`")}
    assert {"`dqn`", "`sb3-dqn`", "`random`"} <= set(agents)
    for name, numbers in agents.items():
        assert numbers <= results[name], name


def test_every_page_is_in_the_navigation_of_the_site() -> None:
    listed = re.findall(r"^ +- (?:.*: )?([\w/]+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.M)
    pages = {place_of(page) for page in PAGES if page.parent != ROOT} | set(ELSEWHERE.values())
    pages |= {place_of(page) for page in TUTORIALS.glob("*.py")}
    assert set(listed) == pages and len(listed) == len(pages)


def test_this_version_is_the_same_everywhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert livestream_env.__version__ == project["version"]
    for name in ("reporting.md", "start.md"):
        page = (ROOT / "docs" / name).read_text(encoding="utf-8")
        named = re.findall(r"(?:livestream-env |livestream_env-|version = \{)(\d[\d.]*\d)", page)
        assert named and set(named) == {project["version"]}
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    version, day = re.findall(r"^## \[([\d.]+)\] - ([\d-]+)$", changelog, re.MULTILINE)[0]
    assert version == project["version"]
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"version: {version}\ndate-released: {day}\n" in citation


def test_commit_hooks_and_make_lint_run_the_same_commands() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (recipe,) = re.findall(r"^lint:.*\n((?:\t.*\n)+)", makefile, re.MULTILINE)
    linted = [line.strip().removeprefix("$(BIN)/") for line in recipe.splitlines()]
    hooks = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    entries = re.findall(r"^ +entry: \.venv/bin/(.*)$", hooks, re.MULTILINE)
    assert entries == linted


def test_python_versions_that_are_declared_are_those_that_are_tested() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = re.findall(r":: (3\.\d+)", " ".join(project["classifiers"]))
    for name in ("test.yml", "release.yml"):
        workflow = (ROOT / ".github" / "workflows" / name).read_text(encoding="utf-8")
        (matrix,) = re.findall(r"python-version: \[(.*)\]", workflow)
        assert declared == re.findall(r'"([\d.]+)"', matrix), name
    assert project["requires-python"] == f">={declared[0]}"
