"""All tables, Markdown: those of a comparison and those of the benchmark, in the same words."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise

from agents.experiments.runs import Settings
from agents.experiments.suites import LONG_TIMESTEPS, MECHANISMS, SESSION, V0, WEEK, Suite
from agents.policy import AGENTS
from agents.reports.markdown import NONE, code, estimate_text, markdown_table, number_text
from agents.reports.reasons import NO_PROBABILITY, NO_RATIO, NOT_TRAINED, dashes, reasons
from agents.reports.results import GREEDY, HIGH, LOW, Group
from agents.reports.statistics import FEW_SEEDS, Comparison, Estimate

OURS = "dqn"
IDS = {"v0": V0, "session": SESSION, "week": WEEK}
COVERAGE = "nominal 95 % cover about 75 % with 3 seeds and 90 % with 5"
TOO_NARROW = f"Intervals over fewer than {FEW_SEEDS} training seeds are too narrow: {COVERAGE}."
UNKNOWN = Estimate(math.nan, math.nan, math.nan)
RUNGS = ("random", "logging", "linucb", "greedy", GREEDY, "farsighted-oracle", HIGH)
OTHER_LEARNERS = tuple(
    spec.name for spec in AGENTS.values() if spec.learns and spec.seeds and spec.name != OURS
)
HURTING = ("static-linear", "cover-price", GREEDY)  # rules that a learner should pass
LONG_RUN = f"{OURS}, {LONG_TIMESTEPS:,} steps"
# What is expected, as (lower, higher) on the same episodes.
ORDERS: Mapping[str, Sequence[tuple[str, str]]] = {
    "v0-ladder": (
        *pairwise(RUNGS),
        ("greedy", "farsighted"),
        ("popularity", "random"),
        *pairwise(("sb3-dqn", "sb3-dqn-matched", "sb3-dqn-candidate")),
        *((other, OURS) for other in OTHER_LEARNERS),
        *((f"dqn?{change}", OURS) for change in ("gamma=0", "q_form=direct", "crosses=false")),
        *((rule, OURS) for rule in HURTING),
        (OURS, "dqn, full observation"),
        (OURS, LONG_RUN),
    ),
    "session-ladder": tuple(pairwise(RUNGS)),
    "week-ladder": (
        *pairwise(RUNGS),
        ("greedy", "farsighted"),
        ("sb3-dqn", OURS),
        *((rule, OURS) for rule in HURTING),
        (OURS, LONG_RUN),
    ),
}


Cell = Callable[[Group, str], str]  # what a column says of one agent of a group


def verdict(difference: Estimate, subject: str = "") -> str:
    """Calls it better or worse only where the interval excludes 0."""
    if not difference.defined:
        return NONE
    if not difference.excludes_zero:
        return "no difference shown"
    return f"{subject} {'better' if difference.value > 0 else 'worse'}".strip()


def name_text(label: str) -> str:
    """An agent's label with its name as code."""
    agent, comma, note = label.partition(", ")
    return f"{code(agent)}{comma}{note}"


def normalised_text(group: Group, label: str, low: str = LOW) -> str:
    """The normalised score, or a dash while its ends are missing."""
    if not {low, HIGH} <= set(group.labels):
        return NONE
    return estimate_text(group.comparison().normalised(label, low, HIGH))


def way_text(group: Group, label: str) -> str:
    """How far it goes from clairvoyant greed to the best policy known: what planning earns."""
    return normalised_text(group, label, GREEDY)


def _reward(group: Group, label: str) -> str:
    return estimate_text(group.comparison().score(label))


def _watch_min(group: Group, label: str) -> str:
    seconds = group.comparison("watch_s").score(label)
    return estimate_text(Estimate(*(s / 60 for s in seconds)), digits=1)


def _likes(group: Group, label: str) -> str:
    return estimate_text(group.comparison("likes").score(label))


def _seeds(group: Group, label: str) -> str:
    return str(len(group.of(label)))


def _area(group: Group, label: str) -> str:
    known = group.areas is not None and group.learns(label)
    return estimate_text(group.areas.score(label)) if group.areas and known else NONE


def _trained(text: Cell) -> Cell:
    """A dash for agents that do not learn."""
    return lambda group, label: text(group, label) if group.learns(label) else NONE


def _versus_ours(text: Callable[[Comparison, str], str], areas: bool = False) -> Cell:
    """What is said of an agent next to ours; a dash where there is nothing to compare."""

    def cell(group: Group, label: str) -> str:
        comparison = group.areas if areas else group.comparison()
        if comparison is None or label == OURS or not {label, OURS} <= set(comparison.value):
            return NONE
        return text(comparison, label)

    return cell


def _table(group: Group, labels: Iterable[str], columns: Mapping[str, Cell]) -> list[str]:
    """The lines of a table: an agent a row."""
    rows = [[cell(group, label) for cell in columns.values()] for label in labels]
    return markdown_table(list(columns), rows)


def _best_first(group: Group, labels: Iterable[str]) -> list[str]:
    return _worst_first(group, labels)[::-1]


def _worst_first(group: Group, labels: Iterable[str]) -> list[str]:
    """By score; before all those without one."""
    value = group.comparison().value
    return sorted(labels, key=lambda x: value[x] if math.isfinite(value[x]) else -math.inf)


def score_table(group: Group, settings: Settings) -> str:
    """All agents of a comparison, the best first."""

    def wall_s(group: Group, label: str) -> float:
        return group.timing(label, "train_wall_s")

    columns: dict[str, Cell] = {
        "agent": lambda group, label: code(label),
        "seeds": _trained(_seeds),
        "reward (IQM, 95 %)": _reward,
        "normalised score": normalised_text,
        "area under curve": _area,
        "watch (min)": lambda group, label: number_text(
            group.mean(label, "watch_s") / 60, digits=1
        ),
        "likes": lambda group, label: number_text(group.mean(label, "likes")),
        "wall-clock (s)": _trained(
            lambda group, label: number_text(wall_s(group, label), digits=0)
        ),
        "steps/s": _trained(
            lambda group, label: (
                f"{settings.timesteps / wall_s(group, label):,.0f}"
                if wall_s(group, label) > 0
                else NONE
            )
        ),
    }
    text = "All per viewer-day; wall-clock seconds and steps/s of training one seed."
    if group.areas is not None:
        text += " Area under curve: the mean reward over the training's evaluations."
    if {LOW, HIGH} <= set(group.labels):
        text += f" Normalised score: 0 is `{LOW}`, 1 is `{HIGH}`."
    lines = _table(group, _best_first(group, group.labels), columns)
    notes = reasons(group, group.labels)
    if not all(map(group.learns, group.labels)):
        notes.append(NOT_TRAINED)
    return "\n".join([*lines, "", " ".join([text, *notes])])


def challengers(agents: list[str]) -> list[str]:
    """Whose paired differences are shown: our DQN's and the user's own classes'."""
    learners = [agent for agent in agents if agent in AGENTS and AGENTS[agent].learns]
    return [a for a in agents if a == OURS or a not in AGENTS] or learners[:1] or agents[:1]


def paired_table(group: Group, agent: str) -> str:
    """One agent's paired difference from each of the others."""
    reward = group.comparison()
    # Learners first: the comparison most asked for is DQN against SB3.
    others = sorted(
        (other for other in group.labels if other != agent),
        key=lambda name: not (name not in AGENTS or AGENTS[name].learns),
    )
    rows, chances = [], []
    for other in others:
        difference = reward.difference(agent, other)
        chances.append(reward.probability(agent, other))
        rows.append(
            [
                f"{code(agent)} − {code(other)}",
                verdict(difference, f"{code(agent)} is"),
                estimate_text(difference, sign="+"),
                estimate_text(chances[-1]),
            ]
        )
    header = ["paired difference", "", "reward (95 %)", "P(a seed is better)"]
    lines = markdown_table(header, rows, left=2)
    return _with_notes(lines, dashes(chances, NO_PROBABILITY))


def tables(groups: Mapping[str, Group], suites: Sequence[Suite]) -> dict[str, str]:
    """All tables by the name of their place in the page; those without any result are left out.

    Args:
        groups: The finished runs by ladder.
        suites: The plan.
    """
    members = {suite.name: [suite.label(agent) for agent in suite.seeds] for suite in suites}

    def of(table: Callable[[Group, Sequence[str]], str], **named: Sequence[str]) -> str:
        """The table for each id, of the agents of the named suites that are finished."""
        parts = []
        for name, sources in named.items():
            group = groups.get(f"{name}-ladder")
            wanted = [label for source in sources for label in members.get(source, [source])]
            if group is not None and (labels := [x for x in wanted if x in group.labels]):
                parts.append(f"### `{IDS[name]}`\n\n{table(group, labels)}")
        return "\n\n".join(parts)

    made = {
        "ladder": of(ladder_table, **{name: (f"{name}-ladder",) for name in IDS}),
        "mechanisms": mechanism_table(groups),
        "agents": of(agents_table, v0=("v0-agents", "linucb")),
        "ablations": of(ablation_table, v0=(OURS, "v0-ablations", "v0-full-observation")),
        "long": of(agents_table, v0=(OURS, "v0-long"), week=("week-agents", "week-long")),
        "order": order_table(groups),
    }
    return {name: text for name, text in made.items() if text}


def ladder_table(group: Group, labels: Sequence[str]) -> str:
    """Policies from the lowest to the highest reward."""
    columns: dict[str, Cell] = {
        "policy": lambda group, label: name_text(label),
        "reward (95 %)": _reward,
        "normalised": normalised_text,
        "watch (min)": _watch_min,
        "likes": _likes,
    }
    lines = _table(group, _worst_first(group, labels), columns)
    return _with_notes(lines, _notes(group, labels))


def mechanism_table(groups: Mapping[str, Group]) -> str:
    """What planning brings, with every mechanism and with each one off."""
    rows: list[list[str]] = []
    ratios: list[Estimate] = []
    for off in ("", *MECHANISMS):
        group = groups.get(f"v0-no-{off}" if off else "v0-ladder")
        if group is None:
            continue
        reward = group.comparison()
        scores = [
            estimate_text(reward.score(name)) if name in group.labels else NONE
            for name in (LOW, GREEDY, HIGH)
        ]
        gaps = [
            reward.ratio(far, near) if {far, near} <= set(group.labels) else UNKNOWN
            for far, near in ((HIGH, GREEDY), ("farsighted", "greedy"))
        ]
        ratios += gaps
        rows.append([f"no {off}" if off else "all on", *scores, *map(estimate_text, gaps)])
    if not rows:
        return ""
    header = ["mechanism", f"`{LOW}`", f"`{GREEDY}`", f"`{HIGH}`", f"`{HIGH}` / `{GREEDY}`",
              "`farsighted` / `greedy`"]  # fmt: skip
    return _with_notes(markdown_table(header, rows), dashes(ratios, NO_RATIO))


_AGENT_COLUMNS: dict[str, Cell] = {
    "agent": lambda group, label: name_text(label),
    "seeds": _seeds,
    "reward (IQM, 95 %)": _reward,
    "normalised": normalised_text,
    "of the way": way_text,
}


def agents_table(group: Group, labels: Sequence[str]) -> str:
    """Learners, the best first, and each one's paired difference from ours."""
    columns = _AGENT_COLUMNS | {
        "area under curve": _area,
        f"`{OURS}` − it": _versus_ours(
            lambda reward, it: estimate_text(reward.difference(OURS, it), sign="+")
        ),
        f"P(`{OURS}` > it)": _versus_ours(
            lambda reward, it: estimate_text(reward.probability(OURS, it))
        ),
        "": _versus_ours(lambda reward, it: verdict(reward.difference(OURS, it), f"`{OURS}` is")),
        "CPU s": _trained(lambda group, label: f"{group.timing(label, 'train_cpu_s'):,.0f}"),
    }
    lines = _table(group, _best_first(group, labels), columns)
    others = [label for label in labels if label != OURS and OURS in group.labels]
    chances = [group.comparison().probability(OURS, other) for other in others]
    return _with_notes(lines, [*_notes(group, labels), *dashes(chances, NO_PROBABILITY)])


def ablation_table(group: Group, labels: Sequence[str]) -> str:
    """What each switch of our DQN changes, in the final score and in the area under the curve."""

    def difference(comparison: Comparison, it: str) -> str:
        return estimate_text(comparison.difference(it, OURS), sign="+")

    columns = _AGENT_COLUMNS | {
        f"it − `{OURS}`": _versus_ours(difference),
        "": _versus_ours(lambda reward, it: verdict(reward.difference(it, OURS))),
        f"area − `{OURS}`'s": _versus_ours(difference, areas=True),
    }
    return _with_notes(_table(group, labels, columns), _notes(group, labels))


def order_table(groups: Mapping[str, Group]) -> str:
    """Each expected order, and whether it came out."""
    rows = []
    for ladder, pairs in ORDERS.items():
        if (group := groups.get(ladder)) is None:
            continue
        for lower, higher in pairs:
            if {lower, higher} <= set(group.labels):
                difference = group.comparison().difference(higher, lower)
                came_out = "not shown"
                if difference.excludes_zero:
                    came_out = "yes" if difference.value > 0 else "**the other way round**"
                expected = f"{name_text(lower)} < {name_text(higher)}"
                text = estimate_text(difference, sign="+")
                rows.append([ladder.partition("-")[0], expected, came_out, text])
    header = ["on", "expected", "came out", "difference (95 %)"]
    return "\n".join(markdown_table(header, rows, left=3)) if rows else ""


def _notes(group: Group, labels: Sequence[str]) -> list[str]:
    few = any(1 < len(group.of(label)) < FEW_SEEDS for label in labels)
    return [*([TOO_NARROW] if few else []), *reasons(group, labels)]


def _with_notes(lines: Iterable[str], notes: Sequence[str]) -> str:
    return "\n".join([*lines, *(["", " ".join(notes)] if notes else [])])
