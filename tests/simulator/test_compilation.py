"""Machine code cached on disk never outlives the sources that it was made from."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from numba.core.caching import NullCache
from numba.core.registry import CPUDispatcher

from livestream_env import reward
from livestream_env.simulator import (
    availability,
    candidates,
    encoding,
    expectation,
    kernel,
    person,
    response,
    rng,
    state,
)
from livestream_env.world import room_index, synthetic

PACKAGE = Path(reward.__file__).parent
ENTRY_POINTS = {"advance", "expected_response"}
RUN = """
import livestream_env
small = {"num_viewers": 20, "num_streamers": 20, "days": 1, "click_bias": 20.0}
env = livestream_env.LiveStreamRecEnv(config=small, num_candidates=4, history_length=1)
env.reset(seed=0)
print(env.step(0)[-1]["watch_s"])
"""


def test_only_entry_points_and_self_contained_files_are_cached():
    modules = (
        availability,
        candidates,
        encoding,
        expectation,
        kernel,
        person,
        response,
        reward,
        rng,
    )
    for module in modules:
        for name, function in vars(module).items():
            if isinstance(function, CPUDispatcher) and function.__module__ == module.__name__:
                cached = not isinstance(function._cache, NullCache)
                assert cached == (name in ENTRY_POINTS), f"{module.__name__}.{name}"
    for module in (room_index, synthetic):
        for function in vars(module).values():
            if isinstance(function, CPUDispatcher):
                assert function.__module__ == module.__name__


def test_digest_follows_every_source(tmp_path, monkeypatch):
    copy = tmp_path / "livestream_env"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(state, "__file__", str(copy / "simulator" / "state.py"))
    digests = [state._digest_of_sources()]
    changed = (
        "observation.py",
        "reward.py",
        "simulator/person.py",
        "simulator/rng.py",
        "world/room_index.py",
        "world/tables.py",
    )
    for name in changed:
        with open(copy / name, "a") as file:
            file.write("\n# changed\n")
        digests.append(state._digest_of_sources())
    assert len(set(digests)) == len(changed) + 1
    assert any(name.startswith("sources_") for name in state._PARAMETER_DTYPE.names)


COMPILERS = {"entry_point", "inlined", "njit", "cached_njit", "intrinsic"}
ROOTS = (PACKAGE, PACKAGE.parent / "agents")


def compiled_functions(tree: ast.Module) -> Iterator[tuple[ast.FunctionDef, bool]]:
    """The functions of a module that are compiled, and whether their machine code is cached."""
    made: dict[str, bool] = {}  # decorators that the module makes itself: whether they cache

    def caches(decorator: ast.expr) -> bool | None:
        """None: does not compile."""
        call = decorator if isinstance(decorator, ast.Call) else None
        name = ast.unparse(call.func if call else decorator)
        if name in made:
            return made[name]
        if name not in COMPILERS:
            return None
        keywords = {k.arg: ast.unparse(k.value) for k in call.keywords} if call else {}
        return name in ("entry_point", "cached_njit") or keywords.get("cache") == "True"

    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            if (cached := caches(node.value)) is not None:
                made[node.targets[0].id] = cached
        elif isinstance(node, ast.FunctionDef):
            found = [c for c in map(caches, node.decorator_list) if c is not None]
            if found:
                yield node, any(found)


def names_in(function: ast.FunctionDef) -> set[str]:
    nodes = (node for statement in function.body for node in ast.walk(statement))
    return {node.id for node in nodes if isinstance(node, ast.Name)}


def origins(tree: ast.Module, package: Path) -> dict[str, Path]:
    """Name → file of this project that it is imported from."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(package.name + "."):
            module = package.parent.joinpath(*(node.module or "").split("."))
            for alias in node.names:
                paths = (
                    module / f"{alias.name}.py",
                    module.with_suffix(".py"),
                    module / "__init__.py",
                )
                found[alias.asname or alias.name] = next(path for path in paths if path.exists())
    return found


def misplaced(path: Path, package: Path, digested: set[Path]) -> list[str]:
    """Compiled functions of a file that could run on after what they depend on has changed."""
    tree = ast.parse(path.read_text())
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    foreign, wrong = origins(tree, package), []
    for function, cached in compiled_functions(tree):
        if not cached and path not in digested:
            continue
        used, pending = set(), [function]
        while pending:  # with the functions of this file that it calls
            names = names_in(pending.pop()) - used
            used |= names
            pending += [functions[name] for name in names if name in functions]
        files = {foreign[name] for name in used if name in foreign}
        named = any(argument.arg == "parameters" for argument in function.args.args)
        if files - digested or (cached and files and not named):
            wrong.append(f"{path.name}: {function.name}")
    return wrong


def test_cached_code_depends_on_nothing_beside_its_file_and_the_digest():
    digested = set(state.compiled_sources())
    count, wrong = 0, []
    for package in ROOTS:
        for path in sorted(package.rglob("*.py")):
            count += sum(cached for _, cached in compiled_functions(ast.parse(path.read_text())))
            wrong += misplaced(path, package, digested)
    assert count > 10 and not wrong, wrong


@pytest.mark.parametrize(
    ("source", "is_wrong"),
    [
        ("@njit(cache=True)\ndef f(x):\n    return mix(x, x)", True),
        ("@njit(cache=True)\ndef f(x):\n    return g(x)\ndef g(x):\n    return mix(x, x)", True),
        ("@entry_point\ndef f(x, parameters):\n    return mix(x, x)", False),
        ("@entry_point\ndef f(x, parameters):\n    return x + check_integer", True),
        ("_jit = njit(cache=True)\n@_jit\ndef f(x):\n    return mix(x, x)", True),
        ("_jit = cached_njit(nogil=True)\n@_jit\ndef f(x):\n    return mix(x, x)", True),
        ("@njit\ndef f(x):\n    return mix(x, x)", False),
    ],
)
def test_such_a_function_is_found(source, is_wrong, tmp_path):
    path = tmp_path / "one.py"
    imports = "from livestream_env.simulator.rng import mix\n"
    imports += "from livestream_env.arguments import check_integer\n"
    path.write_text(imports + source)
    assert bool(misplaced(path, PACKAGE, set(state.compiled_sources()))) == is_wrong


@pytest.mark.slow
def test_a_change_in_another_file_takes_effect(tmp_path):
    copy = tmp_path / "livestream_env"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))

    def run() -> float:
        done = subprocess.run(
            [sys.executable, "-c", RUN],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(tmp_path), "NUMBA_CACHE_DIR": str(tmp_path / "c")},
            check=True,
            capture_output=True,
            text=True,
        )
        return float(done.stdout)

    before = run()
    source = (copy / "simulator" / "response.py").read_text()
    changed = source.replace("        p.watch_bias\n", "        1.0 + p.watch_bias\n")
    assert changed != source
    (copy / "simulator" / "response.py").write_text(changed)
    assert run() == pytest.approx(2.718281828 * before)
