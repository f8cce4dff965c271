"""Retrieval: distinct live rooms, from the sources and in the shares that the parameters say."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from livestream_env.simulator.state import DAY_START_S

DAY_S = 86_400.0


def candidates(env, seed=0):
    """Candidates of one first impression per slot: the state, rooms (N_envs, N), streamers."""
    env.reset(seed=seed)
    state = env.get_state()
    rooms = state["room"]
    streamers = np.where(rooms >= 0, env.world.rooms["streamer"][rooms], -1)
    return state, rooms, streamers


def live_now(world, now_s, until_s):
    return np.flatnonzero((world.rooms["start_s"] <= now_s) & (world.rooms["end_s"] > until_s))


def test_distinct_live_and_valid(make_venv):
    env = make_venv(500)
    state, rooms, streamers = candidates(env)
    browse_s = env.simulation.config.browse_s
    assert rooms.max() < len(env.world.rooms) and rooms.min() >= -1
    for row, slot in zip(rooms, state, strict=True):
        shown = row[row >= 0]
        assert len(set(shown.tolist())) == len(shown)
        assert np.isin(shown, live_now(env.world, slot["time_s"], slot["time_s"] + browse_s)).all()
    assert all(len(set(row.tolist())) == 10 for row in streamers)


def test_few_live_rooms_are_all_shown(make_venv):
    config = {"num_streamers": 60, "num_viewers": 50, "days": 2}
    env = make_venv(300, world="plain", config=config)
    state, rooms, _ = candidates(env)
    until_s = state["time_s"] + env.simulation.config.browse_s + 1.0
    short = 0
    for row, now_s, then_s in zip(rooms, state["time_s"], until_s, strict=True):
        live = live_now(env.world, now_s, then_s)
        assert (row >= 0).sum() == min(len(live), 10)
        if len(live) <= 10:
            short += 1
            assert set(row[row >= 0].tolist()) == set(live.tolist())
    assert 10 < short < 300


def test_no_room_live_leaves_all_slots_empty(make_env):
    config = {"num_streamers": 10, "num_viewers": 50, "rooms_per_day": 0.01, "days": 30}
    env = make_env(world="plain", config=config)
    _, info = env.reset(seed=0)
    assert info["action_mask"].all() and (info["candidate_rooms"] == -1).all()
    observation, reward, *_ = env.step(0)
    assert reward == 0.0 and env.observation_space.contains(observation)


def test_empty_slots_are_anywhere(make_venv):
    env = make_venv(800, world="plain", config={"num_streamers": 40, "num_viewers": 50})
    _, rooms, _ = candidates(env)
    empty = (rooms < 0).sum(0)
    assert empty.sum() > 500 and stats.chisquare(empty).pvalue > 0.001


def test_slot_says_nothing(make_venv):
    env = make_venv(2_000)
    state, _, streamers = candidates(env)
    assert stats.chisquare((state["known"] >= 0).sum(0)).pvalue > 0.001
    popularity = np.log(env.world.streamers["popularity"][streamers])
    assert stats.f_oneway(*popularity.T).pvalue > 0.001


def live_attached(env, slot):
    """Streamers that the viewer knows and that are live long enough."""
    until_s = slot["time_s"] + env.simulation.config.browse_s + 1.0
    rooms = live_now(env.world, slot["time_s"], until_s)
    live = set(env.world.rooms["streamer"][rooms].tolist())
    return live & set(slot["attached_streamer"][: slot["num_attached"]].tolist())


def test_known_streamers_that_are_live_come_first(make_venv):
    env = make_venv(300, config={"retrieval_attached_share": 1.0, "retrieval_category_share": 0.0})
    state, _, streamers = candidates(env)
    seen = 0
    for slot, row in zip(state, streamers, strict=True):
        expected = live_attached(env, slot)
        assert expected <= set(row.tolist())
        assert set(slot["known"][slot["known"] >= 0].tolist()) == {
            i for i, j in enumerate(slot["attached_streamer"]) if j in expected
        }
        seen += len(expected)
    assert seen > 100


def test_quota_of_known_streamers(make_venv):
    env = make_venv(300, config={"retrieval_attached_share": 0.1, "retrieval_category_share": 0.0})
    state, _, streamers = candidates(env)
    shown = {True: [], False: []}
    for slot, row in zip(state, streamers, strict=True):
        expected = live_attached(env, slot)
        if expected:
            assert expected & set(row.tolist())
            for first in expected:
                shown[int(slot["attached_streamer"][0]) == first].append(first in row)
    # The one slot rotates: neither the first nor the others are shut out.
    if len(shown[True]) > 30:
        assert 0.2 < np.mean(shown[True]) and 0.2 < np.mean(shown[False])


def test_without_the_quota_known_streamers_are_rare(make_venv):
    without = {"retrieval_attached_share": 0.0, "retrieval_category_share": 0.0}
    few = (candidates(make_venv(500, config=without))[0]["known"] >= 0).mean()
    many = (candidates(make_venv(500))[0]["known"] >= 0).mean()
    assert few < 0.85 * many


def category_taste(env):
    """Mean taste of the viewers for the categories that they are shown."""
    state, _, streamers = candidates(env)
    taste = env.world.viewers["taste"][state["viewer"]]
    return np.take_along_axis(taste, env.world.streamers["category"][streamers], axis=1).mean()


def test_categories_follow_tastes(make_venv):
    def taste(share, **config):
        config |= {"retrieval_attached_share": 0.0, "retrieval_category_share": share}
        return category_taste(make_venv(500, config=config))

    none, some, much = taste(0.0), taste(0.5), taste(1.0)
    flat = taste(1.0, retrieval_taste=0.0)
    assert abs(none) < 0.1 and abs(flat) < 0.1
    assert 0.1 < some < much


def test_popular_rooms_are_shown_more_often(make_venv):
    env = make_venv(
        2_000, availability=False,
        config={"retrieval_attached_share": 0.0, "retrieval_category_share": 0.0},
    )  # fmt: skip
    _, _, streamers = candidates(env)
    shown = np.bincount(streamers.ravel(), minlength=len(env.world.streamers))
    weight = env.world.streamers["popularity"].astype(float)
    assert stats.spearmanr(shown, weight).statistic > 0.95
    # A draw without replacement flattens the head; in the tail shares are proportional.
    tail = np.argsort(weight)[:150]
    ratio = shown[tail].sum() / shown.sum() / (weight[tail].sum() / weight.sum())
    assert 1.0 <= ratio < 1.6


def test_affinity_is_taste_embedding_and_quality(make_venv):
    env = make_venv(20)
    state, _, streamers = candidates(env)
    v = env.world.viewers[state["viewer"]]
    for i in range(20):
        for slot in range(10):
            j = env.world.streamers[streamers[i, slot]]
            dot = float(v["embedding"][i].astype(float) @ j["embedding"].astype(float))
            expected = (v["taste"][i, j["category"]] + dot + 0.5 * j["quality"]) / 1.2
            assert state["affinity"][i, slot] == pytest.approx(expected, abs=1e-6)


def test_all_always_live_without_availability(make_venv):
    env = make_venv(300, availability=False)
    state, rooms, _ = candidates(env)
    assert (rooms >= 0).all()
    assert len(env.world.rooms) == len(env.world.streamers)
    horizon_s = (env.world.days + 1) * DAY_S + DAY_START_S
    assert (env.world.rooms["end_s"] > horizon_s).all() and (state["time_s"] < horizon_s).all()


def test_candidates_change_from_impression_to_impression(make_env):
    env = make_env()
    _, before = env.reset(seed=0)
    _, _, _, _, after = env.step(0)
    assert (before["candidate_rooms"] != after["candidate_rooms"]).any()
