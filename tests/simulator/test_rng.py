"""The random numbers, against SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special, stats

from tests.simulator.bench import KEY, keys
from tests.simulator.bench import RNG as rng

PURPOSES = (rng.CLICK, rng.WATCH, rng.LIKE, rng.COMMENT, rng.GIFT, rng.GIFT_PRICE, rng.FOLLOW,
            rng.EXIT, rng.RETURN)  # fmt: skip


def uniforms(count: int, counter: int = 1) -> np.ndarray:
    return np.array([rng.uniform(key, counter) for key in keys(count)])


def unmix(bits: int) -> np.uint64:
    """The key for which ``mix(key, 0)`` gives ``bits``: SplitMix64's finaliser is a bijection."""

    def unshift(z: int, shift: int) -> int:
        result = z
        for _ in range(64 // shift):
            result = z ^ (result >> shift)
        return result

    z = unshift(bits, 31) * pow(int(rng._MIX_2), -1, 2**64) % 2**64
    z = unshift(z, 27) * pow(int(rng._MIX_1), -1, 2**64) % 2**64
    return np.uint64((unshift(z, 30) - int(rng._GOLDEN)) % 2**64)


def test_normal_quantile_is_scipys():
    p = np.concatenate([np.logspace(-300, -1, 400), np.linspace(0.001, 0.999, 2001)])
    ours = np.array([rng.normal_quantile(x) for x in p])
    np.testing.assert_allclose(ours, special.ndtri(p), rtol=2e-9, atol=1e-9)
    upper = 1.0 - np.logspace(-16, -3, 100)
    ours = np.array([rng.normal_quantile(x) for x in upper])
    np.testing.assert_allclose(ours, special.ndtri(upper), rtol=2e-9)


def test_normal_quantile_is_continuous_where_its_pieces_meet():
    for p in (0.02425, 0.97575):
        below, above = (rng.normal_quantile(np.nextafter(p, to)) for to in (0.0, 1.0))
        assert above - below == pytest.approx(0.0, abs=1e-8)


def test_uniform_numbers_are_uniform_and_open():
    u = uniforms(50_000)
    assert 0.0 < u.min() and u.max() < 1.0
    assert stats.kstest(u, "uniform").pvalue > 0.001
    counts = np.bincount((u * 100).astype(int), minlength=100)
    assert stats.chisquare(counts).pvalue > 0.001


def test_uniform_of_extreme_bits_is_neither_0_nor_1():
    assert rng.uniform(unmix(0), 0) == 0.5 * 2.0**-52
    assert rng.uniform(unmix(2**64 - 1), 0) == 1.0 - 0.5 * 2.0**-52
    for u in (0.5 * 2.0**-52, 1.0 - 0.5 * 2.0**-52):
        assert abs(rng.normal_quantile(u)) == pytest.approx(8.2, abs=0.1)


def test_counters_and_keys_are_independent():
    draws = np.array(
        [[rng.uniform(key, counter) for counter in (*PURPOSES, 16, 17)] for key in keys(20_000)]
    )
    correlation = np.corrcoef(draws.T)[~np.eye(draws.shape[1], dtype=bool)]
    assert np.abs(correlation).max() < 4.5 / np.sqrt(len(draws))
    serial = np.corrcoef(draws[:-1, 0], draws[1:, 0])[0, 1]
    assert abs(serial) < 4.0 / np.sqrt(len(draws))


def test_purposes_do_not_share_a_counter():
    assert len(set(PURPOSES)) == len(PURPOSES)
    assert rng.CANDIDATES > max(PURPOSES)


def test_one_bit_changes_half_of_the_bits():
    flips = []
    for bit in range(64):
        other = KEY ^ (np.uint64(1) << np.uint64(bit))
        flips.append(bin(int(rng.mix(KEY, 1) ^ rng.mix(other, 1))).count("1"))
    flips += [bin(int(rng.mix(KEY, i) ^ rng.mix(KEY, i + 1))).count("1") for i in range(64)]
    assert 30 < np.mean(flips) < 34 and min(flips) > 12


def test_draws_are_pure():
    assert rng.mix(KEY, 5) == rng.mix(KEY, 5)
    assert rng.mix(KEY, 5) != rng.mix(KEY, 6) != rng.mix(KEY + np.uint64(1), 6)


def test_normal():
    z = np.array([rng.normal(key, rng.WATCH) for key in keys(20_000)])
    assert stats.kstest(z, "norm").pvalue > 0.001


def test_rough_normal():
    z = np.array([rng.rough_normal(key) for key in keys(50_000)])
    assert abs(z.mean()) < 0.02 and z.var() == pytest.approx(1.0, abs=0.03)
    assert np.abs(z).max() < 3.47 and abs(stats.skew(z)) < 0.05
    extremes = [rng.rough_normal(np.uint64(bits)) for bits in (0, 2**64 - 1)]
    assert extremes == pytest.approx([-2 * np.sqrt(3), 2 * np.sqrt(3)])


@pytest.mark.parametrize("mean", [0.0, 1e-9, 0.03, 0.7, 5.0, 40.0, 99.0])
def test_poisson_is_the_inverse_distribution_function(mean):
    u = uniforms(3_000)
    ours = np.array([rng.poisson(mean, x) for x in u])
    theirs = stats.poisson.ppf(u, mean)
    # Rounding may move a u that falls on a step.
    assert np.mean(ours != theirs) < 0.001 and np.abs(ours - theirs).max() <= 1


@pytest.mark.parametrize("mean", [101.0, 900.0, 14_000.0])
def test_poisson_of_large_means(mean):
    counts = np.array([rng.poisson(mean, x) for x in uniforms(5_000)])
    assert counts.mean() == pytest.approx(mean, abs=4 * np.sqrt(mean / 5_000))
    assert counts.var() == pytest.approx(mean, rel=0.1)
