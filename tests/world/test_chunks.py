"""Worlds are drawn in pieces, whose size changes nothing but the memory that it takes."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from livestream_env import World, WorldConfig
from livestream_env.world import chunks, synthetic
from tests.helpers import DEEP, SMALL

# Of its own process: rooms, bytes of the arrays, and most bytes used before and after it is drawn.
_LARGE = """
import resource
from livestream_env import World, WorldConfig

def used():
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

World.synthetic(WorldConfig(num_viewers=10, num_streamers=20, days=1))
before = used()
world = World.synthetic(WorldConfig(num_streamers=100_000))
tables = world.viewers, world.streamers, world.rooms, world.content, world.index, world.room_ids
print(len(world.rooms), sum(table.nbytes for table in tables), before, used())
"""
WORLD_PARAMETERS = set(WorldConfig().to_dict())


def drawn(config: WorldConfig) -> World:
    """A world that no other test has asked for."""
    return World(**synthetic.draw_world(config, seed=3), days=config.days)


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 100])
def test_slices_cover_the_range_once_in_order(count, monkeypatch):
    monkeypatch.setattr(chunks, "SIZE", 24)
    pieces = list(chunks.chunks(count, 3.0))
    assert [i for piece in pieces for i in range(count)[piece]] == list(range(count))
    assert all(piece.stop - piece.start <= 8 for piece in pieces)


def test_something_larger_than_a_piece_is_one_of_its_own(monkeypatch):
    monkeypatch.setattr(chunks, "SIZE", 24)
    assert list(chunks.chunks(2, 100.0)) == [slice(0, 1), slice(1, 2)]


@pytest.mark.parametrize("size", [1, 1000, 5001])
@pytest.mark.parametrize("deep", [False, True])
def test_a_world_drawn_in_small_pieces_is_the_same(size, deep, monkeypatch):
    more = {name: value for name, value in DEEP.items() if name in WORLD_PARAMETERS}
    config = WorldConfig(**SMALL | (more if deep else {}))
    at_once = drawn(config)
    monkeypatch.setattr(chunks, "SIZE", size)
    in_pieces = drawn(config)
    assert in_pieces == at_once
    for name in ("index", "index_offset", "index_share"):
        np.testing.assert_array_equal(getattr(in_pieces, name), getattr(at_once, name))


@pytest.mark.parametrize(
    "spread", [{}, {"popularity_std": 0.0, "pair_affinity_std": 0.0}, {"pair_affinity_std": 5.0}]
)
def test_the_race_is_won_by_the_highest_scores(spread):
    world = drawn(WorldConfig(num_viewers=50, num_streamers=3_000, days=1, **spread))
    viewers, streamers = world.viewers.copy(), world.streamers
    viewers["attached_streamer"] = -1
    synthetic._attach_to_liked(viewers, streamers, np.random.default_rng(5))
    liking = viewers["taste"][:, streamers["category"]]
    liking = liking + viewers["embedding"] @ streamers["embedding"].T
    noise = np.random.default_rng(5).gumbel(size=liking.shape)
    score = np.log(streamers["popularity"].astype(float)) + 1.2 * liking + noise
    best = np.argsort(-score, axis=1)[:, : viewers["attached_streamer"].shape[1]]
    np.testing.assert_array_equal(viewers["attached_streamer"], best)


@pytest.mark.slow
def test_a_large_world_takes_little_more_memory_than_it_keeps():
    done = subprocess.run(
        [sys.executable, "-c", _LARGE], check=True, capture_output=True, text=True
    )
    rooms, kept, before, peak = map(int, done.stdout.split())
    assert rooms > 2_000_000
    assert peak - before <= 1.2 * kept
    assert peak <= 1.5 * 2**30
