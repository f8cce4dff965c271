"""The mixed models behind impressions: derivatives, recovery, and logs that say little."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from livestream_env import SimulatorConfig, World, WorldConfig
from livestream_env.calibration import IMPRESSION_DTYPE, simulate_world_impressions
from livestream_env.calibration.hidden_states import HiddenStates
from livestream_env.calibration.latents import (
    Latents,
    _draw_attachments,
    _hazard,
    _sweep,
    embeddings,
    estimate_latents,
)
from livestream_env.simulator.state import config_record, kernel_array

CONFIG = SimulatorConfig()


@pytest.mark.parametrize("z", [-30.0, -5.0, -0.5, 0.0, 2.0, 8.0, 24.9, 25.1, 40.0])
def test_hazard_is_density_over_upper_tail(z):
    exact = math.exp(stats.norm.logpdf(z) - stats.norm.logsf(z))
    assert _hazard(z) == pytest.approx(exact, rel=1e-6)


# Two viewers, two categories, three streamers, four pairs; one click is censored.
PAIR = np.array([0, 0, 1, 2, 3, 3])
CENSORED = np.array([False, False, False, True, False, False])


def table():
    x = np.zeros(6, IMPRESSION_DTYPE)
    x["viewer"] = [0, 0, 0, 1, 1, 1]
    x["streamer"] = [0, 0, 1, 1, 2, 2]
    x["category"] = [0, 0, 1, 1, 0, 0]
    x["click"] = [True, False, True, True, False, True]
    x["watch_s"] = [12.0, 0.0, 300.0, 1000.0, 0.0, 0.0]
    return x


def state():
    rng = np.random.default_rng(0)
    return HiddenStates(*rng.uniform(0, 1, (4, 6)).astype(np.float32))


POINT = {
    "biases": np.array([-1.0, 1.5, 2.0]),
    "taste": np.array([[0.3, -0.5], [1.0, 0.2]]),
    "streamer": np.array([[0.1, 0.4], [-0.2, 0.3], [0.5, 0.0]]),  # shift of log-odds, of log watch
    "pair": np.array([0.1, -0.2, 0.3, 0.0]),
}


def log_likelihood(point):
    """Written out: logistic clicks and censored log-normal watch times."""
    x, s, total = table(), state(), 0.0
    click_bias, watch_bias, std = point["biases"]
    for i, row in enumerate(x):
        taste = point["taste"][row["viewer"], row["category"]]
        click_shift, watch_shift = point["streamer"][row["streamer"]]
        rho = s.attachment[i] + point["pair"][PAIR[i]]
        odds = (
            click_bias + CONFIG.click_highlight * 0.3 + CONFIG.click_affinity * taste / 1.2
            + click_shift + CONFIG.click_attachment * rho - CONFIG.click_satiation * s.satiation[i]
            - CONFIG.click_fatigue * s.fatigue[i] + CONFIG.click_satisfaction * s.satisfaction[i]
        )  # fmt: skip
        total += stats.logistic.logcdf(odds if row["click"] else -odds)
        if row["click"]:
            mean = (
                watch_bias + CONFIG.watch_highlight * 0.3 + CONFIG.watch_affinity * taste / 1.2
                + watch_shift + CONFIG.watch_attachment * rho
                - CONFIG.watch_satiation * s.satiation[i]
                + CONFIG.watch_satisfaction * s.satisfaction[i]
            )  # fmt: skip
            z = (math.log(max(row["watch_s"], 5e-4)) - mean) / std
            total += stats.norm.logsf(z) if CENSORED[i] else stats.norm.logpdf(z) - math.log(std)
    return total


def swept(passed_over=True):
    x, s = table(), state()
    s = s._replace(attachment=(s.attachment + POINT["pair"][PAIR]).astype(np.float32))
    # A shift of both of a streamer's effects is the same as one of quality and sensationalism.
    load = np.array([
        [CONFIG.click_affinity * 0.5 / 1.2, CONFIG.click_sensationalism],
        [CONFIG.watch_quality + CONFIG.watch_affinity * 0.5 / 1.2, CONFIG.watch_sensationalism],
    ])  # fmt: skip
    appeal = np.linalg.solve(load, POINT["streamer"].T).T.copy()
    out = {"taste": np.empty((2, 2, 2)), "streamer": np.empty((3, 4)), "pair": np.empty((4, 2))}
    p = config_record(CONFIG)
    p["click_bias"], p["watch_bias"], p["watch_noise_std"] = POINT["biases"]
    p["highlight_share"] = 0.3
    sums = _sweep(
        kernel_array(x), passed_over, CENSORED, PAIR, s, p, POINT["taste"], appeal, 1.0,
        *out.values(),
    )  # fmt: skip
    return sums, out


def derivatives(name, place, step=1e-3):
    """First and second derivative of the log-likelihood, by central differences."""
    values = []
    for shift in (-step, 0.0, step):
        moved = {key: value.copy() for key, value in POINT.items()}
        moved[name][place] += shift
        values.append(log_likelihood(moved))
    low, middle, high = values
    return (high - low) / (2 * step), (high - 2 * middle + low) / step**2


def test_gradients_and_curvatures_of_a_sweep():
    (click_g, click_h, watch_g, watch_h, squares, clicks), out = swept()
    found = {
        ("biases", 0): (click_g, click_h),
        ("biases", 1): (watch_g, watch_h),
        **{("taste", (v, k)): out["taste"][v, k] for v in range(2) for k in range(2)},
        **{("streamer", (j, 0)): out["streamer"][j, :2] for j in range(3)},
        **{("streamer", (j, 1)): out["streamer"][j, 2:] for j in range(3)},
        **{("pair", p): out["pair"][p] for p in range(4)},
    }
    for (name, place), (gradient, curvature) in found.items():
        first, second = derivatives(name, place)
        assert gradient == pytest.approx(first, abs=1e-4), (name, place)
        assert curvature == pytest.approx(-second, abs=1e-3), (name, place)
    assert clicks == 4
    # At the best standard deviation, the sum of (expected) squares is the number of clicks.
    slope, _ = derivatives("biases", 2)
    assert (squares - clicks) / POINT["biases"][2] == pytest.approx(slope, rel=1e-4)


def test_a_log_of_clicks_only_says_nothing_of_their_odds():
    sums, out = swept(passed_over=False)
    assert sums[0] == sums[1] == 0.0
    assert (out["streamer"][:, :2] == 0).all()
    both, _ = swept()
    assert sums[2:] == both[2:]


@pytest.fixture(scope="module")
def recovered():
    """A world without satiation noise, the log of it, and what is estimated."""
    world = World.synthetic(WorldConfig(num_viewers=400, num_streamers=80, days=7), 4)
    x = simulate_world_impressions(world, seed=2)
    limit = np.minimum(world.rooms["end_s"][x["room"]] - x["start_s"] - CONFIG.browse_s,
                       CONFIG.watch_cap_s)  # fmt: skip
    rng = np.random.default_rng(0)
    latents = estimate_latents(x, limit, 80, world.num_categories, CONFIG, rng)
    return world, x, latents, limit


def correlation(a, b):
    return np.corrcoef(np.ravel(a), np.ravel(b))[0, 1]


def test_recovers_tastes_and_streamers(recovered):
    world, _, latents, _ = recovered
    assert correlation(latents.taste, world.viewers["taste"]) > 0.6
    assert correlation(latents.quality, world.streamers["quality"]) > 0.75
    assert correlation(latents.sensationalism, world.streamers["sensationalism"]) > 0.75
    assert latents.taste.mean() == pytest.approx(0.0, abs=0.2)
    assert latents.watch_noise_std == pytest.approx(CONFIG.watch_noise_std, rel=0.1)


def test_recovers_how_many_knew_each_other(recovered):
    world, _, latents, _ = recovered
    viewer, streamer = latents.pairs.T
    known = (world.viewers["attached_streamer"][viewer] == streamer[:, None]).any(axis=1)
    assert (latents.attachment > 0).mean() == pytest.approx(known.mean(), rel=0.7)
    drawn = latents.attachment[latents.attachment > 0]
    assert drawn.min() >= 0.3 and drawn.max() <= 1.0
    # Those drawn are more often right than chance.
    assert known[latents.attachment > 0].mean() > 3 * known.mean()


def test_the_replay_belongs_to_the_estimates(recovered):
    _, x, latents, _ = recovered
    first = np.unique(x["viewer"], return_index=True)[1]
    assert len(latents.hidden.attachment) == len(x)
    assert (latents.hidden.satiation[first] == 0).all()


def test_clicks_only(recovered):
    world, x, _, limit = recovered
    click = x["click"]
    found = estimate_latents(
        x[click], limit[click], 80, world.num_categories, CONFIG, np.random.default_rng(0)
    )
    assert np.isfinite(found.taste).all()
    assert correlation(found.taste, world.viewers["taste"]) > 0.2
    assert correlation(found.quality, world.streamers["quality"]) > 0.6


def test_a_single_click_is_fitted_without_a_noise_of_zero():
    x = np.zeros(1, IMPRESSION_DTYPE)
    x["click"], x["watch_s"] = True, 10.0
    found = estimate_latents(x, np.array([3600.0]), 1, 1, CONFIG, np.random.default_rng(0))
    for name in ("taste", "quality", "sensationalism", "pair_appeal", "attachment"):
        assert np.isfinite(getattr(found, name)).all()
    assert found.watch_noise_std > 0


def test_attachments_are_drawn_from_their_posterior():
    # Pairs with much evidence for 0.6, and pairs with as much for 0.
    curvature = np.full(2000, 400.0)
    gradient = np.where(np.arange(2000) < 500, 0.6 * curvature, 0.0)
    drawn = _draw_attachments(
        np.stack([gradient, curvature], axis=1), np.zeros(2000), np.full(2000, 8), 0.0,
        np.random.default_rng(0),
    )  # fmt: skip
    assert (drawn[:500] > 0).all() and (drawn[500:] == 0).all()
    assert drawn[:500].mean() == pytest.approx(0.6, abs=0.02)
    assert drawn[:500].std() == pytest.approx(0.05, rel=0.3)


def test_a_pairs_own_appeal_is_not_all_attachment():
    rng = np.random.default_rng(0)
    curvature = np.full(5000, 30.0)
    gradient = curvature * rng.normal(0.0, np.hypot(0.3, curvature**-0.5))
    by_pair = np.stack([gradient, curvature], axis=1)
    shares = [
        (_draw_attachments(by_pair, np.zeros(5000), np.ones(5000, int), std, rng) > 0).mean()
        for std in (0.0, 0.3)
    ]
    assert shares[1] < 0.05 < shares[0]


def test_embeddings_are_scaled_as_in_a_synthetic_world():
    rng = np.random.default_rng(0)
    viewer, streamer = np.nonzero(rng.random((300, 90)) < 0.2)
    none = np.zeros(0)
    latents = Latents(
        0.0, 0.0, 1.0, taste=none, quality=none, sensationalism=none,
        pairs=np.stack([viewer, streamer], axis=1), pair_appeal=rng.normal(size=len(viewer)),
        attachment=none, hidden=HiddenStates(none, none, none, none),
    )  # fmt: skip
    for dimension in (8, 128):  # more than there are streamers: columns of 0
        v, s = embeddings(latents, 300, 90, dimension)
        assert v.shape == (300, dimension) and s.shape == (90, dimension)
        np.testing.assert_allclose(np.linalg.norm(v, axis=1), math.sqrt(dimension))
        np.testing.assert_allclose(np.linalg.norm(s, axis=1), WorldConfig().pair_affinity_std)
    # What pairs liked, their embeddings say.
    v, s = embeddings(latents, 300, 90, 8)
    assert correlation((v @ s.T)[viewer, streamer], latents.pair_appeal) > 0.2
