"""Tables of off-policy estimates."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from agents.ope.estimators import ESTIMATORS
from agents.ope.evaluation import OffPolicyEstimate, most_precise
from agents.reports.markdown import estimate_text, markdown_table, number_text
from agents.reports.statistics import Estimate


def policy_section(estimates: Sequence[OffPolicyEstimate]) -> list[str]:
    """One policy's estimates: a table, why some are not to be believed, and what to take from it.

    Args:
        estimates: Of one policy.
    """
    rows = [
        [
            f"{e.estimator}: {ESTIMATORS[e.estimator]}",
            estimate_text(Estimate(e.value, e.low, e.high)),
            number_text(e.diagnosis.effective_sample_size, digits=0),
            "yes" if e.trusted else "no",
        ]
        for e in estimates
    ]
    header = ["estimator", "reward per episode [95 %]", "effective episodes", "to be believed"]
    reasons = {e.estimator: "; ".join(e.diagnosis.warnings) for e in estimates if not e.trusted}
    same: dict[str, list[str]] = {}
    for key, reason in reasons.items():
        same.setdefault(reason, []).append(key)
    lines = [*markdown_table(header, rows), ""]
    lines += [f"- not {', '.join(keys)}: {reason}." for reason, keys in same.items()]
    return [*lines, *[""] * bool(same), verdict(estimates)]


def verdict(estimates: Sequence[OffPolicyEstimate]) -> str:
    """In one sentence, what the log says of a policy, or that it says nothing reliable."""
    name = estimates[0].policy
    best = most_precise(estimates)
    if best is None:
        return (
            f"{name}: NO ESTIMATE HERE SHOULD BE BELIEVED. This log cannot tell what the policy "
            "would earn; try it on few viewers, or judge one that is nearer to what was logged."
        )
    text = estimate_text(Estimate(best.value, best.low, best.high))
    return f"{name}: {text} reward per episode, by {best.estimator}, the narrowest to be believed."


def records(estimates: Sequence[OffPolicyEstimate]) -> list[dict[str, Any]]:
    """A flat dictionary per estimate, for CSV and JSON."""
    found = []
    for estimate in estimates:
        record = dataclasses.asdict(estimate)
        diagnosis = record.pop("diagnosis")
        # A named tuple of what it was made of: the same names as its fields'.
        record |= dict(zip(estimate.diagnosis._fields, diagnosis, strict=True))
        record |= {"trusted": estimate.trusted, "warnings": "; ".join(record["warnings"])}
        found.append(record)
    return found
