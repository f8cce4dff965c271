"""Reading logged decisions: all at once, or part by part in bounded memory."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from livestream_env.decisions.decisions import Decisions
from livestream_env.decisions.description import Description
from livestream_env.decisions.observations import Observations
from livestream_env.decisions.schema import (
    COLUMNS,
    NO_ACTION,
    OBSERVATION,
    REWARD_FIELDS,
    Rows,
    arrow_schema,
    check_rows,
    from_arrow,
    row_bytes,
    shape_of,
)
from livestream_env.decisions.writing import DESCRIPTION, TOTALS
from livestream_env.files import reading
from livestream_env.progress import Progress
from livestream_env.settings import check_integer

WHAT = "a file of logged decisions"
# A file may unpack to 64 MiB, or to so many times its own size: real ones come to ten.
_SMALL, _LARGEST_RATIO = 64 << 20, 1_000


class DecisionFile:
    """A file of logged decisions, of which only the footer has been read.

    Args:
        path: of ``scripts.log_decisions`` or ``scripts.simulate_logs --decisions``.

    Attributes:
        description: where the decisions come from.
        num_rows: R, observations.
        num_steps: T, decisions.
        num_episodes: E.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is damaged, or something else; the message has the path and the reason.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        if self.path.is_dir():
            raise ValueError(f"{self.path} is not {WHAT}: {_folder(self.path)}")
        with reading(path, WHAT), self._open() as file:
            schema = file.schema_arrow
            stored = (file.metadata.metadata or {}).get(DESCRIPTION)
            if stored is None:
                names = ", ".join(schema.names[:8])
                raise ValueError(
                    f"it does not describe itself; its columns are {names}. {NO_SLATE}"
                )
            self.description = Description.from_json(stored)
            size, actions = self.description.observation_size, self.description.num_actions
            expected = arrow_schema(actions, size)
            if not schema.remove_metadata().equals(expected):
                raise ValueError(f"its columns must be {expected}, they are {schema}")
            totals = json.loads(file.metadata.metadata.get(TOTALS, b"{}"))
            self.num_rows = file.metadata.num_rows
            unpacked = self.num_rows * (row_bytes(actions) + 4 * size)
            if unpacked > max(_SMALL, _LARGEST_RATIO * self.path.stat().st_size):
                raise ValueError(f"it unpacks to {unpacked:,} bytes, many times its own size")
            self.num_steps = check_integer("num_steps", totals.get("num_steps"), 0, self.num_rows)
            self.num_episodes = check_integer(
                "num_episodes", totals.get("num_episodes"), self.num_rows - self.num_steps
            )
            self._flags = [
                check_integer("flag_columns", column, 0, size - 1)
                for column in totals["flag_columns"]
            ]

    def _open(self) -> pq.ParquetFile:
        # Buffered: the pages of a column as they are needed, instead of a row group's all at once.
        return pq.ParquetFile(
            self.path, page_checksum_verification=True, buffer_size=1 << 20, pre_buffer=False
        )

    def batches(self, max_rows: int = 2**15, observations: bool = True) -> Iterator[Rows]:
        """All rows in order, checked, in parts; memory does not depend on their number.

        Args:
            max_rows: of a part.
            observations: False: without them, which is ten times as fast.

        Yields:
            Column → array: those of :data:`livestream_env.decisions.schema.COLUMNS` and
            ``"observation"`` (float32 (n, D)). An episode may begin in one part and end in a later
            one.

        Raises:
            ValueError: the file is damaged.
        """
        with reading(self.path, WHAT), self._open() as file:
            yield from self._checked(file, max_rows, observations)

    def _checked(self, file: pq.ParquetFile, max_rows: int, observations: bool) -> Iterator[Rows]:
        size, actions = self.description.observation_size, self.description.num_actions
        names = [*COLUMNS, *([OBSERVATION] if observations else [])]
        last: Rows | None = None
        steps = episodes = 0
        for batch in file.iter_batches(max_rows, columns=names):
            rows: dict[str, NDArray[Any]] = {}
            for name in names:
                try:
                    dtype, many = COLUMNS.get(name, (np.float32, True))
                    width = (size if name == OBSERVATION else actions) if many else None
                    rows[name] = from_arrow(batch.column(name), dtype, width)
                except ValueError as error:
                    raise ValueError(f"{name}: {error}") from error
            check_rows(rows, actions, last)
            steps += int((rows["action"] != NO_ACTION).sum())
            episodes += int((rows["step"] == 0).sum())
            last = {name: rows[name][-1:].copy() for name in COLUMNS}
            yield rows
        if (steps, episodes) != (self.num_steps, self.num_episodes):
            raise ValueError(
                f"it has {steps} decisions in {episodes} episodes, and should have "
                f"{self.num_steps} in {self.num_episodes}"
            )
        if last is not None and last["action"][0] != NO_ACTION:
            raise ValueError("its last episode is not whole")

    def read(
        self,
        precision: str = "float32",
        max_steps: int | None = None,
        progress_bar: bool = False,
    ) -> Decisions:
        """All decisions, or the first episodes that have ``max_steps`` together, in memory.

        Args:
            precision: of observations, see :class:`Observations`: ``"float32"``, exact; or
                ``"float16"`` in half the memory, 3 million steps of LiveStreamRec-v0 in 1.3 GB.
            max_steps: at least 1; an episode is read whole.
            progress_bar: show one.

        Raises:
            ValueError: the file is damaged.
        """
        check_integer("max_steps", max_steps, 1, optional=True)
        actions, size = self.description.num_actions, self.description.observation_size
        count = self.num_rows
        if max_steps is not None and max_steps < self.num_steps:
            count = self._rows_of(max_steps)
        with reading(self.path, WHAT):
            observations = Observations(count, size, self._flags, precision)
            arrays: dict[str, NDArray[Any]] = {
                name: np.empty(shape_of(name, count, actions), dtype)
                for name, (dtype, _) in COLUMNS.items()
                if name not in REWARD_FIELDS
            }
            components = np.empty((count, len(REWARD_FIELDS)), np.float32)
        at = 0
        with Progress(count, "read decisions", "rows", show=progress_bar) as progress:
            for rows in self.batches():
                part = min(len(rows["action"]), count - at)
                with reading(self.path, WHAT):
                    observations.put(at, rows[OBSERVATION][:part])
                for name, array in arrays.items():
                    array[at : at + part] = rows[name][:part]
                for i, name in enumerate(REWARD_FIELDS):
                    components[at : at + part, i] = rows[name][:part]
                at += part
                progress.reach(at)
                if at == count and count < self.num_rows:
                    break
        return Decisions(self.description, observations, components=components, **arrays)

    def _rows_of(self, num_steps: int) -> int:
        """Rows of the first episodes that have so many steps together."""
        rows = steps = 0
        for part in self.batches(observations=False):
            acts = part["action"] != NO_ACTION
            taken = steps + np.cumsum(acts)
            ends = np.flatnonzero((taken >= num_steps) & ~acts)
            if len(ends):
                return rows + int(ends[0]) + 1
            rows, steps = rows + len(acts), int(taken[-1])
        return rows


def read_decisions(
    path: str | os.PathLike[str],
    precision: str = "float32",
    max_steps: int | None = None,
    progress_bar: bool = False,
) -> Decisions:
    """Read logged decisions into memory; see :class:`DecisionFile` and its :meth:`read`."""
    return DecisionFile(path).read(precision, max_steps, progress_bar)


NO_SLATE = (
    "Logs of a platform, KuaiLive's too, have neither the candidates of an impression nor their "
    "probabilities, so there are no decisions in them; docs/offline.md says what is sound for them"
)


def _folder(path: Path) -> str:
    if any((path / f"click{suffix}").exists() for suffix in (".csv", ".parquet")):
        return f"it is a folder with the files of a log. {NO_SLATE}"
    return "it is a folder"
