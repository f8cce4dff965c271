"""The published statistics of real logs that a world is held against."""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass


@dataclass(frozen=True)
class PublishedStatistic:
    """One row of ``data/published_statistics.csv``."""

    statistic: str
    value: float
    tolerance: float
    kind: str  # of the tolerance: "absolute" or "relative"
    unit: str
    required: bool
    source: str

    @property
    def bounds(self) -> tuple[float, float]:
        """Lowest and highest simulated value that passes."""
        slack = self.tolerance * (abs(self.value) if self.kind == "relative" else 1.0)
        return self.value - slack, self.value + slack

    def accepts(self, simulated: float) -> bool:
        """Whether a simulated value is within the tolerance (NaN is not)."""
        low, high = self.bounds
        return low <= simulated <= high


def read_published_statistics(path: str | os.PathLike[str]) -> list[PublishedStatistic]:
    """Read the table of targets.

    Raises:
        ValueError: a row has an unknown kind of tolerance.
    """
    with open(path, newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    for row in rows:
        if row["kind"] not in ("absolute", "relative"):
            raise ValueError(
                f"{os.fspath(path)}: kind of {row['statistic']} must be absolute or relative, "
                f"got {row['kind']!r}"
            )
    return [
        PublishedStatistic(
            statistic=row["statistic"],
            value=float(row["value"]),
            tolerance=float(row["tolerance"]),
            kind=row["kind"],
            unit=row["unit"],
            required=row["required"] == "yes",
            source=row["source"],
        )
        for row in rows
    ]
