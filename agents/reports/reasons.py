"""Why a table has a dash where others have a number: the sentences below it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from agents.reports.markdown import NONE, code
from agents.reports.results import HIGH, LOW, Group
from agents.reports.statistics import Comparison, Estimate

NOT_TRAINED = f"{NONE} under seeds, curve, time and steps/s: the agent is not trained."
NO_PROBABILITY = (
    f"{NONE} for P: neither of the two has two training seeds to compare, or one has no score."
)
NO_RATIO = f"{NONE} for a ratio: one of its agents is missing or has no score, or it is to 0."


def reasons(group: Group, labels: Iterable[str]) -> list[str]:
    """A sentence for each reason why scores or intervals of these agents are undefined."""
    labels = list(labels)
    reward = group.comparison()
    said = [_no_score(group, label) for label in labels if not math.isfinite(reward.value[label])]
    said += _no_normalised(group)
    areas = group.areas
    if areas is not None:
        without = [x for x in labels if x in areas.value and not math.isfinite(areas.value[x])]
        said += [f"{code(x)} has no area: a reward on its curve is not finite." for x in without]
    said += _no_interval(group, labels)
    return said


def dashes(estimates: Sequence[Estimate], reason: str) -> list[str]:
    """The ``reason``, if one of the estimates is undefined."""
    return [reason] if any(not estimate.defined for estimate in estimates) else []


def _no_score(group: Group, label: str) -> str:
    rewards = np.concatenate([result.episodes["reward"] for result in group.of(label)])
    bad = int((~np.isfinite(rewards)).sum())
    if not len(rewards):
        why = "it played no viewer-day"
    elif bad:
        why = f"the reward of {bad:,} of its {len(rewards):,} viewer-days is not finite"
    else:
        why = "its rewards are too large to be averaged"
    return f"{code(label)} has no score: {why}."


def _no_normalised(group: Group) -> list[str]:
    value = group.comparison().value
    if missing := [end for end in (LOW, HIGH) if end not in value]:
        names = " and ".join(map(code, missing))
        why = f"{names} {'are' if len(missing) > 1 else 'is'} not among the finished runs"
    elif unknown := [end for end in (LOW, HIGH) if not math.isfinite(value[end])]:
        why = f"{' and '.join(map(code, unknown))} without a score"
    elif value[LOW] == value[HIGH]:
        why = f"{code(LOW)} and {code(HIGH)} have the same score"
    else:
        return []
    return [f"No normalised scores: {why}."]


def _no_interval(group: Group, labels: Iterable[str]) -> list[str]:
    """Of a score, a normalised score or an area."""
    reward, said = group.comparison(), []
    kinds: list[tuple[Comparison, list[str]]] = [(reward, list(labels))]
    if group.areas is not None:
        kinds.append((group.areas, [label for label in labels if label in group.areas.value]))
    single = many = False
    for comparison, names in kinds:
        for name in names:
            estimate = comparison.score(name)
            if estimate.defined and not estimate.has_interval:
                alone = comparison.days[name] == 1 and len(comparison.seeds[name]) == 1
                single, many = single or alone, many or not alone
    if {LOW, HIGH} <= set(reward.value):
        scaled = [reward.normalised(label, LOW, HIGH) for label in labels]
        if not single and any(one.defined and not one.has_interval for one in scaled):
            said.append(
                f"[{NONE}] after a normalised score: {code(LOW)} and {code(HIGH)} are equal in "
                "some resamples."
            )
    if single:
        said.append(f"[{NONE}]: no interval, one value leaves nothing to resample.")
    if many:
        said.append(f"[{NONE}]: no interval, some resamples are too large.")
    return said
