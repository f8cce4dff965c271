"""Retracing logged impressions through the simulator's own dynamics.

What a viewer feels is hidden, but most of it follows from what she was shown and did: satiation,
fatigue, satisfaction and grown attachment are recomputed from the log, impression by impression,
with the assumed constants of :class:`~livestream_env.config.SimulatorConfig`.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from livestream_env.config import SimulatorConfig, WorldConfig
from livestream_env.simulator.person import grown, pass_time, satiate, update_mood
from livestream_env.simulator.state import config_record, kernel_array
from livestream_env.world import DAY_S, viewer_dtype

VISIT_GAP_S = 1800.0  # a visit ends with half an hour of inactivity (assumed, as is usual)


def visits(impressions: NDArray[Any], browse_s: float) -> NDArray[np.bool_]:
    """Which of ``impressions``, sorted by viewer, then time, is the first of a visit (n,)."""
    first = np.ones(len(impressions), np.bool_)
    over_s = impressions["start_s"] + browse_s + impressions["watch_s"]
    away_s = impressions["start_s"][1:] - over_s[:-1]
    first[1:] = (np.diff(impressions["viewer"]) != 0) | (away_s > VISIT_GAP_S)
    return first


class HiddenStates(NamedTuple):
    """The simulator's quantities at each impression, before it: arrays (n,)."""

    attachment: NDArray[np.float32]
    satiation: NDArray[np.float32]  # with the streamer's category
    fatigue: NDArray[np.float32]
    satisfaction: NDArray[np.float32]


class _View(NamedTuple):
    """The part of a response that moods and attachment depend on."""

    click: bool
    watch_s: float
    follow: bool


class _AverageViewer(NamedTuple):
    """Stands for the world."""

    viewers: Any


def hidden_states(
    impressions: NDArray[Any],
    pair: NDArray[np.integer[Any]],
    initial_attachment: NDArray[np.floating[Any]],
    sensationalism: NDArray[np.floating[Any]],
    num_categories: int,
    config: SimulatorConfig,
) -> HiddenStates:
    """Recompute the hidden state at each of ``impressions``.

    Args:
        impressions: (n,) ``IMPRESSION_DTYPE``, sorted by viewer, then time.
        pair: (n,) number of each impression's pair of viewer and streamer, from 0.
        initial_attachment: (pairs,) at the beginning of the log.
        sensationalism: (streamers,).
        num_categories: K.
        config: constants of the dynamics.
    """
    mood = np.zeros(
        1,
        [
            ("viewer", "i8"),
            ("satisfaction", "f8"),
            ("fatigue", "f8"),
            ("satiation", "f8", (num_categories,)),
            ("category_watch_s", "f8", (num_categories,)),
        ],
    )
    average = np.ones(1, viewer_dtype(num_categories, 1))
    count = len(impressions)
    out = HiddenStates(*(np.empty(count, np.float32) for _ in range(4)))
    _retrace(
        kernel_array(impressions),
        visits(impressions, config.browse_s),
        pair,
        np.array(initial_attachment, np.float64),
        sensationalism,
        kernel_array(mood),
        _AverageViewer(kernel_array(average)),
        config_record(config),
        WorldConfig().sensitivity_mean,
        out,
    )
    return out


@njit(nogil=True)
def _retrace(  # type: ignore[no-untyped-def]
    impressions,
    first,
    pair,
    attachment,
    sensationalism,
    mood,
    w,
    parameters,
    sensitivity,
    out,
):
    s, p = mood[0], parameters[0]
    seen_s = np.full(attachment.shape[0], -1.0)
    viewer = -1
    begin_s = 0.0
    ready_s = 0.0  # when the last impression was over
    for i in range(impressions.shape[0]):
        x = impressions[i]
        if x.viewer != viewer:
            viewer = x.viewer
            begin_s = x.start_s
            ready_s = x.start_s
            s.satiation[:] = 0.0
            s.fatigue = 0.0
            s.satisfaction = 0.0
        away_s = max(0.0, x.start_s - ready_s)
        pass_time(s, p, away_s)
        if first[i]:
            s.fatigue = 0.0
            s.satisfaction *= math.exp(-away_s / (p.satisfaction_decay_days * DAY_S))
        at = pair[i]
        since_s = x.start_s - (seen_s[at] if seen_s[at] >= 0.0 else begin_s)
        attachment[at] *= 0.5 ** (since_s / (p.attachment_half_life_days * DAY_S))
        seen_s[at] = x.start_s

        out.attachment[i] = attachment[at]
        out.satiation[i] = s.satiation[x.category]
        out.fatigue[i] = s.fatigue
        out.satisfaction[i] = s.satisfaction

        watch_s = float(x.watch_s)
        view = _View(x.click, watch_s, x.follow)
        pass_time(s, p, p.browse_s + watch_s)
        if x.click:
            attachment[at] = grown(attachment[at], p, 1.0, watch_s, view.follow)
            satiate(s, w, p, x.category, watch_s)
        update_mood(s, p, view, sensitivity * float(sensationalism[x.streamer]))
        ready_s = x.start_s + p.browse_s + watch_s
