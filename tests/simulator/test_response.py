"""How viewers respond: rates against the equations, monotonicity, limits."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import special, stats

from livestream_env import SimulatorConfig
from livestream_env.simulator import response as model_module
from livestream_env.simulator.compiling import plain
from tests.simulator.bench import Bench, an_appeal, callable_functions, keys

model = callable_functions(model_module)

DEFAULTS = SimulatorConfig()


@pytest.fixture
def bench(make_env):
    bench = Bench(make_env())
    bench.s["satisfaction"] = bench.s["fatigue"] = 0.0
    return bench


def responses(bench, appeal, count=4_000):
    return [model.respond(appeal, bench.s, bench.w, bench.p, key) for key in keys(count)]


class TestClick:
    def test_is_logistic_in_the_terms(self, bench):
        appeal = an_appeal(affinity=0.7, attachment=0.4, highlight=1.0, cover=-0.3, satiation=0.5)
        bench.s["fatigue"], bench.s["satisfaction"] = 0.2, 0.6
        c = bench.config
        log_odds = (
            c.click_bias + 0.7 * c.click_affinity + 0.4 * c.click_attachment + c.click_highlight
            - 0.3 * c.click_sensationalism - 0.5 * c.click_satiation - 0.2 * c.click_fatigue
            + 0.6 * c.click_satisfaction
        )  # fmt: skip
        got = model.click_probability(appeal, bench.s, bench.p)
        assert got == pytest.approx(special.expit(log_odds), rel=1e-12)

    def test_rate(self, bench):
        appeal = an_appeal(affinity=1.5, cover=1.0)
        p = model.click_probability(appeal, bench.s, bench.p)
        clicks = sum(r.click for r in responses(bench, appeal))
        assert stats.binomtest(clicks, 4_000, p).pvalue > 0.001

    @pytest.mark.parametrize(
        ("field", "sign"),
        [("affinity", 1), ("attachment", 1), ("highlight", 1), ("cover", 1), ("satiation", -1),
         ("click_propensity", 1), ("sensationalism", 0), ("quality", 0), ("limit_s", 0)],
    )  # fmt: skip
    def test_direction_of_each_term(self, bench, field, sign):
        p = [
            model.click_probability(an_appeal(**{field: value}), bench.s, bench.p)
            for value in (0.0, 0.5, 1.0)
        ]
        assert (np.sign(np.diff(p)) == sign).all()

    def test_mood(self, bench):
        def p(**mood):
            for name, value in mood.items():
                bench.s[name] = value
            return model.click_probability(an_appeal(), bench.s, bench.p)

        assert p(satisfaction=-1.0) < p(satisfaction=0.0) < p(satisfaction=1.0)
        assert p(fatigue=1.0) < p(fatigue=0.0)

    def test_extremes_are_not_squashed(self, bench):
        assert model.click_probability(an_appeal(affinity=50.0), bench.s, bench.p) > 1 - 1e-12
        assert model.click_probability(an_appeal(affinity=-50.0), bench.s, bench.p) < 1e-12


class TestWatch:
    def test_log_mean_is_linear_in_the_terms(self, bench):
        appeal = an_appeal(affinity=0.7, attachment=0.4, highlight=1.0, quality=0.5,
                           sensationalism=-0.3, satiation=0.5)  # fmt: skip
        bench.s["satisfaction"] = 0.6
        c = bench.config
        expected = (
            c.watch_bias + 0.7 * c.watch_affinity + 0.4 * c.watch_attachment + c.watch_highlight
            + 0.5 * c.watch_quality - 0.3 * c.watch_sensationalism - 0.5 * c.watch_satiation
            + 0.6 * c.watch_satisfaction
        )  # fmt: skip
        assert model.watch_log_mean(appeal, bench.s, bench.p) == pytest.approx(expected, rel=1e-12)

    @pytest.mark.parametrize(
        ("field", "sign"),
        [("affinity", 1), ("attachment", 1), ("highlight", 1), ("quality", 1),
         ("sensationalism", 1), ("satiation", -1)],
    )  # fmt: skip
    def test_direction_of_each_term(self, bench, field, sign):
        means = [
            model.watch_log_mean(an_appeal(**{field: value}), bench.s, bench.p)
            for value in (0.0, 1.0)
        ]
        assert np.sign(means[1] - means[0]) == sign

    def test_is_log_normal_below_the_limit(self, bench):
        appeal = an_appeal(affinity=3.0)
        log_mean = model.watch_log_mean(appeal, bench.s, bench.p)
        watched = np.array([r.watch_s for r in responses(bench, appeal) if r.click])
        z = (np.log(watched) - log_mean) / bench.config.watch_noise_std
        limit = (math.log(3600.0) - log_mean) / bench.config.watch_noise_std
        # Compare below the limit only: what is longer is cut there.
        u = stats.norm.cdf(z[z < limit - 1e-9]) / stats.norm.cdf(limit)
        assert len(u) > 1_000 and stats.kstest(u, "uniform").pvalue > 0.001
        assert stats.binomtest(int((watched == 3600.0).sum()), len(watched),
                               stats.norm.sf(limit)).pvalue > 0.001  # fmt: skip

    @pytest.mark.parametrize("limit_s", [0.5, 30.0, 3600.0])
    def test_never_beyond_the_limit(self, bench, limit_s):
        appeal = an_appeal(affinity=8.0, limit_s=limit_s)
        watched = [r.watch_s for r in responses(bench, appeal, 1_000)]
        assert max(watched) == limit_s and min(watched) >= 0.0

    def test_limit_is_the_rooms_end_or_the_cap(self, make_env):
        for cap_s in (40.0, 86_400.0):
            bench = Bench(make_env(config={"watch_cap_s": cap_s}))
            for slot in range(10):
                room = bench.env.world.rooms[bench.s["room"][slot]]
                left_s = room["end_s"] - bench.s["time_s"] - bench.config.browse_s
                appeal = model.appeal(bench.s, bench.w, bench.p, slot)
                assert appeal.limit_s == pytest.approx(min(left_s, cap_s)) and appeal.limit_s > 0


class TestEvents:
    def test_nothing_without_a_click(self, bench):
        for r in responses(bench, an_appeal(affinity=-1.0), 2_000):
            if not r.click:
                assert tuple(r) == (False, 0.0, 0, 0, 0.0, False)

    def test_likes_and_comments_are_poisson_with_their_rates(self, make_env):
        rates = {"like_per_min": 0.6, "comment_per_min": 0.4, "click_bias": 20.0,
                 "watch_noise_std": 0.0, "watch_bias": math.log(120.0)}  # fmt: skip
        bench = Bench(make_env(config=rates))
        bench.s["satisfaction"] = 0.0
        appeal = an_appeal(attachment=0.0, highlight=0.0)
        drawn = responses(bench, appeal)
        assert {round(r.watch_s, 6) for r in drawn} == {120.0}
        assert model.like_mean(appeal, bench.p, 120.0) == pytest.approx(1.2)
        assert np.mean([r.likes for r in drawn]) == pytest.approx(1.2, abs=0.08)
        assert np.var([r.likes for r in drawn]) == pytest.approx(1.2, abs=0.15)
        expected = 0.8 * bench.config.comment_base
        assert model.comment_mean(appeal, bench.p, 120.0) == pytest.approx(expected)
        assert np.mean([r.comments for r in drawn]) == pytest.approx(expected, abs=0.06)

    def test_rates_grow_with_what_they_depend_on(self, bench):
        plain, loved = an_appeal(), an_appeal(attachment=0.8, highlight=1.0)
        cases = ((plain, 1.0, 60), (loved, 1.0, 60), (loved, 1.0, 120))
        likes = [model.like_mean(a, bench.p, seconds) for a, _, seconds in cases]
        comments = [model.comment_mean(a, bench.p, seconds) for a, _, seconds in cases]
        gifts = [
            model.gift_probability(a._replace(gift_propensity=propensity), bench.p, seconds)
            for a, propensity, seconds in (*cases, (loved, 9.0, 120))
        ]
        for rising in (likes, comments, gifts):
            assert (np.diff(rising) > 0).all()
        assert all(0.0 < p < 1.0 for p in gifts)
        assert likes[2] == pytest.approx(2 * likes[1])
        assert likes[1] == pytest.approx((1 + DEFAULTS.like_highlight) * likes[0])

    def test_gift_hazard(self, bench):
        c, appeal = bench.config, an_appeal(attachment=0.5, gift_propensity=2.0)
        for watch_s in (0.0, 30.0, 600.0):
            minutes = watch_s / 60
            rate = c.gift_per_min * 2.0 * (c.gift_base + 0.5 * c.gift_attachment)
            expected = 1 - math.exp(-rate * minutes ** (1 + c.gift_duration_exponent))
            assert model.gift_probability(appeal, bench.p, watch_s) == pytest.approx(expected)

    def test_gift_hazard_of_many_watches_as_plain_python(self, bench):
        rate = bench.config.gift_per_min * 3.0
        attachment, watch_s = np.array([0.0, 0.5, 1.0]), np.array([0.0, 90.0, 3000.0])
        hazard = plain(model_module.gift_hazard)(rate, attachment, bench.config, watch_s)
        for a, seconds, found in zip(attachment, watch_s, hazard, strict=True):
            appeal = an_appeal(attachment=a, gift_propensity=3.0)
            p = model.gift_probability(appeal, bench.p, seconds)
            assert p == pytest.approx(-math.expm1(-found), rel=1e-12)

    def test_gifts_and_their_prices(self, make_env):
        generous = {
            "click_bias": 20.0, "gift_per_min": 10.0, "gift_base": 10.0, "watch_bias": 10.0,
            "gift_price_log_mean": 3.0, "gift_price_log_std": 1.0,
        }  # fmt: skip
        bench = Bench(make_env(config=generous))
        drawn = responses(bench, an_appeal(limit_s=3600.0))
        values = np.array([r.gift_value for r in drawn])
        assert (values > 0).mean() > 0.99
        assert (values == np.floor(values)).all() and values.max() <= bench.config.gift_price_max
        np.testing.assert_allclose(
            np.percentile(values, [25, 50, 75, 90]),
            np.exp(3.0 + stats.norm.ppf([0.25, 0.5, 0.75, 0.9])), rtol=0.1, atol=1.0,
        )  # fmt: skip

    def test_highest_price(self, make_env):
        dear = {"click_bias": 20.0, "gift_per_min": 10.0, "gift_base": 10.0, "watch_bias": 10.0,
                "gift_price_log_mean": 10.0, "gift_price_max": 100.0}  # fmt: skip
        bench = Bench(make_env(config=dear))
        values = {r.gift_value for r in responses(bench, an_appeal(), 500)}
        assert max(values) == 100.0

    def test_follow(self, bench):
        c = bench.config
        for watch_s in (0.0, 300.0):
            expected = c.follow_per_click * (1 + c.follow_watch * math.log1p(watch_s / 30))
            assert model.follow_probability(an_appeal(), bench.p, watch_s) == pytest.approx(
                expected
            )
        assert model.follow_probability(an_appeal(followed=True), bench.p, 300.0) == 0.0

    def test_follow_rate(self, make_env):
        bench = Bench(
            make_env(config={"click_bias": 20.0, "follow_per_click": 0.3, "follow_watch": 0})
        )
        follows = sum(r.follow for r in responses(bench, an_appeal()))
        assert stats.binomtest(follows, 4_000, 0.3).pvalue > 0.001
        assert not any(r.follow for r in responses(bench, an_appeal(followed=True), 500))

    def test_follow_probability_is_at_most_1(self, make_env):
        bench = Bench(make_env(config={"follow_per_click": 1.0, "follow_watch": 100.0}))
        assert model.follow_probability(an_appeal(), bench.p, 3600.0) == 1.0


class TestExpectation:
    def test_is_what_steps_bring_on_average(self, make_venv):
        """The oracle's numbers against 20,000 draws for one impression."""
        lively = {"click_bias": 0.0, "watch_bias": 3.0, "watch_noise_std": 1.0, "gift_per_min": 0.5,
                  "like_per_min": 1.0, "comment_per_min": 1.0, "follow_per_click": 0.2}  # fmt: skip
        env = make_venv(1, config=lively)
        env.reset(seed=1)
        expected = {name: values[0] for name, values in env.expected_response().items()}
        state = np.repeat(env.get_state(), 20_000)
        state["episode_key"] = keys(20_000)
        many = make_venv(20_000, config=lively)
        for slot in (0, 7):
            many.set_state(state)
            _, reward, _, _, info = many.step(np.full(20_000, slot))
            error = 4.0 * reward.std() / np.sqrt(20_000)
            assert expected["expected_reward"][slot] == pytest.approx(
                reward.mean(), abs=error + 0.01
            )
            assert expected["click_probability"][slot] == pytest.approx(
                info["click"].mean(), abs=0.015
            )
            streamer = env.world.streamers[env.world.rooms["streamer"][state["room"][0, slot]]]
            assert expected["harm"][slot] == pytest.approx(streamer["sensationalism"])

    def test_empty_slots_bring_nothing(self, make_env):
        env = make_env(world="plain", config={"num_streamers": 12, "num_viewers": 50})
        env.reset(seed=0)
        empty = ~env.action_masks()
        assert empty.any()
        for values in env.expected_response().values():
            assert (values[0, empty] == 0).all() and (values[0, ~empty] != 0).all()

    def test_reading_it_changes_nothing(self, bench):
        before = bench.env.get_state()
        bench.env.expected_response()
        assert (bench.env.get_state() == before).all()


def test_common_random_numbers(bench):
    """With the same key, a better room never gets a click less, nor a shorter watch."""
    worse = responses(bench, an_appeal(), 2_000)
    better = responses(bench, an_appeal(affinity=0.5), 2_000)
    for a, b in zip(worse, better, strict=True):
        assert b.click >= a.click and b.watch_s >= a.watch_s and b.likes >= a.likes
