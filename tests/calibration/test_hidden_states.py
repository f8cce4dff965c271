"""The hidden state, recomputed from the log, against what the simulator had."""

from __future__ import annotations

import numpy as np
import pytest

from livestream_env import LiveStreamRecVectorEnv, SimulatorConfig, World, WorldConfig
from livestream_env.calibration import IMPRESSION_DTYPE
from livestream_env.calibration.hidden_states import hidden_states, visits
from livestream_env.simulated_logs.policy import LoggingPolicy
from livestream_env.simulated_logs.simulation import simulate_logs

# Without chance in the gain of satiation, and with a satisfaction that begins as the replay's: 0.
WORLD = {"num_viewers": 40, "num_streamers": 60, "days": 2, "satiation_gain_log_std": 0.0}
RESPONSE = {"satisfaction_initial_std": 0.0, "click_bias": -1.0, "follow_per_click": 0.05}


@pytest.fixture(scope="module")
def played():
    """Exposures by viewer, then time; the same as impressions; and their world."""
    world = World.synthetic(WorldConfig(**WORLD), 3)
    env = LiveStreamRecVectorEnv(4, world=world, horizon=2, config=RESPONSE)
    rows = np.concatenate(list(simulate_logs(LoggingPolicy(env, 0), env, np.arange(40), 5)))
    rows = rows[np.lexsort((rows["clock_s"], rows["viewer"]))]
    x = np.zeros(len(rows), IMPRESSION_DTYPE)
    for name in ("viewer", "streamer", "room", "click", "watch_s", "follow"):
        x[name] = rows[name]
    x["start_s"] = rows["clock_s"]
    x["category"] = world.streamers["category"][x["streamer"]]
    return world, rows, x


def replayed(world, x, config):
    pairs, pair = np.unique(
        np.stack([x["viewer"], x["streamer"]], axis=1), axis=0, return_inverse=True
    )
    known = world.viewers["attached_streamer"][pairs[:, 0]] == pairs[:, 1, None]
    initial = (known * world.viewers["attached_strength"][pairs[:, 0]]).sum(axis=1)
    return hidden_states(
        x, pair.ravel(), initial, world.streamers["sensationalism"], world.num_categories, config
    )


def test_visits_are_the_simulators(played):
    _, rows, x = played
    new = (np.diff(rows["viewer"]) != 0) | (np.diff(rows["visit"]) != 0)
    found = visits(x, SimulatorConfig().browse_s)
    # A viewer who is back within half an hour has not been away, for a log.
    assert found[0] and not (found[1:] & ~new).any()
    assert found.sum() > 0.95 * (new.sum() + 1)


def test_visits_begin_after_half_an_hour():
    x = np.zeros(4, IMPRESSION_DTYPE)
    x["viewer"] = [0, 0, 0, 1]
    x["watch_s"] = [100.0, 0.0, 0.0, 0.0]
    x["start_s"] = [0.0, 106.0 + 1800.0, 106.0 + 1800.0 + 6.0 + 1801.0, 4000.0]
    assert visits(x, 6.0).tolist() == [True, False, True, True]


@pytest.mark.parametrize("name", ["satiation", "attachment"])
def test_follows_the_simulator_to_the_digit(played, name):
    world, rows, x = played
    found = getattr(replayed(world, x, SimulatorConfig().replace(RESPONSE)), name)
    assert rows[name].std() > 0.05
    # The 32 streamers that a viewer remembers at most, and fading within visits, differ.
    assert np.abs(found - rows[name]).max() < 0.02


def test_satisfaction_follows_the_simulator(played):
    world, rows, x = played
    found = replayed(world, x, SimulatorConfig().replace(RESPONSE)).satisfaction
    error = found - rows["satisfaction"]
    # What fades in absences shorter than half an hour is not seen.
    assert rows["satisfaction"].std() > 0.1
    assert np.abs(error).max() < 0.03
    assert np.median(np.abs(error)) < 1e-3


def test_fatigue_is_that_of_the_visit():
    config = SimulatorConfig()
    x = np.zeros(5, IMPRESSION_DTYPE)
    x["start_s"] = [0.0, 6.0, 12.0, 118.0, 9000.0]
    x["click"][2], x["watch_s"][2] = True, 100.0
    pair = np.zeros(5, np.int64)
    found = hidden_states(x, pair, np.zeros(1), np.zeros(1), 1, config)
    gain, memory, relief = config.fatigue_gain, config.fatigue_memory, config.fatigue_relief
    twice = gain * (1 + memory)
    np.testing.assert_allclose(
        found.fatigue, [0, gain, twice, max(0.0, memory * twice - relief), 0], rtol=1e-6
    )


def test_viewers_do_not_share_a_state():
    x = np.zeros(2, IMPRESSION_DTYPE)
    x["viewer"], x["click"], x["watch_s"] = [0, 1], True, 3000.0
    x["start_s"] = [5000.0, 0.0]
    found = hidden_states(x, np.arange(2), np.array([0.0, 0.5]), np.ones(1), 1, SimulatorConfig())
    np.testing.assert_allclose(found.attachment, [0.0, 0.5])
    for name in ("satiation", "fatigue", "satisfaction"):
        assert (getattr(found, name) == 0).all()


def test_a_follow_attaches():
    x = np.zeros(2, IMPRESSION_DTYPE)
    x["click"], x["watch_s"], x["start_s"] = True, 1.0, [0.0, 10.0]
    x["follow"][0] = True
    found = hidden_states(x, np.zeros(2, np.int64), np.zeros(1), np.zeros(1), 1, SimulatorConfig())
    assert found.attachment[1] == pytest.approx(SimulatorConfig().follow_attachment, rel=1e-3)
