"""Which viewers of a log are described: those whom KuaiLive chose, as sparsely as KuaiLive."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

# KuaiLive: 23,772 users and the 452,621 streamers whom they clicked on.
KUAILIVE_DENSITY = 23_772 / 452_621


def active_viewers(impressions: NDArray[Any]) -> NDArray[Any]:
    """The impressions of viewers who clicked, commented, liked and gave, as KuaiLive's users did.

    Args:
        impressions: (n,) ``IMPRESSION_DTYPE``, in any order.
    """
    viewer = impressions["viewer"]
    chosen = np.ones(int(viewer.max(initial=-1)) + 1, np.bool_)
    for act in ("click", "comments", "likes", "gift_value"):
        chosen &= np.bincount(viewer, impressions[act] > 0, len(chosen)) > 0
    return impressions[chosen[viewer]]


def viewers_per_streamer(impressions: NDArray[Any]) -> float:
    """Viewers for each streamer whom any of them clicked on."""
    known = np.unique(impressions["streamer"][impressions["click"]])
    return len(np.unique(impressions["viewer"])) / len(known)


def sparse_samples(
    impressions: NDArray[Any], density: float = KUAILIVE_DENSITY, seed: int = 0
) -> list[NDArray[Any]]:
    """Disjoint random samples of the viewers, as sparse as a log of a larger platform.

    The more viewers of one world are seen, the more of its streamers are known already: a sample
    has as many viewers as make ``density`` viewers per streamer whom they clicked on.

    Args:
        impressions: (n,) ``IMPRESSION_DTYPE``, in any order.
        density: viewers per streamer clicked on.
        seed: of the draws.

    Returns:
        Impressions of each sample: as many samples as there are whole ones; one of all viewers,
        which is sparser, if they are too few.
    """
    order = np.random.default_rng(seed).permutation(np.unique(impressions["viewer"]))
    place = np.empty(int(order.max(initial=-1)) + 1, np.int64)
    place[order] = np.arange(len(order))
    ranked = impressions[np.argsort(place[impressions["viewer"]], kind="stable")]
    rank = place[ranked["viewer"]]
    samples = []
    begin = 0
    while begin < len(order):
        rows = ranked[np.searchsorted(rank, begin) :]
        clicked = rows[rows["click"]]
        _, first = np.unique(clicked["streamer"], return_index=True)
        # Streamers whom the sample's first 1, 2, ... viewers know.
        known_by = place[clicked["viewer"][first]] - begin
        streamers = np.cumsum(np.bincount(known_by, minlength=len(order) - begin))
        dense = np.arange(1, len(streamers) + 1) >= density * streamers
        dense &= streamers > 0
        if not dense[-1]:
            break
        # From where on it is: a first viewer who clicked on few streamers makes no dense sample.
        sparse = np.flatnonzero(~dense)
        size = int(sparse[-1]) + 2 if len(sparse) else 1
        samples.append(rows[: np.searchsorted(rank[len(ranked) - len(rows) :], begin + size)])
        begin += size
    return samples or [ranked]
