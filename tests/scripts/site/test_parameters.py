import numpy as np

from livestream_env import SimulatorConfig, WorldConfig
from scripts.site.effects import STATISTICS, SWITCHED_ON, changed, ratios
from scripts.site.parameters import parameters, unit


def test_every_parameter_is_there_once_with_meaning_and_source() -> None:
    found = parameters()
    assert [one.name for one in found] == [*SimulatorConfig.names(), *WorldConfig.names()]
    for one in found:
        assert one.topic and one.meaning and one.low <= one.default <= one.high
    assert {one.topic for one in found} >= {"Clock", "Click", "Watch time", "A synthetic world"}


def test_units_follow_from_names() -> None:
    named = {"browse_s": "s", "like_per_min": "per minute", "visits_per_day": "per day",
             "room_hours_max": "h", "attachment_half_life_days": "d", "click_bias": "log-odds",
             "watch_affinity": "log seconds", "watch_cap_s": "s", "highlight_share": "1",
             "click_propensity_std": "1"}  # fmt: skip
    assert {name: unit(name) for name in named} == named


def test_the_other_value_is_valid_and_another_one() -> None:
    for one in parameters():
        value, words = changed(one.name)
        assert one.low <= value <= one.high and value != one.default
        assert (words == "doubled" and value == 2 * one.default) or words != "doubled"
    assert {one.name for one in parameters() if one.default == 0} <= set(SWITCHED_ON)


def test_a_ratio_is_of_means_and_0_where_nothing_changes() -> None:
    names = dict.fromkeys(name for pair in STATISTICS.values() for name in pair if name)
    days = np.ones(50, [(name, float) for name in names])
    twice = days.copy()
    twice["clicks"] *= 2.0
    ratio = dict(zip(STATISTICS, ratios(days, twice), strict=True))
    assert (ratio["clicks per impression"] == 1).all() and (ratio["watch per click"] == -1).all()
    assert (ratio["reward a day"] == 0).all()
