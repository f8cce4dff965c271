"""Docstrings as the reference shows them, from the source without importing it (Griffe)."""

from __future__ import annotations

import inspect
import re
from typing import Any

import griffe

# :class:`World` is `World`. (No link: most are to neighbours on the same page.)
_ROLE = re.compile(r":(?:py:)?(?:attr|class|data|func|meth|mod|obj):`~?([^`]+)`")


class Docstrings(griffe.Extension):
    """Writes roles as code, and environments' arguments where a name stands for them."""

    def on_instance(self, *, obj: Any, **kwargs: Any) -> None:
        """Called for each module, class, function and attribute."""
        if obj.docstring is None:
            return
        if "{arguments}" in obj.docstring.value:
            made = griffe.dynamic_import(obj.path)  # its decorator has put them in
            obj.docstring.value = inspect.cleandoc(made.__doc__)
        obj.docstring.value = _ROLE.sub(r"`\1`", obj.docstring.value)
