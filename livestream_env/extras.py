"""Optional dependencies: which extra of the package brings what is missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

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
