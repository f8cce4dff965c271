"""Settings that check themselves: one declaration per field, with default, bounds and meaning.

A group of settings is a frozen dataclass on :class:`Settings` whose fields are made by
:func:`number`, :func:`integer`, :func:`choice`, :func:`flag`, :func:`text` or :func:`sizes`::

    @dataclass(frozen=True, repr=False)
    class Brewing(Settings):
        cups: int = integer(2, 1, 12, "cups to brew")

``Brewing(cups=0)`` then raises ``ValueError: cups must be an integer in [1, 12], got 0``. The plain
``check_*`` functions do the same for arguments of functions. This module imports nothing of the
project, so that every other may use it.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

# Takes a setting's name and value; returns the value in the field's own type, or raises ValueError.
Check = Callable[[str, Any], Any]


def check_number(
    name: str, value: object, low: float, high: float, *, optional: bool = False
) -> Any:
    """``value`` as a float, or None if that is allowed; ``ValueError`` outside [low, high]."""
    if value is None and optional:
        return None
    if not _is_number(value) or not low <= value <= high:  # type: ignore[operator]
        raise ValueError(f"{name} must be a number {_range(low, high, optional)}, got {value!r}")
    return float(value)  # type: ignore[arg-type]


def check_integer(
    name: str,
    value: object,
    low: int,
    high: float = math.inf,
    *,
    optional: bool = False,
    whole_floats: bool = False,
) -> Any:
    """``value`` as an int, or None if that is allowed; ``ValueError`` outside [low, high].

    Floats without a fraction, as JSON and tuners write large integers, pass with ``whole_floats``.
    """
    if value is None and optional:
        return None
    number = _is_number(value) if whole_floats else _is_integer(value)
    if not number or not low <= value <= high or value % 1 != 0:  # type: ignore[operator]
        raise ValueError(f"{name} must be an integer {_range(low, high, optional)}, got {value!r}")
    return int(value)  # type: ignore[call-overload]


def check_choice(
    name: str, value: object, valid: Collection[str], *, optional: bool = False
) -> Any:
    """``value``, or ``ValueError`` unless it is one of ``valid`` (or None, if that is allowed)."""
    if value is None and optional:
        return None
    if not isinstance(value, str) or value not in valid:
        none = " or None" if optional else ""
        raise ValueError(f"{name} must be one of {list(valid)}{none}, got {value!r}")
    return value


def check_flag(name: str, value: object) -> bool:
    """``value`` as a bool; ``ValueError`` unless it is True or False."""
    if not isinstance(value, (bool, np.bool_)):
        raise ValueError(f"{name} must be True or False, got {value!r}")
    return bool(value)


def check_text(name: str, value: object) -> str:
    """``value``; ``ValueError`` unless it is a string."""
    if not isinstance(value, str):
        raise ValueError(f"{name} must be a string, got {value!r}")
    return value


def check_sizes(name: str, value: object) -> tuple[int, ...]:
    """``value`` as a tuple; ``ValueError`` unless it is one or more integers of at least 1."""
    whole = isinstance(value, (list, tuple)) and all(map(_is_integer, value))
    if not whole or not value or min(value) < 1:  # type: ignore[call-overload]
        raise ValueError(f"{name} must be one or more integers of at least 1, got {value!r}")
    return tuple(int(size) for size in value)  # type: ignore[attr-defined]


def check_names(
    given: Iterable[str],
    valid: Collection[str],
    refusal: str,
    error: type[Exception] = ValueError,
) -> None:
    """Raise ``error`` for the first of ``given`` names that is not ``valid``.

    Args:
        given: names to check.
        valid: names that exist.
        refusal: how the message begins, up to the name: "config has no parameter".
        error: what to raise.
    """
    for name in given:
        if name not in valid:
            raise error(f"{refusal} {name!r}{hint(name, valid)}; valid are {', '.join(valid)}")


def hint(name: object, valid: Iterable[str]) -> str:
    """The valid name that a mistyped one is most like, as " (did you mean 'this'?)", or ""."""
    near = difflib.get_close_matches(str(name), list(valid), 1)
    return f" (did you mean {near[0]!r}?)" if near else ""


def _is_integer(value: object) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    return _is_integer(value) or isinstance(value, (float, np.floating))


def _range(low: float, high: float, optional: bool) -> str:
    """As "in [1, 1e+06]" or "of at least 1"; bounds are short where that loses no digit."""
    low_text, high_text = (
        f"{bound:g}" if float(f"{bound:g}") == bound else str(bound) for bound in (low, high)
    )
    bounds = f"of at least {low_text}" if high == math.inf else f"in [{low_text}, {high_text}]"
    return bounds + (" or None" if optional else "")


def setting(default: Any, check: Check, doc: str, **metadata: Any) -> Any:
    """A field whose values pass through ``check``; ``metadata`` goes beside its ``doc``."""
    return dataclasses.field(default=default, metadata={"check": check, "doc": doc, **metadata})


def number(default: float | None, low: float, high: float, doc: str) -> Any:
    """A float in [low, high]; may be None if that is its default."""

    def check(name: str, value: object) -> Any:
        return check_number(name, value, low, high, optional=default is None)

    return setting(default, check, doc, low=low, high=high)


def integer(
    default: int | None, low: int, high: int, doc: str, *, whole_floats: bool = True
) -> Any:
    """An int in [low, high]; may be None if that is its default."""

    def check(name: str, value: object) -> Any:
        return check_integer(
            name, value, low, high, optional=default is None, whole_floats=whole_floats
        )

    return setting(default, check, doc, low=low, high=high)


def choice(default: str | None, choices: tuple[str, ...], doc: str) -> Any:
    """One of ``choices``; may be None if that is its default."""

    def check(name: str, value: object) -> Any:
        return check_choice(name, value, choices, optional=default is None)

    return setting(default, check, doc, choices=choices)


def flag(default: bool, doc: str) -> Any:
    """True or False."""
    return setting(default, check_flag, doc)


def text(default: str, doc: str) -> Any:
    """Any string."""
    return setting(default, check_text, doc)


def sizes(default: tuple[int, ...], doc: str) -> Any:
    """One or more integers of at least 1, as a tuple."""
    return setting(default, check_sizes, doc)


@dataclass(frozen=True, repr=False)
class Settings:
    """Base of a frozen dataclass whose fields are settings.

    Raises:
        ValueError: a value of the wrong type or outside its range, or an unknown choice.
        TypeError: a setting that the group has not.
    """

    # How messages call a setting of the group, and how they begin for a name that it has not.
    _label = "{name}"
    _refusal = "unknown field"

    def __new__(cls, *args: Any, **values: Any) -> Self:
        """Refuse names that there are not, before Python does it without a suggestion."""
        check_names(values, cls.names(), cls._refusal, TypeError)
        return super().__new__(cls)

    def __post_init__(self) -> None:
        """Check each value, and bring it to its field's own type."""
        for spec in dataclasses.fields(self):
            label = self._label.format(name=spec.name)
            value = spec.metadata["check"](label, getattr(self, spec.name))
            object.__setattr__(self, spec.name, value)

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """The settings' names, in order."""
        return tuple(spec.name for spec in dataclasses.fields(cls))

    @classmethod
    def bounds(cls) -> dict[str, tuple[float, float]]:
        """Name → lowest and highest valid value, of those that are numbers."""
        specs = [spec for spec in dataclasses.fields(cls) if "low" in spec.metadata]
        return {spec.name: (spec.metadata["low"], spec.metadata["high"]) for spec in specs}

    def replace(self, values: Mapping[str, Any]) -> Self:
        """A copy with ``values`` changed; unknown names raise ``ValueError``."""
        check_names(values, self.names(), self._refusal)
        return dataclasses.replace(self, **values)

    def to_dict(self) -> dict[str, Any]:
        """Name → value."""
        return {name: getattr(self, name) for name in self.names()}

    def changes(self) -> dict[str, Any]:
        """Name → value of the settings that are not at their default."""
        default = {spec.name: spec.default for spec in dataclasses.fields(self)}
        return {name: value for name, value in self.to_dict().items() if value != default[name]}

    def __repr__(self) -> str:
        """One line, of what is not at its default."""
        changes = (f"{name}={value!r}" for name, value in self.changes().items())
        return f"{type(self).__name__}({', '.join(changes)})"
