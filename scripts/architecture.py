"""The packages as a picture, read off the imports; and the rule by which they may import.

    python -m scripts.architecture           # prints the picture
    python -m scripts.architecture --write   # puts it into docs/architecture.md

``LAYERS`` is the one place that says which part of the code may import which. The tests hold the
code against it (tests/test_imports.py) and the page against the code. Every import statement
counts, those within a function or for type checking only, too. What the list of agents names as
text is looked up when it is asked for and does not count, nor do the packages that Python enters on
the way to a module.
"""

from __future__ import annotations

import ast
import graphlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.command_line import described_parser

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "architecture.md"
PACKAGES = ("livestream_env", "agents", "scripts")
BEGIN = "<!-- picture: python -m scripts.architecture --write -->"
END = "<!-- end of picture -->"


@dataclass(frozen=True)
class Part:
    """A package, or modules that belong together, as one box of the picture.

    Attributes:
        name: Of the box.
        modules: Dotted names; a package's stands for all that is in it, except for those of
            ``livestream_env`` and ``agents``, which stand for their ``__init__`` only.
    """

    name: str
    modules: tuple[str, ...]

    def holds(self, module: str) -> bool:
        """Whether ``module`` belongs to this part."""
        return any(
            module == name or (name not in PACKAGES[:2] and module.startswith(f"{name}."))
            for name in self.modules
        )


def _part(name: str, package: str, modules: str) -> Part:
    return Part(name, tuple(f"{package}.{module}" for module in modules.split()))


# From the bottom. A part imports from layers below its own, and not from its neighbours.
LAYERS: tuple[tuple[Part, ...], ...] = (
    (
        _part(
            "names",
            "livestream_env",
            "extras files progress code_cache settings config observation reward",
        ),
    ),
    (_part("world", "livestream_env", "world"),),
    (
        _part("simulator", "livestream_env", "simulator"),
        _part("logs", "livestream_env", "logs"),
        _part("decisions", "livestream_env", "decisions"),
    ),
    (_part("simulation", "livestream_env", "arguments infos simulation"),),
    (_part("rendering", "livestream_env", "rendering"),),
    (
        _part(
            "faces",
            "livestream_env",
            "env vector_env multi_objective registration wrappers sb3_vec_env",
        ),
    ),
    (_part("simulated_logs", "livestream_env", "simulated_logs"),),
    (_part("calibration", "livestream_env", "calibration"),),
    (Part("public", ("livestream_env",)),),
    (Part("shared", ("agents", "agents.policy", "agents.vector", "agents.evaluation")),),
    (_part("dqn", "agents", "dqn"),),
    (
        _part("sb3", "agents", "sb3"),
        _part("d3rlpy", "agents", "d3rlpy"),
        _part("ope", "agents", "ope"),
        _part("rules", "agents", "rules"),
        _part("export", "agents", "export"),
    ),
    (_part("experiments", "agents", "experiments"),),
    (_part("reports", "agents", "reports"),),
    (_part("play", "agents", "play"),),
    (Part("scripts", ("scripts",)),),
)

# What else may not be imported: by this module or package → these, of whatever layer.
FORBIDDEN: dict[str, tuple[str, ...]] = {
    "agents": ("livestream_env.simulator",),  # agents know the environment through Gymnasium
    "livestream_env.logs": ("livestream_env.observation", "livestream_env.reward"),
    "livestream_env.simulator": ("gymnasium",),
    "livestream_env.world": ("gymnasium",),
    "livestream_env": ("torch",),
}

Imports = Mapping[str, frozenset[str]]  # module → the modules that it imports


def read_imports(root: Path, packages: Sequence[str] = PACKAGES) -> dict[str, frozenset[str]]:
    """Each module of ``packages`` in the folder ``root`` → what it imports, others' included."""
    files = {
        ".".join(_parts(path.relative_to(root))): path
        for package in packages
        for path in sorted((root / package).rglob("*.py"))
    }
    return {
        module: frozenset(
            # "from a import b" names a module b, or something in the module a.
            target if target in files else target.rpartition(".")[0] if is_from else target
            for target, is_from in _statements(path, module)
        )
        for module, path in files.items()
    }


def _parts(path: Path) -> tuple[str, ...]:
    return path.parent.parts if path.name == "__init__.py" else path.with_suffix("").parts


def _statements(path: Path, module: str) -> Iterator[tuple[str, bool]]:
    """Dotted names that are imported, and whether by ``from ... import``."""
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, False) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            source = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                source = ".".join([*above, source]).rstrip(".")
            yield from ((f"{source}.{alias.name}", True) for alias in node.names)


def part_of(module: str) -> tuple[int, Part] | None:
    """Layer, from 0 at the bottom, and part of a module of the project; None if it has none."""
    for layer, parts in enumerate(LAYERS):
        for part in parts:
            if part.holds(module):
                return layer, part
    return None


def violations(imports: Imports) -> list[str]:
    """What in ``imports`` is against the rule, a line each; circles aside."""
    lines = []
    for module in sorted(imports):
        here = part_of(module)
        if here is None:
            lines.append(f"{module} is in no layer of scripts/architecture.py")
            continue
        for target in sorted(imports[module]):
            there = part_of(target) if target in imports else None
            if there is not None and there[1] != here[1] and there[0] >= here[0]:
                lines.append(
                    f"{module} imports {target}: {here[1].name} is not above {there[1].name}"
                )
            lines += [
                f"{module} imports {target}: {owner} may not import {barred}"
                for owner, names in FORBIDDEN.items()
                for barred in names
                if _within(module, owner) and _within(target, barred)
            ]
    return lines


def _within(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def circle(imports: Imports) -> list[str]:
    """Modules of which each imports the next and the last is the first; empty if there are none."""
    graph = {module: targets & imports.keys() for module, targets in imports.items()}
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return list(reversed(error.args[1]))
    return []


def part_imports(imports: Imports) -> dict[str, set[str]]:
    """Part → the parts that it imports."""
    graph: dict[str, set[str]] = {part.name: set() for parts in LAYERS for part in parts}
    for module, targets in imports.items():
        here = part_of(module)
        for target in targets & imports.keys():
            there = part_of(target)
            if here and there and here[1] != there[1]:
                graph[here[1].name].add(there[1].name)
    return graph


def _shortened(graph: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """Without the edges that a longer way stands for."""

    def reach(name: str) -> set[str]:
        return set(graph[name]).union(*map(reach, graph[name]))

    return {
        name: {
            target
            for target in targets
            if not any(target in reach(other) for other in targets - {target})
        }
        for name, targets in graph.items()
    }


def picture(imports: Imports) -> str:
    """A Mermaid flowchart of the parts, from the bottom; an arrow leads to who uses a part.

    Raises:
        ValueError: the imports are against the rule: then there is no order to draw.
    """
    against = violations(imports)
    if against:
        raise ValueError("the imports are against the layers:\n" + "\n".join(against))
    lines = ["```mermaid", "flowchart BT"]
    boxes = {part: f'{part.name}["{_label(part)}"]' for parts in LAYERS for part in parts}
    for package in PACKAGES:
        inside = [box for part, box in boxes.items() if part.modules[0].split(".")[0] == package]
        if len(inside) == 1:
            lines.append(f"  {inside[0]}")
            continue
        lines.append(f"  subgraph in_{package}[{package}]")
        lines += [f"    {box}" for box in inside]
        lines.append("  end")
    used = _shortened(part_imports(imports))
    for user in used:
        lines += [f"  {name} --> {user}" for name in used if name in used[user]]
    return "\n".join([*lines, "```"])


def _label(part: Part) -> str:
    if len(part.modules) == 1:
        return part.modules[0].rpartition(".")[2]
    return "<br>".join(name.partition(".")[2] for name in part.modules if "." in name)


def with_picture(page: str, drawn: str) -> str:
    """``page`` with ``drawn`` between its marks.

    Raises:
        ValueError: the page lacks the marks.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page must have the lines {BEGIN!r} and {END!r}")
    return f"{before}{BEGIN}\n{drawn}\n{END}{after}"


def main(argv: Sequence[str] | None = None) -> int:
    """Print or write the picture; returns the exit status."""
    parser = described_parser("scripts.architecture", __doc__)
    parser.add_argument("--write", action="store_true", help="into docs/architecture.md")
    args = parser.parse_args(argv)
    try:
        drawn = picture(read_imports(ROOT))
        if args.write:
            page = with_picture(PAGE.read_text(encoding="utf-8"), drawn)
            PAGE.write_text(page, encoding="utf-8")
        else:
            print(drawn)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
