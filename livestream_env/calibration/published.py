"""The published statistics of real logs that a world is held against."""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass

# Everyone in the log; or those who clicked, commented, liked and gave, as KuaiLive's users.
VIEWERS = ("active", "everyone")
# The world's own streamers; or, where their number matters, as many as make a long tail.
CATALOGUES = ("own", "large")


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
    viewers: str = "active"  # whom it describes: one of VIEWERS
    catalogue: str = "own"  # in which it is compared: one of CATALOGUES

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


_CHOICES = {
    "kind": ("absolute", "relative"),
    "required": ("yes", "no"),
    "viewers": VIEWERS,
    "catalogue": CATALOGUES,
}


def read_published_statistics(path: str | os.PathLike[str]) -> list[PublishedStatistic]:
    """Read the table of targets.

    Raises:
        ValueError: a row has an unknown kind of tolerance, or says neither yes nor no.
    """
    with open(path, newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    for row in rows:
        for column, choices in _CHOICES.items():
            if row[column] not in choices:
                raise ValueError(
                    f"{os.fspath(path)}: {column} of {row['statistic']} must be "
                    f"{' or '.join(choices)}, got {row[column]!r}"
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
            viewers=row["viewers"],
            catalogue=row["catalogue"],
        )
        for row in rows
    ]
