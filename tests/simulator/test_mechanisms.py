"""Mechanisms that are off by default, each at work against its closed form."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import special, stats

from livestream_env import LiveStreamRecVectorEnv, World, WorldConfig
from livestream_env.simulator import candidates as candidates_module
from livestream_env.simulator import person as person_module
from livestream_env.simulator import response as response_module
from livestream_env.simulator.state import RECENT_ROOMS
from tests.helpers import DEEP, LIVELY, SMALL
from tests.simulator.bench import Bench, an_appeal, callable_functions, keys

person = callable_functions(person_module)
response = callable_functions(response_module)
candidates = callable_functions(candidates_module)

DAY_S = 86_400.0
SYNTHETIC = {"world": "plain", "config": {**SMALL, **DEEP}}


@pytest.fixture
def bench(make_env):
    bench = Bench(make_env(**SYNTHETIC))
    bench.s["satisfaction"] = bench.s["fatigue"] = 0.0
    return bench


def world_of(**changes: float) -> World:
    return World.synthetic(WorldConfig().replace({"num_viewers": 20_000, "days": 1, **changes}))


class TestTraits:
    def test_sensitivity_by_demographics_and_as_it_was_logged(self):
        viewers = world_of(
            sensitivity_mean=0.6, sensitivity_std=0.5, sensitivity_min=-5.0, num_streamers=20
        ).viewers
        sensitivity = viewers["sensitivity"].astype(float)
        assert sensitivity.mean() == pytest.approx(0.6, abs=0.03)
        assert sensitivity.std() == pytest.approx(0.5, rel=0.03)
        design = np.column_stack(
            [np.ones(len(viewers)), viewers["age"], np.eye(3)[viewers["gender"]]]
        )
        fitted = design @ np.linalg.lstsq(design, sensitivity, rcond=None)[0]
        assert np.corrcoef(fitted, sensitivity)[0, 1] == pytest.approx(0.55, abs=0.03)
        logged = np.corrcoef(viewers["past_regret"], sensitivity)[0, 1]
        assert logged == pytest.approx(0.75, abs=0.02)

    def test_nobody_is_less_sensitive_than_the_least(self):
        viewers = world_of(sensitivity_std=2.0, sensitivity_min=0.25, num_streamers=20).viewers
        assert viewers["sensitivity"].min() == np.float32(0.25)

    def test_streamers_go_together_as_configured(self):
        config = {name: DEEP[name] for name in DEEP if name in WorldConfig.names()}
        streamers = world_of(**{**config, "num_viewers": 20, "num_streamers": 20_000}).streamers

        def correlation(a: str, b: str) -> float:
            return float(np.corrcoef(streamers[a], streamers[b])[0, 1])

        assert streamers["community"].std() == pytest.approx(1.5, rel=0.03)
        assert correlation("cover", "sensationalism") == pytest.approx(0.85, abs=0.02)
        assert correlation("community", "sensationalism") == pytest.approx(-0.3, abs=0.03)
        assert correlation("community", "quality") == pytest.approx(-0.4, abs=0.03)
        assert correlation("fan_club", "community") == pytest.approx(0.7, abs=0.02)

    def test_by_default_they_are_all_alike(self):
        world = World.synthetic(WorldConfig().replace(SMALL))
        assert (world.viewers["sensitivity"] == 1).all()
        assert (world.viewers["click_propensity"] == 0).all()
        assert (world.viewers["interest"] == 0).all() and (world.streamers["community"] == 0).all()
        np.testing.assert_array_equal(world.streamers["cover"], world.streamers["sensationalism"])


class TestTrust:
    def test_what_a_cover_costs_depends_on_who_clicks(self, bench):
        c = bench.config
        for sensitivity in (0.0, 2.0):
            a = an_appeal(sensitivity=sensitivity, cover=0.8, sensationalism=0.6)
            by_cover = (c.click_sensationalism - c.click_sensitivity * sensitivity) * 0.8
            plain = response.click_probability(an_appeal(), bench.s, bench.p)
            clicked = response.click_probability(a, bench.s, bench.p)
            assert special.logit(clicked) - special.logit(plain) == pytest.approx(by_cover)
            regret = (c.watch_sensationalism - c.watch_sensitivity * sensitivity) * 0.6
            watched = response.watch_log_mean(a, bench.s, bench.p)
            assert watched - response.watch_log_mean(
                an_appeal(), bench.s, bench.p
            ) == pytest.approx(regret)

    @pytest.mark.parametrize("harm", [1e6, -1e6])
    def test_satisfaction_is_bounded(self, bench, harm):
        for _ in range(3):
            clicked = response_module.Response(True, 10.0, 0, 0, 0.0, False)
            person.update_mood(bench.s, bench.p, clicked, harm)
            assert abs(bench.s["satisfaction"]) == bench.config.satisfaction_limit


class TestTies:
    def test_loyalty(self, bench):
        bench.s["attachment"], bench.s["attached_growth"] = 0.0, 1.0
        assert person.loyalty(bench.s, bench.p) == 0.0
        bench.s["attachment"][:2] = 0.5, 0.2
        bench.s["attached_growth"][:2] = 3.0, 0.5
        total = 3.0 * 0.5**2 + 0.5 * 0.2**2
        expected = 1.0 - math.exp(-total / bench.config.loyalty_scale)
        assert person.loyalty(bench.s, bench.p) == pytest.approx(expected, rel=1e-6)

    def test_strong_communities_grow_attachments_faster(self, bench):
        c = bench.config
        for growth in (0.2, 1.0, 4.0, 1e3):
            share = 1.0 - math.exp(-60.0 / c.attachment_scale_s)
            gain = min(1.0, c.attachment_gain * growth)
            expected = 0.3 + gain * 0.7 * share
            assert person.grown(0.3, bench.p, growth, 60.0, False) == pytest.approx(expected)

    def test_a_streamer_in_memory_keeps_her_growth(self, make_venv):
        env = make_venv(64, **SYNTHETIC)
        env.reset(seed=0)
        for step in range(100):
            env.step(np.full(64, step % 10))
        slots = env.get_state()
        known = slots["attached_streamer"]
        growth = np.exp(env.world.streamers["community"][known].astype(float))
        np.testing.assert_allclose(
            slots["attached_growth"][known >= 0], growth[known >= 0], rtol=1e-5
        )

    def test_gifts_grow_with_the_community_and_the_audience(self, bench):
        c = bench.config
        hazard = [
            -math.log1p(-response.gift_probability(a, bench.p, 60.0))
            for a in (an_appeal(), an_appeal(growth=4.0), an_appeal(surge=1.5))
        ]
        assert hazard[1] / hazard[0] == pytest.approx(4.0**c.gift_community)
        assert hazard[2] / hazard[0] == pytest.approx(math.exp(1.5 * c.gift_audience))

    def test_calls_bring_viewers_back_when_their_streamer_opens(self, make_venv):
        def back(notification: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            config = {**SMALL, **DEEP, "notification": notification, "exit_bias": 20.0,
                      "visits_per_day": 0.5, "initial_strength_min": 1.0}  # fmt: skip
            env = make_venv(256, world="plain", horizon="week", config=config)
            env.reset(seed=0)
            env.step(np.zeros(256, int))
            slots = env.get_state()
            going_on = slots["time_s"] < slots["end_s"]
            return slots["time_s"][going_on], slots["called"][going_on], slots[going_on]

        time_s, called, slots = back(1.0)
        heeded = called >= 0
        assert 0.2 < heeded.mean() <= 1.0
        opened_s = slots["attached_from_s"][np.arange(len(called)), called][heeded]
        np.testing.assert_array_equal(opened_s, time_s[heeded])
        # She is on the screen, wherever the room lasts.
        streamer = slots["attached_streamer"][np.arange(len(called)), called][heeded]
        shown = (slots["streamer"][heeded] == streamer[:, None]).any(axis=1)
        assert shown.mean() > 0.95
        assert (back(0.0)[1] == -1).all()

    def test_gap_is_pulled_by_all_three_up_to_the_limit(self, bench):
        c, key = bench.config, keys(1)[0]
        bench.s["attachment"], bench.s["familiarity"] = 0.0, 0.0
        longest = person.gap_s(bench.s, bench.w, bench.p, key)
        bench.s["familiarity"] = 0.1
        nearer = person.gap_s(bench.s, bench.w, bench.p, key)
        assert math.log(longest / nearer) == pytest.approx(0.1 * c.return_breadth, rel=1e-5)
        bench.s["familiarity"], bench.s["satisfaction"] = 1.0, 1.0
        assert math.log(longest / person.gap_s(bench.s, bench.w, bench.p, key)) == pytest.approx(
            c.return_limit
        )


class TestFamiliarity:
    def test_seeing_is_enough(self, make_venv):
        env = make_venv(32, world="plain", config={**SMALL, **DEEP, "click_bias": -20.0})
        env.reset(seed=0)
        before = env.get_state()
        env.step(np.zeros(32, int))
        after = env.get_state()
        category = env.world.streamers["category"][before["streamer"][:, 0]]
        shown = before["streamer"][:, 0] >= 0
        stayed = shown & (after["visit"] == before["visit"])
        assert stayed.sum() > 10
        rows = np.flatnonzero(stayed)
        old = before["familiarity"][rows, category[rows]].astype(float)
        gain = env.simulation.config.familiarity_gain
        np.testing.assert_allclose(
            after["familiarity"][rows, category[rows]], old + gain * (1 - old), rtol=1e-5
        )
        others = np.ones((len(rows), env.world.num_categories), bool)
        others[np.arange(len(rows)), category[rows]] = False
        np.testing.assert_array_equal(
            after["familiarity"][rows][others], before["familiarity"][rows][others]
        )

    def test_fades_in_absence(self, bench):
        bench.s["familiarity"] = 0.8
        before_s = float(bench.s["time_s"])
        person.stay_away(bench.s, bench.w, bench.p, keys(1)[0])
        days = (bench.s["time_s"] - before_s) / DAY_S
        half_life = bench.config.familiarity_half_life_days
        np.testing.assert_allclose(bench.s["familiarity"], 0.8 * 0.5 ** (days / half_life), 1e-5)

    def test_switched_off(self, make_env):
        bench = Bench(make_env(**SYNTHETIC, curiosity=False))
        bench.s["familiarity"] = 1.0
        assert person.breadth(bench.s, bench.p) == 0.0
        assert (bench.env.expected_response()["breadth"] == 0).all()


class TestSeen:
    def test_rooms_shown_lately_are_not_offered_again(self, make_venv):
        memory = 8
        config = {**LIVELY, "num_streamers": 1_000, "retrieval_memory": memory, "exit_bias": -20.0}
        env = make_venv(16, world="plain", config=config)
        env.reset(seed=0)
        shown: list[np.ndarray] = []
        for step in range(60):
            offered = env.get_state()["room"]
            for last in shown[-memory:]:
                assert not (offered == last[:, None]).any()
            shown.append(offered[:, step % 10].copy())
            env.step(np.full(16, step % 10))
        assert memory <= RECENT_ROOMS

    def test_where_too_few_are_live_they_are(self, make_env):
        config = {"num_streamers": 12, "num_viewers": 50, "retrieval_memory": 16}
        env = make_env(world="plain", availability=False, config=config)
        env.reset(seed=0)
        for step in range(40):
            _, _, terminated, _, _ = env.step(step % 10)
            if terminated:
                env.reset()
            assert env.action_masks().all()

    def test_a_room_entered_fades(self, make_venv):
        config = {**LIVELY, **DEEP, "retrieval_memory": 0, "retrieval_attached_share": 0.6}
        env = make_venv(64, world="plain", config=config, traces=True)
        observation, _ = env.reset(seed=0)
        found = 0
        for step in range(80):
            slots = env.get_state()
            for s in slots:
                known = s["known"]
                room = np.where(known >= 0, s["entered_room"][known], -1)
                again = (room == s["room"]) & (known >= 0)
                ago_s = s["time_s"] - s["entered_s"][known]
                expected = np.where(again, np.exp(-ago_s / env.simulation.config.seen_decay_s), 0)
                np.testing.assert_allclose(s["entered"], expected, rtol=1e-5)
                found += again.sum()
            logged = env.layout.to_rows(observation)["logged_candidates"]
            np.testing.assert_array_equal(logged[..., 1], slots["entered"])
            observation = env.step(np.full(64, step % 10))[0]
        assert found > 50

    def test_who_was_there_clicks_less(self, bench):
        odds = [
            special.logit(response.click_probability(a, bench.s, bench.p))
            for a in (an_appeal(), an_appeal(entered=0.5))
        ]
        assert odds[0] - odds[1] == pytest.approx(0.5 * bench.config.click_seen)


class TestAudience:
    def test_follows_hour_age_and_content(self, make_venv):
        env = make_venv(4_000, **SYNTHETIC)
        env.reset(seed=0)
        slots, c = env.get_state(), env.simulation.config
        live = slots["room"] >= 0
        time_s = np.broadcast_to(slots["time_s"][:, None], live.shape)[live]
        age = (time_s - slots["room_start_s"][live]).astype(float)
        hour = (time_s % DAY_S // 3600).astype(int)
        share = env.world.highlight_share
        expected = (
            c.audience_rhythm * np.log(24 * env.world.hourly_activity[hour])
            + c.audience_age * (age / (age + 1200.0) - 0.77)
            + c.audience_highlight * (slots["highlight"][live] - share)
        )
        error = slots["surge"][live] - expected
        assert error.std() == pytest.approx(c.audience_noise_std, rel=0.03)
        assert abs(error.mean()) < 0.02
        assert (slots["surge"][~live] == 0).all()

    def test_all_see_the_same_audience(self, make_venv):
        env = make_venv(2_000, **SYNTHETIC)
        env.reset(seed=0, options={"day": np.zeros(2_000, int)})
        slots = env.get_state()
        moment = slots["room"].astype(np.int64) * 10**7 + slots["cell"]
        hour = (slots["time_s"] % DAY_S // 3600)[:, None] + 0 * slots["room"]
        order = np.lexsort((hour.ravel(), moment.ravel()))
        same = (np.diff(moment.ravel()[order]) == 0) & (np.diff(hour.ravel()[order]) == 0)
        change = np.abs(np.diff(slots["surge"].ravel()[order]))[same]
        assert same.sum() > 20 and change.max() < 0.02  # half a minute of age

    def test_draws_viewers(self, bench):
        odds = [
            special.logit(response.click_probability(an_appeal(surge=x), bench.s, bench.p))
            for x in (0.0, 2.0)
        ]
        assert odds[1] - odds[0] == pytest.approx(2.0 * bench.config.click_audience)

    def test_switched_off(self, make_venv):
        env = make_venv(64, **SYNTHETIC, audience=False)
        observation, _ = env.reset(seed=0)
        assert (env.get_state()["surge"] == 0).all()
        streamer = env.get_state()["streamer"]
        usual = np.clip(np.log(env.world.streamers["popularity"][streamer]) / 5.0, -1, 1)
        seen = env.layout.candidate(observation, "viewers")
        np.testing.assert_allclose(seen[streamer >= 0], usual[streamer >= 0], atol=1e-6)


class TestGifts:
    def test_who_gives_more_often_gives_more_at_a_time(self, bench):
        c = bench.config
        for propensity in (0.1, 1.0, 8.0):
            log_price = c.gift_price_log_mean + c.gift_price_propensity * math.log(propensity)
            expected = min(max(1.0, math.ceil(math.exp(log_price))), c.gift_price_max)
            assert response.gift_price(bench.p, propensity, 0.0) == expected

    def test_tiers_are_the_nearest_round_prices(self, bench):
        tiers = np.array(response_module._TIERS)
        for price in (1.0, 2.0, 9.0, 14.0, 15.0, 333.0, 56_246.0):
            nearest = tiers[np.abs(np.log(tiers / price)).argmin()]
            assert response.tier(bench.p, price) == nearest

    def test_a_share_of_gifts_is_round(self, make_env):
        generous = {**SMALL, **DEEP, "click_bias": 20.0, "gift_per_min": 10.0, "gift_base": 10.0,
                    "watch_bias": 10.0, "gift_price_log_mean": 4.0}  # fmt: skip
        bench = Bench(make_env(world="plain", config=generous))
        prices = np.array(
            [response.respond(an_appeal(), bench.s, bench.w, bench.p, key).gift_value
             for key in keys(3_000)]
        )  # fmt: skip
        dear = prices[prices > 60]  # where prices by chance are hardly ever round
        share = np.isin(dear, response_module._TIERS).mean()
        assert share == pytest.approx(0.42, abs=0.05)


class TestExpectation:
    def test_harm_bond_and_breadth(self, make_venv):
        env = make_venv(16, **SYNTHETIC)
        env.reset(seed=0)
        expected, slots = env.expected_response(), env.get_state()
        streamers = env.world.streamers[np.maximum(slots["streamer"], 0)]
        live = slots["streamer"] >= 0
        sensitivity = env.world.viewers["sensitivity"][slots["viewer"]][:, None]
        np.testing.assert_allclose(
            expected["harm"][live], (sensitivity * streamers["sensationalism"])[live], rtol=1e-5
        )
        c = env.simulation.config
        familiarity = np.take_along_axis(slots["familiarity"], streamers["category"], axis=1)
        grown = c.familiarity_gain * (1 - familiarity) / env.world.num_categories
        np.testing.assert_allclose(expected["breadth"][live], grown[live], rtol=1e-5)
        assert (expected["bond"][live] >= 0).all() and (expected["bond"][~live] == 0).all()

    def test_bond_is_what_a_click_brings_on_average(self, make_env):
        env = make_env(
            world="plain", config={**SMALL, **DEEP, "watch_bias": 3.0, "watch_noise_std": 0.5}
        )
        env.reset(seed=2)
        bench = Bench(env, seed=2)
        slot = int(env.action_masks().argmax())
        a = response.appeal(bench.s, bench.w, bench.p, slot)
        log_mean = response.watch_log_mean(a, bench.s, bench.p)
        noise = stats.norm.ppf((np.arange(4_000) + 0.5) / 4_000)
        brought = []
        for z in noise:
            watch_s = response.watch_time(log_mean, float(z), a, bench.p)
            new = person.grown(a.attachment, bench.p, a.growth, watch_s, False)
            brought.append(a.growth * (new**2 - a.attachment**2))
        bond = env.expected_response()["bond"][0, slot]
        assert bond == pytest.approx(np.mean(brought), rel=0.05)


def test_viewers_of_a_vector_do_not_see_each_other():
    arguments = {"config": {**LIVELY, **DEEP}, "traces": True}
    many = LiveStreamRecVectorEnv(5, **arguments)
    one = LiveStreamRecVectorEnv(1, **arguments)
    many.reset(seed=7)
    one.reset(seed=9)
    for step in range(60):
        a, b = many.step(np.full(5, step % 10)), one.step(np.array([step % 10]))
        np.testing.assert_array_equal(a[0][2], b[0][0])
        assert a[1][2] == b[1][0]
