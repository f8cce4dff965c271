"""The observation: its layout, its bounds, and each block against a slow recomputation."""

from __future__ import annotations

import math

import gymnasium as gym
import numpy as np
import pytest
from numba import njit

from livestream_env import ObservationLayout
from livestream_env.observation import DECAYS, TraceColumn
from livestream_env.simulator import encoding
from livestream_env.world import DAY_S
from tests.helpers import DEEP, LONG

LAYOUTS = [
    ObservationLayout(num_candidates=10, num_categories=8, history_length=8),
    ObservationLayout(num_candidates=10, num_categories=8, history_length=8, full=True),
    ObservationLayout(num_candidates=2, num_categories=3, history_length=1, full=True),
    ObservationLayout(num_candidates=3, num_categories=3, history_length=2, traces=True),
    ObservationLayout(num_candidates=4, num_categories=2, history_length=1, full=True, traces=True),
]


class TestLayout:
    @pytest.mark.parametrize("layout", LAYOUTS)
    def test_blocks_follow_one_another(self, layout):
        ends = 0
        for block, columns in layout.slices.items():
            assert columns.start == ends
            assert columns.stop - columns.start == math.prod(layout.shapes[block])
            assert layout.shapes[block][-1] == len(layout.names[block])
            assert len(set(layout.names[block])) == len(layout.names[block])
            ends = columns.stop
        assert ends == layout.size

    @pytest.mark.parametrize("layout", LAYOUTS)
    def test_columns_are_shared_or_a_candidates(self, layout):
        assert layout.candidate_columns.shape[0] == layout.num_candidates
        columns = np.concatenate([layout.shared_columns, layout.candidate_columns.ravel()])
        np.testing.assert_array_equal(np.sort(columns), np.arange(layout.size))

    @pytest.mark.parametrize("layout", LAYOUTS)
    def test_candidate_features_by_name(self, layout):
        flat = np.arange(3 * layout.size, dtype=np.float32).reshape(3, layout.size)
        names = layout.names["candidates"]
        for name in names:
            got = layout.candidate(flat, name)
            assert got.shape == (3, layout.num_candidates)
            expected = flat[:, layout.candidate_columns[:, names.index(name)]]
            np.testing.assert_array_equal(got, expected)
            np.testing.assert_array_equal(layout.candidate(flat[0], name), got[0])

    def test_unknown_feature(self):
        with pytest.raises(ValueError, match=r"name must be one of valid, affinity.*'charm'"):
            LAYOUTS[0].candidate(np.zeros(LAYOUTS[0].size, np.float32), "charm")

    @pytest.mark.parametrize("layout", LAYOUTS)
    def test_describe_lists_every_column(self, layout):
        lines = layout.describe().splitlines()
        assert [int(line.split()[0]) for line in lines] == list(range(layout.size))
        block, name = lines[layout.slices["candidates"].start + 1].split()[1:]
        assert (block, name) == ("candidates[0]", "affinity")

    def test_dict_holds_views(self):
        flat = np.zeros((2, LAYOUTS[0].size), np.float32)
        blocks = LAYOUTS[0].to_dict(flat)
        assert list(blocks) == ["viewer", "context", "history", "candidates"]
        assert all(np.shares_memory(block, flat) for block in blocks.values())

    def test_documentation_names_every_feature(self, make_env):
        page = make_env().__doc__
        for block, names in LAYOUTS[0].names.items():
            (row,) = [line for line in page.splitlines() if line.strip().startswith(f"| {block} |")]
            assert f"{len(names) - LAYOUTS[0].num_categories} + K" in row
            for name in names:
                stem = name.rstrip("0123456789") + ("k" if name[-1].isdigit() else "")
                assert stem in page, name


def clip(x: float) -> float:
    return max(-1.0, min(1.0, x))


def scaled(x: float, scale: float) -> float:
    """Log scaled: 1 at ``scale``."""
    return min(1.0, math.log1p(x) / math.log1p(scale))


def one_hot(k: int, size: int) -> list[float]:
    return [float(k == i) for i in range(size)]


def viewer_block(slot, world):
    v = world.viewers[slot["viewer"]]
    return [
        v["age"] / 3 - 1, v["gender"] == 0, v["gender"] == 1, v["device_price"] / 2 - 1,
        v["is_streamer"], scaled(v["follow_count"], 5_000), scaled(v["fan_count"], 100_000),
        clip(math.log(v["activity"]) / 3), *(clip(t / 4) for t in v["taste"]),
    ]  # fmt: skip


def context_block(slot, horizon_s):
    angle = 2 * math.pi * (slot["time_s"] % DAY_S) / DAY_S
    left = (slot["end_s"] - slot["time_s"]) / horizon_s if math.isfinite(horizon_s) else 1.0
    return [
        math.sin(angle), math.cos(angle), max(0.0, left),
        scaled(slot["time_s"] - slot["visit_start_s"], 4 * 3600),
        scaled(slot["visit_impression"], 200), scaled(slot["visit"], 50),
        scaled(slot["impression"], 200), scaled(slot["watch_s"], DAY_S),
        (slot["clicks"] + 1) / (slot["impression"] + 4),
        *(scaled(seconds, 3600) for seconds in slot["category_watch_s"]),
    ]  # fmt: skip


def history_row(event, category, cover, categories):
    """Of an impression whose info is ``event``."""
    return [
        float(event["click"]), scaled(event["watch_s"], 3600), min(event["likes"] / 3, 1),
        min(event["comments"] / 3, 1), scaled(event["gift_value"], 56_246), float(event["follow"]),
        clip(cover / 3), *one_hot(category, categories),
    ]  # fmt: skip


def candidate_rows(slot, world):
    """All features but the two with errors, which are NaN here."""
    rows = []
    for room_id, known in zip(slot["room"], slot["known"], strict=True):
        if room_id < 0:
            rows.append([0.0] * (9 + world.num_categories))
            continue
        room = world.rooms[room_id]
        j = world.streamers[room["streamer"]]
        past = slot["attached_watch_s"][known] if known >= 0 else 0.0
        rows.append(
            [
                1.0, np.nan, scaled(past, DAY_S),
                float(known >= 0 and slot["attached_followed"][known]),
                clip(j["cover"] / 3), clip(math.log(j["popularity"]) / 5),
                scaled(slot["time_s"] - room["start_s"], 12 * 3600), np.nan,
                scaled(slot["category_watch_s"][j["category"]], 3600),
                *one_hot(j["category"], world.num_categories),
            ]
        )  # fmt: skip
    return np.array(rows)


def hidden_blocks(slot, world, highlight, loyalty_scale):
    v = world.viewers[slot["viewer"]]
    ties = (slot["attached_growth"] * slot["attachment"] ** 2).sum()
    shared = [clip(slot["satisfaction"] / 2), clip(slot["fatigue"]),
              1 - math.exp(-ties / loyalty_scale), slot["familiarity"].mean(),
              clip(v["sensitivity"] / 3), clip(v["click_propensity"] / 3),
              *(clip(s / 4) for s in slot["satiation"])]  # fmt: skip
    rows = []
    for i, (room_id, known) in enumerate(zip(slot["room"], slot["known"], strict=True)):
        if room_id < 0:
            rows.append([0.0] * 8)
            continue
        room = world.rooms[room_id]
        j = world.streamers[room["streamer"]]
        rows.append(
            [
                clip(slot["affinity"][i] / 4),
                slot["attachment"][known] if known >= 0 else 0.0,
                highlight(room_id, slot["time_s"]),
                clip(j["quality"] / 3),
                clip(j["sensationalism"] / 3),
                clip(j["community"] / 3),
                slot["familiarity"][j["category"]],
                scaled(room["end_s"] - slot["time_s"], 12 * 3600),
            ]
        )
    return shared, np.array(rows)


@pytest.mark.parametrize("deep", [{}, DEEP], ids=["plain", "deep"])
@pytest.mark.parametrize("horizon", ["visit", "day", "week"])
def test_every_block_equals_a_slow_recomputation(make_venv, horizon, deep):
    env = make_venv(
        24, world="plain", horizon=horizon, observe="full",
        config={**deep, "num_streamers": 60, "num_viewers": 200, "days": 8, "click_bias": 0.0},
    )  # fmt: skip
    world, layout = env.world, env.layout
    bits = np.unpackbits(world.content, bitorder="little")
    horizon_s = {"visit": math.inf, "day": DAY_S, "week": 7 * DAY_S}[horizon]

    def highlight(room_id, now_s):
        room = world.rooms[room_id]
        return float(bits[room["content"] + int((now_s - room["start_s"]) // 30)])

    observation, _ = env.reset(seed=0)
    for step in range(40):
        observation = env.step(np.full(24, step % 10))[0]
    assert (~env.action_masks()).any() and (env.get_state()["known"] >= 0).any()
    for slot, flat in zip(env.get_state(), observation, strict=True):
        got = layout.to_dict(flat)
        loyalty_scale = env.simulation.config.loyalty_scale
        shared, rows = hidden_blocks(slot, world, highlight, loyalty_scale)
        expected = {
            "viewer": viewer_block(slot, world),
            "context": context_block(slot, horizon_s),
            "history": slot["history"].ravel(),
            "hidden": shared,
            "hidden_candidates": rows.ravel(),
        }
        for block, values in expected.items():
            np.testing.assert_allclose(
                got[block], np.array(values, float), atol=1e-5, err_msg=block
            )
        candidates = candidate_rows(slot, world)
        candidates[:, 5] = np.nan if deep else candidates[:, 5]  # audiences move
        known = ~np.isnan(candidates)
        got_rows = got["candidates"].reshape(layout.shapes["candidates"])
        np.testing.assert_allclose(got_rows[known], candidates[known], atol=1e-5)


class TestErrors:
    """What the platform knows of affinity and highlights carries an error, always the same."""

    def observed(self, env, name):
        flat = env.simulation.observe()
        return env.layout.candidate(flat, name), env.get_state()

    def test_affinity_estimate(self, make_venv):
        env = make_venv(3_000)
        env.reset(seed=0)
        estimate, state = self.observed(env, "affinity")
        error = 4.0 * estimate - state["affinity"]
        std = env.simulation.config.affinity_estimate_std
        assert error.std() == pytest.approx(std, rel=0.03) and abs(error.mean()) < 0.01
        assert np.corrcoef(estimate.ravel(), state["affinity"].ravel())[0, 1] > 0.9

    def test_affinity_error_belongs_to_the_pair(self, make_env):
        env = make_env(horizon="week", config={**LONG, "watch_cap_s": 10.0})
        env.reset(seed=0)
        errors: dict[int, set[float]] = {}
        for step in range(200):
            estimate, state = self.observed(env, "affinity")
            for room, true, seen in zip(
                state["room"][0], state["affinity"][0], estimate[0], strict=True
            ):
                streamer = int(env.world.rooms["streamer"][room])
                errors.setdefault(streamer, set()).add(round(float(4 * seen - true), 4))
            env.step(step % 10)
        assert sum(len(e) == 1 for e in errors.values()) > 0.95 * len(errors)  # but for rounding
        assert len({min(e) for e in errors.values()}) > 0.9 * len(errors)

    def test_viewers_have_different_errors_for_a_streamer(self, make_venv):
        env = make_venv(2_000, availability=False)
        env.reset(seed=0)
        estimate, state = self.observed(env, "affinity")
        error = 4.0 * estimate - state["affinity"]
        popular = np.bincount(state["room"].ravel()).argmax()
        assert error[state["room"] == popular].std() > 0.2

    def test_engagement_is_a_sign_of_a_highlight(self, make_venv):
        env = make_venv(3_000, observe="full")
        env.reset(seed=0)
        engagement, _ = self.observed(env, "engagement")
        hidden = env.layout.to_dict(env.simulation.observe())["hidden_candidates"]
        highlight = hidden.reshape(3_000, 10, 8)[..., 2]
        on, off = engagement[highlight == 1], engagement[highlight == 0]
        assert 2 * (on.mean() - off.mean()) == pytest.approx(1.0, abs=0.05)
        std = env.simulation.config.engagement_noise_std
        assert 2 * off.std() == pytest.approx(std, rel=0.1)

    def test_engagement_error_lasts_half_a_minute(self, make_env):
        env = make_env(highlights=False, config={**LONG, "browse_s": 1.0, "click_bias": -20.0})
        env.reset(seed=0)
        seen: dict[tuple[int, int], set[float]] = {}
        for step in range(120):
            engagement, state = self.observed(env, "engagement")
            for room, value in zip(state["room"][0], engagement[0], strict=True):
                start_s = env.world.rooms["start_s"][room]
                cell = int((state["time_s"][0] - start_s) // 30)
                seen.setdefault((int(room), cell), set()).add(float(value))
            env.step(step % 10)
        assert all(len(values) == 1 for values in seen.values())
        rooms = [room for room, _ in seen]
        busiest = max(set(rooms), key=rooms.count)
        assert len({min(v) for (room, _), v in seen.items() if room == busiest}) > 1

    def test_asking_twice_gives_no_new_answer(self, make_env):
        env = make_env()
        observation, _ = env.reset(seed=0)
        np.testing.assert_array_equal(env.simulation.observe()[0], observation)

    def test_without_error(self, make_venv):
        env = make_venv(50, config={"affinity_estimate_std": 0.0, "engagement_noise_std": 0.0})
        env.reset(seed=0)
        estimate, state = self.observed(env, "affinity")
        np.testing.assert_allclose(4 * estimate, np.clip(state["affinity"], -4, 4), atol=1e-5)
        engagement, _ = self.observed(env, "engagement")
        share = env.world.highlight_share
        levels = np.unique(np.round(2 * engagement, 5))
        np.testing.assert_allclose(levels, [-share, 1 - share], atol=1e-5)


def test_one_hots_and_flags_are_0_or_1(make_venv):
    env = make_venv(64)
    env.reset(seed=0)
    for step in range(20):
        observation = env.step(np.full(64, step % 10))[0]
    blocks = env.layout.to_dict(observation)
    history = blocks["history"].reshape(64, 8, 15)
    candidates = blocks["candidates"].reshape(64, 10, 17)
    for one_hots in (history[..., 7:], candidates[..., 9:]):
        assert set(np.unique(one_hots)) <= {0.0, 1.0} and (one_hots.sum(-1) <= 1).all()
    np.testing.assert_array_equal(candidates[..., 9:].sum(-1), candidates[..., 0])
    for name in ("valid", "followed"):
        assert set(np.unique(env.layout.candidate(observation, name))) <= {0.0, 1.0}


def test_history_is_what_was_shown_latest_first(make_env):
    env = make_env(config={**LONG, "click_bias": 1.0})
    _, info = env.reset(seed=0)
    events = []
    for step in range(10):
        observation, *_, info = env.step(step)
        events.insert(0, info)
    history = env.layout.to_dict(observation)["history"].reshape(8, 15)
    world = env.world
    for row, event in zip(history, events, strict=False):
        streamer = world.streamers[event["streamer"]]
        category, cover = streamer["category"], streamer["sensationalism"]
        expected = history_row(event, category, cover, world.num_categories)
        np.testing.assert_allclose(row, expected, atol=1e-6)
    assert history.shape[0] == 8 and len({e["watch_s"] for e in events}) > 3


def test_logarithm():
    x = np.concatenate([[0.0], np.geomspace(1e-6, 1e7, 100_000)])
    log1p_32 = njit(lambda x: encoding.log1p_32(x))
    got = np.array([log1p_32(value) for value in x])
    np.testing.assert_allclose(got, np.log1p(x), rtol=3e-7, atol=2e-7)
    assert log1p_32(0.0) == 0.0


@pytest.mark.parametrize("observe", ["partial", "full"])
def test_rows_are_the_flat_observation_in_the_documented_shapes(observe):
    made = {"observe": observe, "num_candidates": 5, "history_length": 3}
    flat, rows = (
        gym.make_vec(
            "LiveStreamRec-v0",
            num_envs=2,
            vectorization_mode="vector_entry_point",
            observation=form,
            **made,
        )
        for form in ("flat", "rows")
    )
    one = gym.make("LiveStreamRec-v0", observation="rows", **made)
    numbers, blocks = flat.reset(seed=4)[0], rows.reset(seed=4)[0]
    alone = one.reset(seed=4)[0]
    for _ in range(4):
        assert rows.observation_space.contains(blocks) and one.observation_space.contains(alone)
        assert list(blocks) == list(alone) == list(flat.layout.shapes)
        whole = [block.reshape(2, -1) for block in blocks.values()]
        np.testing.assert_array_equal(np.concatenate(whole, axis=1), numbers)
        assert blocks["candidates"].shape == (2, 5, 17) and alone["history"].shape == (3, 15)
        for block, values in alone.items():
            np.testing.assert_array_equal(values, blocks[block][0])
        affinity = flat.layout.names["candidates"].index("affinity")
        np.testing.assert_array_equal(
            blocks["candidates"][..., affinity], flat.layout.candidate(numbers, "affinity")
        )
        numbers, blocks = flat.step(np.zeros(2, int))[0], rows.step(np.zeros(2, int))[0]
        alone = one.step(np.int64(0))[0]


def slow_traces(events, num_categories):
    """Of the impressions of an episode, oldest first: the block traces."""
    named = {kind: np.zeros(len(TraceColumn)) for kind in DECAYS}
    categories = np.zeros((2, num_categories))
    for e in events:
        clicked, left, cover = float(e["click"]), float(e["left"]), 3 * clip(e["cover"] / 3)
        watch = scaled(e["watch_s"], 3600)
        interacted = clicked and (e["likes"] + e["comments"] > 0 or e["gift_value"] > 0)
        now = [
            1.0, clicked, 4.0 * (clicked and e["watch_s"] > 30), clicked and e["watch_s"] < 5,
            clicked * watch, 4.0 * interacted, 4.0 * left, cover, clicked * cover,
            clicked * watch * cover, 4.0 * left * cover, e["affinity"], clicked * e["affinity"],
        ]  # fmt: skip
        for kind, decay in DECAYS.items():
            named[kind] = np.clip(decay * named[kind] + (1 - decay) * np.array(now, float), -1, 1)
        categories *= DECAYS["slow"]
        categories[:, e["category"]] += (1 - DECAYS["slow"]) * np.array([1.0, clicked])
    return np.concatenate([*named.values(), np.minimum(4 * categories, 1).ravel()])


@pytest.mark.parametrize("deep", [{}, DEEP], ids=["plain", "deep"])
def test_traces_equal_a_slow_recomputation(make_venv, deep):
    count = 16
    env = make_venv(
        count, world="plain", horizon="week", traces=True,
        config={**deep, "num_streamers": 200, "num_viewers": 200, "days": 8, "click_bias": 0.0,
                "watch_bias": 2.0, "exit_bias": -2.0, "like_per_min": 0.5},
    )  # fmt: skip
    world, layout = env.world, env.layout
    observation, _ = env.reset(seed=0)
    assert (layout.to_dict(observation)["traces"] == 0).all()
    np.testing.assert_allclose(
        layout.to_dict(observation)["past"][:, 0],
        (world.viewers["past_regret"][env.get_state()["viewer"]] / 3).clip(-1, 1), atol=1e-6,
    )  # fmt: skip
    events = [[] for _ in range(count)]
    for step in range(60):
        action = np.full(count, step % 10)
        affinity = layout.candidate(observation, "affinity")[:, step % 10]
        observation, _, _, _, info = env.step(action)
        for i in range(count):
            if info["elapsed_s"][i] == 0:  # the next episode begins
                events[i] = []
            elif info["streamer"][i] >= 0:
                j = world.streamers[info["streamer"][i]]
                names = ("click", "watch_s", "likes", "comments", "gift_value")
                events[i].append(
                    {name: info[name][i] for name in names}
                    | {"left": info["visit_ended"][i], "cover": j["cover"],
                       "category": j["category"], "affinity": affinity[i]}
                )  # fmt: skip
    traces = layout.to_dict(observation)["traces"]
    expected = np.array([slow_traces(e, world.num_categories) for e in events])
    np.testing.assert_allclose(traces, expected, atol=1e-5)
    assert (expected.std(axis=0) > 0).mean() > 0.9
    fan_club = layout.to_rows(observation)["logged_candidates"][..., 0]
    streamer = env.get_state()["streamer"]
    known = np.where(streamer >= 0, world.streamers["fan_club"][streamer] / 3, 0).clip(-1, 1)
    np.testing.assert_allclose(fan_club, known, atol=1e-6)


def test_what_the_platform_estimates_leaves_out_what_it_does_not_know(make_venv):
    config = {**DEEP, "num_streamers": 200, "num_viewers": 500, "interest_std": 2.0}
    env = make_venv(500, world="plain", config=config)
    observation, _ = env.reset(seed=0)
    slots, estimate = env.get_state(), 4 * env.layout.candidate(observation, "affinity")
    category = env.world.streamers["category"][np.maximum(slots["streamer"], 0)]
    interest = np.take_along_axis(env.world.viewers["interest"][slots["viewer"]], category, axis=1)
    inside = (slots["streamer"] >= 0) & (np.abs(estimate) < 4)
    error = (estimate - (slots["affinity"] - interest))[inside]
    assert error.std() == pytest.approx(env.simulation.config.affinity_estimate_std, rel=0.1)
