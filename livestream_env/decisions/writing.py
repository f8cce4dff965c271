"""Writing logged decisions to a Parquet file, part by part, whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from livestream_env.decisions.description import Description
from livestream_env.decisions.schema import (
    COLUMNS,
    NO_ACTION,
    OBSERVATION,
    Rows,
    arrow_schema,
    check_rows,
    to_arrow,
)
from livestream_env.files import atomic_path

DESCRIPTION, TOTALS = b"livestream_env.decisions", b"livestream_env.totals"  # in the footer
ROW_GROUP = 2**15  # 40 MB of observations


@contextmanager
def decision_writer(
    path: str | os.PathLike[str], description: Description
) -> Iterator[DecisionWriter]:
    """Write a file of logged decisions, which appears when the block ends without error.

    Raises:
        OSError: it cannot be written, for example to a full disk.
        ValueError: at the end, if the last episode is not whole.
    """
    schema = arrow_schema(description.num_actions, description.observation_size)
    schema = schema.with_metadata({DESCRIPTION: description.to_json().encode()})
    with (
        atomic_path(Path(path)) as temporary,
        pq.ParquetWriter(
            temporary,
            schema,
            compression="zstd",
            # Of neighbouring rows most columns are equal, which the compression finds by itself.
            use_dictionary=[name for name, (_, many) in COLUMNS.items() if not many],
            write_page_checksum=True,
        ) as file,
    ):
        writer = DecisionWriter(file, schema, description.num_actions)
        yield writer
        writer.finish()


class DecisionWriter:
    """Appends to a file of logged decisions; made by :func:`decision_writer`.

    Attributes:
        num_steps: decisions written so far.
        num_episodes: episodes begun so far.
    """

    def __init__(self, file: pq.ParquetWriter, schema: pa.Schema, num_actions: int) -> None:
        self.num_steps = self.num_episodes = 0
        self._file, self._schema, self._num_actions = file, schema, num_actions
        self._waiting: list[pa.RecordBatch] = []
        self._waiting_rows = 0
        self._last: Rows | None = None
        self._is_flag: NDArray[np.bool_] | None = None

    def write(self, rows: Rows) -> None:
        """Append rows of :data:`livestream_env.decisions.schema.COLUMNS` and the observations.

        Raises:
            ValueError: they are no rows of logged decisions, or do not follow those before.
        """
        check_rows(rows, self._num_actions, self._last)
        if not len(rows["action"]):
            return
        observation = rows[OBSERVATION]
        is_flag = ((observation == 0) | (observation == 1)).all(axis=0)
        self._is_flag = is_flag if self._is_flag is None else self._is_flag & is_flag
        self._last = {name: rows[name][-1:].copy() for name in COLUMNS}
        self.num_steps += int((rows["action"] != NO_ACTION).sum())
        self.num_episodes += int((rows["step"] == 0).sum())
        self._waiting.append(to_arrow(rows, self._schema))
        self._waiting_rows += len(rows["action"])
        if self._waiting_rows >= ROW_GROUP:
            self._flush()

    def _flush(self) -> None:
        table = pa.Table.from_batches(self._waiting, self._schema)
        self._file.write_table(table, row_group_size=2 * ROW_GROUP)
        self._waiting, self._waiting_rows = [], 0

    def finish(self) -> None:
        """Write what waits, and the totals."""
        if self._last is not None and self._last["action"][0] != NO_ACTION:
            raise ValueError("the last episode is not whole: its last observation is missing")
        if self._waiting_rows:
            self._flush()
        flags = [] if self._is_flag is None else np.flatnonzero(self._is_flag).tolist()
        totals: dict[str, Any] = {
            "num_steps": self.num_steps,
            "num_episodes": self.num_episodes,
            "flag_columns": flags,  # of the observation: only 0 and 1 are in them
        }
        self._file.add_key_value_metadata({TOTALS: json.dumps(totals).encode()})
