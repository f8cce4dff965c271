"""Compiled code is kept where that can be, and never fails for it; a person is told of the wait."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numba
import pytest

import livestream_env
from livestream_env import code_cache
from livestream_env.code_cache import cached_njit, compiling

PACKAGE = Path(livestream_env.__file__).parent
COMPILES = pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="nothing is compiled")
pytestmark = COMPILES


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(code_cache, "_said", set())
    return tmp_path


def doubled():
    """A function as a new process has it: not compiled yet."""

    def double(x):
        return 2 * x

    return cached_njit(nogil=True)(double)


def test_it_is_told_once_and_only_if_there_is_no_code_yet(folder, caplog):
    for _ in range(2):  # two processes, the second with a full cache
        double = doubled()
        with compiling("a test for N=1"):
            assert double(2) == double(3) - 2 == 4
    first, second = [record.getMessage() for record in caplog.records]
    assert first.startswith("livestream_env: compiling a test for N=1, for about ten seconds")
    assert "compiled in " in second and f"kept in {folder}" in second


def test_what_nobody_waits_for_is_not_told(folder, caplog):
    assert doubled()(2) == 4
    assert not caplog.records and list(folder.rglob("*.nbc"))


@pytest.mark.parametrize("suffix", ["nbi", "nbc"])
def test_a_damaged_file_of_the_cache_is_written_anew(folder, suffix):
    assert doubled()(2) == 4
    (file,) = folder.rglob(f"*.{suffix}")
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    assert doubled()(2) == 4
    again = doubled()
    assert again(2) == 4 and sum(again.stats.cache_hits.values()) == 1


def test_a_full_disk_costs_the_cache_only(folder, caplog, monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    double = doubled()
    monkeypatch.setattr(double._cache._cache_file, "save", full)
    with compiling("a test"):
        assert double(2) == 4
    text = caplog.text
    assert "No space left on device" in text and "not kept" in text and "NUMBA_CACHE_DIR" in text


def test_where_nothing_can_be_written_it_is_said_once(folder, caplog, monkeypatch):
    def nowhere(function):
        raise RuntimeError("cannot cache function 'double': no locator available for file 'x'")

    monkeypatch.setattr(code_cache, "_Kept", nowhere)
    with compiling("a test"):
        assert [doubled()(2), doubled()(3)] == [4, 6]
    texts = [record.getMessage() for record in caplog.records]
    assert sum("NUMBA_CACHE_DIR" in text for text in texts) == 1
    assert sum("compiling a test" in text for text in texts) == 2
    assert all(record.levelno == logging.WARNING for record in caplog.records)


def test_it_reaches_stderr_of_a_program_that_knows_nothing_of_logging(tmp_path):
    program = (
        "from livestream_env.code_cache import cached_njit, compiling\n"
        "def f(x): return x + 1\n"
        "g = cached_njit()(f)\n"
        "with compiling('f'): print(g(1))\n"
    )
    (tmp_path / "program.py").write_text(program)
    env = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path), "PYTHONPATH": str(PACKAGE.parent)}
    run = [sys.executable, str(tmp_path / "program.py")]
    cold, warm = (
        subprocess.run(run, env=env, check=True, capture_output=True, text=True) for _ in range(2)
    )
    assert cold.stdout == warm.stdout == "2\n" and warm.stderr == ""
    assert [line.split()[1] for line in cold.stderr.splitlines()] == ["compiling", "compiled"]


@pytest.mark.slow
def test_a_read_only_install_without_a_home_imports(request):
    """As another user where we are root, for whom nothing is read-only."""
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    if os.getuid() == 0 and shutil.which("setpriv") is None:
        pytest.skip("root may write everywhere")
    root = Path(tempfile.mkdtemp())  # pytest's own folders are closed to other users
    request.addfinalizer(lambda: shutil.rmtree(root, ignore_errors=True))
    shutil.copytree(PACKAGE, root / "livestream_env", ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run(["chmod", "-R", "a+rX,a-w", str(root)], check=True)
    env = {k: v for k, v in os.environ.items() if not k.startswith(("NUMBA", "XDG"))}
    env |= {"HOME": "/nonexistent", "PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1"}
    program = "import livestream_env as l; print(l.__file__, l.LiveStreamRecEnv)"
    done = subprocess.run(
        [*(nobody if os.getuid() == 0 else []), sys.executable, "-c", program],
        env=env, cwd="/", capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(root))
    assert done.stderr.count("NUMBA_CACHE_DIR") == 1
