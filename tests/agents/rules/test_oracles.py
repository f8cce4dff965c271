import gymnasium as gym
import numpy as np
import pytest

import livestream_env  # noqa: F401
from agents.evaluation import EVALUATION_SEED
from agents.rules.far_sighted import TUNING_SEED, tune_weight
from agents.rules.oracles import FarsightedOracle, GreedyOracle, OnePriceOracle
from agents.vector import make_training_env
from tests.helpers import SMALL


def test_needs_an_environment() -> None:
    with pytest.raises(ValueError, match=r"bind\(env\)"):
        GreedyOracle().predict(None)
    with pytest.raises(ValueError, match="env must be given"):
        FarsightedOracle().learn()


def test_values_of_single_and_vector_environments() -> None:
    venv = make_training_env("LiveStreamRec-v0", 16)
    observation, _ = venv.reset(seed=3)
    oracle = FarsightedOracle()
    oracle.bind(venv)
    oracle.weight = 1.5
    value, reward = oracle.values()
    response = venv.unwrapped.expected_response()
    assert np.array_equal(reward, response["expected_reward"])  # no slot is empty here
    goodwill = response["click_probability"] * response["harm"]
    assert np.allclose(reward - value, 1.5 * goodwill)
    actions, _ = oracle.predict(observation)
    assert np.array_equal(actions, value.argmax(axis=1))

    env = gym.make("LiveStreamRec-v0")
    first, _ = env.reset(seed=3)
    action, _ = FarsightedOracle(env).predict(first)
    oracle.weight = FarsightedOracle.weight
    assert action == oracle.predict(observation)[0][0]


class OneMoment:
    """Two viewers with three candidates, the last of the second empty, all of equal reward."""

    def __init__(self) -> None:
        self.unwrapped = self

    def action_masks(self) -> np.ndarray:
        return np.array([[True, True, True], [True, True, False]])

    def expected_response(self) -> dict[str, np.ndarray]:
        full = np.ones((2, 3))
        return {
            "click_probability": 0.5 * full,
            "expected_reward": full,
            "harm": np.array([[0.0, 0.3, 0.1], [0.2, 0.1, 0.0]]),
            "bond": np.array([[0.1, 0.4, 0.2], [0.3, 0.6, 9.0]]),
            "breadth": np.array([[0.0, 0.0, 0.1], [0.2, 0.1, 9.0]]),
        }


@pytest.mark.parametrize(
    ("price", "gain", "best"),
    [
        ("weight", [[0.0, -0.6, -0.2], [-0.4, -0.2, -np.inf]], [0, 1]),
        ("bond", [[0.2, 0.8, 0.4], [0.6, 1.2, -np.inf]], [1, 1]),
        ("breadth", [[0.0, 0.0, 0.4], [0.8, 0.4, -np.inf]], [2, 0]),
    ],
)
def test_a_price_decides_where_rewards_are_equal(price, gain, best) -> None:
    """By what a click does to mood and ties, and an impression to breadth; times the price."""
    oracle = FarsightedOracle(OneMoment())
    oracle.weight = 0.0
    setattr(oracle, price, 4.0)
    value, reward = oracle.values()
    assert np.allclose(value, 1.0 + np.array(gain))
    assert np.array_equal(reward[0], [1.0, 1.0, 1.0])
    assert oracle.predict(np.zeros((2, 1)))[0].tolist() == best


def test_without_prices_it_is_greedy() -> None:
    venv = make_training_env("LiveStreamRec-v0", 16, {"config": SMALL})
    venv.reset(seed=3)
    oracle = FarsightedOracle(venv)
    oracle.weight = 0.0
    assert oracle.bond == oracle.breadth == 0.0
    for ours, greedy in zip(oracle.values(), GreedyOracle(venv).values(), strict=True):
        assert np.array_equal(ours, greedy)


@pytest.mark.parametrize(("sensitivity_std", "same"), [(0.0, True), (1.0, False)])
def test_one_price_takes_everybody_for_the_mean_viewer(sensitivity_std, same) -> None:
    config = {**SMALL, "sensitivity_std": sensitivity_std, "sensitivity_min": -5.0}
    venv = make_training_env("LiveStreamRec-v0", 16, {"config": config})
    venv.reset(seed=3)
    value, other = OnePriceOracle(venv).values()[0], FarsightedOracle(venv).values()[0]
    assert np.allclose(value, other) == same
    harm = OnePriceOracle(venv)._expected()["harm"]
    world, state = venv.unwrapped.world, venv.unwrapped.get_state()
    click = venv.unwrapped.expected_response()["click_probability"]
    loud = world.streamers["sensationalism"][state["streamer"]]
    assert np.allclose(harm, click * world.viewers["sensitivity"].mean() * loud)


def test_the_form_of_the_observation_changes_nothing() -> None:
    actions = {}
    for form in ("flat", "dict"):
        env = gym.make("LiveStreamRec-v0", observation=form)
        venv = make_training_env("LiveStreamRec-v0", 4, {"observation": form})
        actions[form] = [
            GreedyOracle(e).predict(e.reset(seed=3)[0])[0].tolist() for e in (env, venv)
        ]
    assert actions["flat"] == actions["dict"]
    single, several = actions["flat"]
    assert several[0] == single


class Weighted:
    """Shows slot 0; remembers with which weights it was asked."""

    weight = 9.0

    def __init__(self) -> None:
        self.asked: list[float] = []

    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        self.asked.append(self.weight)
        return np.zeros(len(observation), np.int64), state


def test_every_weight_plays_the_same_episodes() -> None:
    env = gym.make("LiveStreamRecSession-v0")
    policy = Weighted()
    assert tune_weight(policy, env, (2.0, 1.0, 3.0), episodes=8) == policy.weight == 2.0  # a tie
    counts = [policy.asked.count(weight) for weight in (2.0, 1.0, 3.0)]
    assert counts[0] == counts[1] == counts[2] > 0
    assert TUNING_SEED != EVALUATION_SEED


def test_weights_are_tuned_one_by_one() -> None:
    """Each by its name, the first of equals, and without touching the others."""
    env = gym.make("LiveStreamRecSession-v0", attachment=False, config=SMALL)
    oracle = FarsightedOracle()
    oracle.weight = 1.0
    assert tune_weight(oracle, env, (0.0, 2.0), episodes=4, name="bond") == oracle.bond == 0.0
    assert (oracle.weight, oracle.breadth) == (1.0, 0.0)
    assert tune_weight(oracle, env, (5.0,), episodes=4, name="breadth") == oracle.breadth == 5.0


@pytest.mark.parametrize(("satisfaction", "weight"), [(True, 2.0), (False, 0.0)])
def test_the_weight_is_tuned_to_the_environment(satisfaction, weight) -> None:
    env = gym.make("LiveStreamRec-v0", satisfaction=satisfaction)
    oracle = FarsightedOracle(env, episodes=128)
    oracle.weights = (0.0, 2.0)
    assert oracle.learn().weight == weight
    env.reset(seed=0)
    assert oracle.predict(np.zeros(1))[0] in range(10)  # bound to env again
