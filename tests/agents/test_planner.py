import gymnasium as gym
import numpy as np
import pytest

import livestream_env  # noqa: F401
from agents.oracles import FarsightedOracle
from agents.planner import Planner
from agents.vector import make_training_env
from tests.helpers import SMALL, same_state

KWARGS = {"config": SMALL}


@pytest.fixture(scope="module")
def planner() -> Planner:
    env = gym.make("LiveStreamRec-v0", **KWARGS)
    planner = Planner(env, seed=0, steps=150, episodes=1)
    planner.rule.weights = (2.0,)
    return planner.learn()


@pytest.fixture
def venv():
    venv = make_training_env("LiveStreamRec-v0", 32, KWARGS)
    venv.reset(seed=11)
    for action in range(4):
        venv.step(np.full(32, action))
    return venv


def choose(planner: Planner, venv, seed: int) -> np.ndarray:
    planner._rng = np.random.default_rng(seed)
    planner.bind(venv)
    return planner.predict(np.zeros((32, 1)))[0]


def test_must_learn_first() -> None:
    with pytest.raises(ValueError, match=r"learn\(\)"):
        Planner(gym.make("LiveStreamRec-v0", **KWARGS)).predict(np.zeros((1, 1)))


def test_leaves_the_environment_as_it_is(planner, venv) -> None:
    before = venv.unwrapped.get_state()
    actions = choose(planner, venv, 1)
    assert same_state(venv.unwrapped.get_state(), before)
    assert venv.unwrapped.action_masks()[np.arange(32), actions].all()


def test_knows_the_state_but_not_the_luck_to_come(planner, venv) -> None:
    """Another future, from the same moment, changes no choice."""
    first = choose(planner, venv, 1)
    state = venv.unwrapped.get_state()
    expected = venv.step(first)[1]
    other = state.copy()
    other["episode_key"] = np.random.default_rng(5).integers(2**64, size=32, dtype=np.uint64)
    venv.unwrapped.set_state(other)
    assert np.array_equal(choose(planner, venv, 1), first)
    assert not np.array_equal(venv.step(first)[1], expected)


def test_a_click_on_a_sensational_room_costs_what_is_to_come(planner, venv) -> None:
    planner.bind(venv)
    change = planner._changes(venv.unwrapped.get_state(), np.tile(np.arange(10), (32, 1)))
    sensationalism = venv.unwrapped.expected_response()["sensationalism"]
    assert np.corrcoef(change.ravel(), sensationalism.ravel())[0, 1] < -0.3


def test_looks_ahead_for_what_the_rule_ranks_highest(planner, venv) -> None:
    rule = FarsightedOracle()
    rule.weight = planner.rule.weight
    rule.bind(venv)
    value, _ = rule.values()
    chosen = np.take_along_axis(value, choose(planner, venv, 2)[:, None], axis=1)
    assert ((value > chosen).sum(axis=1) < planner.candidates).all()
