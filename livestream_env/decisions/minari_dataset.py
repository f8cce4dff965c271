"""Logged decisions as a dataset of Minari, the format of offline data beside Gymnasium.

Needs the extra ``livestream-env[minari]``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livestream_env.config import SYNTHETIC_WORLDS
from livestream_env.decisions.description import Description
from livestream_env.decisions.reading import DecisionFile
from livestream_env.decisions.schema import COLUMNS, NO_ACTION, OBSERVATION, Rows
from livestream_env.extras import needs
from livestream_env.files import atomic_folder

with needs("minari", __name__):
    import minari  # isort: skip
    import h5py  # noqa: F401  (what Minari writes with)
    from minari.data_collector import EpisodeBuffer
    from minari.dataset.minari_dataset import parse_dataset_id
    from minari.dataset.minari_storage import MinariStorage
    from minari.namespace import create_namespace, list_local_namespaces
    from minari.storage.datasets_root_dir import get_dataset_path

DESCRIPTION = "livestream_env.decisions"  # in the dataset's metadata
# What a Minari episode has places for; the other columns are its infos.
_OWN = ("action", "reward", "terminated", "truncated", "episode", "step")
INFOS = tuple(name for name in COLUMNS if name not in _OWN)


def check_dataset_id(dataset_id: str) -> Path:
    """The folder of a new dataset.

    Raises:
        ValueError: ``dataset_id`` is not of Minari's form, or there is such a dataset already.
    """
    parse_dataset_id(dataset_id)
    folder = Path(get_dataset_path(dataset_id))
    if folder.exists():
        raise ValueError(
            f"there is a Minari dataset {dataset_id} already: choose another version, or delete it "
            f"with minari delete {dataset_id}"
        )
    return folder


def write_minari(file: DecisionFile, dataset_id: str) -> Any:
    """Write a file of decisions as a local Minari dataset, which appears whole or not at all.

    ``dataset.recover_environment()`` makes the environment, a world from a file by its absolute
    path; :func:`description_of` tells whether it still is the same world.

    Args:
        file: Of which one part at a time is in memory.
        dataset_id: ``(namespace/)name-v0``.

    Returns:
        The ``minari.MinariDataset``. Its infos have an entry for each observation, the last one
        included: :data:`INFOS`, as :class:`livestream_env.decisions.Decisions` explains them. So
        ``infos["propensity"][i]`` is of ``actions[i]``, and ``infos["elapsed_s"][i]`` the time from
        ``observations[i]`` to the next.

    Raises:
        ValueError: There is such a dataset already, the file is damaged, or its environment cannot
            be made, for example because its world was an object only.
    """
    folder, about = check_dataset_id(dataset_id), file.description
    world = about.env_kwargs.get("world", "default")
    is_file = world not in SYNTHETIC_WORLDS and os.path.exists(world)
    env = about.make_env(**({"world": os.path.abspath(world)} if is_file else {}))
    namespace = parse_dataset_id(dataset_id)[0]
    if namespace is not None and namespace not in list_local_namespaces():
        create_namespace(namespace)
    with atomic_folder(folder) as temporary:
        storage = MinariStorage.new(
            temporary / "data", env.observation_space, env.action_space, env.spec
        )
        storage.update_metadata(
            {
                "dataset_id": dataset_id,
                "minari_version": version("minari"),
                "algorithm_name": about.behaviour,
                "description": f"Decisions of {about.behaviour!r} in {about.env_id}, seed "
                f"{about.seed}, with the propensities of all candidates.",
                "requirements": [f"livestream-env=={version('livestream-env')}"],
                DESCRIPTION: about.to_json(),
            }
        )
        storage.update_episodes(map(_buffer, _episodes(file)))
    env.close()
    return minari.load_dataset(dataset_id)


def description_of(dataset: Any) -> Description:
    """Where the decisions of a dataset of :func:`write_minari` come from.

    Its ``make_env()`` makes their environment, and refuses another world.

    Raises:
        ValueError: ``dataset`` is another one.
    """
    stored = dataset.storage.metadata.get(DESCRIPTION)
    if stored is None:
        raise ValueError(f"{dataset.spec.dataset_id} was not written by write_minari")
    return Description.from_json(stored)


def _episodes(file: DecisionFile) -> Iterator[Rows]:
    """The rows of one episode after the other."""
    begun: list[Rows] = []
    for part in file.batches():
        ends = np.flatnonzero(part["action"] == NO_ACTION) + 1
        first = 0
        for end in ends.tolist():
            rows = [*begun, {name: column[first:end] for name, column in part.items()}]
            yield {name: np.concatenate([piece[name] for piece in rows]) for name in part}
            begun, first = [], end
        if first < len(part["action"]):
            begun.append({name: column[first:] for name, column in part.items()})


def _buffer(rows: Rows) -> EpisodeBuffer:
    decided: dict[str, NDArray[Any]] = {name: rows[name][:-1] for name in _OWN}
    return EpisodeBuffer(
        observations=rows[OBSERVATION],
        actions=decided["action"].astype(np.int64),
        rewards=decided["reward"],
        terminations=decided["terminated"],
        truncations=decided["truncated"],
        infos={name: rows[name] for name in INFOS},
    )
