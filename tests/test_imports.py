"""Imports run one way: downwards by the layers of scripts/architecture.py, and in no circle."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from scripts.architecture import (
    LAYERS,
    ROOT,
    circle,
    part_of,
    read_imports,
    violations,
)


def imports_of(root: Path, sources: dict[str, str]) -> dict[str, frozenset[str]]:
    """The imports of made-up modules, by path."""
    for path, source in sources.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(source, encoding="utf-8")
    return read_imports(root)


def test_no_import_of_the_project_runs_upwards_or_is_forbidden() -> None:
    assert violations(read_imports(ROOT)) == []


def test_no_modules_of_the_project_import_each_other_in_a_circle() -> None:
    assert circle(read_imports(ROOT)) == []


def test_every_module_is_in_one_part() -> None:
    parts = [part for layer in LAYERS for part in layer]
    for module in read_imports(ROOT):
        assert len([part for part in parts if part.holds(module)]) == 1, module


@pytest.mark.parametrize(
    "source",
    [
        "from livestream_env.env import LiveStreamRecEnv",
        "import livestream_env.env",
        "from livestream_env import env",
        "from ..env import LiveStreamRecEnv",
        "from .. import env",
        "def later():\n    from livestream_env.env import LiveStreamRecEnv",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import livestream_env.env as e",
    ],
)
def test_an_upward_import_is_seen_wherever_it_stands(source: str, tmp_path: Path) -> None:
    imports = imports_of(
        tmp_path, {"livestream_env/env.py": "", "livestream_env/world/world.py": source}
    )
    assert violations(imports) == [
        "livestream_env.world.world imports livestream_env.env: world is not above faces"
    ]


@pytest.mark.parametrize(
    ("importer", "source", "complaint"),
    [
        ("agents/sb3/base.py", "import agents.rules.oracles", "sb3 is not above rules"),
        ("agents/dqn/agent.py", "import scripts.train", "dqn is not above scripts"),
        ("livestream_env/world/world.py", "import livestream_env", "world is not above public"),
        (
            "agents/dqn/agent.py",
            "from livestream_env.simulator import kernel",
            "agents may not import livestream_env.simulator",
        ),
        (
            "livestream_env/simulator/kernel.py",
            "import gymnasium as gym",
            "livestream_env.simulator may not import gymnasium",
        ),
    ],
)
def test_what_the_rule_refuses(importer: str, source: str, complaint: str, tmp_path: Path) -> None:
    others = (
        "agents/rules/oracles.py", "scripts/train.py", "livestream_env/__init__.py",
        "livestream_env/simulator/kernel.py",
    )  # fmt: skip
    imports = imports_of(tmp_path, {**dict.fromkeys(others, ""), importer: source})
    (line,) = violations(imports)
    assert line.endswith(f": {complaint}")


def test_a_module_without_a_place_is_named(tmp_path: Path) -> None:
    imports = imports_of(tmp_path, {"livestream_env/odds.py": ""})
    assert part_of("livestream_env.odds") is None
    assert violations(imports) == ["livestream_env.odds is in no layer of scripts/architecture.py"]


def test_a_circle_through_a_lazy_import_is_seen(tmp_path: Path) -> None:
    imports = imports_of(
        tmp_path,
        {
            "agents/dqn/a.py": "from agents.dqn import b",
            "agents/dqn/b.py": "from agents.dqn.c import x",
            "agents/dqn/c.py": "def f():\n    from agents.dqn.a import y",
        },
    )
    found = circle(imports)
    assert found[0] == found[-1] and len(found) == 4
    assert all(after in imports[before] for before, after in itertools.pairwise(found))


def test_a_package_that_its_own_module_imports_is_a_circle(tmp_path: Path) -> None:
    imports = imports_of(
        tmp_path,
        {
            "agents/dqn/__init__.py": "from agents.dqn.a import A",
            "agents/dqn/a.py": "from agents.dqn import A",
        },
    )
    assert sorted(set(circle(imports))) == ["agents.dqn", "agents.dqn.a"]
