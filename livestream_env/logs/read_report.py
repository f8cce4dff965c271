"""What became of every row of every file."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from livestream_env.logs.schema import REASONS

NO_SLATE = (
    "Impressions are known without their slates: no file says which candidates there were, nor "
    "with which probability one was shown. So these decisions are none to learn from or to "
    "reweight. Sound are a world learned from the log, whose decisions can be logged, and figures "
    "under a stated model of the logging policy, as good as that model; see docs/offline.md."
)


@dataclass(frozen=True)
class FileReport:
    """The rows of one file: ``read == kept + sum(reasons.values())``, always.

    Attributes:
        read: rows met in the file (lines that are not blank, without the header).
        kept: rows of the table made from it.
        reasons: how many of the others were left out, and why.
        examples: for each reason, where its first row is (``"line 17"``).
        notes: what is odd about the file as a whole and cost no row.
    """

    read: int
    kept: int
    reasons: Mapping[str, int] = field(default_factory=dict)
    examples: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Every row read is kept or has a reason."""
        dropped = sum(self.reasons.values())
        if self.read != self.kept + dropped:
            raise ValueError(
                f"rows are unaccounted for: {self.read} read, {self.kept} kept, {dropped} left out"
            )

    def to_dict(self) -> dict[str, Any]:
        """The counts as a JSON-able dict with the keys ``read``, ``kept``, ``reasons``."""
        return {"read": self.read, "kept": self.kept, "reasons": dict(self.reasons)}


@dataclass(frozen=True)
class ReadReport:
    """One :class:`FileReport` per file, by its name without suffix (``"click"``)."""

    files: Mapping[str, FileReport] = field(default_factory=dict)

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """``{"click": {"read": ..., "kept": ..., "reasons": {...}}, ...}``, JSON-able."""
        return {name: file.to_dict() for name, file in self.files.items()}

    def __str__(self) -> str:
        lines = [f"{'file':<18}{'rows read':>14}{'kept':>14}  left out"]
        for name, file in self.files.items():
            why = ", ".join(f"{reason} {count:,}" for reason, count in file.reasons.items())
            lines.append(f"{name:<18}{file.read:>14,}{file.kept:>14,}  {why or 'none'}")
            lines.extend(f"{'':<18}  note: {note}" for note in file.notes)
        lines.extend(textwrap.wrap(NO_SLATE, 96))
        return "\n".join(lines)


class Tally:
    """Counts the rows of one file while it is read."""

    def __init__(self) -> None:
        self.read = 0
        self.kept = 0
        self.notes: list[str] = []
        self._reasons: Counter[str] = Counter()
        self._examples: dict[str, str] = {}

    def drop(self, reason: str, count: int, example: str) -> None:
        """Count rows that are left out; the first example of a reason stays."""
        self._reasons[reason] += count
        self._examples.setdefault(reason, example)

    def report(self) -> FileReport:
        """The counts, with the reasons in the order of :data:`REASONS`."""
        found = [reason for reason in REASONS if self._reasons[reason]]
        return FileReport(
            self.read,
            self.kept,
            {reason: self._reasons[reason] for reason in found},
            {reason: self._examples[reason] for reason in found},
            tuple(self.notes),
        )
