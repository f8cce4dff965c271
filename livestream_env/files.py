"""Files that are whole or not there: written at one stroke, read with their checksum.

A writer fills a temporary beside its target, which then takes the target's place. It holds a lock
on the temporary, which ends with its process: what is not locked was left by one that was killed,
and the next save of the same target removes it.

Arrays are kept in NumPy's ``.npz`` with one entry more, a checksum of all others, and without
pickles. A reader believes nothing that such a file declares: it allocates by the bytes that are
there, and refuses a file without a checksum or with a wrong one, which also are files from before
there were checksums. A checksum finds damage; it does not tell who wrote a file.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import math
import os
import re
import shutil
import tempfile
import zipfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np

try:
    import fcntl
except ImportError:  # not on Windows: nothing is locked there, and no leftovers are removed
    fcntl = None  # type: ignore[assignment]

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # no space, or a limit
CHECKSUM = "checksum"  # the entry of an .npz that holds it
# An .npz may unpack to 64 MiB, or to so many times its own size: worlds come to less than ten.
_SMALL, _LARGEST_RATIO = 64 << 20, 100


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """A temporary name beside ``path``, which takes its place when the block ends without error.

    Folders are made as needed. The temporary name keeps the suffix, for writers that go by it.

    Raises:
        OSError: The file could not be written, for example to a full disk; it names ``path``, and
            what was there before is there still.
    """
    path = Path(path)
    with _naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(path)
        handle, temporary = _locked_temporary(path)
        try:
            yield temporary
            temporary.chmod(0o644)  # mkstemp's files are private
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
            os.close(handle)


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
    _remove_leftovers(path)
    temporary = Path(tempfile.mkdtemp(*_affixes(path), path.parent))
    handle = os.open(temporary, os.O_RDONLY)
    _lock(handle)
    try:
        made = temporary / "new"
        made.mkdir()
        yield made
        if path.exists():
            path.replace(temporary / "old")
        made.replace(path)
    finally:
        shutil.rmtree(temporary)
        os.close(handle)


def _affixes(path: Path) -> tuple[str, str]:
    """How the names of temporaries for ``path`` end and begin; eight characters are between."""
    return f".tmp{path.suffix}", f".{path.name}."


def _locked_temporary(path: Path) -> tuple[int, Path]:
    """A new file beside ``path``, and the open handle that locks it."""
    while True:
        handle, name = tempfile.mkstemp(*_affixes(path), path.parent)
        if _lock(handle) and os.fstat(handle).st_nlink:
            return handle, Path(name)
        os.close(handle)  # taken for a leftover in the moment before it was locked


def _lock(handle: int) -> bool:
    """Lock an open file or folder; False if another holds it. Some file systems have no locks."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def _remove_leftovers(path: Path) -> None:
    """Remove temporaries for ``path`` whose writers are no more; failing to is no error."""
    end, begin = map(re.escape, _affixes(path))
    pattern = re.compile(f"{begin}[a-z0-9_]{{8}}{end}")
    with contextlib.suppress(OSError):
        for name in os.listdir(path.parent):
            if pattern.fullmatch(name):
                _remove_leftover(path.parent / name)


def _remove_leftover(leftover: Path) -> None:
    with contextlib.suppress(OSError):
        is_folder = leftover.is_dir() and not leftover.is_symlink()
        handle = os.open(leftover, os.O_RDONLY if is_folder else os.O_RDWR | os.O_NOFOLLOW)
        try:
            if fcntl is not None:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)  # an OSError if one writes it
                shutil.rmtree(leftover) if is_folder else leftover.unlink()
        finally:
            os.close(handle)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Have errors of writing name ``path``, not a temporary or nothing.

    Closing a half-written file may raise another error in handling that of the full disk.
    """
    try:
        yield
    except Exception as error:
        cause: BaseException | None = error
        while cause is not None and getattr(cause, "errno", None) not in _FULL:
            cause = cause.__context__
        cause = cause or error
        if not isinstance(cause, OSError) or cause.errno is None:
            raise
        named = None if cause.filename is None else Path(os.fsdecode(cause.filename))
        if named not in (None, path.parent) and not named.name.startswith(f".{path.name}."):
            raise  # of another file, which the block reads, say
        raise OSError(cause.errno, cause.strerror, str(path)) from error


@contextmanager
def reading(path: str | os.PathLike[str], what: str) -> Iterator[Path]:
    """Whatever goes wrong in the block becomes a ``ValueError`` with the path and the reason.

    Args:
        path: The file.
        what: What it should be, with its article: "a world file".

    Raises:
        FileNotFoundError: There is no such file.
        IsADirectoryError: It is a directory.
        OSError: It cannot be read.
        ValueError: It is not what it should be.
    """
    path = Path(path)
    kind = what.partition(" ")[2]
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, f"{path} is a directory, not {what}")
    if not path.exists():
        raise FileNotFoundError(errno.ENOENT, f"there is no {kind} at {path}")
    if not path.is_file():  # a pipe, or a device without an end
        raise ValueError(f"{path} is not {what}: it is no regular file")
    try:
        yield path
    except Exception as error:
        # Seeking to where a damaged file points to is an OSError, too.
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise OSError(error.errno, f"cannot read {path}: {error.strerror}") from error
        reason = str(error)
        if not isinstance(error, (ValueError, zipfile.BadZipFile)):
            reason = f"{type(error).__name__} {reason}"
        raise ValueError(f"{path} is not {what}: {reason[:500]}") from error


def checksum(arrays: Mapping[str, np.ndarray], text: str = "") -> str:
    """SHA-256 over ``text`` and the arrays' names, types, shapes and bytes: 64 hex digits."""
    total = hashlib.sha256(text.encode())
    for name in sorted(arrays):
        array = np.asarray(arrays[name])
        if array.dtype.hasobject:
            raise ValueError(f"{name} holds Python objects, which are not written")
        about = (name, np.lib.format.dtype_to_descr(array.dtype), array.shape)
        total.update(repr(about).encode())
        # Field by field: what lies between the fields of a record need not survive a copy.
        for column in map(array.__getitem__, array.dtype.names or [...]):
            total.update(np.ascontiguousarray(column).reshape(-1).view(np.uint8).data)
    return total.hexdigest()


def verify(found: object, expected: str) -> None:
    """Raise ``ValueError`` unless a file's checksum is ``expected``, what its contents have."""
    if found is None:
        raise ValueError("it has no checksum: write it anew, with this version")
    if found != expected:
        raise ValueError("its contents do not have its checksum: it was damaged or edited")


def write_arrays(path: str | os.PathLike[str], arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays without Python objects to one ``.npz`` with a checksum, whole or not at all."""
    entries = {name: np.asarray(array) for name, array in arrays.items()}
    entries[CHECKSUM] = np.array(checksum(entries))
    # As np.savez_compressed does, at a fifth of its time for some percents more of bytes.
    with (
        atomic_path(Path(path)) as temporary,
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
    ):
        for name, array in entries.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as stream:
                np.lib.format.write_array(stream, array, allow_pickle=False)


def read_arrays(path: str | os.PathLike[str], names: Collection[str]) -> dict[str, np.ndarray]:
    """The arrays that :func:`write_arrays` wrote; to be called within :func:`reading`.

    Raises:
        ValueError: It has not these ``names``, or not their checksum, or unpacks to very much.
        Exception: Whatever ``zipfile`` and NumPy raise for damaged files.
    """
    with zipfile.ZipFile(path) as archive:
        entries = {entry.filename.removesuffix(".npy"): entry for entry in archive.infolist()}
        if missing := [name for name in names if name not in entries]:
            raise ValueError(f"it has no {', '.join(missing)}")
        if foreign := entries.keys() - {*names, CHECKSUM}:
            raise ValueError(f"it holds what does not belong there: {', '.join(sorted(foreign))}")
        size = sum(entry.file_size for entry in entries.values())
        if size > max(_SMALL, _LARGEST_RATIO * os.path.getsize(path)):
            raise ValueError(f"it unpacks to {size:,} bytes, many times its own size")
        arrays = {name: _read_entry(archive, entry) for name, entry in entries.items()}
    found = arrays.pop(CHECKSUM, None)
    verify(None if found is None else str(found), checksum(arrays))
    return arrays


def _read_entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> np.ndarray:
    with archive.open(entry) as stream:
        # Not read(): without a size it unpacks everything first, whatever was declared.
        data = stream.read(entry.file_size)
    return array_from_bytes(data)


def array_to_bytes(array: np.ndarray) -> np.ndarray:
    """Any array without Python objects, structured ones included, as uint8 ``(bytes,)``."""
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return np.frombuffer(buffer.getvalue(), dtype=np.uint8)


def array_from_bytes(data: Any) -> np.ndarray:
    """The inverse of :func:`array_to_bytes`, for any object of bytes; no larger than ``data``.

    Raises:
        ValueError: It is no array, or has another size than its header declares.
    """
    data = memoryview(data).cast("B")
    # The header is within the first 64 KiB of version 1.0, the only one for what is written here.
    header = io.BytesIO(data[: (1 << 16) + 10])
    if np.lib.format.read_magic(header) != (1, 0):
        raise ValueError("an array is not of version 1.0 of NumPy's format")
    shape, by_columns, dtype = np.lib.format.read_array_header_1_0(header)
    if dtype.hasobject:
        raise ValueError("an array holds Python objects, which are not read")
    content = data[header.tell() :]
    if min(shape, default=0) < 0 or math.prod(shape) * dtype.itemsize != len(content):
        raise ValueError(f"an array of {shape} {dtype} does not fit its {len(content):,} bytes")
    order: Literal["F", "C"] = "F" if by_columns else "C"
    return np.ndarray(shape, dtype, content, order=order).copy(order)  # aligned, writeable
