"""What the pictures must not do: hide a number, mark odd places, name days that were not played."""

import itertools
import json
import math
import re

import numpy as np
import pandas as pd
from matplotlib.text import Annotation

from agents.experiments.runs import Settings
from agents.reports.html import side_by_side
from agents.reports.page import curves_caption
from agents.reports.plots import draw_curves, draw_scores
from agents.reports.statistics import Estimate


def test_no_label_of_the_scores_crosses_a_line_or_another() -> None:
    """One dot's number would be on the line of random, as its interval ends just before it."""
    values = {"random": 3.21, "popularity": 2.0, "dqn": 2.62, "max-ctr": 8.8, "greedy-oracle": 12.2}
    scores = {name: Estimate(value, 0.6 * value, 1.35 * value) for name, value in values.items()}
    drawing = draw_scores(scores, "random", "greedy-oracle")
    drawing.canvas.draw()
    axes = drawing.axes[0]
    labels = [text for text in axes.texts if isinstance(text, Annotation)]
    boxes = [label.get_window_extent() for label in labels]
    assert sorted(label.get_text() for label in labels) == sorted(
        f"{v:.2f}" for v in values.values()
    )
    assert all(box.x0 > axes.get_window_extent().x1 for box in boxes)
    assert all(box.x1 <= drawing.bbox.x1 for box in boxes)
    assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))


def curves(cpu_s: float) -> pd.DataFrame:
    rows = [
        {
            "agent": "dqn",
            "seed": seed,
            "timesteps": 1000 * k,
            "cpu_s": cpu_s * k,
            "reward": float(k + seed),
        }
        for seed in range(2)
        for k in range(5)
    ]
    return pd.DataFrame(rows)


def test_ticks_of_computing_time_are_round_and_there() -> None:
    for cpu_s in (0.013, 7.0, 900.0):
        drawing = draw_curves(curves(cpu_s), {"random": 1.0})
        drawing.canvas.draw()
        by_time = drawing.axes[1]
        low, high = by_time.get_xlim()
        ticks = zip(by_time.get_xticks(), by_time.get_xticklabels(), strict=True)
        shown = [label.get_text() for tick, label in ticks if low <= tick <= high]
        assert shown and all(float(text) for text in shown)
        assert all(re.fullmatch(r"0*[125]0*", text.replace(".", "")) for text in shown)


def test_curves_say_which_viewer_days_they_were_played_on() -> None:
    drawing = draw_curves(curves(1.0), {}, days=1256)
    assert drawing.axes[0].get_ylabel() == "reward per viewer-day (the first 1,256)"
    fewer = curves_caption(Settings(eval_episodes=2000, curve_episodes=256))
    assert "first 256 held-out" in fewer and "the table are over all 2,000" in fewer
    assert "over all" not in curves_caption(Settings(eval_episodes=256, curve_episodes=256))


def test_what_is_not_finite_is_left_out() -> None:
    table = curves(1.0)
    table.loc[[1, 7], "reward"] = [math.nan, math.inf]
    drawing = draw_curves(table, {"random": math.nan, "logging": 1e308, "greedy": 2.0})
    assert len(drawing.axes[0].lines) == 2  # the curve and one level
    scores = {"a": Estimate(math.nan, 0, 1), "b": Estimate(2.0, math.nan, math.nan)}
    labels = [text.get_text() for text in draw_scores(scores, "a", "b").axes[0].texts]
    assert labels == ["–", "2.00"]


def test_a_replay_holds_numbers_only() -> None:
    play = {"viewer": ["x"], "tastes": {"games": 0.5}, "impressions": [
        {"reward": math.inf, "total": math.nan, "away_s": None, "shown": 1, "cards": [None]}
    ]}  # fmt: skip
    data = re.search(r"json\">(.*?)</script>", side_by_side({"a": play}))
    assert data is not None
    one = json.loads(data[1], parse_constant=lambda _: np.nan)[0]["impressions"][0]
    assert one == {"reward": 1e30, "total": 0.0, "away_s": None, "shown": 1, "cards": [None]}
