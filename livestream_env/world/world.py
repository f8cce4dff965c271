"""The world: who watches, who streams, when each room is live and what is on.

A :class:`World` is a handful of structured arrays and knows nothing of any viewer's state. It is
shared by all viewers, never changed by the simulator, and saved to and loaded from one ``.npz``.
"""

from __future__ import annotations

import functools
import json
import os
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livestream_env.config import SimulatorConfig, WorldConfig
from livestream_env.files import checksum, read_arrays, reading, write_arrays
from livestream_env.settings import check_integer, check_number, check_text
from livestream_env.world.checks import IDS, check_world
from livestream_env.world.room_index import availability_index, index_span
from livestream_env.world.synthetic import draw_content, draw_world, endless_rooms
from livestream_env.world.tables import DAY_S, MAX_DAYS, category_names

FORMAT = 3  # of the .npz


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
        category_names: (K,) names of the categories; ``"games"``, ``"music"``, ... by default.
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
    category_names: tuple[str, ...] = ()
    viewer_ids: NDArray[np.int64] = field(default_factory=_no_ids, repr=False)
    streamer_ids: NDArray[np.int64] = field(default_factory=_no_ids, repr=False)
    room_ids: NDArray[np.int64] = field(default_factory=_no_ids, repr=False)
    index_offset: NDArray[np.int32] = field(init=False, repr=False)
    index_share: NDArray[np.float32] = field(init=False, repr=False)
    index: NDArray[Any] = field(init=False, repr=False)
    index_start_s: float = field(init=False, repr=False)
    # Not the constructor's: a copy with other contents, by dataclasses.replace, has neither.
    recipe: tuple[WorldConfig, int] | None = field(init=False, default=None)
    path: str | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        """Name what has no name, check the arrays, then build the availability index."""
        for name, table in (("viewer", "viewers"), ("streamer", "streamers"), ("room", "rooms")):
            if not len(getattr(self, f"{name}_ids")):
                object.__setattr__(self, f"{name}_ids", np.arange(len(getattr(self, table))))
        if not self.category_names and "taste" in (self.viewers.dtype.names or ()):
            object.__setattr__(self, "category_names", category_names(self.num_categories))
        check_world(self)
        start_s, num_bins = index_span(self.rooms, self.days * DAY_S)
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
        write_arrays(path, {"meta": np.array(json.dumps(meta)), **arrays})

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> World:
        """Read a world written by :meth:`save`.

        Raises:
            FileNotFoundError: there is no such file.
            IsADirectoryError: it is a directory.
            ValueError: it is not a world, it is damaged, or it has no checksum, as worlds have
                that were saved before there was one.
        """
        with reading(path, "a world file"):
            arrays: dict[str, Any] = read_arrays(path, ("meta", *_SAVED))
            meta = json.loads(str(arrays.pop("meta")))
            if meta["format"] != FORMAT:
                raise ValueError(f"it has format {meta['format']!r}, valid is {FORMAT}")
            world = cls(
                **arrays,
                days=check_integer("days", meta["days"], 1, MAX_DAYS),
                simulator=SimulatorConfig().replace(dict(meta["simulator"])),
                highlight_share=check_number("highlight_share", meta["highlight_share"], 0, 1),
                category_names=tuple(
                    check_text("category_names", name) for name in meta["category_names"]
                ),
            )
        object.__setattr__(world, "path", os.fspath(path))
        return world

    @functools.cached_property
    def digest(self) -> str:
        """Tells it from worlds with other arrays or parameters: 64 bits in hexadecimal.

        Equal worlds have the same, whether drawn or loaded; computed once, in a few hundredths of
        a second.
        """
        others = (
            self.days,
            self.simulator.to_dict(),
            self.highlight_share,
            tuple(self.category_names),
        )
        return checksum({name: getattr(self, name) for name in _SAVED}, repr(others))[:16]

    def __repr__(self) -> str:
        """One line: how large it is, and which one, by how it was made."""
        if self.recipe is not None:
            config, seed = self.recipe
            which = f"synthetic, seed {seed}" + (f", {config!r}" if config.changes() else "")
        else:
            which = f"digest {self.digest}" if self.path is None else f"path {self.path!r}"
        names = textwrap.shorten(", ".join(self.category_names), 40, placeholder=" ...")
        return (
            f"World({len(self.viewers)} viewers, {len(self.streamers)} streamers, "
            f"{len(self.rooms)} rooms, {self.days} days; "
            f"{self.num_categories} categories: {names}; {which})"
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
    world = World(
        **draw_world(config, seed), days=config.days, highlight_share=config.highlight_share
    )
    object.__setattr__(world, "recipe", (config, seed))
    return world


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


_SAVED = ("viewers", "streamers", "rooms", "content", "hourly_activity", *IDS)
