"""Optional dependencies: which extra brings what is missing; names imported when asked for."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from importlib import import_module
from typing import Any

_OURS = ("livestream_env", "agents", "scripts")


class MissingExtraError(ModuleNotFoundError):
    """A module of an extra that is not installed."""


@contextmanager
def needs(extra: str, who: str) -> Iterator[None]:
    """A block whose imports come with ``livestream-env[extra]``.

    Args:
        extra: An entry of ``optional-dependencies`` in ``pyproject.toml``.
        who: What needs them, as the message names it.

    Raises:
        MissingExtraError: One of them is not installed; says how to install it.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        missing = (error.name or str(error)).partition(".")[0]
        if missing in _OURS or isinstance(error, MissingExtraError):
            raise
        raise MissingExtraError(
            f"{who} needs {missing}: pip install 'livestream-env[{extra}]', "
            f"or in a checkout pip install -e '.[{extra}]'",
            name=missing,
        ) from error


def lazy_names(
    package: str, modules: dict[str, str], extra: str | None = None
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """``__getattr__`` and ``__dir__`` of a package whose names are imported when asked for.

    Args:
        package: Its ``__name__``.
        modules: The names, and in which of its modules each is.
        extra: What they need, as :func:`needs` takes it; None: nothing beyond the package.
    """

    def get(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        with needs(extra, package) if extra else nullcontext():
            return getattr(import_module(f"{package}.{modules[name]}"), name)

    return get, lambda: sorted({*vars(sys.modules[package]), *modules})
