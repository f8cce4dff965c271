import gymnasium as gym
import numpy as np
import pytest

import livestream_env  # noqa: F401
from agents.evaluation import EVALUATION_SEED
from agents.rules.far_sighted import TUNING_SEED, tune_weight
from agents.rules.oracles import FarsightedOracle, GreedyOracle
from agents.vector import make_training_env


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


@pytest.mark.parametrize(("satisfaction", "weight"), [(True, 2.0), (False, 0.0)])
def test_the_weight_is_tuned_to_the_environment(satisfaction, weight) -> None:
    env = gym.make("LiveStreamRec-v0", satisfaction=satisfaction)
    oracle = FarsightedOracle(env, episodes=128)
    oracle.weights = (0.0, 2.0)
    assert oracle.learn().weight == weight
    env.reset(seed=0)
    assert oracle.predict(np.zeros(1))[0] in range(10)  # bound to env again
