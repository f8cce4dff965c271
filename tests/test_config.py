from __future__ import annotations

import math

import numpy as np
import pytest

from livestream_env import SimulatorConfig, WorldConfig
from livestream_env.config import HOURLY_ACTIVITY

GROUPS = (SimulatorConfig, WorldConfig)


@pytest.mark.parametrize("group", GROUPS)
class TestGroups:
    def test_every_parameter_is_documented(self, group):
        for name, spec in group.__dataclass_fields__.items():
            assert spec.metadata["doc"], name
            assert spec.metadata["low"] <= spec.default <= spec.metadata["high"], name

    def test_bounds_are_inclusive_and_nothing_lies_beyond(self, group):
        for name, spec in group.__dataclass_fields__.items():
            for bound in (spec.metadata["low"], spec.metadata["high"]):
                others = {"highlight_mean_s": 36_000.0} if name == "highlight_share" else {}
                others |= {"retrieval_attached_share": 0.0} if "category_share" in name else {}
                others |= {"retrieval_category_share": 0.0} if "attached_share" in name else {}
                others |= {"initial_strength_min": 0.0} if name == "initial_strength_max" else {}
                assert getattr(group().replace({**others, name: bound}), name) == bound

    def test_replace_leaves_the_original(self, group):
        default = group()
        name = group.names()[0]
        value = group.__dataclass_fields__[name].metadata["high"]
        changed = default.replace({name: value})
        assert getattr(changed, name) == value and getattr(default, name) != value
        assert default.replace({}) == default

    def test_unknown_name(self, group):
        with pytest.raises(ValueError, match=f"no parameter 'charm'; valid.*{group.names()[0]}"):
            group().replace({"charm": 1.0})

    def test_dict_round_trip(self, group):
        values = group().to_dict()
        assert tuple(values) == group.names()
        assert group().replace(values) == group()

    def test_frozen(self, group):
        with pytest.raises(AttributeError):
            setattr(group(), group.names()[0], 1)


def test_no_name_in_both_groups():
    assert not set(SimulatorConfig.names()) & set(WorldConfig.names())


def test_numbers_are_plain():
    config = WorldConfig(num_viewers=np.int64(7), days=3.0, rooms_per_day=np.float32(1.5))
    assert (type(config.num_viewers), type(config.days)) == (int, int)
    assert type(config.rooms_per_day) is float
    assert hash(config) == hash(WorldConfig(num_viewers=7, days=3, rooms_per_day=1.5))


@pytest.mark.parametrize("value", [7.5, math.nan, "7", None, True])
def test_integers(value):
    with pytest.raises(ValueError, match=r"config\['days'\]"):
        WorldConfig(days=value)


def test_shares_of_retrieval():
    SimulatorConfig(retrieval_attached_share=0.5, retrieval_category_share=0.5)
    with pytest.raises(ValueError, match=r"at most 1, got 0\.6 \+ 0\.5"):
        SimulatorConfig(retrieval_attached_share=0.6, retrieval_category_share=0.5)


def test_median_gap():
    assert math.exp(SimulatorConfig(visits_per_day=4.0).log_gap_s) == pytest.approx(21_600.0)


def test_hourly_activity():
    assert len(HOURLY_ACTIVITY) == 24 and min(HOURLY_ACTIVITY) > 0
    assert sum(HOURLY_ACTIVITY) == pytest.approx(1.0, abs=0.005)
    # Quietest before dawn, busiest in the evening.
    assert np.argmin(HOURLY_ACTIVITY) in (2, 3, 4) and np.argmax(HOURLY_ACTIVITY) in (20, 21)
