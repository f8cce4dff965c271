import gymnasium as gym
import numpy as np
import pytest

import livestream_env  # noqa: F401
from agents.evaluation import evaluate
from agents.rules.oracles import GreedyOracle
from agents.rules.planner import Planner
from agents.vector import make_training_env
from tests.helpers import SMALL, same_state

SESSION = "LiveStreamRecSession-v0"
# A click on a sensational room does four times the harm that it does in the plain world.
HARMFUL = {"world": "plain", "config": {**SMALL, "satisfaction_harm": 6.0}}


@pytest.fixture(scope="module")
def planner() -> Planner:
    env = gym.make(SESSION, **HARMFUL)
    return Planner(env, viewer_days=500, weights=(0.0, 1.5, 3.0)).learn()


@pytest.fixture
def venv():
    venv = make_training_env("LiveStreamRec-v0", 32, {"config": SMALL})
    venv.reset(seed=11)
    for action in range(4):
        venv.step(np.full(32, action))
    return venv


def choose(planner: Planner, venv) -> np.ndarray:
    planner.bind(venv)
    return planner.predict(np.zeros((32, 1)))[0]


def test_needs_an_environment() -> None:
    with pytest.raises(ValueError, match="env must be given"):
        Planner().learn()
    with pytest.raises(ValueError, match="bind"):
        Planner().predict(np.zeros((1, 1)))


def test_leaves_the_environment_as_it_is(planner, venv) -> None:
    before = venv.unwrapped.get_state()
    actions = choose(planner, venv)
    assert same_state(venv.unwrapped.get_state(), before)
    assert venv.unwrapped.action_masks()[np.arange(32), actions].all()


def test_knows_the_state_but_not_the_luck_to_come(planner, venv) -> None:
    """Another future, from the same moment, changes no choice."""
    first = choose(planner, venv)
    state = venv.unwrapped.get_state()
    expected = venv.step(first)[1]
    other = state.copy()
    other["episode_key"] = np.random.default_rng(5).integers(2**64, size=32, dtype=np.uint64)
    venv.unwrapped.set_state(other)
    assert np.array_equal(choose(planner, venv), first)
    assert not np.array_equal(venv.step(first)[1], expected)


def test_beats_greed_where_greed_does_not_pay(planner) -> None:
    planned = evaluate(planner, SESSION, HARMFUL, episodes=512)["reward"]
    greedy = evaluate(GreedyOracle(), SESSION, HARMFUL, episodes=512)["reward"]
    gain = planned - greedy
    assert planner.weight > 0
    assert gain.mean() > 2 * gain.std() / np.sqrt(len(gain))


def test_goodwill_is_worth_nothing_when_the_day_is_over(planner, venv) -> None:
    """A myopic choice that is wrong in the morning is right at the end."""
    state = venv.unwrapped.get_state()
    greedy = GreedyOracle()
    greedy.bind(venv)
    myopic = greedy.predict(np.zeros((32, 1)))[0]
    assert (choose(planner, venv) != myopic).any()
    state["end_s"] = state["time_s"]
    venv.unwrapped.set_state(state)
    assert np.array_equal(choose(planner, venv), myopic)


def test_plans_the_same_each_time_and_is_greedy_without_satisfaction() -> None:
    env = gym.make(SESSION, config=SMALL, satisfaction=False)
    planners = [Planner(env, viewer_days=500, weights=(0.0, 1.5)).learn() for _ in range(2)]
    assert [planner.weight for planner in planners] == [0.0, 0.0]


def test_rollouts_play_whole_episodes() -> None:
    """Smaller models that take over change nothing: the mean is that of one that plays all."""
    env = gym.make(SESSION, config=SMALL)
    planner = Planner(env, viewer_days=200)
    mean = planner._rollouts(env)
    venv = make_training_env(env, 200)
    venv.reset(seed=1_500_007)
    planner.bind(venv)
    playing, total = np.ones(200, bool), 0.0
    while playing.any():
        value, reward = planner.values()
        action = value.argmax(axis=1)
        total += np.maximum(reward[np.arange(200), action], 0.0)[playing].sum()
        _, _, terminated, truncated, _ = venv.step(action)
        playing &= ~(terminated | truncated)
    assert mean == pytest.approx(total / 200)
