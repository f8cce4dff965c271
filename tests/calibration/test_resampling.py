"""Weighted quantiles, Gini coefficients and resamples."""

from __future__ import annotations

import numpy as np
import pytest

from livestream_env.calibration.resampling import (
    Histogram,
    kaplan_meier_quantile,
    resamples,
    top_share,
    weighted_gini,
    weighted_quantile,
)


@pytest.mark.parametrize("q", [0.01, 0.25, 0.5, 0.9, 0.99, 1.0])
def test_weights_are_repetitions(q):
    rng = np.random.default_rng(0)
    values = np.sort(rng.lognormal(size=40))
    weights = rng.integers(0, 5, (7, 40))
    found = weighted_quantile(values, weights.astype(float), q)
    gini = weighted_gini(values, weights.astype(float))
    for row, quantile, coefficient in zip(weights, found, gini, strict=True):
        repeated = np.repeat(values, row)
        assert quantile == np.quantile(repeated, q, method="inverted_cdf")
        differences = np.abs(repeated[:, None] - repeated).mean()
        assert coefficient == pytest.approx(differences / 2 / repeated.mean())


def test_nothing_has_no_quantile_and_no_gini():
    empty, nothing = np.array([]), np.zeros((3, 0))
    assert np.isnan(weighted_quantile(empty, nothing, 0.5)).all()
    assert np.isnan(weighted_gini(empty, nothing)).all()
    assert np.isnan(top_share(empty, nothing, 0.1)).all()
    assert np.isnan(weighted_quantile(np.arange(4.0), np.zeros((3, 4)), 0.5)).all()


def test_gini_at_its_ends():
    assert weighted_gini(np.full(50, 3.0), np.ones((1, 50))) == pytest.approx(0.0)
    assert weighted_gini(np.append(np.zeros(99), 5.0), np.ones((1, 100))) == pytest.approx(0.99)


def test_share_of_the_highest():
    values, weights = np.array([1.0, 2.0, 7.0]), np.array([[1.0, 1.0, 1.0], [1.0, 4.0, 0.0]])
    # A third has 7 of 10; of the resample without the highest, 2/5 of the weight have 2 of 4.5.
    assert top_share(values, weights, 1 / 3)[0] == pytest.approx(0.7)
    assert top_share(values, weights, 0.5)[0] == pytest.approx((7 + 2 * 0.5) / 10)
    assert top_share(values, weights, 0.4)[1] == pytest.approx(2 * 2 / 9)


def test_quantiles_of_a_histogram_are_precise():
    rng = np.random.default_rng(1)
    values = rng.lognormal(1.4, 2.65, 20_000)
    owner = rng.integers(0, 50, len(values))
    histogram = Histogram(values, owner, 50)
    weights = rng.integers(0, 3, (2, 50)).astype(float)
    counts = histogram.counts(weights)
    for row, count in zip(weights, counts, strict=True):
        repeated = np.repeat(values, row[owner].astype(int))
        assert count.sum() == len(repeated)
        for q in (0.05, 0.5, 0.9, 0.99):
            exact = np.quantile(repeated, q, method="inverted_cdf")
            found = weighted_quantile(histogram.values, count[None], q)[0]
            assert found == pytest.approx(exact, rel=5.1e-4)


def test_small_whole_numbers_are_themselves():
    prices = np.tile(np.arange(1, 200), 3)
    histogram = Histogram(prices, np.zeros(len(prices), int), 1)
    assert histogram.values.tolist() == list(range(1, 200))
    assert Histogram(np.array([0.0]), np.array([0]), 1).values.tolist() == [0.0]


def test_kaplan_meier_without_censoring_is_the_quantile():
    values, none = np.arange(1.0, 11.0), np.zeros((1, 10))
    for q in (0.1, 0.5, 0.9, 1.0):
        found = kaplan_meier_quantile(values, np.ones((1, 10)), none, q)
        assert found == weighted_quantile(values, np.ones((1, 10)), q)
    assert np.isnan(kaplan_meier_quantile(values, none, np.ones((1, 10)), 0.5)).all()


def test_kaplan_meier_undoes_censoring():
    """Censored at times that have nothing to do with the length, the law comes out."""
    rng = np.random.default_rng(2)
    length, sight = rng.lognormal(np.log(132), 0.63, (2, 50_000)) * [[1.0], [1.5]]
    histogram = Histogram(
        np.minimum(length, sight), np.zeros(len(length), int), 1, marked=sight < length
    )
    ended, censored = (histogram.counts(np.ones((1, 1)), marked) for marked in (False, True))
    median = kaplan_meier_quantile(histogram.values, ended, censored, 0.5)
    assert median == pytest.approx(132, rel=0.02)
    assert np.median(length[length <= sight]) < 120  # what leaving censored rooms out would say


def test_resamples_draw_as_many_as_there_are():
    blocks = list(resamples(2_000_000, 5, seed=0))
    assert [len(block) for block in blocks] == [2, 2, 1]
    assert all((block.sum(axis=1) == 2_000_000).all() for block in blocks)
    assert np.mean(blocks[0] == 0) == pytest.approx(np.exp(-1), abs=1e-3)
