"""The published statistics of real logs that a world is held against."""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass


@dataclass(frozen=True)
class PublishedStatistic:
    """One row of a table such as ``data/published_statistics.csv``; see ``data/README.md``."""

    statistic: str
    value: float
    tolerance: float
    kind: str  # of the tolerance: "absolute" or "relative"
    unit: str
    days: int | None  # that it is about, if it depends on them
    required: bool
    source: str

    @property
    def bounds(self) -> tuple[float, float]:
        """Lowest and highest value that passes."""
        return self.around(self.value)

    def around(self, value: float) -> tuple[float, float]:
        """The same tolerance, around another value than the published one."""
        slack = self.tolerance * (abs(value) if self.kind == "relative" else 1.0)
        return value - slack, value + slack

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
            days=int(row["days"]) if row["days"] else None,
            required=row["required"] == "yes",
            source=row["source"],
        )
        for row in rows
    ]
