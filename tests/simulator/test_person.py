"""How viewers change: each law against its closed form."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import special, stats

from livestream_env import WorldConfig
from livestream_env.simulator import person as model_module
from livestream_env.simulator.response import Response
from livestream_env.simulator.state import MAX_ATTACHMENTS
from tests.simulator.bench import Bench, callable_functions, keys

model = callable_functions(model_module)

DAY_S = 86_400.0
SKIP = Response(False, 0.0, 0, 0, 0.0, False)


def watch(seconds: float, follow: bool = False) -> Response:
    return Response(True, seconds, 0, 0, 0.0, follow)


@pytest.fixture
def bench(make_env):
    bench = Bench(make_env())
    bench.s["satisfaction"] = bench.s["fatigue"] = 0.0
    return bench


class TestActivityClock:
    def test_a_day_of_activity_is_a_day(self, bench):
        for time_s in np.random.default_rng(0).uniform(0, 5 * DAY_S, 50):
            assert model.after_activity(bench.p, time_s, DAY_S) == pytest.approx(time_s + DAY_S)
            assert model.after_activity(bench.p, time_s, 0.0) == pytest.approx(time_s)

    def test_adds_up(self, bench):
        rng = np.random.default_rng(1)
        for time_s, a, b in rng.uniform(0, 3 * DAY_S, (100, 3)):
            at_once = model.after_activity(bench.p, time_s, a + b)
            in_two = model.after_activity(bench.p, model.after_activity(bench.p, time_s, a), b)
            assert at_once == pytest.approx(in_two, abs=1e-3)

    def test_is_the_inverse_of_the_passed_activity(self, bench):
        hours = np.arange(0, 25) * 3600.0
        passed = np.concatenate([[0.0], np.cumsum(bench.env.world.hourly_activity)]) * DAY_S
        for now_s, then_s in np.random.default_rng(2).uniform(0, DAY_S, (100, 2)):
            seconds = np.interp(then_s, hours, passed) - np.interp(now_s, hours, passed)
            if seconds >= 0:
                got = model.after_activity(bench.p, now_s, seconds)
                assert got == pytest.approx(then_s, abs=1e-3)

    def test_runs_forward(self, bench):
        later = [model.after_activity(bench.p, 1e5, s) for s in np.linspace(0, 3 * DAY_S, 500)]
        assert (np.diff(later) > 0).all()

    def test_visits_follow_the_hourly_profile(self, bench):
        seconds = (np.arange(20_000) + 0.5) / 20_000 * DAY_S
        times = np.array([model.after_activity(bench.p, 4 * 3600.0, s) for s in seconds])
        share = np.bincount((times % DAY_S // 3600).astype(int), minlength=24) / len(times)
        np.testing.assert_allclose(share, bench.env.world.hourly_activity, atol=2e-4)


class TestSatiation:
    def test_decays_exponentially_in_every_category(self, bench):
        bench.s["satiation"] = np.arange(8.0)
        bench.s["category_watch_s"] = np.arange(8.0) * 100
        model.pass_time(bench.s, bench.p, 700.0)
        tau = bench.config.satiation_decay_s
        np.testing.assert_allclose(
            bench.s["satiation"], np.arange(8.0) * math.exp(-700 / tau), rtol=1e-6
        )
        np.testing.assert_allclose(
            bench.s["category_watch_s"], np.arange(8.0) * 100 * math.exp(-700 / 1800), rtol=1e-6
        )

    def test_passing_time_adds_up(self, bench):
        bench.s["satiation"] = 1.0
        for seconds in (100.0, 250.0, 3.0):
            model.pass_time(bench.s, bench.p, seconds)
        tau = bench.config.satiation_decay_s
        np.testing.assert_allclose(bench.s["satiation"], math.exp(-353 / tau), rtol=1e-6)

    def test_grows_in_the_category_watched_and_in_no_other(self, bench):
        before = bench.s["satiation"].copy()
        model.satiate(bench.s, bench.w, bench.p, 3, 300.0)
        gain = bench.config.satiation_gain * bench.viewer()["satiation_gain"][3]
        expected = before.copy()
        expected[3] += gain * math.log1p(10.0)
        np.testing.assert_allclose(bench.s["satiation"], expected, rtol=1e-6)
        np.testing.assert_allclose(bench.s["category_watch_s"][3], 300.0)
        assert bench.s["category_watch_s"].sum() == 300.0

    def test_switched_off(self, make_env):
        bench = Bench(make_env(satiation=False))
        model.satiate(bench.s, bench.w, bench.p, 3, 300.0)
        assert (bench.s["satiation"] == 0).all() and bench.s["category_watch_s"][3] == 300.0


class TestSatisfaction:
    @pytest.mark.parametrize(
        ("response", "view"),
        [(SKIP, 0), (watch(0.0), -1), (watch(4.99), -1), (watch(5.0), 0), (watch(30.0), 0),
         (watch(30.01), 1), (watch(3000.0), 1)],
    )  # fmt: skip
    @pytest.mark.parametrize("sensationalism", [-0.8, 0.0, 1.3])
    def test_update(self, bench, response, view, sensationalism):
        c = bench.config
        bench.s["satisfaction"] = 0.4
        model.update_mood(bench.s, bench.p, response, sensationalism)
        harm = c.satisfaction_harm * sensationalism if response.click else 0.0
        change = view * c.satisfaction_view - harm
        expected = c.satisfaction_memory * 0.4 + (1 - c.satisfaction_memory) * change
        assert bench.s["satisfaction"] == pytest.approx(expected)

    def test_converges_to_the_mean_change(self, bench):
        for _ in range(500):
            model.update_mood(bench.s, bench.p, watch(100.0), 0.0)
        assert bench.s["satisfaction"] == pytest.approx(bench.config.satisfaction_view)

    def test_switched_off(self, make_env):
        bench = Bench(make_env(satisfaction=False))
        assert bench.s["satisfaction"] == 0.0
        model.update_mood(bench.s, bench.p, watch(100.0), 1.0)
        assert bench.s["satisfaction"] == 0.0


class TestFatigue:
    def test_update(self, bench):
        c = bench.config
        for response, step in ((SKIP, c.fatigue_gain), (watch(1.0), c.fatigue_gain),
                               (watch(60.0), -c.fatigue_relief)):  # fmt: skip
            bench.s["fatigue"] = 0.5
            model.update_mood(bench.s, bench.p, response, 0.0)
            assert bench.s["fatigue"] == pytest.approx(c.fatigue_memory * 0.5 + step)

    def test_never_negative(self, bench):
        model.update_mood(bench.s, bench.p, watch(60.0), 0.0)
        assert bench.s["fatigue"] == 0.0

    def test_a_visit_begins_rested(self, bench):
        bench.s["fatigue"], bench.s["visit_impression"] = 0.7, 5
        model.begin_visit(bench.s, 1234.5)
        assert (bench.s["fatigue"], bench.s["visit_impression"]) == (0.0, 0)
        assert bench.s["time_s"] == bench.s["visit_start_s"] == 1234.5


class TestAttachment:
    def known(self, bench):
        """A slot on the screen whose streamer is made known, with attachment 0.4."""
        bench.s["known"][0], bench.s["num_attached"] = 0, 1
        bench.s["attachment"][:] = 0.0
        bench.s["attachment"][0], bench.s["attached_watch_s"][0] = 0.4, 50.0
        bench.s["attached_followed"][0] = 0

    def test_grows_by_a_share_of_what_is_left(self, bench):
        self.known(bench)
        model.grow_attachment(bench.s, bench.w, bench.p, 0, 9, watch(200.0))
        c = bench.config
        share = 1 - math.exp(-200.0 / c.attachment_scale_s)
        assert bench.s["attachment"][0] == pytest.approx(0.4 + c.attachment_gain * 0.6 * share)
        assert bench.s["attached_watch_s"][0] == 250.0 and bench.s["num_attached"] == 1

    def test_a_follow_lifts_it(self, make_env):
        bench = Bench(make_env(config={"follow_attachment": 0.9}))
        self.known(bench)
        model.grow_attachment(bench.s, bench.w, bench.p, 0, 9, watch(1.0, follow=True))
        assert bench.s["attachment"][0] == np.float32(0.9) and bench.s["attached_followed"][0] == 1

    def test_stays_within_0_and_1(self, make_env):
        bench = Bench(make_env(config={"attachment_gain": 1.0}))
        self.known(bench)
        for _ in range(50):
            model.grow_attachment(bench.s, bench.w, bench.p, 0, 9, watch(3600.0))
        assert 0.99 < bench.s["attachment"][0] <= 1.0

    def test_a_stranger_is_remembered(self, bench):
        before = int(bench.s["num_attached"])
        bench.s["known"][2] = -1
        model.grow_attachment(bench.s, bench.w, bench.p, 2, 123, watch(30.0))
        assert bench.s["num_attached"] == before + 1
        assert bench.s["attached_streamer"][before] == 123
        assert bench.s["attached_watch_s"][before] == 30.0
        assert 0.0 < bench.s["attachment"][before] < bench.config.attachment_gain

    def test_the_weakest_gives_way_when_memory_is_full(self, bench):
        bench.s["num_attached"] = MAX_ATTACHMENTS
        bench.s["attached_streamer"] = np.arange(MAX_ATTACHMENTS)
        bench.s["attachment"] = np.linspace(0.5, 0.9, MAX_ATTACHMENTS)
        bench.s["attachment"][17] = 0.1
        bench.s["attached_watch_s"], bench.s["attached_followed"] = 500.0, 1
        bench.s["known"][2] = -1
        model.grow_attachment(bench.s, bench.w, bench.p, 2, 123, watch(30.0))
        assert bench.s["num_attached"] == MAX_ATTACHMENTS
        assert bench.s["attached_streamer"][17] == 123
        assert (bench.s["attached_watch_s"][17], bench.s["attached_followed"][17]) == (30.0, 0)
        assert (np.delete(bench.s["attached_watch_s"], 17) == 500.0).all()

    def test_half_life(self, bench):
        bench.s["num_attached"] = 2
        bench.s["attachment"][:2] = (0.8, 0.2)
        before_s = float(bench.s["time_s"])
        model.stay_away(bench.s, bench.w, bench.p, keys(1)[0])
        days = (bench.s["time_s"] - before_s) / DAY_S
        fading = 0.5 ** (days / bench.config.attachment_half_life_days)
        np.testing.assert_allclose(
            bench.s["attachment"][:2], [0.8 * fading, 0.2 * fading], rtol=1e-6
        )

    def test_switched_off(self, make_env):
        bench = Bench(make_env(attachment=False))
        assert bench.s["num_attached"] > 0 and (bench.s["attachment"] == 0).all()
        bench.s["known"][0] = 0
        model.grow_attachment(bench.s, bench.w, bench.p, 0, 9, watch(500.0, follow=True))
        assert (bench.s["attachment"] == 0).all() and bench.s["attached_followed"][0] == 1


class TestLeavingAndReturning:
    def rate(self, bench, **state):
        for name, value in state.items():
            bench.s[name] = value
        return np.mean([model.leaves(bench.s, bench.p, key) for key in keys(4_000)])

    def test_rate(self, bench):
        c = bench.config
        bench.s["time_s"] = bench.s["visit_start_s"] + 3600.0
        log_odds = c.exit_bias + 0.8 * c.exit_fatigue + 0.4 * c.exit_satisfaction
        log_odds += 3600 / c.exit_elapsed_s
        rate = self.rate(bench, fatigue=0.8, satisfaction=-0.4)
        assert rate == pytest.approx(special.expit(log_odds), abs=0.03)

    def test_directions(self, bench):
        rested = self.rate(bench, fatigue=0.0, satisfaction=0.0)
        assert self.rate(bench, fatigue=2.0, satisfaction=0.0) > rested
        assert self.rate(bench, fatigue=0.0, satisfaction=-1.0) > rested
        assert self.rate(bench, fatigue=0.0, satisfaction=1.0) < rested
        start_s = float(bench.s["visit_start_s"])
        assert self.rate(bench, satisfaction=0.0, time_s=start_s + 20_000.0) > rested

    def test_gap_is_log_normal(self, bench):
        c = bench.config
        bench.s["satisfaction"] = 0.5
        gaps = np.array([model.gap_s(bench.s, bench.w, bench.p, key) for key in keys(4_000)])
        centre = (math.log(DAY_S / c.visits_per_day) - math.log(bench.viewer()["activity"])
                  - c.return_satisfaction * 0.5)  # fmt: skip
        z = (np.log(gaps) - centre) / c.return_noise_std
        assert stats.kstest(z, "norm").pvalue > 0.001

    def test_satisfied_viewers_return_sooner(self, bench):
        gaps = []
        for satisfaction in (-1.0, 0.0, 1.0):
            bench.s["satisfaction"] = satisfaction
            gaps.append(model.gap_s(bench.s, bench.w, bench.p, keys(1)[0]))
        assert gaps[0] > gaps[1] > gaps[2] > 0

    def test_absence(self, bench):
        bench.s["satisfaction"], bench.s["fatigue"] = 0.6, 0.9
        bench.s["satiation"] = 1.0
        before_s, visit = float(bench.s["time_s"]), int(bench.s["visit"])
        model.stay_away(bench.s, bench.w, bench.p, keys(1)[0])
        away_s = bench.s["time_s"] - before_s
        assert away_s > 0 and bench.s["visit"] == visit + 1 and bench.s["fatigue"] == 0.0
        c = bench.config
        fading = math.exp(-away_s / (c.satisfaction_decay_days * DAY_S))
        assert bench.s["satisfaction"] == pytest.approx(0.6 * fading)
        faded = math.exp(-away_s / c.satiation_decay_s)
        np.testing.assert_allclose(bench.s["satiation"], faded, rtol=1e-6)


class TestViewerDays:
    def test_viewers_appear_as_often_as_they_are_active(self, make_venv):
        """Given the gap, a day sees a visit with probability min(1, day / gap)."""
        env = make_venv(20_000)
        env.reset(seed=0)
        c, activity = env.simulation.config, env.world.viewers["activity"].astype(float)
        spread = math.hypot(c.return_noise_std, c.return_satisfaction * c.satisfaction_initial_std)
        noise = np.exp(spread * stats.norm.ppf((np.arange(500) + 0.5) / 500))
        seen = np.minimum(1.0, c.visits_per_day * activity[:, None] * noise).mean(1)
        appearances = np.bincount(env.get_state()["viewer"], minlength=len(activity))
        assert stats.chisquare(appearances, 20_000 * seen / seen.sum()).pvalue > 0.001

    def test_first_visit_within_the_horizon(self, make_venv):
        for horizon, days in (("day", 1), ("week", 7), ("visit", 1)):
            env = make_venv(2_000, horizon=horizon)
            env.reset(seed=0)
            state = env.get_state()
            since_s = state["time_s"] - state["start_s"]
            assert since_s.min() >= 0 and since_s.max() < days * DAY_S
            assert set(state["start_s"] % DAY_S) == {4 * 3600.0}
            first, last = state["start_s"].min() // DAY_S, state["start_s"].max() // DAY_S
            assert (first, last) == (0, env.world.days - days)

    def test_hidden_state_at_the_start(self, make_venv):
        env = make_venv(5_000)
        env.reset(seed=0)
        state = env.get_state()
        assert (state["fatigue"] == 0).all() and (state["satiation"] == 0).all()
        std = env.simulation.config.satisfaction_initial_std
        assert stats.kstest(state["satisfaction"] / std, "norm").pvalue > 0.001

    def test_initial_attachments_are_the_worlds(self, make_venv):
        env = make_venv(50)
        env.reset(seed=0)
        for slot in env.get_state():
            viewer = env.world.viewers[slot["viewer"]]
            known = viewer["attached_streamer"] >= 0
            count = slot["num_attached"]
            assert count == known.sum() and (slot["attached_streamer"][count:] == -1).all()
            for name, source in (("attached_streamer", "attached_streamer"),
                                 ("attachment", "attached_strength"),
                                 ("attached_watch_s", "attached_watch_s"),
                                 ("attached_followed", "attached_followed")):  # fmt: skip
                np.testing.assert_array_equal(slot[name][:count], viewer[source][known])

    def test_viewers_who_hardly_ever_visit(self, make_env):
        rare = {"num_viewers": 20, "activity_log_mean": -5.0, "activity_log_std": 0.0,
                "visits_per_day": 0.01}  # fmt: skip
        env = make_env(world="plain", config={"num_streamers": 60, **rare})
        assert WorldConfig(**{k: v for k, v in rare.items() if k in WorldConfig.names()})
        for seed in range(5):
            _, info = env.reset(seed=seed)
            slot = env.get_state()[0]
            assert slot["start_s"] <= info["clock_s"] < slot["end_s"]
