"""A world held against published statistics as their logs were taken."""

from __future__ import annotations

from pathlib import Path

import pytest

from livestream_env import World, WorldConfig
from livestream_env.calibration import check, read_published_statistics
from livestream_env.calibration.check import compared, log_samples
from livestream_env.calibration.published import CATALOGUES, VIEWERS

PUBLISHED = Path(__file__).parents[2] / "data" / "published_statistics.csv"
GENEROUS = {"gift_per_min": 0.5, "like_per_min": 1.0, "comment_per_min": 1.0, "num_streamers": 200}


@pytest.fixture(scope="module")
def samples():
    """Statistics of a log of few viewers, most of whom do everything; and what they are of."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(check, "LARGE_CATALOGUE", 400)
        return log_samples(16, 8, 0, {"config": {**GENEROUS, "days": 14}})


def test_every_published_statistic_is_compared(samples):
    described, facts = samples
    assert set(described) == {(who, where) for who in VIEWERS for where in CATALOGUES}
    published = read_published_statistics(PUBLISHED)
    found = compared(published, described)
    assert set(found) == {row.statistic for row in published}
    assert 0 < found["room_reentries"].value < 1
    assert -0.5 < found["ctr_drift"].value < 0.5
    assert facts["days"] == 14  # of the 21 that were asked for
    assert facts["viewers"] == 16
    assert facts["large_viewers"] == 8
    assert 4 <= facts["active"] <= 16
    assert facts["density"] > 0


def test_active_viewers_and_everyone_differ(samples):
    described, _ = samples
    everyone, active = described["everyone", "own"], described["active", "own"]
    assert active["gifts_per_user"].value > everyone["gifts_per_user"].value
    assert described["everyone", "large"]["ctr"].value != everyone["ctr"].value


def test_a_world_that_was_not_drawn_by_name_is_its_own_large_catalogue(tmp_path):
    world = World.synthetic(WorldConfig(num_viewers=6, num_streamers=200, days=3))
    world.save(tmp_path / "world.npz")
    config = {name: GENEROUS[name] for name in GENEROUS if name.endswith("per_min")}
    kwargs = {"world": str(tmp_path / "world.npz"), "config": config, "satiation": False}
    described, facts = log_samples(9, 4, 0, kwargs)
    assert facts["days"] == 3
    assert facts["viewers"] == facts["large_viewers"] == 6  # all that there are
    assert described["everyone", "large"]["ctr"] == described["everyone", "own"]["ctr"]


def test_a_log_in_which_nobody_did_everything_says_so(small_world):
    kwargs = {"world": small_world, "config": {"gift_per_min": 0.0}}
    with pytest.raises(ValueError, match="none of 5 viewers clicked, commented, liked and gave"):
        log_samples(5, 5, 0, kwargs)
