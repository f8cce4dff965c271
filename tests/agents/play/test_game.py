"""Viewer-days played by a person: what is seen, what is refused, who did better."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import gymnasium as gym
import pytest

from agents.dqn import DQN
from agents.experiments.replay import record
from agents.play.game import MOST_DAYS, YOU, Game
from agents.play.rivals import RIVALS, Rivals, load_run, rivals
from agents.rules.baselines import ColumnPolicy
from agents.rules.oracles import GreedyOracle

V0 = "LiveStreamRec-v0"
HIDDEN = ("click_probability", "expected_reward", "satisfaction", "fatigue", "quality", "harm")


class Broken:
    def predict(self, observation: Any, **_: Any) -> Any:
        raise KeyError("broken")


def game(env_id: str = V0, **kwargs: Any) -> Game:
    agents = {"greedy-oracle": GreedyOracle, "broken": Broken}
    return Game(env_id, kwargs, Rivals(env_id, kwargs, agents))


def play_to_the_end(played: Game, view: dict[str, Any], column: str) -> dict[str, Any]:
    """Always the candidate with the highest value of a column."""
    while not view["over"]:
        values = [-9 if card is None else card[column] for card in view["cards"]]
        view = played.choose(view["id"], view["impression"], values.index(max(values)))
    return view


def settled(played: Game, name: str) -> dict[str, Any]:
    deadline = time.monotonic() + 60
    while (result := played.result(name))["pending"]:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return result


@pytest.mark.parametrize(
    ("env_id", "kwargs"),
    [
        (V0, {}),
        ("LiveStreamRecSession-v0", {"num_candidates": 4}),
        (V0, {"world": "plain", "traces": False}),
        (V0, {"observe": "full", "horizon": "visit"}),
    ],
)
def test_a_person_sees_what_an_agent_sees_and_is_placed(env_id: str, kwargs: Any) -> None:
    played = game(env_id, **kwargs)
    view = played.begin(8)
    assert json.loads(json.dumps(view, allow_nan=False)) == view
    assert view["seed"] == 8 and view["impression"] == 0 and not view["over"]
    assert len(view["cards"]) == kwargs.get("num_candidates", 10)
    full = "observe" in kwargs
    traces = {"past", "traces"} if kwargs.get("traces", True) else set()
    assert set(view["observed"]) == (traces | {"hidden"} if full else traces)
    assert ("quality" in view["cards"][0]["more"]) == full
    if not full:
        assert not [name for name in HIDDEN if name in json.dumps(view)]

    view = play_to_the_end(played, view, "affinity")
    assert view["cards"] == [] and view["past"][0]["reward"] is not None
    result = settled(played, view["id"])
    by_agent = {row["agent"]: row for row in result["ranking"]}
    assert set(by_agent) == {YOU, "greedy-oracle"}
    assert result["failed"] == {"broken": "KeyError: 'broken'"}
    rewards = [row["reward"] for row in result["ranking"]]
    assert rewards == sorted(rewards, reverse=True) and result["ranking"][0]["place"] == 1
    assert by_agent[YOU]["reward"] == view["totals"]["reward"]

    theirs = record(GreedyOracle(), env_id, kwargs, seed=8)
    assert played.play(view["id"], "greedy-oracle") == {"agent": "greedy-oracle", **theirs}
    mine = played.play(view["id"], YOU)
    assert mine["viewer"] == theirs["viewer"]
    assert mine["impressions"][0]["cards"] == theirs["impressions"][0]["cards"]
    with pytest.raises(ValueError, match="agent must have played: you, greedy-oracle, broken"):
        played.play(view["id"], "broken")


def test_a_person_who_follows_a_rule_gets_what_the_rule_gets() -> None:
    """Rounded affinities are the rule's, where no two are within a hundredth of each other."""
    env = gym.make(V0)
    slots = [one["shown"] for one in record(ColumnPolicy(env), seed=5)["impressions"]]
    played = game()
    view = played.begin(5)
    for slot in slots:
        view = played.choose(view["id"], view["impression"], slot)
    assert view["over"]
    theirs = record(ColumnPolicy(env), seed=5)
    assert played.play(view["id"], YOU)["impressions"] == theirs["impressions"]


def test_what_is_refused() -> None:
    played = game(horizon="visit")
    view = played.begin()
    name = view["id"]
    for impression, slot, complaint in (
        (0, 10, r"slot must be an integer in \[0, 9\], got 10"),
        (0, -1, "slot must be"),
        (0, "3", "slot must be"),
        (0, True, "slot must be"),
        (0, None, "slot must be"),
        (1, 3, "impression must be 0, whose turn it is, got 1"),
        (None, 3, "impression must be"),
    ):
        with pytest.raises(ValueError, match=complaint):
            played.choose(name, impression, slot)
    assert played.view(name) == view
    with pytest.raises(ValueError, match="not over"):
        played.result(name)
    with pytest.raises(ValueError, match="not over"):
        played.play(name, "greedy-oracle")
    for call in (lambda: played.view("x"), lambda: played.choose("x", 0, 0)):
        with pytest.raises(ValueError, match="no viewer-day 'x'"):
            call()
    for seed in (-1, 2**32, 0.5, "1"):
        with pytest.raises(ValueError, match="seed must be an integer"):
            played.begin(seed)  # type: ignore[arg-type]
    view = play_to_the_end(played, view, "affinity")
    with pytest.raises(ValueError, match="is over"):
        played.choose(name, view["impression"], 0)


def test_an_empty_slot_is_refused() -> None:
    few = {"num_streamers": 12, "num_viewers": 50, "days": 2}
    played = game(config=few)
    for seed in range(20):
        view = played.begin(seed)
        empty = [n for n, card in enumerate(view["cards"]) if card is None]
        if 0 < len(empty) < 10:
            with pytest.raises(ValueError, match=f"slot {empty[0]} is empty"):
                played.choose(view["id"], 0, empty[0])
            return
    pytest.fail("no empty slot")


def test_seeds_count_on_and_old_viewer_days_are_forgotten() -> None:
    kwargs = {"horizon": "visit"}
    played = Game(V0, kwargs, Rivals(V0, kwargs, {}), seed=2**32 - 1)
    first, second = played.begin(), played.begin()
    assert (first["seed"], second["seed"]) == (2**32 - 1, 0)
    for _ in range(MOST_DAYS - 1):
        played.view(first["id"])  # not the one that rests longest
        played.begin()
    assert played.view(first["id"])["seed"] == 2**32 - 1
    with pytest.raises(ValueError, match="forgotten"):
        played.view(second["id"])


def test_quick_agents_do_not_wait_for_slow_ones() -> None:
    free, order = threading.Event(), []

    def made(name: str) -> Any:
        def make() -> GreedyOracle:
            free.wait(60)
            order.append(name)
            return GreedyOracle()

        return make

    both = Rivals(V0, {"horizon": "visit"}, {"quick": made("quick"), "slow": made("slow")})
    first, second = both.play(1), both.play(2)
    free.set()
    deadline = time.monotonic() + 60
    while len(first) + len(second) < 4 and time.monotonic() < deadline:
        if "slow" in first:
            assert "quick" in second
        time.sleep(0.001)
    assert order == ["quick", "slow"] and set(first) == set(second) == {"quick", "slow"}


def test_a_trained_dqn_plays_too(tmp_path: Any) -> None:
    env = gym.make(V0)
    DQN(env, "article", seed=0).save(tmp_path / "model")
    assert rivals(V0, {}, [tmp_path]).names == (str(tmp_path), *RIVALS)
    with pytest.raises(ValueError, match="is of another environment: observation must have shape"):
        load_run(tmp_path, gym.make(V0, num_candidates=4))
    with pytest.raises(FileNotFoundError, match=r"no model\.safetensors .* in .*empty"):
        load_run(tmp_path / "empty", env)
