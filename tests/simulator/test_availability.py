"""Who is live when, against brute force over all rooms."""

from __future__ import annotations

import numpy as np
import pytest

from livestream_env.simulator import availability as availability_module
from livestream_env.world.room_index import CONTENT_STEP_S, INDEX_STEP_S
from tests.simulator.bench import Bench, callable_functions

availability = callable_functions(availability_module)


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
    availability.find_room(bench.s, bench.w, 0)


@pytest.mark.parametrize("ahead_s", [0.0, 600.0])
@pytest.mark.parametrize("streamer", [0, 7, 199])
def test_room_of_attached_as_time_goes_by(bench, streamer, ahead_s):
    rooms = bench.env.world.rooms
    times = sorted(moments(bench))
    bench.s["time_s"] = times[len(times) // 2]  # the search begins in the middle of the timetable
    attach(bench, streamer)
    for now_s in times[len(times) // 2 :]:
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
    env = make_env(world="plain", config={"num_streamers": 60, "rooms_per_day": 0.05, "days": 2})
    bench = Bench(env)
    idle = np.flatnonzero(env.world.streamers["num_rooms"] == 0)
    assert len(idle)
    for streamer in idle.tolist():
        attach(bench, streamer)
        bench.s["time_s"] = 40_000.0
        assert availability.room_of_attached(bench.s, bench.w, 0, 40_000.0) == -1


def test_index_holds_every_live_room(bench):
    world = bench.env.world
    for now_s in moments(bench):
        time_bin = availability.index_bin(bench.w, bench.p, now_s)
        live = np.flatnonzero((world.rooms["start_s"] <= now_s) & (world.rooms["end_s"] > now_s))
        if time_bin < 0:
            assert not len(live)
            continue
        offset = world.index_offset[time_bin]
        assert set(live) <= set(world.index["room"][offset[0] : offset[-1]].tolist())
        for k in range(world.num_categories):
            rooms = world.index["room"][offset[k] : offset[k + 1]]
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
            cell = first + availability.cell_at(start_s, now_s)
            assert availability.highlight(bench.w, bench.p, cell) == expected
        last = first + availability.cell_at(start_s, np.nextafter(end_s, 0))
        after = world.rooms["content"][room + 1]
        assert last < after, "the next room's content begins after this one's"


def test_an_entry_of_the_index_knows_its_room(bench):
    world = bench.env.world
    index = bench.w.index
    rng = np.random.default_rng(3)
    for i in rng.integers(len(index), size=200).tolist():
        time_bin = int(np.searchsorted(world.index_offset[:, -1], i, side="right"))
        bin_s = world.index_start_s + time_bin * INDEX_STEP_S
        room = world.rooms[world.index["room"][i]]
        assert world.index["start_s"][i] == room["start_s"]
        assert world.index["streamer"][i] == room["streamer"]
        left_s = room["end_s"] - bin_s
        assert left_s - 0.01 < world.index["left_s"][i] < left_s
        live = max(bin_s, room["start_s"]), min(bin_s + INDEX_STEP_S, room["end_s"])
        for now_s in rng.uniform(*live, size=5) if live[0] < live[1] else ():
            cell = availability.cell_at(room["start_s"], now_s)
            expected = availability.highlight(bench.w, bench.p, int(room["content"]) + cell)
            got = availability.highlight_of_entry(bench.p, index[i], bin_s, cell)
            assert got == expected


def test_highlights_switched_off_are_average(make_env):
    bench = Bench(make_env(highlights=False))
    for room in range(5):
        cell = int(bench.env.world.rooms["content"][room])
        shown = availability.highlight(bench.w, bench.p, cell)
        assert shown == bench.env.world.highlight_share
