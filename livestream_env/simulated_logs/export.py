"""Simulated exposures as a log on disk: KuaiLive's files, a sidecar, and how it was made.

Needs the extra ``livestream-env[logs]``.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from livestream_env.logs.writing import EMBEDDINGS, SIMULATION, log_writer
from livestream_env.simulated_logs.kuailive_tables import (
    TITLE_DIM,
    event_tables,
    room_tables,
    streamer_table,
    title_embeddings,
    user_table,
)
from livestream_env.simulated_logs.simulation import exposure_dtype
from livestream_env.simulator.state import DAY_START_S
from livestream_env.world import DAY_S, World

_SPOOL_S = 3600.0
_ROWS = 2**18  # sorted and written at once, or an hour if that is more


def export_log(
    folder: str | os.PathLike[str],
    exposures: Iterable[NDArray[Any]],
    world: World,
    viewers: ArrayLike,
    days: int,
    *,
    file_format: str = "csv",
    overwrite: bool = False,
    about: Mapping[str, Any] | None = None,
) -> dict[str, int]:
    """Write a log to ``folder``.

    Events are in order of time, as in KuaiLive. Memory holds a part of the log whose size does not
    depend on its length; while the exposures come in, they are kept on disk, beside ``folder``.

    Args:
        folder: appears when all is written; must not exist, or be empty.
        exposures: chunks of :func:`livestream_env.simulated_logs.simulation.simulate_logs`.
        world: where they happened; its ids go into the log.
        viewers: (V,) rows of the world's viewers who were played: user.csv.
        days: that they were played, from 04:00 of day 0. room.csv has the rooms that are live at
            some time from the midnight before to their end.
        file_format: ``"csv"`` or ``"parquet"``.
        overwrite: ``folder`` may be an older log, which is replaced.
        about: goes into simulation.json.

    Returns:
        File → its number of rows.

    Raises:
        ValueError: there is no such format.
        FileExistsError: ``folder`` is there; with ``overwrite``, if it holds anything but a log.
    """
    with log_writer(folder, file_format, overwrite) as writer:
        for rows in _in_order(exposures, writer.folder / "spool"):
            for name, table in event_tables(rows, world).items():
                writer.write(name, table)
        writer.write("user", user_table(world, np.asarray(viewers)))
        writer.write("streamer", streamer_table(world))
        for table in room_tables(world, 0.0, days * DAY_S + DAY_START_S):
            writer.write("room", table)
        shape = (len(world.streamers), TITLE_DIM)
        titles = np.lib.format.open_memmap(writer.folder / EMBEDDINGS, "w+", np.float32, shape)
        first = 0
        for part in title_embeddings(world):
            titles[first : first + len(part)] = part
            first += len(part)
        titles.flush()
        made = json.dumps({**(about or {}), "rows": writer.rows}, indent=2)
        (writer.folder / SIMULATION).write_text(made + "\n", encoding="utf-8")
    return writer.rows


def _in_order(chunks: Iterable[NDArray[Any]], folder: Path) -> Iterator[NDArray[Any]]:
    """The rows of all chunks sorted by time, then viewer, by way of a file per hour."""
    folder.mkdir()
    dtype = exposure_dtype(1)
    hours: set[int] = set()
    for chunk in chunks:
        dtype = chunk.dtype
        hour = (chunk["clock_s"] // _SPOOL_S).astype(np.int64)
        order = np.argsort(hour, kind="stable")
        present, first = np.unique(hour[order], return_index=True)
        for one, at in zip(present.tolist(), np.split(order, first[1:]), strict=True):
            with open(folder / str(one), "ab") as file:
                chunk[at].tofile(file)
        hours.update(present.tolist())
    yield np.empty(0, dtype)  # so that a log of nothing has its files, too
    batch: list[NDArray[Any]] = []
    for one in sorted(hours):
        rows = np.fromfile(folder / str(one), dtype)
        (folder / str(one)).unlink()
        batch.append(rows[np.lexsort((rows["viewer"], rows["clock_s"]))])
        if sum(map(len, batch)) >= _ROWS:
            yield np.concatenate(batch)
            batch = []
    if batch:
        yield np.concatenate(batch)
    shutil.rmtree(folder)
