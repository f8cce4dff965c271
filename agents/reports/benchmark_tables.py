"""The benchmark's tables, Markdown, from the runs that are finished."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise

from agents.experiments.suites import MECHANISMS, SESSION, V0, WEEK, Suite
from agents.policy import AGENTS
from agents.reports.benchmark_results import Group
from agents.reports.markdown import estimate_text, markdown_table
from agents.reports.statistics import FEW_SEEDS, Estimate
from agents.reports.summary import HIGH, LOW

OURS, FAR = "dqn", "farsighted-oracle"
IDS = {"v0": V0, "session": SESSION, "week": WEEK}
NONE = "–"
TOO_NARROW = (
    f"Intervals over fewer than {FEW_SEEDS} training seeds are too narrow: nominal 95 % cover "
    "about 75 % with 3 seeds and 90 % with 5."
)
RUNGS = ("random", "logging", "linucb", "greedy", HIGH, FAR, "planner")
OTHER_LEARNERS = tuple(
    spec.name for spec in AGENTS.values() if spec.learns and spec.seeds and spec.name != OURS
)
# What is expected, as (lower, higher) on the same episodes.
ORDERS: Mapping[str, Sequence[tuple[str, str]]] = {
    "v0-ladder": (
        *pairwise(RUNGS),
        ("greedy", "farsighted"),
        ("popularity", "random"),
        *pairwise(("sb3-dqn", "sb3-dqn-matched", "sb3-dqn-candidate")),
        *((other, OURS) for other in OTHER_LEARNERS),
        *((f"dqn?{change}", OURS) for change in ("gamma=0", "network=mlp")),
        (OURS, "dqn, full observation"),
    ),
    "session-ladder": tuple(pairwise(RUNGS)),
    "week-ladder": (*pairwise(RUNGS), ("greedy", "farsighted"), ("sb3-dqn", OURS)),
}


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
        "ladder": of(ladder_table, **{name: (f"{name}-ladder", f"{name}-planner") for name in IDS}),
        "mechanisms": mechanism_table(groups),
        "agents": of(agents_table, v0=("v0-agents", "linucb")),
        "ablations": of(ablation_table, v0=(OURS, "v0-ablations", "v0-full-observation")),
        "long": of(agents_table, v0=(OURS, "v0-long"), week=("week-agents", "week-long")),
        "order": order_table(groups),
    }
    return {name: text for name, text in made.items() if text}


def ladder_table(group: Group, labels: Sequence[str]) -> str:
    """Policies from the lowest to the highest reward."""
    reward, watch, likes = map(group.comparison, ("reward", "watch_s", "likes"))
    rows = [
        [
            name_text(label),
            estimate_text(reward.score(label)),
            normalised_text(group, label),
            estimate_text(Estimate(*(s / 60 for s in watch.score(label))), digits=1),
            estimate_text(likes.score(label)),
        ]
        for label in sorted(labels, key=reward.value.__getitem__)
    ]
    header = ["policy", "reward (95 %)", "normalised", "watch (min)", "likes"]
    return _with_note(markdown_table(header, rows), group, labels)


def mechanism_table(groups: Mapping[str, Group]) -> str:
    """What planning brings, with every mechanism and with each one off."""
    rows = []
    for off in ("", *MECHANISMS):
        group = groups.get(f"v0-no-{off}" if off else "v0-ladder")
        if group is None:
            continue
        reward = group.comparison()
        scores = [
            estimate_text(reward.score(name)) if name in group.labels else NONE
            for name in (LOW, HIGH, FAR)
        ]
        gaps = [
            estimate_text(reward.ratio(far, near)) if {far, near} <= set(group.labels) else NONE
            for far, near in ((FAR, HIGH), ("farsighted", "greedy"))
        ]
        rows.append([f"no {off}" if off else "all on", *scores, *gaps])
    if not rows:
        return ""
    header = ["mechanism", f"`{LOW}`", f"`{HIGH}`", f"`{FAR}`", f"`{FAR}` / `{HIGH}`",
              "`farsighted` / `greedy`"]  # fmt: skip
    return "\n".join(markdown_table(header, rows))


def agents_table(group: Group, labels: Sequence[str]) -> str:
    """Learners, the best first, and each one's paired difference from ours."""
    reward, areas = group.comparison(), group.areas
    rows = []
    for label in sorted(labels, key=lambda name: -reward.value[name]):
        learns = areas is not None and label in areas.value
        against = label != OURS and OURS in group.labels
        difference = reward.difference(OURS, label) if against else None
        rows.append(
            [
                name_text(label),
                str(group.seeds(label)),
                estimate_text(reward.score(label)),
                normalised_text(group, label),
                estimate_text(areas.score(label)) if areas is not None and learns else NONE,
                NONE if difference is None else estimate_text(difference, sign="+"),
                estimate_text(reward.probability(OURS, label)) if against else NONE,
                NONE if difference is None else verdict(difference, f"`{OURS}` is"),
                f"{group.cpu_s(label):,.0f}" if learns else NONE,
            ]
        )
    header = ["agent", "seeds", "reward (IQM, 95 %)", "normalised", "area under curve",
              f"`{OURS}` − it", f"P(`{OURS}` > it)", "", "CPU s"]  # fmt: skip
    return _with_note(markdown_table(header, rows), group, labels)


def ablation_table(group: Group, labels: Sequence[str]) -> str:
    """What each switch of our DQN changes, in the final score and in the area under the curve."""
    reward, areas = group.comparison(), group.areas
    rows = []
    for label in labels:
        cells = [name_text(label), str(group.seeds(label)), estimate_text(reward.score(label))]
        cells += [normalised_text(group, label)]
        if label == OURS or OURS not in group.labels or areas is None:
            cells += [NONE] * 3
        else:
            difference = reward.difference(label, OURS)
            area = areas.difference(label, OURS)
            cells += [estimate_text(difference, sign="+"), verdict(difference)]
            cells += [estimate_text(area, sign="+")]
        rows.append(cells)
    header = ["agent", "seeds", "reward (IQM, 95 %)", "normalised", f"it − `{OURS}`", "",
              f"area − `{OURS}`'s"]  # fmt: skip
    return _with_note(markdown_table(header, rows), group, labels)


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


def verdict(difference: Estimate, subject: str = "") -> str:
    """Calls it better or worse only where the interval excludes 0."""
    if not difference.excludes_zero:
        return "no difference shown"
    return f"{subject} {'better' if difference.value > 0 else 'worse'}".strip()


def name_text(label: str) -> str:
    """An agent's label with its name as code."""
    agent, comma, note = label.partition(", ")
    return f"`{agent}`{comma}{note}"


def normalised_text(group: Group, label: str) -> str:
    """The normalised score, or a dash while its ends are missing."""
    if not {LOW, HIGH} <= set(group.labels):
        return NONE
    return estimate_text(group.comparison().normalised(label, LOW, HIGH))


def _with_note(lines: Iterable[str], group: Group, labels: Sequence[str]) -> str:
    few = any(1 < group.seeds(label) < FEW_SEEDS for label in labels)
    return "\n".join([*lines, *(["", TOO_NARROW] if few else [])])
