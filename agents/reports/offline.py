"""The tables of the study of learning from logged decisions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from agents.reports.markdown import estimate_text, markdown_table
from agents.reports.statistics import Comparison

Scores = Mapping[str, np.ndarray]  # label → rewards (seeds, viewer-days)


def score_table(data: Mapping[str, Scores], rules: Sequence[str]) -> list[str]:
    """Mean reward per viewer-day: a row for each agent, a column for each set of data.

    Args:
        data: Name of each set of data → scores of what learned from it and of the rules.
        rules: Labels of the agents that need no data; their score is the same in every column.
    """
    comparisons = {name: Comparison(scores) for name, scores in data.items()}
    labels = list(dict.fromkeys(label for scores in data.values() for label in scores))
    rows = []
    for label in labels:
        cells = [
            estimate_text(comparison.score(label)) if label in comparison.value else ""
            for comparison in comparisons.values()
        ]
        if label in rules:
            cells[1:] = [""] * (len(cells) - 1)
        rows.append([label, *cells])
    return markdown_table(["agent", *data], rows)


def difference_table(scores: Scores, others: Sequence[str]) -> list[str]:
    """How much more each agent earns per viewer-day than the ``others``, paired by viewer-day.

    Differences whose interval excludes 0 are bold.
    """
    comparison = Comparison(scores)
    present = [other for other in others if other in scores]
    rows = []
    for label, rewards in scores.items():
        cells = []
        for other in present:
            difference = comparison.difference(label, other)
            text = "" if label == other else estimate_text(difference, "+")
            cells.append(f"**{text}**" if text and difference.excludes_zero else text)
        rows.append([label, str(len(rewards)), *cells])
    return markdown_table(["agent", "seeds", *(f"− {other}" for other in present)], rows)
