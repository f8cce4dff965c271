"""The click model: what it is fitted to, and what it finds."""

from __future__ import annotations

import numpy as np
import pytest

from scripts.click_model import Clicks, areas, log_clicks, main


def test_what_was_shown_is_what_is_described(small_world):
    log = log_clicks(4, 0, {"world": small_world, "observe": "full"})
    assert log.features.shape == (len(log.click), log.features.shape[1])
    assert set(log.viewer) <= set(range(4))
    assert 0.05 < log.click.mean() < 0.8
    column = dict(zip(log.room_columns, log.features[:, -len(log.room_columns) :].T, strict=True))
    assert (column["valid"] == 1.0).all()
    assert column["affinity"][log.click].mean() > column["affinity"][~log.click].mean()


def test_area_under_the_curve_of_known_clicks():
    """Clicks that one column decides wherever the other is positive, and chance where it is not."""
    pytest.importorskip("sklearn")
    rng = np.random.default_rng(0)
    known, score = rng.integers(0, 2, 8_000), rng.random(8_000)
    click = np.where(known == 1, score > 0.5, rng.random(8_000) > 0.5)
    features = np.stack([known, score], axis=1).astype(np.float32)
    found = areas(Clicks(features, click, np.arange(8_000), ("affinity",)), seed=0)
    # Where the column decides nothing, half of the rows, both rank by chance; where it decides all,
    # the model ranks those rows before and after all others.
    assert found["affinity"] == pytest.approx(0.75, abs=0.03)
    assert found["model"] == pytest.approx(0.875, abs=0.03)


def test_printed_by_size(capsys):
    pytest.importorskip("sklearn")
    kwargs = '{"config": {"num_viewers": 8, "num_streamers": 200, "days": 2}}'
    assert main(["--viewers", "8", "--env-kwargs", kwargs]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "impressions, click rate 0." in lines[0]
    values = [float(line.split()[1]) for line in lines[2:]]
    assert values == sorted(values, reverse=True)
    assert any(line.startswith("model ") and line.endswith("at least 0.82") for line in lines)
