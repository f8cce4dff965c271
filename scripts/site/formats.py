"""Tables of files' columns, whose meaning is the comment beside each in the source."""

from __future__ import annotations

import inspect
import re
from typing import Any

import numpy as np

from livestream_env.decisions import schema
from livestream_env.decisions.schema import COLUMNS, OBSERVATION, REWARD_FIELDS
from livestream_env.world import tables
from scripts.site.markdown import code, table, write_part

_HEADS = ("column", "type", "meaning")
_COMMENT = re.compile(r'^\s*\(?"(\w+)"[:,].*?#\s*(.+)$', re.MULTILINE)


def write_formats() -> None:
    """Write the parts of the page on files."""
    write_part("reference/decision_columns", decision_columns())
    write_part("reference/world_tables", world_tables())


def decision_columns() -> str:
    """The columns of logged decisions."""
    said = dict(_COMMENT.findall(inspect.getsource(schema)))
    said |= {name: "component of the reward" for name in REWARD_FIELDS}
    rows = [
        (code(name), np.dtype(kind).name + (" per slot" if many else ""), said[name])
        for name, (kind, many) in COLUMNS.items()
    ]
    rows.append((code(OBSERVATION), "float32, one per column of the layout", "what was seen"))
    return table(_HEADS, rows)


def world_tables() -> str:
    """The columns of viewers, streamers and rooms."""
    parts = []
    for name, dtype, source in (
        ("viewers", tables.viewer_dtype(8, 8), inspect.getsource(tables.viewer_dtype)),
        ("streamers", tables.streamer_dtype(8), inspect.getsource(tables.streamer_dtype)),
        ("rooms", tables.ROOM_DTYPE, inspect.getsource(tables).partition("ROOM_DTYPE")[2]),
    ):
        said = dict(_COMMENT.findall(source))
        rows = [
            (code(column), _type(dtype[column]), said.get(column, "")) for column in _names(dtype)
        ]
        parts.append(f"### {name}\n\n" + table(_HEADS, rows))
    return "\n\n".join(parts)


def _names(dtype: np.dtype[Any]) -> tuple[str, ...]:
    return dtype.names or ()


def _type(dtype: np.dtype[Any]) -> str:
    """For example ``float32``, ``float32 (several)``."""
    return dtype.base.name + (" (several)" if dtype.shape else "")
