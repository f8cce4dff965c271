import gymnasium as gym
import numpy as np
import pytest
import torch
from scipy.special import expit

import livestream_env  # noqa: F401
from agents.evaluation import evaluate
from agents.rules.baselines import RandomPolicy
from agents.rules.observable_rules import FarsightedPolicy, GreedyPolicy
from agents.vector import make_training_env

PLAIN = {"world": "plain"}  # where covers have one price, and goodwill pays for it


@pytest.fixture(scope="module")
def env() -> gym.Env:
    return gym.make("LiveStreamRec-v0", **PLAIN)


@pytest.fixture(scope="module")
def greedy(env) -> GreedyPolicy:
    return GreedyPolicy(env, seed=0).learn(40_000)


@pytest.fixture(scope="module")
def first_screens() -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Observations of 1,000 viewers, and what the candidates would really bring."""
    venv = make_training_env("LiveStreamRec-v0", 1000, PLAIN)
    observation, _ = venv.reset(seed=77)
    return observation, venv.unwrapped.expected_response()


def test_greedy_estimates_the_reward(greedy, first_screens) -> None:
    observation, truth = first_screens
    estimate = greedy.expected_reward(observation)
    assert estimate.shape == (1000, 10)
    assert np.corrcoef(estimate.ravel(), truth["expected_reward"].ravel())[0, 1] > 0.7
    shown, _ = greedy.predict(observation, deterministic=True)
    got = np.take_along_axis(truth["expected_reward"], shown[:, None], axis=1).mean()
    assert got > 2.5 * truth["expected_reward"].mean()


def test_fitting_is_repeatable_and_leaves_the_global_generator_alone(env, first_screens) -> None:
    before = torch.get_rng_state()
    first, second = (GreedyPolicy(env, seed=3).learn(2_000) for _ in range(2))
    assert torch.equal(before, torch.get_rng_state())
    observation, _ = first_screens
    assert np.array_equal(first.scores(observation, True), second.scores(observation, True))


def test_logs_what_was_shown(env) -> None:
    log = GreedyPolicy(env, seed=1)._log_impressions(1_000)
    assert len(log.rewards) == len(log.clicks) == len(log.observations) == 1_024
    assert log.observations.dtype == np.float32
    assert ((log.rewards > 0) <= (log.clicks > 0)).all()
    valid = log.observations[:, len(env.unwrapped.layout.shared_columns)]
    assert (valid == 1.0).mean() > 0.99


def test_farsighted_is_greedy_less_the_price_of_goodwill(env, first_screens) -> None:
    policy = FarsightedPolicy(env, seed=0, impressions=2_000, episodes=8).learn()
    greedy = GreedyPolicy(env, seed=0).learn(2_000)
    observation, _ = first_screens
    estimate = greedy.scores(observation, True)
    policy.weight = 0.0
    assert np.allclose(policy.scores(observation, True), estimate)
    policy.weight = 3.0
    cover = policy.layout.candidate(observation, "cover_appeal")
    clicks = expit(policy.features(observation) @ policy.click_weights)
    assert np.allclose(estimate - policy.scores(observation, True), 3.0 * clicks * cover)


def test_planning_pays_on_observables(env, greedy) -> None:
    policy = FarsightedPolicy(env, seed=0)
    policy._fit(policy._log_impressions(40_000))
    policy.weight = 4.5
    far, near, low = (
        evaluate(player, "LiveStreamRec-v0", PLAIN, episodes=256)["reward"].mean()
        for player in (policy, greedy, RandomPolicy(env, 0))
    )
    assert far > near > 1.5 * low
