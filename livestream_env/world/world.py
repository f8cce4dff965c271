"""The world: who watches, who streams, when each room is live and what is on.

A :class:`World` is a handful of structured arrays and knows nothing of any viewer's state. It is
shared by all viewers, never changed by the simulator, and saved to and loaded from one ``.npz``.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from livestream_env.config import SimulatorConfig, WorldConfig
from livestream_env.files import atomic_path
from livestream_env.world.room_index import CONTENT_STEP_S, INDEX_STEP_S, availability_index
from livestream_env.world.synthetic import draw_content, draw_world, endless_rooms
from livestream_env.world.tables import (
    AGE_RANGES,
    DAY_S,
    DEVICE_PRICES,
    GENDERS,
    MIN_ROOM_S,
    ROOM_DTYPE,
    streamer_dtype,
    viewer_dtype,
)

FORMAT = 2  # of the .npz


def _no_ids() -> NDArray[np.int64]:
    return np.empty(0, np.int64)


@dataclass(frozen=True, repr=False)
class World:
    """Viewers, streamers, rooms and an index of what is live when.

    Made by :meth:`synthetic`, :meth:`load` or :func:`livestream_env.calibration.fit`; do not
    write to its arrays. Times are seconds from local midnight of day 0.

    Attributes:
        viewers: (V,) :func:`viewer_dtype`.
        streamers: (S,) :func:`streamer_dtype`.
        rooms: (R,) ``ROOM_DTYPE``, sorted by streamer, then start; a streamer's rooms do not
            overlap.
        content: packed bits, one per 30 s of every room: 1 = highlight.
        hourly_activity: (24,) share of viewing in each local hour; sums to 1.
        days: episodes may be played on days ``0 .. days - 1``.
        simulator: the default parameters of the response.
        highlight_share: long-run share of highlights.
        category_names: (K,) names of the categories; ``"category_0"`` ... by default.
        viewer_ids: (V,) int64 ids in the logs that a world was learnt from; row numbers by default.
        streamer_ids: (S,) int64, the same.
        room_ids: (R,) int64, the same.
        index_offset: (bins, K + 1) where each category's rooms start in ``index``; bin 0 starts
            at ``index_start_s``.
        index_share: (bins, K) running sum of the categories' shares of the bin's popularity.
        index: ``INDEX_DTYPE``, the rooms live at some time of a bin, by category.
        index_start_s: start of bin 0, seconds.
        recipe: (config, seed) of a synthetic world, None of any other.
        path: the file that it was loaded from, None if it was not.
    """

    viewers: NDArray[Any]
    streamers: NDArray[Any]
    rooms: NDArray[Any]
    content: NDArray[np.uint8]
    hourly_activity: NDArray[np.float64]
    days: int
    simulator: SimulatorConfig = field(default_factory=SimulatorConfig)
    highlight_share: float = 0.3
    recipe: tuple[WorldConfig, int] | None = None
    category_names: tuple[str, ...] = ()
    viewer_ids: NDArray[np.int64] = field(default_factory=_no_ids, repr=False)
    streamer_ids: NDArray[np.int64] = field(default_factory=_no_ids, repr=False)
    room_ids: NDArray[np.int64] = field(default_factory=_no_ids, repr=False)
    index_offset: NDArray[np.int32] = field(init=False, repr=False)
    index_share: NDArray[np.float32] = field(init=False, repr=False)
    index: NDArray[Any] = field(init=False, repr=False)
    index_start_s: float = field(init=False, repr=False)
    path: str | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        """Name what has no name, check the arrays, then build the availability index."""
        for name, table in (("viewer", "viewers"), ("streamer", "streamers"), ("room", "rooms")):
            if not len(getattr(self, f"{name}_ids")):
                object.__setattr__(self, f"{name}_ids", np.arange(len(getattr(self, table))))
        if not self.category_names and "taste" in (self.viewers.dtype.names or ()):
            names = tuple(f"category_{k}" for k in range(self.num_categories))
            object.__setattr__(self, "category_names", names)
        _check(self)
        # Room ends beyond the last day belong to episodes that run over midnight.
        start_s = min(0.0, float(self.rooms["start_s"].min()))
        end_s = max(self.days * DAY_S, float(self.rooms["end_s"].max()))
        num_bins = int(np.ceil((end_s - start_s) / INDEX_STEP_S)) + 1
        tables = availability_index(
            self.rooms, self.streamers, self.content, self.num_categories, start_s, num_bins
        )
        names = ("index_offset", "index_share", "index", "index_start_s")
        for name, value in zip(names, (*tables, start_s), strict=True):
            object.__setattr__(self, name, value)

    @property
    def num_categories(self) -> int:
        """Number of content categories."""
        return int(self.viewers.dtype["taste"].shape[0])

    @classmethod
    def synthetic(cls, config: WorldConfig | None = None, seed: int = 0) -> World:
        """Draw a world; the same ``config`` and ``seed`` return the same object."""
        return _drawn(config if config is not None else WorldConfig(), seed)

    def always_live(self) -> World:
        """This world with one room per streamer that never ends: availability switched off."""
        return _always_live(self)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the world to one ``.npz``, whole or not at all."""
        meta = {
            "format": FORMAT,
            "days": self.days,
            "highlight_share": self.highlight_share,
            "category_names": self.category_names,
            "simulator": self.simulator.to_dict(),
        }
        arrays = {name: getattr(self, name) for name in _SAVED}
        # A stream, because NumPy appends .npz to a name without it.
        with atomic_path(Path(path)) as temporary, open(temporary, "wb") as stream:
            np.savez_compressed(stream, meta=np.array(json.dumps(meta)), **arrays)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> World:
        """Read a world written by :meth:`save`.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: it is not a world.
        """
        if not Path(path).is_file():
            raise FileNotFoundError(f"world: there is no file {str(path)!r}")
        try:
            with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as archive:
                meta = json.loads(str(archive["meta"]))
                arrays = {name: archive[name] for name in _SAVED}
        except (OSError, KeyError, ValueError, TypeError, EOFError, zipfile.BadZipFile) as error:
            raise ValueError(f"world: {str(path)!r} is not a world file ({error})") from error
        if meta.get("format") != FORMAT:
            raise ValueError(
                f"world: {str(path)!r} has format {meta.get('format')!r}, valid is {FORMAT}"
            )
        world = cls(
            **arrays,
            days=int(meta["days"]),
            simulator=SimulatorConfig().replace(meta["simulator"]),
            highlight_share=float(meta["highlight_share"]),
            category_names=tuple(meta["category_names"]),
        )
        object.__setattr__(world, "path", os.fspath(path))
        return world

    @functools.cached_property
    def digest(self) -> str:
        """Tells it from worlds with other arrays or parameters: 12 hexadecimal digits."""
        others = (self.days, self.simulator, self.highlight_share, self.category_names)
        whole = hashlib.sha256(repr(others).encode())
        for array in (getattr(self, name) for name in _SAVED):
            # By columns, because a row may have bytes between them that mean nothing.
            columns = array.dtype.names
            for part in [array[name] for name in columns] if columns else [array]:
                whole.update(part.tobytes())
        return whole.hexdigest()[:12]

    def __repr__(self) -> str:
        """One line: how large it is, and which one, by how it was made."""
        if self.recipe is not None:
            config, seed = self.recipe
            which = f"synthetic, seed {seed}" + (f", {config!r}" if config.changes() else "")
        else:
            which = f"digest {self.digest}" if self.path is None else f"path {self.path!r}"
        return (
            f"World({len(self.viewers)} viewers, {len(self.streamers)} streamers, "
            f"{len(self.rooms)} rooms, {self.days} days; {which})"
        )

    # A world is shared, not copied: a copy of an environment plays in the same world.
    def __copy__(self) -> World:
        """The world itself: it never changes."""
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> World:
        """The world itself: it never changes."""
        return self

    def __reduce__(self) -> tuple[Callable[..., World], tuple[Any, ...]]:
        """Pickle a synthetic world by its recipe, any other by its arrays."""
        if self.recipe is not None:
            return World.synthetic, self.recipe
        arguments = tuple(getattr(self, spec.name) for spec in fields(self) if spec.init)
        return World, arguments

    def __eq__(self, other: object) -> bool:
        """Whether two worlds hold the same arrays and parameters."""
        if self is other:  # mostly: in tables of what belongs to a world
            return True
        return (
            isinstance(other, World)
            and self.days == other.days
            and self.simulator == other.simulator
            and self.highlight_share == other.highlight_share
            and self.category_names == other.category_names
            and all(np.array_equal(getattr(self, n), getattr(other, n)) for n in _SAVED)
        )

    __hash__ = object.__hash__


@functools.lru_cache(maxsize=4)
def _drawn(config: WorldConfig, seed: int) -> World:
    """See :meth:`World.synthetic`."""
    return World(
        **draw_world(config, seed),
        days=config.days,
        highlight_share=config.highlight_share,
        recipe=(config, seed),
    )


@functools.lru_cache(maxsize=4)
def _always_live(world: World) -> World:
    """See :meth:`World.always_live`."""
    streamers = world.streamers.copy()
    rooms = endless_rooms(streamers, world.days)
    config, seed = world.recipe if world.recipe else (WorldConfig(), 0)
    rng = np.random.default_rng([seed, 1])
    return World(
        viewers=world.viewers,
        streamers=streamers,
        rooms=rooms,
        content=draw_content(rooms, world.highlight_share, config.highlight_mean_s, rng),
        hourly_activity=world.hourly_activity,
        days=world.days,
        simulator=world.simulator,
        highlight_share=world.highlight_share,
        category_names=world.category_names,
        viewer_ids=world.viewer_ids,
        streamer_ids=world.streamer_ids,
    )


_IDS = ("viewer_ids", "streamer_ids", "room_ids")
_SAVED = ("viewers", "streamers", "rooms", "content", "hourly_activity", *_IDS)


def _check(world: World) -> None:
    """Raise ``ValueError`` for arrays that the simulator could not play in."""
    viewers, streamers, rooms = world.viewers, world.streamers, world.rooms
    try:
        categories, dimension = viewers.dtype["taste"].shape[0], viewers.dtype["embedding"].shape[0]
        dtypes = (viewer_dtype(categories, dimension), streamer_dtype(dimension), ROOM_DTYPE)
    except (KeyError, IndexError) as error:
        raise ValueError(f"viewers: not of viewer_dtype ({error})") from error
    for name, array, dtype in zip(
        ("viewers", "streamers", "rooms"), (viewers, streamers, rooms), dtypes, strict=True
    ):
        if array.dtype != dtype or array.ndim != 1 or not len(array):
            raise ValueError(f"{name} must be a table of at least one row of {dtype}")
        for column in cast(tuple[str, ...], dtype.names):
            if not np.isfinite(array[column]).all():
                raise ValueError(f"{name}: every {column} must be finite")
    same = rooms["streamer"][1:] == rooms["streamer"][:-1]
    bounds = np.searchsorted(rooms["streamer"], np.arange(len(streamers) + 1))
    cells = np.ceil((rooms["end_s"] - rooms["start_s"]) / CONTENT_STEP_S)
    limits = {  # column → lowest and highest value
        "age": (0, len(AGE_RANGES) - 1),
        "gender": (0, len(GENDERS) - 1),
        "device_price": (0, len(DEVICE_PRICES) - 1),
        "is_streamer": (0, 1),
        "follow_count": (0, np.inf),
        "fan_count": (0, np.inf),
        "activity": (1e-6, np.inf),
        "gift_propensity": (0, np.inf),
        "satiation_gain": (0, np.inf),
        "attached_streamer": (-1, len(streamers) - 1),
        "attached_strength": (0, 1),
        "attached_watch_s": (0, np.inf),
        "attached_followed": (0, 1),
    }
    wrong = (
        {
            f"viewers: {column} must be in [{low:g}, {high:g}]": (
                viewers[column].min() < low or viewers[column].max() > high
            )
            for column, (low, high) in limits.items()
        }
        | {
            f"streamers: category must be in [0, {categories})": (
                streamers["category"].min() < 0 or streamers["category"].max() >= categories
            ),
            "streamers: popularity must be positive": streamers["popularity"].min() <= 0,
            f"rooms: streamer must be in [0, {len(streamers)})": (
                rooms["streamer"].min() < 0 or rooms["streamer"].max() >= len(streamers)
            ),
            f"rooms: each must last at least {MIN_ROOM_S:g} s": (
                (rooms["end_s"] - rooms["start_s"]).min() < MIN_ROOM_S
            ),
            "rooms must be sorted by streamer, then start, without overlap": (
                (np.diff(rooms["streamer"]) < 0).any()
                or (rooms["start_s"][1:][same] < rooms["end_s"][:-1][same]).any()
            ),
            "streamers: first_room and num_rooms must say where their rooms are": (
                not np.array_equal(streamers["num_rooms"], np.diff(bounds))
                or not np.array_equal(streamers["first_room"], bounds[:-1])
            ),
            "content must hold a bit per 30 s of every room": (
                world.content.dtype != np.uint8
                or rooms["content"].min() < 0
                or (rooms["content"] + cells).max() > 8 * len(world.content)
            ),
            "hourly_activity must be 24 positive numbers that sum to 1": (
                world.hourly_activity.shape != (24,)
                or not world.hourly_activity.min() > 0
                or not np.isclose(world.hourly_activity.sum(), 1.0)
            ),
            f"highlight_share must be in [0, 1], got {world.highlight_share}": (
                not 0 <= world.highlight_share <= 1
            ),
            f"days must be at least 1, got {world.days}": world.days < 1,
            f"category_names must be {categories} names, got {world.category_names}": (
                len(world.category_names) != categories
            ),
        }
        | {
            f"{name} must be {len(table)} distinct int64": (
                ids.dtype != np.int64 or ids.shape != table.shape or len(np.unique(ids)) != len(ids)
            )
            for name, ids, table in zip(
                _IDS,
                (world.viewer_ids, world.streamer_ids, world.room_ids),
                (viewers, streamers, rooms),
                strict=True,
            )
        }
    )
    for message, is_wrong in wrong.items():
        if is_wrong:
            raise ValueError(message)
