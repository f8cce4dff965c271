"""Where the files of a log are: in a folder, in a .zip, or one by itself."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

SUFFIXES = (".csv", ".parquet")
# What unpacks to more than this, and to so many times its size, is no log: those of KuaiLive are
# packed to a fifth. It bounds the time and the memory that a small file can cost.
UNPACKED_BYTES = 1 << 25
UNPACKED_RATIO = 25


@contextmanager
def refusing(where: str, problem: str = "is damaged") -> Iterator[None]:
    """Whatever a decoder raises over what it reads becomes a ValueError that names the file.

    Decoders of .zip, .npy and Parquet meet damage in dozens of places, and raise what happens to
    come up there; none of it says which file it was. A file that may not be opened stays an
    OSError, which does.
    """
    try:
        yield
    except (ValueError, PermissionError, FileNotFoundError, IsADirectoryError) as error:
        if str(where) in str(error):
            raise
        raise ValueError(f"{where} {problem}: {_reason(error)}") from error
    except Exception as error:
        raise ValueError(f"{where} {problem}: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__


def check_unpacked(where: str, unpacked: int, packed: int) -> None:
    """Refuse what would unpack to more bytes than any log of its size.

    Raises:
        ValueError: see :data:`UNPACKED_BYTES`.
    """
    if unpacked > max(UNPACKED_BYTES, UNPACKED_RATIO * packed):
        raise ValueError(
            f"{where} would unpack from {packed:,} to {unpacked:,} bytes, at most "
            f"{UNPACKED_RATIO} times as many are read; unpack it yourself if that is right"
        )


@dataclass(frozen=True)
class LogFile:
    """One file.

    Attributes:
        stem: its name without suffix.
        suffix: ``".csv"``, ``".parquet"``, ...
        where: for messages.
        size: bytes when unpacked.
        open: a binary stream of it; one from a .zip cannot be relied on to seek fast.
        path: on disk; ``None`` inside a .zip.
        passed_over: another file of that stem, which is not read.
    """

    stem: str
    suffix: str
    where: str
    size: int
    open: Callable[[], IO[bytes]]
    path: Path | None = None
    passed_over: str | None = None

    def load(self) -> io.BytesIO:
        """The whole file in memory, for formats that need to seek."""
        with refusing(self.where), self.open() as stream:
            return io.BytesIO(stream.read())


class LogSource:
    """The files of a log, at any depth of a folder or a .zip.

    Args:
        path: the folder or the .zip.
        single_file: the log is one table, so ``path`` may also be that .csv or .parquet itself.

    Raises:
        FileNotFoundError: there is nothing at ``path``.
        ValueError: ``path`` is something else, or a damaged .zip.
    """

    def __init__(self, path: str | os.PathLike[str], single_file: bool = False) -> None:
        self.path = Path(path)
        if not self.path.exists():
            raise FileNotFoundError(f"logs: {self.path} does not exist")
        self._zip: zipfile.ZipFile | None = None
        if self.path.is_dir():
            self._names = [
                file.relative_to(self.path).as_posix()
                for file in sorted(self.path.rglob("*"))
                if file.is_file()
            ]
        elif single_file and self.path.suffix in SUFFIXES and self.path.is_file():
            self._names = [self.path.name]
        elif self.path.suffix == ".zip" and self.path.is_file():
            with refusing(str(self.path), "is not a .zip, or is cut off"):
                self._zip = zipfile.ZipFile(self.path)
            self._names = sorted(n for n in self._zip.namelist() if not n.endswith("/"))
        else:
            raise ValueError(f"logs must be a folder or a .zip, {self.path} is neither")

    def find(self, *stems: str) -> LogFile | None:
        """The table of one of these names nearest to the top; ``.csv`` before ``.parquet``.

        Raises:
            ValueError: several files of that name are equally near.
        """
        if self.path.suffix in SUFFIXES:
            return self._nearest(self._names)  # whatever its name
        wanted = {stem + suffix for stem in stems for suffix in SUFFIXES}
        return self._nearest([n for n in self._visible() if PurePosixPath(n).name in wanted])

    def find_prefix(self, prefix: str, suffixes: tuple[str, ...]) -> LogFile | None:
        """Like :meth:`find`, of the files whose names begin with ``prefix``."""
        names = (PurePosixPath(name) for name in self._visible())
        return self._nearest(
            [str(n) for n in names if n.name.startswith(prefix) and n.suffix in suffixes]
        )

    def listing(self, limit: int = 10) -> str:
        """The names of some files, for messages."""
        names = self._visible()
        more = ["..."] if len(names) > limit else []
        return ", ".join([*names[:limit], *more]) or "no files"

    def _visible(self) -> list[str]:
        """Without what macOS leaves in a .zip: ``__MACOSX/._click.csv``."""
        return [n for n in self._names if not PurePosixPath(n).name.startswith(".")]

    def _nearest(self, names: list[str]) -> LogFile | None:
        if not names:
            return None
        depth = min(name.count("/") for name in names)
        nearest = [PurePosixPath(name) for name in names if name.count("/") == depth]
        if len({name.parent for name in nearest}) > 1:
            raise ValueError(
                f"{self.path} has several files of one name: {', '.join(map(str, nearest))}; "
                "point to the folder that is meant"
            )
        nearest.sort(key=lambda name: (name.suffix, name.name))
        others = [str(name) for name in nearest[1:]]
        return self._file(nearest[0], others[0] if others else None)

    def _file(self, name: PurePosixPath, passed_over: str | None) -> LogFile:
        if self._zip is not None:
            archive, member = self._zip, str(name)
            where, info = f"{self.path}:{name}", archive.getinfo(member)
            check_unpacked(where, info.file_size, info.compress_size)
            return LogFile(
                name.stem,
                name.suffix,
                where,
                info.file_size,
                lambda: archive.open(member),
                passed_over=passed_over,
            )
        path = self.path / name if self.path.is_dir() else self.path
        return LogFile(
            name.stem,
            name.suffix,
            str(path),
            path.stat().st_size,
            lambda: path.open("rb"),
            path,
            passed_over,
        )
