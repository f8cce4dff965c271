import numpy as np
import pytest
from scipy import stats

from agents.reports.statistics import (
    Comparison,
    aggregate,
    area_under_curve,
    bootstrap,
    interval,
    iqm,
    performance_profile,
    probability_of_improvement,
    seed_interval,
)


def test_interquartile_mean() -> None:
    assert iqm(np.array([8.0, 1, 7, 2, 6, 3, 5, 4])) == 4.5  # of 3, 4, 5, 6
    assert iqm(np.array([0.0, 1, 2, 3, 100])) == 2.0  # one off each end
    assert iqm(np.array([1.0, 2, 6])) == 3.0  # a quarter of three is none
    assert np.array_equal(iqm(np.array([[0.0, 1, 2, 9], [5, 5, 5, 5]]), axis=1), [1.5, 5])


def test_aggregate_is_the_iqm_of_means_over_days() -> None:
    days = np.array([[0.0, 2], [10, 30], [4, 6], [100, 300]])  # means 1, 20, 5, 200
    assert aggregate(days) == 12.5


def test_one_seed_is_the_ordinary_bootstrap_of_the_mean() -> None:
    values = np.random.default_rng(3).exponential(size=200)
    samples = bootstrap({"a": values[None]}, resamples=20_000)["a"]
    mine = interval(values.mean(), iqm(samples))
    theirs = stats.bootstrap(
        (values,), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(0)
    ).confidence_interval
    assert np.allclose([mine.low, mine.high], theirs, atol=0.005)


def test_seeds_are_resampled() -> None:
    """With days that do not differ, only the seeds vary: three values, drawn with replacement."""
    seeds = np.array([1.0, 2.0, 6.0])
    days = np.repeat(seeds[:, None], 5, axis=1)
    samples = iqm(bootstrap({"a": days}, resamples=20_000)["a"])
    assert samples.min() == 1 and samples.max() == 6
    assert samples.mean() == pytest.approx(3, abs=0.05)
    assert samples.std() == pytest.approx(seeds.std() / np.sqrt(3), rel=0.03)


def test_differences_are_paired_by_day() -> None:
    rng = np.random.default_rng(0)
    days = rng.exponential(10, size=300)  # days differ much more than the agents do
    ours, theirs = days + 0.5, days
    comparison = Comparison({"ours": ours[None], "theirs": theirs[None]})
    difference = comparison.difference("ours", "theirs")
    assert np.allclose(difference, 0.5) and difference.excludes_zero
    score = comparison.score("ours")
    assert score.high - score.low > 1
    assert not comparison.difference("ours", "ours").excludes_zero


def test_normalised_score() -> None:
    scores = {"low": np.full((1, 4), 2.0), "high": np.full((1, 4), 6.0), "x": np.full((2, 4), 8.0)}
    comparison = Comparison(scores)
    assert comparison.normalised("x", "low", "high") == (1.5, 1.5, 1.5)
    assert comparison.normalised("low", "low", "high").value == 0


def test_result_depends_on_the_seed_only() -> None:
    scores = {"a": np.random.default_rng(1).normal(size=(3, 50))}
    assert np.array_equal(bootstrap(scores, seed=5)["a"], bootstrap(scores, seed=5)["a"])
    assert not np.array_equal(bootstrap(scores, seed=5)["a"], bootstrap(scores, seed=6)["a"])


def test_agents_must_have_played_the_same_days() -> None:
    with pytest.raises(ValueError, match="same viewer-days"):
        bootstrap({"a": np.zeros((1, 4)), "b": np.zeros((1, 5))})
    with pytest.raises(ValueError, match="seeds, viewer-days"):
        bootstrap({"a": np.zeros(4)})


def test_intervals_cover() -> None:
    """Difference of two agents, 12 seeds: seed, day and residual effects; the truth is 1."""
    rng = np.random.default_rng(0)
    covered = 0
    for trial in range(300):
        day = rng.normal(0, 3, size=60)
        scores = {
            name: mean + rng.normal(0, 1, (12, 1)) + day + rng.normal(0, 2, (12, 60))
            for name, mean in (("a", 1.0), ("b", 0.0))
        }
        estimate = Comparison(scores, resamples=400, seed=trial).difference("a", "b")
        covered += estimate.low <= 1 <= estimate.high
    assert 0.89 <= covered / 300 <= 0.99


def test_ratio_is_paired():
    days = np.random.default_rng(0).lognormal(0.0, 1.5, 500)
    comparison = Comparison({"once": days[None], "twice": 2 * days[None]}, resamples=200)
    assert comparison.ratio("twice", "once") == pytest.approx((2.0, 2.0, 2.0))


def test_area_under_curve_is_the_mean_height():
    steps = np.array([0, 10, 40])  # unevenly spaced: a straight line's mean is its middle
    assert np.allclose(area_under_curve(steps, np.array([[0.0, 1, 4], [3, 3, 3]])), [2, 3])
    assert area_under_curve(steps, np.array([0.0, 4, 4])) == pytest.approx((20 + 120) / 40)


def test_probability_of_improvement_counts_ties_half():
    assert probability_of_improvement(np.array([1.0, 3]), np.array([2.0, 3])) == 1.5 / 4
    x, y = np.random.default_rng(0).integers(0, 5, (2, 7)), np.arange(4)
    u = stats.mannwhitneyu(x[0], y).statistic
    assert np.allclose(probability_of_improvement(x, y)[0], u / 28)


def test_probability_is_of_seeds_and_has_an_interval():
    rng = np.random.default_rng(0)
    scores = {"a": rng.normal(1, 1, (10, 1)), "b": rng.normal(0, 1, (10, 1))}
    comparison = Comparison({**scores, "far": scores["a"] + 100}, resamples=500)
    estimate = comparison.probability("a", "b")
    assert 0 <= estimate.low < estimate.value < estimate.high <= 1
    assert comparison.probability("far", "a") == (1, 1, 1)
    assert comparison.probability("a", "a").value == 0.5


def test_profile_is_the_share_above():
    profile = performance_profile(np.array([[1.0, 5], [2, 6], [3, 7]]), np.array([0.0, 2, 5, 9]))
    assert np.allclose(profile.share, [1, 4 / 6, 2 / 6, 0])
    assert (profile.low <= profile.share).all() and (profile.share <= profile.high).all()
    assert profile.high[0] == profile.low[0] == 1  # nothing varies there
    with pytest.raises(ValueError, match="runs, tasks"):
        performance_profile(np.zeros(3), np.zeros(1))


# Of rliable 1.2.0 (numpy 2.4, pandas 2.3, arch 7.2), np.random.seed(0), reps=20000, percentile
# intervals at 95 %. It knows no viewer-days: ten runs of one task there are ten seeds of one
# viewer-day here.
RUNS = np.array([3.1, 2.4, 5.0, 4.2, 1.7, 3.8, 4.4, 2.9, 3.3, 6.1])
OTHER_RUNS = np.array([2.2, 2.9, 3.1, 1.4, 3.8, 2.6, 0.9, 3.4, 2.1, 2.9])
RLIABLE_IQM = (3.616667, 2.833333, 4.516667)
RLIABLE_OTHER_IQM = (2.633333, 1.933333, 3.133333)
RLIABLE_PROBABILITY = (0.77, 0.535, 0.95)
RLIABLE_PROFILE = (  # of the two as tasks, thresholds 1 to 5
    (0.95, 0.85, 0.5, 0.2, 0.05),
    (0.85, 0.7, 0.3, 0.05, 0.0),
    (1.0, 1.0, 0.7, 0.35, 0.15),
)


def test_agrees_with_rliable():
    comparison = Comparison({"a": RUNS[:, None], "b": OTHER_RUNS[:, None]}, resamples=20_000)
    # The values exactly; bounds to the grid on which scores of ten runs lie, and noise.
    for mine, theirs in (
        (comparison.score("a"), RLIABLE_IQM),
        (comparison.score("b"), RLIABLE_OTHER_IQM),
        (comparison.probability("a", "b"), RLIABLE_PROBABILITY),
    ):
        assert mine.value == pytest.approx(theirs[0], abs=1e-6)
        assert mine == pytest.approx(theirs, abs=0.02)
    profile = performance_profile(
        np.stack([RUNS, OTHER_RUNS], axis=1), np.arange(1.0, 6.0), resamples=20_000
    )
    assert np.allclose(profile, RLIABLE_PROFILE)


def test_interval_of_curves_over_seeds():
    two = np.array([[1.0, 5, 2], [3, 4, 2]])
    assert np.allclose(seed_interval(two), [[1, 4, 2], [3, 5, 2]])
    many = np.random.default_rng(0).normal(size=(20, 1))
    low, high = seed_interval(many)[:, 0]
    estimate = Comparison({"a": many}).score("a")
    assert (low, high) == pytest.approx(estimate[1:], abs=0.05)
