"""Machine code that is kept on disk; where nothing can be written, it is made anew each time.

Numba's own ``njit(cache=True)`` fails, at import, where no folder is writable, and fails a call
when the disk is full or a file of its cache is damaged. It also says nothing while it compiles.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, call-overload, misc"
from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

from numba import njit
from numba.core.caching import FunctionCache, NullCache

# Unconfigured, Python's logging writes warnings, and nothing below, to stderr.
_logger = logging.getLogger("livestream_env")
_what: ContextVar[str] = ContextVar("what", default="")
_said: set[str] = set()


def cached_njit(**options: Any) -> Callable[[Any], Any]:
    """``njit(cache=True, **options)``, but it never fails for its cache."""

    def decorate(function: Any) -> Any:
        compiled = njit(**options)(function)
        if hasattr(compiled, "py_func"):  # otherwise Numba is switched off
            try:
                compiled._cache = _Kept(compiled.py_func)
            except (RuntimeError, OSError) as error:
                _warn_once(error)
                compiled._cache = _NotKept()
        return compiled

    return decorate


@contextlib.contextmanager
def compiling(what: str) -> Iterator[None]:
    """Tell, on the logger ``livestream_env``, if a function has to be compiled in this context."""
    token = _what.set(what)
    try:
        yield
    finally:
        _what.reset(token)


class _Told:
    """A cache that tells of a compilation under :func:`compiling`: when it begins, and ends."""

    begun_s: float | None = None
    future: str  # how often it is compiled
    load: Callable[..., Any]
    save: Callable[..., str]  # and what became of it

    def load_overload(self, sig, target_context):
        """As Numba's; ``None``: there is none, so the function is compiled now."""
        code = self.load(sig, target_context)
        if code is None and _what.get():
            self.begun_s = time.monotonic()
            _logger.warning(
                "livestream_env: compiling %s, for about ten seconds; %s", _what.get(), self.future
            )
        return code

    def save_overload(self, sig, data):
        """As Numba's, without its errors: the code is there, kept or not."""
        passed_s = None if self.begun_s is None else time.monotonic() - self.begun_s
        self.begun_s = None
        kept = self.save(sig, data)
        if passed_s is not None:
            _logger.warning("livestream_env: compiled in %.1f s, %s", passed_s, kept)


class _Kept(_Told, FunctionCache):
    future = "once per machine and shape"

    def load(self, sig, target_context):
        try:
            return super(_Told, self).load_overload(sig, target_context)
        except Exception:  # a damaged pickle raises anything; it is written anew
            with contextlib.suppress(OSError):
                self.flush()
            return None

    def save(self, sig, data):
        try:
            super(_Told, self).save_overload(sig, data)
        except OSError as error:
            _warn_once(error)
            return "not kept"
        return f"kept in {self.cache_path}"


class _NotKept(_Told, NullCache):
    future = "in each process anew"

    def load(self, sig, target_context):
        return None

    def save(self, sig, data):
        return "not kept"


def _warn_once(error: Exception) -> None:
    """Say that code is not kept, and what to do; once per process."""
    if not _said:
        _said.add("not kept")
        _logger.warning(
            "livestream_env: compiled code cannot be kept (%s), so each process compiles anew; "
            "set NUMBA_CACHE_DIR to a folder that can be written to",
            str(error).split(":")[0],
        )
