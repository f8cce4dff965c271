"""Who is live when, against brute force over all rooms."""

from __future__ import annotations

import numpy as np
import pytest

from livestream_env.simulator import availability
from livestream_env.world import CONTENT_STEP_S, INDEX_STEP_S
from tests.simulator.bench import Bench


@pytest.fixture
def bench(make_env):
    return Bench(make_env())


def moments(bench, count=300):
    """Random times, and the ends and beginnings of rooms to the last digit."""
    rooms = bench.env.world.rooms
    times = np.random.default_rng(0).uniform(-3600, (bench.env.world.days + 1) * 86_400, count)
    edges = np.concatenate([rooms["start_s"][:20], rooms["end_s"][:20]])
    return np.concatenate([times, edges, np.nextafter(edges, -np.inf)]).tolist()


def attach(bench, streamer):
    """Make ``streamer`` the only one that the viewer of the bench knows."""
    bench.s["attached_streamer"][0] = streamer
    bench.s["num_attached"] = 1
    availability.forget_rooms(bench.s, bench.w, 0)


@pytest.mark.parametrize("ahead_s", [0.0, 600.0])
@pytest.mark.parametrize("streamer", [0, 7, 199])
def test_room_of_attached_as_time_goes_by(bench, streamer, ahead_s):
    rooms = bench.env.world.rooms
    attach(bench, streamer)
    for now_s in sorted(moments(bench)):
        live = np.flatnonzero(
            (rooms["streamer"] == streamer)
            & (rooms["start_s"] <= now_s)
            & (rooms["end_s"] > now_s + ahead_s)
        )
        expected = live[0] if len(live) else -1
        bench.s["time_s"] = now_s
        got = availability.room_of_attached(bench.s, bench.w, 0, now_s + ahead_s)
        assert len(live) <= 1 and got == expected


def test_room_of_an_attached_streamer_who_never_streams(make_env):
    env = make_env(world="default", config={"num_streamers": 60, "rooms_per_day": 0.05, "days": 2})
    bench = Bench(env)
    idle = np.flatnonzero(env.world.streamers["num_rooms"] == 0)
    assert len(idle)
    for streamer in idle.tolist():
        attach(bench, streamer)
        bench.s["time_s"] = 40_000.0
        assert availability.room_of_attached(bench.s, bench.w, 0, 40_000.0) == -1


def test_is_live_from_start_until_before_end(bench):
    start_s, end_s = (bench.env.world.rooms[name][5] for name in ("start_s", "end_s"))
    assert availability.is_live(bench.w, 5, start_s, start_s)
    assert not availability.is_live(bench.w, 5, np.nextafter(start_s, 0), start_s)
    assert not availability.is_live(bench.w, 5, start_s, end_s)
    assert availability.is_live(bench.w, 5, start_s, np.nextafter(end_s, 0))


def test_index_holds_every_live_room(bench):
    world = bench.env.world
    for now_s in moments(bench):
        time_bin = availability.index_bin(bench.w, bench.p, now_s)
        live = np.flatnonzero((world.rooms["start_s"] <= now_s) & (world.rooms["end_s"] > now_s))
        if time_bin < 0:
            assert not len(live)
            continue
        offset = world.index_offset[time_bin]
        assert set(live) <= set(world.index_room[offset[0] : offset[-1]].tolist())
        for k in range(world.num_categories):
            rooms = world.index_room[offset[k] : offset[k + 1]]
            assert (world.streamers["category"][world.rooms["streamer"][rooms]] == k).all()


def test_outside_the_timetable_there_is_no_bin(bench):
    world = bench.env.world
    last_s = world.index_start_s + len(world.index_offset) * INDEX_STEP_S
    assert availability.index_bin(bench.w, bench.p, world.index_start_s) == 0
    assert availability.index_bin(bench.w, bench.p, world.index_start_s - 1e-3) == -1
    assert availability.index_bin(bench.w, bench.p, last_s) == -1
    assert availability.index_bin(bench.w, bench.p, 1e12) == -1


def test_highlight_changes_on_the_grid_and_stays_within_the_room(bench):
    world = bench.env.world
    bits = np.unpackbits(world.content, bitorder="little")
    for room in range(30):
        start_s, end_s, first = (world.rooms[room][n] for n in ("start_s", "end_s", "content"))
        for now_s in np.random.default_rng(room).uniform(start_s, end_s, 20):
            expected = bits[first + int((now_s - start_s) // CONTENT_STEP_S)]
            assert availability.highlight(bench.w, bench.p, room, now_s) == expected
        last = availability.content_cell(bench.w, room, np.nextafter(end_s, 0))
        after = world.rooms["content"][room + 1]
        assert last < after, "the next room's content begins after this one's"


def test_highlights_switched_off_are_average(make_env):
    bench = Bench(make_env(highlights=False))
    for room in range(5):
        now_s = bench.env.world.rooms["start_s"][room]
        shown = availability.highlight(bench.w, bench.p, room, now_s)
        assert shown == bench.env.world.highlight_share
