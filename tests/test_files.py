from __future__ import annotations

import errno
import io
import os
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from livestream_env.files import (
    CHECKSUM,
    array_from_bytes,
    array_to_bytes,
    atomic_folder,
    atomic_path,
    read_arrays,
    reading,
    write_arrays,
    write_text,
)


def test_replaces_only_when_all_is_written(tmp_path: Path) -> None:
    path = tmp_path / "new" / "report.txt"
    write_text(path, "first")
    with pytest.raises(RuntimeError), atomic_path(path) as temporary:
        temporary.write_text("half")
        assert path.read_text() == "first" and temporary.suffix == ".txt"
        raise RuntimeError
    assert path.read_text() == "first"
    assert list(path.parent.iterdir()) == [path]
    write_text(path, "second")
    assert path.read_text() == "second"
    assert path.stat().st_mode & 0o777 == 0o644


class TestLeftovers:
    """A killed writer's temporary goes with the next save of the same target, no other."""

    WRITER = (
        "import sys, time; from pathlib import Path\n"
        "from livestream_env.files import atomic_folder, atomic_path\n"
        "with {function}(Path(sys.argv[1])) as temporary:\n"
        "    {write}\n"
        "    print('writing', flush=True); time.sleep(60)\n"
    )

    @pytest.fixture(params=["atomic_path", "atomic_folder"])
    def function(self, request):
        return request.param

    def start(self, function: str, path: Path) -> subprocess.Popen[bytes]:
        """A process in the middle of a save."""
        write = {
            "atomic_path": "temporary.write_text('half')",
            "atomic_folder": "(temporary / 'a').write_text('half')",
        }[function]
        code = self.WRITER.format(function=function, write=write)
        process = subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE)
        assert process.stdout is not None and process.stdout.readline() == b"writing\n"
        return process

    @staticmethod
    def save(function: str, path: Path) -> None:
        if function == "atomic_path":
            write_text(path, "whole")
        else:
            with atomic_folder(path, replaces=("b",)) as folder:
                (folder / "b").write_text("whole")

    def test_of_a_killed_save(self, function, tmp_path):
        path = tmp_path / "some.thing.txt"
        process = self.start(function, path)
        process.kill()
        assert process.wait() == -signal.SIGKILL
        (left,) = tmp_path.iterdir()
        others = [tmp_path / ".some.thing.txt", tmp_path / f".x{left.name}", tmp_path / "a.tmp.txt"]
        for other in others:
            other.write_text("not a temporary of this target")
        self.save(function, path)
        assert sorted(tmp_path.iterdir()) == sorted([path, *others])

    def test_of_a_save_under_way_is_left(self, function, tmp_path):
        path = tmp_path / "thing.txt"
        process = self.start(function, path)
        try:
            self.save(function, path)
            assert len(list(tmp_path.iterdir())) == 2
        finally:
            process.kill()
            process.wait()
        self.save(function, path)
        assert list(tmp_path.iterdir()) == [path]


class TestFullDisk:
    def test_is_an_os_error_with_the_path(self, tmp_path):
        path = tmp_path / "arrays.npz"
        write_arrays(path, {"a": np.zeros(3)})
        before = path.read_bytes()
        # A limit on the size of files is met as a full disk is: in the middle of a write.
        code = (
            "import resource, sys, numpy as np; from livestream_env.files import write_arrays\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n"
            "try: write_arrays(sys.argv[1], {'a': np.random.default_rng(0).random(100_000)})\n"
            "except OSError as error: print(error.errno, error)\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
        )
        assert done.stdout == f"27 [Errno 27] File too large: {str(path)!r}\n", done.stderr
        assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]

    def test_errors_that_closing_adds_and_errors_of_other_files(self, tmp_path):
        def lose() -> None:
            try:
                raise OSError(errno.ENOSPC, "No space left on device")
            finally:
                raise ValueError("cannot close")

        path = tmp_path / "new.txt"
        with pytest.raises(OSError, match=r"No space left.*new\.txt"), atomic_path(path):
            lose()
        with pytest.raises(FileNotFoundError, match=r"absent\.txt"), atomic_path(path):
            (tmp_path / "absent.txt").read_text()
        with pytest.raises(ValueError, match="mine"), atomic_path(path):
            raise ValueError("mine") from FileNotFoundError(errno.ENOENT, "another")
        assert not list(tmp_path.iterdir())

    def test_nowhere_to_write(self, tmp_path):
        (tmp_path / "file").write_text("")
        with pytest.raises(OSError, match=r"file/new\.txt"):
            write_text(tmp_path / "file" / "new.txt", "text")


ARRAYS = {
    "scalar": np.array(2.5),
    "text": np.array("Ä text"),
    "empty": np.zeros((0, 3), np.float32),
    "columns": np.arange(6).reshape(2, 3).T,
    "records": np.ones(3, np.dtype([("a", "i4"), ("b", "f8", (2,))], align=True)),
}
NAMES = tuple(ARRAYS)


class TestArrays:
    @staticmethod
    def read(path: Path, names=NAMES) -> dict[str, np.ndarray]:
        with reading(path, "a test's file"):
            return read_arrays(path, names)

    def refuse(self, path: Path, message: str) -> None:
        with pytest.raises(ValueError, match=message) as caught:
            self.read(path)
        assert f"{path} is not a test's file" in str(caught.value)

    def test_round_trip(self, tmp_path):
        path = tmp_path / "a"
        write_arrays(path, ARRAYS)
        for name, array in self.read(path).items():
            expected = ARRAYS[name]
            assert array.dtype == expected.dtype and array.shape == expected.shape
            assert array.flags.aligned and array.flags.writeable
            np.testing.assert_array_equal(array, expected)
            np.testing.assert_array_equal(array_from_bytes(array_to_bytes(array)), expected)

    def test_what_lies_between_fields_does_not_count(self, tmp_path):
        records = np.frombuffer(bytes(range(72)), ARRAYS["records"].dtype)
        write_arrays(tmp_path / "a", {"r": records})
        np.testing.assert_array_equal(self.read(tmp_path / "a", ["r"])["r"], records)

    def test_names(self, tmp_path):
        path = tmp_path / "a.npz"
        write_arrays(path, {n: a for n, a in ARRAYS.items() if n != "text"})
        self.refuse(path, "it has no text")
        write_arrays(path, {**ARRAYS, "more": np.zeros(1)})
        self.refuse(path, "does not belong there: more")

    def test_checksum(self, tmp_path):
        path = tmp_path / "a.npz"
        np.savez(path, **ARRAYS)
        self.refuse(path, "it has no checksum")
        np.savez(path, **ARRAYS, **{CHECKSUM: np.array("0" * 64)})
        self.refuse(path, "do not have its checksum")

    def test_no_such_file(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=f"no test's file at {tmp_path}/a"):
            self.read(tmp_path / "a")
        with pytest.raises(IsADirectoryError, match=f"{tmp_path} is a directory"):
            self.read(tmp_path)
        os.mkfifo(tmp_path / "pipe")
        self.refuse(tmp_path / "pipe", "no regular file")

    def test_text(self, tmp_path):
        (tmp_path / "a").write_text("Some text, and no arrays.")
        self.refuse(tmp_path / "a", "File is not a zip file")

    def test_declared_shapes_are_not_believed(self, tmp_path):
        for shape in ("(10**15,)", "(1000000000000000,)", "(-1,)", "(True, 3)", "(" * 9000, "None"):
            header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".encode()
            array = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(8)
            with zipfile.ZipFile(tmp_path / "a", "w") as archive:
                for name in ARRAYS:
                    archive.writestr(f"{name}.npy", array)
            self.refuse(tmp_path / "a", "is not a test's file")

    def test_pickles(self, tmp_path):
        np.savez(tmp_path / "a", **{name: np.array([{}]) for name in ARRAYS})
        (tmp_path / "a.npz").rename(tmp_path / "a")
        self.refuse(tmp_path / "a", "holds Python objects")

    @pytest.mark.parametrize("declared", [1 << 30, 100])
    def test_bombs(self, tmp_path, declared):
        with zipfile.ZipFile(tmp_path / "a", "w", zipfile.ZIP_DEFLATED) as archive:
            for name in ARRAYS:
                archive.writestr(f"{name}.npy", bytes(1 << 26))
        data = (tmp_path / "a").read_bytes()
        size = (1 << 26).to_bytes(4, "little")
        (tmp_path / "a").write_bytes(data.replace(size, declared.to_bytes(4, "little")))
        code = (
            "import resource, sys; from livestream_env.files import read_arrays, reading\n"
            "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
            f"names = {list(ARRAYS)}\n"
            "try:\n    with reading(sys.argv[1], 'a file'): read_arrays(sys.argv[1], names)\n"
            "except ValueError: pass\n"
            "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / "a")],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert int(done.stdout) < 20_000  # KiB

    def test_many_small_flips(self, tmp_path):
        write_arrays(tmp_path / "a", ARRAYS)
        whole = (tmp_path / "a").read_bytes()
        rng = np.random.default_rng(0)
        for _ in range(300):
            damaged = bytearray(whole)
            damaged[rng.integers(len(whole))] ^= 1 << rng.integers(8)
            (tmp_path / "a").write_bytes(damaged)
            try:
                loaded = self.read(tmp_path / "a")
            except ValueError:
                continue
            for name, array in ARRAYS.items():
                np.testing.assert_array_equal(loaded[name], array)

    def test_bytes_of_no_array(self):
        for data in (b"", b"no array", array_to_bytes(np.zeros(3)).tobytes()[:-1]):
            with pytest.raises(ValueError):
                array_from_bytes(data)
        buffer = io.BytesIO()
        np.lib.format.write_array(buffer, np.zeros(3), version=(3, 0))
        with pytest.raises(ValueError, match=r"version 1\.0"):
            array_from_bytes(buffer.getvalue())
