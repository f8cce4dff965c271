"""Writing files so that a reader never meets half of one."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """A temporary name beside ``path``, which takes its place when the block ends without error.

    Folders are made as needed. The temporary name keeps the suffix, for writers that go by it.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)  # mkstemp's files are private
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    """Write a text file atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


@contextmanager
def atomic_folder(path: str | os.PathLike[str], replaces: Collection[str] = ()) -> Iterator[Path]:
    """A temporary folder beside ``path``, which takes its place when the block ends without error.

    Args:
        path: must not exist or be an empty folder.
        replaces: names of files that it may hold all the same; they go.

    Raises:
        FileExistsError: ``path`` is a file, or holds something else.
    """
    path = Path(path).resolve()
    if path.exists() and not path.is_dir():
        raise FileExistsError(f"{path} is a file, not a folder")
    held = sorted(entry.name for entry in path.iterdir()) if path.exists() else []
    if foreign := [name for name in held if name not in replaces]:
        raise FileExistsError(f"{path} is not empty: it holds {', '.join(foreign[:5])}")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}-"))
    try:
        made = temporary / "new"
        made.mkdir()
        yield made
        if path.exists():
            path.replace(temporary / "old")
        made.replace(path)
    finally:
        shutil.rmtree(temporary)
