"""Invariants, whatever the world, the parameters and the actions.

``HYPOTHESIS_PROFILE=explore pytest tests/test_properties.py`` looks further than the fixed
examples of the ordinary run.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st

from livestream_env import LiveStreamRecEnv, LiveStreamRecVectorEnv, SimulatorConfig, WorldConfig
from livestream_env.infos import INFO_KEYS
from livestream_env.reward import REWARD_COMPONENTS, REWARD_FIELDS
from tests.helpers import assert_same

# (categories, embedding, candidates, history): few, for the kernel is compiled for each.
SHAPES = ((8, 8, 10, 8), (3, 2, 4, 1))
SWITCHES = (
    *("satiation", "satisfaction", "attachment", "curiosity", "audience", "highlights"),
    *("availability", "traces"),
)
DRAWN_ELSEWHERE = {
    "num_viewers", "num_streamers", "num_categories", "embedding_dim", "days",
    "retrieval_attached_share", "retrieval_category_share", "highlight_mean_s",
    "initial_strength_min", "initial_strength_max",
}  # fmt: skip


@st.composite
def parameters(draw: st.DrawFn) -> dict[str, float]:
    """Some parameters anywhere in their ranges, the others at their defaults."""
    specs = {**SimulatorConfig.__dataclass_fields__, **WorldConfig.__dataclass_fields__}
    names = st.sampled_from(sorted(set(specs) - DRAWN_ELSEWHERE))
    config = {}
    for name in draw(st.lists(names, max_size=8, unique=True)):
        low, high = specs[name].metadata["low"], specs[name].metadata["high"]
        whole = isinstance(specs[name].default, int)
        config[name] = draw(st.integers(low, high) if whole else st.floats(low, high))
    strengths = sorted(draw(st.tuples(st.floats(0.0, 1.0), st.floats(0.0, 1.0))))
    config["initial_strength_min"], config["initial_strength_max"] = strengths
    share = draw(st.floats(0.0, 1.0))
    config["retrieval_attached_share"] = share
    config["retrieval_category_share"] = draw(st.floats(0.0, 1.0)) * (1.0 - share)
    return config


@st.composite
def arguments(draw: st.DrawFn) -> dict[str, Any]:
    """Arguments of the environment, for small worlds, some with hardly a room live."""
    categories, embedding, candidates, history = draw(st.sampled_from(SHAPES))
    horizon = draw(st.sampled_from(("visit", "day", "week")))
    config = draw(parameters()) | {
        "num_viewers": draw(st.integers(1, 30)),
        "num_streamers": draw(st.integers(candidates, 60)),
        "num_categories": categories,
        "embedding_dim": embedding,
        "days": draw(st.integers(7 if horizon == "week" else 1, 8)),
    }
    share = config.get("highlight_share", 0.3)
    config["highlight_mean_s"] = max(180.0, 31.0 * share / (1.0 - share))
    weight = st.floats(-10.0, 10.0)
    return {
        "horizon": horizon,
        "num_candidates": candidates,
        "history_length": history,
        "config": config,
        "world_seed": draw(st.integers(0, 3)),
        "reward_weights": draw(st.dictionaries(st.sampled_from(REWARD_COMPONENTS), weight)),
        "watch": draw(st.sampled_from(("log", "minutes"))),
        "observation": draw(st.sampled_from(("flat", "dict", "rows"))),
        "observe": draw(st.sampled_from(("partial", "full"))),
        **{switch: draw(st.booleans()) for switch in SWITCHES},
    }


def make(env_class: type, **kwargs: Any) -> Any:
    """The environment, unless the world drawn holds not one room."""
    try:
        return env_class(**kwargs)
    except ValueError as error:
        assume("not one room" not in str(error))
        raise


seeds = st.integers(0, 2**32 - 1)


@given(kwargs=arguments(), seed=seeds, actions=st.lists(st.integers(0, 9), max_size=40))
def test_invariants_of_the_single_env(kwargs, seed, actions):
    env = make(LiveStreamRecEnv, **kwargs)
    config, rooms = env.simulation.config, env.world.rooms
    weights = env.simulation._parameters["reward_weights"][0]
    observation, before = env.reset(seed=seed)
    check_moment(env, observation, before)
    assert before["elapsed_s"] == 0.0 and before["visit"] == 0
    for action in actions:
        action %= kwargs["num_candidates"]
        state = env.get_state()[0]
        observation, reward, terminated, truncated, info = env.step(action)
        check_moment(env, observation, info)
        assert truncated is False and np.isfinite(reward)

        expected = sum(w * info[name] for w, name in zip(weights, REWARD_FIELDS, strict=True))
        assert np.isclose(reward, expected)
        assert info["viewer"] == before["viewer"]
        assert info["room"] == before["candidate_rooms"][action]
        assert info["streamer"] == before["candidate_streamers"][action]
        assert info["invalid_action"] == (before["action_mask"][action] == 0)
        assert info["likes"] >= 0 and info["comments"] >= 0
        assert 0 <= info["gift_value"] <= config.gift_price_max
        if info["click"]:
            room = rooms[info["room"]]
            left_s = room["end_s"] - before["clock_s"] - config.browse_s
            assert 0 <= info["watch_s"] <= min(left_s, config.watch_cap_s)
            assert room["start_s"] <= before["clock_s"]
        else:
            events = ("watch_s", "likes", "comments", "gift_value", "follow")
            assert not any(info[name] for name in events)
        if info["room"] >= 0 and state["known"][action] >= 0:
            assert not (info["follow"] and state["attached_followed"][state["known"][action]])

        # Time runs forward, at least by the browsing, unless the horizon cuts it off.
        active_s = config.browse_s + info["watch_s"]
        assert info["elapsed_s"] >= active_s * (1 - 1e-9) - 1e-6
        assert np.isclose(info["clock_s"] - before["clock_s"], info["elapsed_s"], atol=1e-3)
        assert info["visit"] - before["visit"] == int(
            info["visit_ended"] and kwargs["horizon"] != "visit"
        )
        if terminated:
            assert info["visit_ended"] or info["clock_s"] >= env.get_state()["end_s"][0]
            observation, info = env.reset()
            check_moment(env, observation, info)
        before = info


def check_moment(env, observation, info):
    """What holds at every impression."""
    assert env.observation_space.contains(observation)
    flat = observation
    if isinstance(observation, dict):
        flat = np.concatenate([block.ravel() for block in observation.values()])
    assert np.isfinite(flat).all()
    assert tuple(sorted(info)) == tuple(sorted(INFO_KEYS))
    rooms, mask = info["candidate_rooms"], info["action_mask"]
    np.testing.assert_array_equal(mask, rooms >= 0 if (rooms >= 0).any() else 1)
    np.testing.assert_array_equal(env.action_masks(), mask)
    np.testing.assert_array_equal(env.layout.action_mask(flat), mask)
    shown = rooms[rooms >= 0]
    assert len(set(shown.tolist())) == len(shown)
    table = env.world.rooms[shown]
    np.testing.assert_array_equal(table["streamer"], info["candidate_streamers"][rooms >= 0])
    assert (table["start_s"] <= info["clock_s"]).all()
    assert (table["end_s"] > info["clock_s"] + env.simulation.config.browse_s).all()
    slot = env.get_state()[0]
    assert slot["fatigue"] >= 0 and (slot["satiation"] >= 0).all()
    assert ((slot["attachment"] >= 0) & (slot["attachment"] <= 1)).all()
    known = slot["attached_streamer"][: slot["num_attached"]]
    assert len(set(known.tolist())) == len(known)
    p = env.expected_response()["click_probability"]
    assert ((p >= 0) & (p <= 1)).all()


@given(
    kwargs=arguments(),
    seed=seeds,
    mode=st.sampled_from(("NextStep", "SameStep")),
    limit=st.integers(1, 30),
    actions=st.lists(st.integers(0, 2**31), min_size=1, max_size=25),
)
def test_slots_of_a_vector_env_are_single_envs(kwargs, seed, mode, limit, actions):
    """Slot i equals the single env of seed + i, whatever happens in the other slots."""
    kwargs["observation"] = "flat"
    venv = make(
        LiveStreamRecVectorEnv, num_envs=3, autoreset_mode=mode, max_episode_steps=limit, **kwargs
    )
    env = LiveStreamRecEnv(**kwargs)
    rows = venv.reset(seed=seed)[0]
    slot = seed % 3
    row, info = env.reset(seed=seed + slot)
    np.testing.assert_array_equal(rows[slot], row)
    ended, steps = False, 0
    for action in actions:
        chosen = np.array([action // 7**i % kwargs["num_candidates"] for i in range(3)])
        rows, rewards, terminations, truncations, infos = venv.step(chosen)
        if ended and mode == "NextStep":
            (row, info), reward, ended, steps = env.reset(), 0.0, False, 0
        else:
            row, reward, terminated, _, info = env.step(chosen[slot])
            steps += 1
            assert (terminations[slot], truncations[slot]) == (terminated, steps >= limit)
            ended = terminated or steps >= limit
            if ended and mode == "SameStep":
                np.testing.assert_array_equal(infos["final_obs"][slot], row)
                (row, info), ended, steps = env.reset(), False, 0
        np.testing.assert_array_equal(rows[slot], row)
        assert rewards[slot] == reward and infos["clock_s"][slot] == info["clock_s"]


@given(kwargs=arguments(), seed=seeds, actions=st.lists(st.integers(0, 9), max_size=15))
def test_snapshots_replay(kwargs, seed, actions):
    env = make(LiveStreamRecEnv, **kwargs)
    env.reset(seed=seed)
    state = env.get_state()

    def go_on():
        results = []
        for action in actions:
            results.append(env.step(action % kwargs["num_candidates"]))
            if results[-1][2]:
                break
        return results

    expected = go_on()
    env.set_state(state)
    assert_same(expected, go_on())
