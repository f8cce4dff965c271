"""The plots are drawn, whatever the log lacks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from livestream_env.calibration import impression_statistics, read_published_statistics
from livestream_env.calibration.figures import PLOTS, Portrait, draw_plots
from tests.calibration.tables import impressions

DATA = Path(__file__).parents[2] / "data"


def portrait(label: str, rows: np.ndarray) -> Portrait:
    minutes = np.array([30.0, 60.0, 90.0])
    found = impression_statistics(rows, bootstrap=10)
    return Portrait(label, rows, found, minutes, np.array([False, True, False]))


@pytest.fixture
def log() -> Portrait:
    rng = np.random.default_rng(0)
    rows = [
        (viewer, hour, int(rng.integers(20)), float(rng.lognormal(1.4, 2.65)))
        for viewer in range(30)
        for hour in np.sort(rng.uniform(0, 72, 40))
    ]
    return portrait("log", impressions(rows))


def test_five_pictures(tmp_path, log):
    published = read_published_statistics(DATA / "published_statistics.csv")
    paths = draw_plots(tmp_path / "new", [log, log], published)
    names = ["watch_time", "hourly_share", "room_length", "popularity", "repeats"]
    assert [path.name for path in paths] == [f"{name}.png" for name in names]
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == sorted(
        path.name for path in paths
    )
    for path in paths:
        with Image.open(path) as image:
            assert min(image.size) > 500
            assert len(image.convert("RGB").getcolors(2**24)) > 20


def test_what_was_published_can_be_nothing(tmp_path, log):
    assert len(draw_plots(tmp_path, [log])) == len(PLOTS)


def test_one_click(tmp_path):
    assert len(draw_plots(tmp_path, [portrait("log", impressions([(0, 1, 0, 5.0)]))])) == len(PLOTS)
