import gymnasium as gym
import numpy as np
import pytest
from scipy import optimize, stats
from scipy.special import expit

import livestream_env  # noqa: F401
from agents.evaluation import evaluate
from agents.rules.baselines import (
    ColumnPolicy,
    LinUCB,
    LoggingPolicy,
    MaxCTRPolicy,
    PopularityPolicy,
    RandomPolicy,
    fit_logistic,
)
from agents.vector import make_training_env

ALL = (RandomPolicy, ColumnPolicy, PopularityPolicy, LoggingPolicy, MaxCTRPolicy, LinUCB)


@pytest.fixture(scope="module")
def env() -> gym.Env:
    return gym.make("LiveStreamRec-v0")


@pytest.fixture(scope="module")
def observations() -> np.ndarray:
    """Observations of 64 viewers at several moments; in every third the first slots are empty."""
    venv = make_training_env("LiveStreamRec-v0", 64)
    observation, _ = venv.reset(seed=5)
    rows = [observation]
    for _ in range(5):
        observation = venv.step(np.zeros(64, np.int64))[0]
        rows.append(observation)
    batch = np.concatenate(rows)
    columns = venv.unwrapped.layout.candidate_columns
    batch[::3, columns[:4].ravel()] = 0.0
    return batch


@pytest.mark.parametrize("policy_class", ALL)
def test_batches_single_observations_and_masks(policy_class, env, observations) -> None:
    policy = policy_class(env, seed=0)
    valid = policy.layout.action_mask(observations)
    assert not valid[::3, :4].any() and valid[1].all()
    for deterministic in (False, True):
        actions, state = policy.predict(observations, state="kept", deterministic=deterministic)
        assert actions.shape == (len(observations),) and state == "kept"
        assert valid[np.arange(len(actions)), actions].all()
    action, _ = policy.predict(observations[0], deterministic=True)
    assert np.ndim(action) == 0 and valid[0, action]
    nothing = np.zeros_like(observations[:2])
    assert set(policy.predict(nothing)[0]) <= set(range(policy.layout.num_candidates))


@pytest.mark.parametrize("policy_class", ALL)
def test_same_seed_same_choices(policy_class, env, observations) -> None:
    first, second = (policy_class(env, seed=3).predict(observations)[0] for _ in range(2))
    assert np.array_equal(first, second)


def test_dict_observations_are_refused() -> None:
    env = gym.make("LiveStreamRec-v0", observation="dict")
    with pytest.raises(ValueError, match="observation='flat'"):
        RandomPolicy(env)


def test_random_is_uniform_over_valid_slots(env, observations) -> None:
    policy = RandomPolicy(env, seed=0)
    actions, _ = policy.predict(np.repeat(observations[:1], 6000, axis=0))  # slots 4..9
    counts = np.bincount(actions, minlength=10)
    assert counts[:4].sum() == 0
    assert stats.chisquare(counts[4:]).pvalue > 1e-4


@pytest.mark.parametrize(
    ("policy_class", "column"), [(PopularityPolicy, "viewers"), (ColumnPolicy, "affinity")]
)
def test_shows_the_most_of_a_column(policy_class, column, env, observations) -> None:
    policy = policy_class(env)
    actions, _ = policy.predict(observations)
    values = policy.layout.candidate(observations, column).copy()
    values[~policy.layout.action_mask(observations)] = -np.inf
    assert np.array_equal(values.max(axis=1), values[np.arange(len(values)), actions])


def test_an_unknown_column_is_refused(env) -> None:
    with pytest.raises(ValueError, match=r"column must be one of .*'affinity'.*got 'appeal'"):
        ColumnPolicy(env, column="appeal")


@pytest.mark.parametrize("policy_class", [LoggingPolicy, RandomPolicy])
def test_draws_from_its_propensities(policy_class, env, observations) -> None:
    policy = policy_class(env, seed=1)
    propensities = policy.propensities(observations)
    assert np.allclose(propensities.sum(axis=1), 1)
    assert np.array_equal(propensities > 0, policy.layout.action_mask(observations))
    assert np.allclose(policy.propensities(np.zeros_like(observations[:1])), 0.1)
    actions, _ = policy.predict(np.repeat(observations[:1], 20_000, axis=0), deterministic=True)
    counts = np.bincount(actions, minlength=10)
    shown = propensities[0] > 0
    expected = 20_000 * propensities[0, shown]
    assert stats.chisquare(counts[shown], expected).pvalue > 1e-4


def test_logistic_regression_finds_the_optimum() -> None:
    rng = np.random.default_rng(0)
    x = np.column_stack([np.ones(400), rng.normal(size=(400, 3))])
    y = rng.random(400) < expit(x @ [-1.0, 0.5, 0.0, 2.0])

    def loss(w: np.ndarray) -> float:
        z = x @ w
        return float(np.logaddexp(0, z).sum() - z @ y + 0.5 * w @ w)

    best = optimize.minimize(loss, np.zeros(4), tol=1e-10).x
    assert np.allclose(fit_logistic(x, y, ridge=1.0), best, atol=1e-4)


def test_max_ctr_estimates_click_probabilities(env) -> None:
    policy = MaxCTRPolicy(env, seed=0).learn()
    venv = make_training_env("LiveStreamRec-v0", 1000)
    observation, _ = venv.reset(seed=77)
    estimate = policy.click_probability(observation)
    truth = venv.unwrapped.expected_response()["click_probability"]
    assert abs(estimate.mean() - truth.mean()) < 0.06  # first impressions: not yet sated
    assert np.corrcoef(estimate.ravel(), truth.ravel())[0, 1] > 0.6
    shown, _ = policy.predict(observation)
    best = np.take_along_axis(truth, shown[:, None], axis=1).mean()
    assert best > 1.5 * truth.mean()


def test_linucb_is_ridge_regression_with_a_bonus(env, observations) -> None:
    policy = LinUCB(env, alpha=0.7, ridge=2.0)
    x = policy.features(observations)[:, 5]
    y = np.random.default_rng(0).normal(size=len(x))
    policy.update(x[:100], y[:100])
    policy.update(x[100:], y[100:])
    precision = x.T @ x + 2.0 * np.eye(x.shape[1])
    weights = np.linalg.solve(precision, x.T @ y)
    assert np.allclose(policy.weights, weights)
    features = policy.features(observations[:1])[0]
    width = np.sqrt(np.einsum("nf,fg,ng->n", features, np.linalg.inv(precision), features))
    assert np.allclose(policy.scores(observations[:1], True)[0], features @ weights)
    assert np.allclose(policy.scores(observations[:1], False)[0], features @ weights + 0.7 * width)


def test_linucb_learns_and_predicting_does_not_change_it(env, observations) -> None:
    seen = []
    policy = LinUCB(env, seed=0)
    policy.learn(3_000, callback=lambda agent: seen.append(agent.num_timesteps))
    assert seen[0] == 64 and policy.num_timesteps == seen[-1] >= 3_000
    weights = policy.weights.copy()
    policy.predict(observations)
    assert np.array_equal(weights, policy.weights)
    mean = evaluate(policy, episodes=256)["reward"].mean()
    assert mean > 1.5 * evaluate(RandomPolicy(env, 0), episodes=256)["reward"].mean()
