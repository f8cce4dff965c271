"""Docstrings as the reference shows them, from the source without importing it (Griffe)."""

from __future__ import annotations

import inspect
from typing import Any

import griffe

from scripts.site.markdown import plain


class Docstrings(griffe.Extension):
    """Writes roles as code, and environments' arguments where a name stands for them."""

    def on_instance(self, *, obj: Any, **kwargs: Any) -> None:
        """Called for each module, class, function and attribute."""
        if obj.docstring is None:
            return
        if "{arguments}" in obj.docstring.value:
            made = griffe.dynamic_import(obj.path)  # its decorator has put them in
            obj.docstring.value = inspect.cleandoc(made.__doc__)
        obj.docstring.value = plain(obj.docstring.value)
