"""Which viewers are described: tiny logs whose selection is known."""

from __future__ import annotations

import numpy as np
import pytest

from livestream_env.calibration.selection import (
    active_viewers,
    sparse_samples,
    viewers_per_streamer,
)
from tests.calibration.tables import impressions


def test_active_viewers_clicked_commented_liked_and_gave():
    rows = impressions([
        (0, 1, 0, 5.0, 1, 1, 9),
        (1, 1, 0, 5.0, 1, 1, 0),  # gave nothing
        (1, 2, 0, None),
        (2, 1, 0, 5.0, 0, 1, 0),  # all four, in three clicks
        (2, 2, 1, 5.0, 2, 0, 0),
        (2, 3, 1, 5.0, 0, 0, 1),
        (2, 4, 2, None),
        (4, 1, 0, None),
    ])  # fmt: skip
    chosen = active_viewers(rows)
    assert chosen["viewer"].tolist() == [0, 2, 2, 2, 2]
    assert len(active_viewers(rows[1:3])) == 0
    assert len(active_viewers(rows[:0])) == 0


def test_samples_have_as_many_viewers_per_streamer_as_was_asked():
    """Everyone clicks on the same four streamers: half as many viewers are two."""
    rows = impressions([(viewer, 1, s, 1.0) for viewer in (0, 2, 3, 5, 9) for s in range(4)])
    samples = sparse_samples(rows[::-1], density=0.5)
    assert [np.unique(sample["viewer"]).size for sample in samples] == [2, 2]  # and one is left
    assert not set(samples[0]["viewer"]) & set(samples[1]["viewer"])
    assert [viewers_per_streamer(sample) for sample in samples] == [0.5, 0.5]
    assert all(len(sample) == 8 for sample in samples)
    assert len(sparse_samples(rows, density=0.25)) == 5


def test_too_few_viewers_are_one_sample():
    """Everyone clicks on two streamers of her own: there are never more viewers per streamer."""
    rows = impressions([(viewer, 1, 2 * viewer + s, 1.0) for viewer in range(5) for s in range(2)])
    assert len(sparse_samples(rows, density=0.5)) == 5
    (sample,) = sparse_samples(rows, density=0.6)
    assert len(sample) == len(rows)
    assert viewers_per_streamer(sample) == 0.5


@pytest.mark.parametrize("seed", range(4))
def test_viewers_who_never_click_are_no_sample_of_their_own(seed):
    rows = impressions([(0, 1, 0, None), (1, 1, 0, 1.0), (2, 1, 0, None), (3, 1, 0, 1.0)])
    for sample in sparse_samples(rows, density=0.5, seed=seed):
        assert sample["click"].any()


@pytest.mark.parametrize("seed", range(4))
def test_one_who_knows_few_streamers_is_no_sample_of_her_own(seed):
    """Alone she is dense, with anyone beside her she is not; the others are from the sixth on."""
    clicks = [(viewer, 1, s, 1.0) for viewer in range(1, 12) for s in range(1, 12)]
    rows = impressions([(0, 1, 0, 1.0), *clicks])
    for sample in sparse_samples(rows, density=0.5, seed=seed):
        assert len(np.unique(sample["viewer"])) >= 6


@pytest.mark.parametrize("seed", [0, 1])
def test_a_seed_draws_the_same_samples(seed):
    rows = impressions([(viewer, 1, s, 1.0) for viewer in range(20) for s in range(4)])
    first, again = (sparse_samples(rows, density=1.0, seed=seed) for _ in range(2))
    assert [a.tolist() for a in first] == [b.tolist() for b in again]
    other = sparse_samples(rows, density=1.0, seed=seed + 2)
    assert set(first[0]["viewer"]) != set(other[0]["viewer"])
