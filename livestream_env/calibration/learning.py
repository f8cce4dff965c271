"""From a log's tables to a first world: who and what is kept, renumbered and put together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from livestream_env.calibration.hidden_states import visits
from livestream_env.calibration.impressions import LogIndex, impressions_of
from livestream_env.calibration.latents import Latents
from livestream_env.calibration.people import add_embeddings, streamer_table, viewer_table
from livestream_env.calibration.timetable import hourly_activity, playable_days, timetable
from livestream_env.config import SimulatorConfig, WorldConfig
from livestream_env.logs import Logs
from livestream_env.simulator.state import DAY_START_S
from livestream_env.world import DAY_S, World
from livestream_env.world.synthetic import draw_content, place_rooms

MAX_CATEGORIES = 16  # the less frequent ones become one
OTHER = "other"


@dataclass
class Sample:
    """The impressions that a world is learnt from, and who is in them.

    Attributes:
        index: of the whole log.
        everything: (m,) ``IMPRESSION_DTYPE``, all impressions, sorted by viewer, then time;
            viewers, streamers and rooms are numbers in ``index``.
        impressions: (n,) those of the streamers kept, viewers, streamers and categories renumbered.
        viewers: (V,) numbers in ``index`` of those with impressions.
        streamers: (S,) numbers in ``index`` of those kept.
        category: (S,) of each.
        category_names: (K,).
        room_end_s: (n,) end of the room of each impression, inf where it is not known.
        days: viewer-days from 04:00 to 04:00, from day 0 on, that the log covers.
        notes: what was left out.
    """

    index: LogIndex
    everything: NDArray[Any]
    impressions: NDArray[Any]
    viewers: NDArray[np.int64]
    streamers: NDArray[np.int64]
    category: NDArray[np.int64]
    category_names: tuple[str, ...]
    room_end_s: NDArray[np.float64]
    days: int
    notes: list[str]

    @classmethod
    def of(
        cls,
        logs: Logs,
        max_streamers: int,
        index: LogIndex | None = None,
        everything: NDArray[Any] | None = None,
    ) -> Sample:
        """The impressions of the ``max_streamers`` most often shown streamers."""
        index = LogIndex.of(logs) if index is None else index
        everything = impressions_of(logs, index) if everything is None else everything
        if not everything["click"].any():
            raise ValueError("logs: there is no click to learn from")
        shown = np.bincount(everything["streamer"], minlength=len(index.streamer_ids))
        streamers = np.sort(np.argsort(-shown, kind="stable")[:max_streamers])
        streamers = streamers[shown[streamers] > 0]
        kept = np.isin(np.arange(len(shown)), streamers)[everything["streamer"]]
        notes = []
        if not kept.all():
            notes.append(
                f"kept {len(streamers)} of {np.count_nonzero(shown)} streamers that were shown, "
                f"with {kept.mean():.1%} of the impressions"
            )
        impressions = everything[kept]
        viewers = np.unique(impressions["viewer"])
        if len(viewers) < len(index.user_ids):
            notes.append(f"{len(index.user_ids) - len(viewers)} users without impressions left out")
        end_s = logs.local_s(logs.room["end_timestamp"].to_numpy()).copy()
        end_s[logs.room["end_censored"].to_numpy(bool)] = np.inf
        end_s = end_s[np.argsort(logs.room["live_id"].to_numpy(), kind="stable")]
        category, names = _categories(index, streamers, shown)
        impressions["viewer"] = np.searchsorted(viewers, impressions["viewer"])
        impressions["streamer"] = np.searchsorted(streamers, impressions["streamer"])
        impressions["category"] = category[impressions["streamer"]]
        return cls(
            *(index, everything, impressions, viewers, streamers, category, names),
            room_end_s=end_s[impressions["room"]],
            days=playable_days(float(everything["start_s"].max())),
            notes=notes,
        )

    def watch_limit_s(self, config: SimulatorConfig) -> NDArray[np.float64]:
        """(n,) longest possible watch of each impression: the room's end or the cap."""
        left_s = self.room_end_s - self.impressions["start_s"] - config.browse_s
        return np.minimum(left_s, config.watch_cap_s)

    def num_visits(self, begun: NDArray[np.bool_]) -> NDArray[np.int64]:
        """(V,) visits of each viewer, where ``begun`` (m,) says which impressions begin one."""
        count = np.bincount(self.everything["viewer"][begun], minlength=len(self.index.user_ids))
        return np.asarray(count[self.viewers])

    def playable(self, viewers: NDArray[np.integer[Any]]) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """What ``viewers`` saw on the days that can be simulated.

        Returns:
            All their impressions, with viewers renumbered; and how often each of the streamers
            that were kept is among them, (S,).
        """
        start_s = self.everything["start_s"]
        inside = (start_s >= DAY_START_S) & (start_s < self.days * DAY_S + DAY_START_S)
        rows = self.everything[inside & np.isin(self.everything["viewer"], self.viewers[viewers])]
        rows["viewer"] = np.searchsorted(self.viewers, rows["viewer"])
        shown = np.bincount(rows["streamer"], minlength=len(self.index.streamer_ids))
        return rows, shown[self.streamers]


def _categories(
    index: LogIndex, streamers: NDArray[np.int64], shown: NDArray[np.int64]
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """The streamers' categories: the most often shown ones, and one for all others."""
    names = [*index.category_names]
    count = np.bincount(index.streamer_category[streamers], shown[streamers], len(names))
    order = np.argsort(-count, kind="stable")
    order = order[count[order] > 0]
    if len(order) > MAX_CATEGORIES:
        order = order[: MAX_CATEGORIES - 1]
        kept = (*(names[k] for k in order), OTHER)
    else:
        kept = tuple(names[k] for k in order)
    place = np.full(len(names), len(kept) - 1)
    place[order] = np.arange(len(order))
    return place[index.streamer_category[streamers]], kept


def first_world(
    logs: Logs,
    sample: Sample,
    latents: Latents,
    config: SimulatorConfig,
    rng: np.random.Generator,
) -> World:
    """The world of a sample, with the parameters of ``config``; content is drawn."""
    rooms, room_ids, left_out = timetable(logs, sample.index, sample.streamers)
    if left_out:
        sample.notes.append(f"{left_out} rooms of less than a minute beside another one left out")
    user = logs.user.sort_values("user_id", kind="stable").iloc[sample.viewers]
    begun = visits(sample.everything, config.browse_s)
    viewers = viewer_table(user, latents, sample.impressions, sample.num_visits(begun), config, rng)
    streamers = streamer_table(
        latents, sample.impressions, rooms, sample.category, sample.days * DAY_S + DAY_START_S
    )
    add_embeddings(viewers, streamers, latents)
    place_rooms(rooms, streamers)
    assumed = WorldConfig()
    return World(
        viewers=viewers,
        streamers=streamers,
        rooms=rooms,
        content=draw_content(rooms, assumed.highlight_share, assumed.highlight_mean_s, rng),
        hourly_activity=hourly_activity(sample.everything["start_s"][begun]),
        days=sample.days,
        simulator=config,
        highlight_share=assumed.highlight_share,
        category_names=sample.category_names,
        viewer_ids=sample.index.user_ids[sample.viewers],
        streamer_ids=sample.index.streamer_ids[sample.streamers],
        room_ids=room_ids,
    )
