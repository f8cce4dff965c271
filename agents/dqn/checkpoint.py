"""Files that hold arrays and JSON: one safetensors file, the JSON in its header.

No pickle, so that a file from elsewhere can be read without running its code.
"""

from __future__ import annotations

import io
import json
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import safetensors
import safetensors.numpy
import torch

from livestream_env.files import atomic_path

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
    """
    path = _with_suffix(path)
    versions = {
        "python": platform.python_version(),
        **{module.__name__: module.__version__ for module in (torch, np, gymnasium)},
    }
    header = json.dumps({"format": FORMAT, "kind": kind, **metadata, "versions": versions})
    # order="C" leaves 0-d arrays alone, as ascontiguousarray does not.
    dense = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    with atomic_path(path) as temporary:
        safetensors.numpy.save_file(dense, temporary, metadata={"json": header})
    return path


def read_checkpoint(
    path: str | os.PathLike[str], kind: str
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The arrays and the metadata of a file that :func:`write_checkpoint` wrote.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is not such a file.
    """
    path = _with_suffix(path)
    if not path.is_file():
        raise FileNotFoundError(f"no checkpoint at {path}")
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            metadata = json.loads((file.metadata() or {}).get("json", "{}"))
            arrays = {name: file.get_tensor(name) for name in file.keys()}
    except safetensors.SafetensorError as error:
        raise ValueError(f"{path} is not a safetensors file: {error}") from error
    found = (metadata.get("format"), metadata.get("kind"))
    if found != (FORMAT, kind):
        raise ValueError(f"{path} must hold {(FORMAT, kind)} (format, kind), got {found}")
    return arrays, metadata


def array_to_bytes(array: np.ndarray) -> np.ndarray:
    """Any array without Python objects, structured ones included, as uint8 ``(bytes,)``."""
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return np.frombuffer(buffer.getvalue(), dtype=np.uint8)


def array_from_bytes(data: np.ndarray) -> np.ndarray:
    """The inverse of :func:`array_to_bytes`."""
    array: np.ndarray = np.load(io.BytesIO(data.tobytes()), allow_pickle=False)
    return array


def with_prefix(prefix: str, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays under names that begin with ``prefix/``."""
    return {f"{prefix}/{name}": array for name, array in arrays.items()}


def without_prefix(prefix: str, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Those arrays whose names begin with ``prefix/``, without it."""
    start = prefix + "/"
    return {n.removeprefix(start): array for n, array in arrays.items() if n.startswith(start)}


def _with_suffix(path: str | os.PathLike[str]) -> Path:
    path = Path(path)
    return path if path.suffix else path.with_name(path.name + ".safetensors")
