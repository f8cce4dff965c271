"""Files that hold arrays and JSON: one safetensors file, the JSON in its header.

No pickle, so that a file from elsewhere can be read without running its code.
"""

from __future__ import annotations

import json
import os
import platform
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import safetensors
import safetensors.numpy
import torch

from livestream_env.files import atomic_path, checksum, reading, verify

FORMAT = "livestream-dqn-1"


def write_checkpoint(
    path: str | os.PathLike[str],
    kind: str,
    arrays: Mapping[str, np.ndarray],
    metadata: Mapping[str, Any],
) -> Path:
    """Write a file that is complete or not there at all.

    Args:
        path: The file; ``.safetensors`` is appended to a name without a suffix.
        kind: What the file is, for the reader to check.
        arrays: Numeric or boolean arrays by name.
        metadata: Anything JSON can express; versions of the software are added.

    Returns:
        The path written.

    Raises:
        OSError: The file could not be written, to a full disk for example; the old one is left.
    """
    path = checkpoint_path(path)
    versions = {
        "python": platform.python_version(),
        **{module.__name__: module.__version__ for module in (torch, np, gymnasium)},
    }
    header = json.dumps({"format": FORMAT, "kind": kind, **metadata, "versions": versions})
    # order="C" leaves 0-d arrays alone, as ascontiguousarray does not.
    dense = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    with atomic_path(path) as temporary:
        whole = {"json": header, "checksum": checksum(dense, header)}
        try:
            safetensors.numpy.save_file(dense, temporary, metadata=whole)
        except safetensors.SafetensorError as error:
            number = re.search(r"os error (\d+)", str(error))
            if number is None:
                raise
            raise OSError(int(number[1]), os.strerror(int(number[1]))) from error
    return path


def read_checkpoint(
    path: str | os.PathLike[str], kind: str
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The arrays and the metadata of a file that :func:`write_checkpoint` wrote.

    Raises:
        FileNotFoundError: There is no such file.
        IsADirectoryError: It is a directory.
        ValueError: It is not such a file, or its contents do not have its checksum; files from
            before there were checksums have none.
    """
    path = checkpoint_path(path)
    with reading(path, f"a {kind} of a DQN"):
        with safetensors.safe_open(path, framework="numpy") as file:
            stored = file.metadata() or {}
            # No larger than the file: safetensors holds the declared shapes against its size.
            arrays = {name: file.get_tensor(name) for name in file.keys()}
        header = stored.get("json", "{}")
        metadata = json.loads(header)
        found = (metadata.get("format"), metadata.get("kind"))
        if found != (FORMAT, kind):
            raise ValueError(f"it must hold {(FORMAT, kind)} (format, kind), got {found}")
        verify(stored.get("checksum"), checksum(arrays, header))
    return arrays, metadata


def with_prefix(prefix: str, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays under names that begin with ``prefix/``."""
    return {f"{prefix}/{name}": array for name, array in arrays.items()}


def without_prefix(prefix: str, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Those arrays whose names begin with ``prefix/``, without it."""
    start = prefix + "/"
    return {n.removeprefix(start): array for n, array in arrays.items() if n.startswith(start)}


def checkpoint_path(path: str | os.PathLike[str]) -> Path:
    """``path``, with ``.safetensors`` appended to a name without a suffix."""
    path = Path(path)
    return path if path.suffix else path.with_name(path.name + ".safetensors")
