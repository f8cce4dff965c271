"""Estimators against the truth of a tiny world, and where they must agree."""

from __future__ import annotations

import numpy as np
import pytest

from agents.ope.estimators import ESTIMATORS, Values, Weights, estimators, weights_of
from agents.ope.weights import (
    cumulative_weights,
    effective_sample_size,
    largest_share,
    marginal_weights,
    recent_weights,
    value_cells,
)
from tests.agents.ope import tabular
from tests.agents.ope.tabular import BEHAVIOUR, TARGET

EPISODES, REPEATS = 400, 300
UNBIASED = ("is", "pdis", "dr")


def point(made, log):
    once = np.ones((1, log.num_episodes))
    return {key: estimate(once)[0] for key, estimate in made.items()}


def probabilities(policy, log, state, action):
    return np.where(log.running, policy[state, action], 1.0)


@pytest.fixture(scope="module")
def repeats():
    """Key → estimates of many logs, with a model that is wrong."""
    wrong = 0.7 * tabular.action_values(TARGET) + 0.3
    found = []
    for seed in range(REPEATS):
        log, state, action = tabular.play(EPISODES, seed)
        values = tabular.fitted(log, state, action, wrong)
        chances = probabilities(TARGET, log, state, action)
        weights = weights_of(log, chances, values)
        exact = marginal_weights(chances / log.behaviour, log.running, state)
        found.append(point(estimators(log, weights._replace(marginal=exact), values), log))
    return {key: np.array([estimate[key] for estimate in found]) for key in ESTIMATORS}


def test_all_estimators_are_made(repeats):
    assert list(repeats) == list(ESTIMATORS)


@pytest.mark.parametrize("key", UNBIASED)
def test_is_unbiased(repeats, key):
    error = repeats[key] - tabular.value(TARGET)
    assert abs(error.mean()) < 4 * error.std() / np.sqrt(REPEATS)


@pytest.mark.parametrize("key", ["snis", "snpdis", "wdr", "mis", "drl"])
def test_is_consistent(repeats, key):
    error = repeats[key] - tabular.value(TARGET)
    assert abs(error.mean()) < 0.03 * tabular.value(TARGET)


def test_the_wrong_model_alone_is_wrong(repeats):
    assert abs(repeats["dm"].mean() - tabular.value(TARGET)) > 0.2


def test_each_refinement_has_less_variance(repeats):
    spread = {key: values.std() for key, values in repeats.items()}
    assert spread["pdis"] < spread["is"] and spread["snis"] < spread["is"]
    assert spread["dr"] < spread["pdis"] and spread["mis"] < spread["pdis"]


def test_right_model_gives_the_mean_of_its_values():
    log, state, action = tabular.play(3_000, 1)
    values = tabular.fitted(log, state, action, tabular.action_values(TARGET))
    weights = weights_of(log, probabilities(TARGET, log, state, action), values)
    estimate = point(estimators(log, weights, values), log)
    for key in ("dm", "dr", "wdr", "drl"):
        assert estimate[key] == pytest.approx(tabular.value(TARGET), rel=0.05)


def test_of_the_logging_policy_itself_is_the_mean_return():
    log, state, action = tabular.play(200, 2)
    values = tabular.fitted(log, state, action, np.zeros((4, 3, 2)))
    weights = weights_of(log, probabilities(BEHAVIOUR, log, state, action), values)
    for key, estimate in point(estimators(log, weights, values), log).items():
        expected = 0.0 if key == "dm" else log.returns.mean()
        assert estimate == pytest.approx(expected), key
    assert log.returns.mean() == pytest.approx((log.factor * log.reward).sum() / 200)


def test_a_window_as_long_as_the_episode_is_per_decision_weighting():
    log, state, action = tabular.play(500, 3)
    ratio = probabilities(TARGET, log, state, action) / log.behaviour
    running = log.running
    np.testing.assert_allclose(
        recent_weights(ratio, 9)[running], cumulative_weights(ratio)[running]
    )
    np.testing.assert_array_equal(recent_weights(ratio, 1), ratio)


def test_partial_history_counts_who_goes_on():
    log, state, action = tabular.play(40_000, 8)
    chances = probabilities(TARGET, log, state, action)
    weights = weights_of(log, chances, None)
    whole = weights._replace(recent=weights.cumulative)
    estimate = point(estimators(log, whole), log)
    assert estimate["phis"] == pytest.approx(tabular.value(TARGET), rel=0.05)
    # Beyond a step at which nobody running has a weight nothing is known.
    cut = weights.recent.copy()
    cut[:, 2] = 0.0
    early = np.arange(4) < 2
    expected = point(estimators(log, weights._replace(recent=np.where(early, cut, 0.0))), log)
    found = point(estimators(log, weights._replace(recent=cut)), log)
    assert 0.0 < found["phis"] == pytest.approx(expected["phis"])


def test_marginal_weights_are_the_ratio_of_state_densities():
    log, state, action = tabular.play(40_000, 4)
    ratio = probabilities(TARGET, log, state, action) / log.behaviour
    weights = marginal_weights(ratio, log.running, state) / ratio

    def density(policy, steps):
        now = tabular.START
        for _ in range(steps):
            now = np.einsum("s,sa,sat->t", now, policy, tabular.MOVES)
        return now

    for t in range(1, 4):
        expected = density(TARGET, t) / density(BEHAVIOUR, t)
        for s in range(3):
            here = log.running[:, t] & (state[:, t] == s)
            assert weights[here, t].mean() == pytest.approx(expected[s], rel=0.05)


def test_cells_are_quantiles_of_those_that_run():
    running = np.ones((100, 2), bool)
    running[40:, 1] = False
    cells = value_cells(np.linspace(0, 1, 200).reshape(100, 2), running)
    np.testing.assert_array_equal(np.bincount(cells[:, 0]), [25, 25, 25, 25])
    assert cells[:40, 1].max() == 0 and (np.diff(cells[:, 0]) >= 0).all()


def test_what_no_episode_would_have_done_is_undefined():
    log, *_ = tabular.play(50, 5)
    never = np.zeros(log.running.shape)
    estimate = point(estimators(log, Weights(never, never, None)), log)
    assert estimate["is"] == estimate["pdis"] == 0.0
    assert np.isnan([estimate[key] for key in ("snis", "snpdis", "phis")]).all()
    assert "dm" not in estimate


def test_weights_beyond_double_precision_are_no_number_that_passes_for_one():
    log, *_ = tabular.play(20, 6)
    weights = weights_of(log, np.where(log.running, 1e200, 1.0), None)
    assert not np.isfinite(point(estimators(log, weights), log)["snpdis"])
    assert effective_sample_size(weights.cumulative)[-1] == 0.0
    assert largest_share(weights.cumulative)[-1] == 1.0


def test_effective_sample_size():
    weights = np.array([[1.0, 4.0, 0.0], [1.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
    np.testing.assert_allclose(effective_sample_size(weights), [3.0, 1.0, 0.0])
    np.testing.assert_allclose(largest_share(weights), [1 / 3, 1.0, 1.0])


def test_resampled_counts_weigh_episodes():
    log, state, action = tabular.play(60, 7)
    values = tabular.fitted(log, state, action, tabular.action_values(TARGET))
    weights = weights_of(log, probabilities(TARGET, log, state, action), values)
    counts = np.random.default_rng(0).integers(0, 3, (2, 60)).astype(float)
    again = np.repeat(np.arange(60), counts[0].astype(int))

    def pick(thing):
        return type(thing)(*(part[again] for part in thing))

    fewer = type(log)(*(getattr(log, name)[again] for name in vars_of(log)))
    expected = point(estimators(fewer, pick(weights), pick(values)), fewer)
    for key, estimate in estimators(log, weights, values).items():
        assert estimate(counts)[0] == pytest.approx(expected[key]), key
    assert isinstance(values, Values)


def vars_of(log):
    return ("running", "reward", "discount", "behaviour", "cluster")
