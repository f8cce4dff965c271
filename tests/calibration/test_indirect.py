"""Indirect inference on a toy platform whose answers are known."""

from __future__ import annotations

import numpy as np
import pytest

from livestream_env import SimulatorConfig, WorldConfig
from livestream_env.calibration import IMPRESSION_DTYPE
from livestream_env.calibration.indirect import (
    MOMENTS,
    moments,
    num_simulations,
    solve,
    sums,
)

START = WorldConfig().to_dict() | SimulatorConfig().to_dict()
TRUE = {
    "click_bias": -0.5, "watch_bias": 2.0, "watch_noise_std": 1.2, "like_per_min": 0.3,
    "comment_per_min": 0.2, "gift_per_min": 0.1, "visits_per_day": 6.0, "exit_bias": -1.5,
    "activity_log_std": 0.6,
}  # fmt: skip
VIEWERS = 400


def platform(parameters, seed, viewers=VIEWERS):
    """Sums over viewers where every moment is moved by its own parameter, and some by others."""
    p = {**START, **parameters}
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(8, viewers))
    activity = np.exp(p["activity_log_std"] * z[0])
    visits = p["visits_per_day"] * activity
    impressions = visits * (1 + np.exp(-p["exit_bias"])) * np.exp(0.1 * z[1])
    clicks = impressions / (1 + np.exp(-p["click_bias"] - 0.2 * p["watch_bias"] - 0.3 * z[2]))
    mean = p["watch_bias"] + 0.3 * z[3]
    minutes = clicks * np.exp(mean) / 60
    return {
        "viewers": np.ones(viewers),
        "impressions": impressions,
        "visits": visits,
        "log_visits": np.log(visits),
        "log_visits_squared": np.log(visits) ** 2,
        "clicks": clicks,
        "log_watch": clicks * mean,
        "log_watch_squared": clicks * (p["watch_noise_std"] ** 2 + mean**2),
        "minutes": minutes,
        "likes": p["like_per_min"] * minutes * np.exp(0.5 * z[4]),
        "comments": p["comment_per_min"] * minutes * np.exp(0.5 * z[5]),
        "gifts": p["gift_per_min"] * minutes * np.exp(0.5 * z[6]),
    }


def solved(logged, seed=1, simulate=None, **kwargs):
    rng = np.random.default_rng(seed)
    found = solve(logged, simulate or (lambda p: platform(p, seed)), START, rng, **kwargs)
    return found, dict(zip(found.names, found.values.tolist(), strict=True))


def test_finds_the_parameters_exactly_under_the_same_luck():
    found, values = solved(platform(TRUE, 1))
    assert values == pytest.approx(TRUE, rel=0.02, abs=0.02)
    assert (np.abs(found.misfit) < 0.1).all()


def test_standard_errors_cover_the_truth():
    # Logged and simulated viewers have their luck apart: stderr holds both.
    true = np.array([TRUE[name] for name in MOMENTS])
    z = []
    for seed in range(30):
        found, _ = solved(platform(TRUE, 1000 + seed), seed=seed)
        z.append((found.values - true) / found.stderr)
    spread = np.std(z, axis=0)
    assert ((spread > 0.5) & (spread < 1.6)).all(), spread
    assert (np.abs(np.mean(z, axis=0)) < 0.8).all()


@pytest.mark.parametrize(
    ("column", "parameter"), [("gifts", "gift_per_min"), ("likes", "like_per_min")]
)
def test_what_the_log_does_not_have_is_left_out(column, parameter):
    logged = platform(TRUE, 1)
    logged[column] = np.zeros(VIEWERS)
    found, values = solved(logged)
    assert set(MOMENTS) - set(values) == {parameter}
    assert np.isfinite(found.stderr).all()
    assert values["click_bias"] == pytest.approx(TRUE["click_bias"], abs=0.05)


def test_what_simulations_do_not_have_is_left_out():
    def without_gifts(p):
        return {**platform(p, 1), "gifts": np.zeros(VIEWERS)}

    _, values = solved(platform(TRUE, 1), simulate=without_gifts)
    assert set(MOMENTS) - set(values) == {"gift_per_min"}


def test_few_gifts_leave_the_other_standard_errors_alone():
    logged = platform(TRUE, 1)
    gifts = np.zeros(VIEWERS)
    gifts[0] = 1.0  # a third of the resamples of viewers have none
    found, _ = solved({**logged, "gifts": gifts})
    assert np.isfinite(found.stderr).all()


def test_stops_at_the_bounds():
    logged = platform(TRUE, 1)
    found, values = solved({**logged, "likes": logged["likes"] * 1e6})
    assert values["like_per_min"] == pytest.approx(10.0, rel=1e-3)
    assert found.misfit[found.names.index("like_per_min")] < -3


def test_a_simulation_that_ignores_its_parameters_is_an_error():
    logged = platform(TRUE, 1)
    with pytest.raises(ValueError, match="simulated logs do not depend on click_bias"):
        solved(logged, simulate=lambda p: logged | {"clicks": logged["clicks"] * 0.9})


def test_an_empty_simulation_is_an_error():
    nothing = {name: np.zeros(VIEWERS) for name in platform(TRUE, 1)}
    with pytest.raises(ValueError, match="nothing to compare"):
        solved(platform(TRUE, 1), simulate=lambda p: nothing)


def test_counts_its_simulations_and_lets_the_world_adapt():
    calls, adapted = [], []

    def simulate(p):
        calls.append(p)
        return platform(p, 2)

    solved(platform(TRUE, 1), simulate=simulate, adapt=lambda: adapted.append(len(calls)))
    assert len(calls) <= num_simulations()
    assert adapted == [1, 2, 3, 4]


def test_sums_by_hand():
    x = np.zeros(4, IMPRESSION_DTYPE)
    x["viewer"] = [0, 0, 0, 2]
    x["start_s"] = [0.0, 6.0, 9000.0, 0.0]
    x["click"] = [True, False, True, False]
    x["watch_s"] = [0.0, 0.0, 120.0, 0.0]
    x["likes"], x["gift_value"] = [1, 0, 2, 0], [0.0, 0.0, 7.0, 0.0]
    found = sums(x, 3, 6.0)
    assert found["impressions"].tolist() == [3, 0, 1]
    assert found["visits"].tolist() == [2, 0, 1]
    assert found["clicks"].tolist() == [2, 0, 0]
    assert found["minutes"].tolist() == [2, 0, 0]
    assert found["likes"].tolist() == [3, 0, 0]
    assert found["gifts"].tolist() == [1, 0, 0]
    np.testing.assert_allclose(found["log_watch"], [np.log(0.1) + np.log(120.0), 0, 0])
    click, watch = moments(found, ["click_bias", "watch_bias"])
    assert click == pytest.approx(0.0)
    assert watch == pytest.approx((np.log(0.1) + np.log(120.0)) / 2)
