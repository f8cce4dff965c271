"""A comparison in words and tables, Markdown."""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np

from agents.experiments.runs import Result, Run, Settings
from agents.policy import AGENTS
from agents.reports.markdown import estimate_text, markdown_table
from agents.reports.results import curve_areas, per_agent
from agents.reports.statistics import FEW_SEEDS, Comparison

LOW, HIGH = "random", "greedy-oracle"  # what normalised scores call 0 and 1


def environment(settings: Settings) -> str:
    """The environment's id and arguments."""
    arguments = f" {json.dumps(settings.env_kwargs)}" if settings.env_kwargs else ""
    return settings.env_id + arguments


def summary(settings: Settings, sections: Mapping[str, str]) -> str:
    """One document of the ``sections`` by title."""
    parts = [f"# Comparison\n\nEnvironment: `{environment(settings)}`\n"]
    parts += [f"## {title}\n\n{text}\n" for title, text in sections.items()]
    return "\n".join(parts)


def summary_sections(
    results: Mapping[Run, Result],
    comparison: Comparison | None,
    settings: Settings,
    failed: Mapping[Run, str],
) -> dict[str, str]:
    """Title and Markdown of each section.

    Args:
        results: Of the finished runs.
        comparison: Of their rewards; None if there are no results.
        settings: Of all runs.
        failed: Runs that failed, with the reason.
    """
    sections = {}
    if comparison is not None:
        sections["Scores"] = _score_table(results, comparison, settings)
        if len(comparison.value) > 1:
            for agent in challengers(list(comparison.value)):
                title = f"`{agent}` against the others, on the same viewer-days"
                sections[title] = _pair_table(agent, comparison)
        sections["How it was measured"] = _method(results, settings)
    if failed:
        sections["Failed runs"] = "\n".join(
            f"- {run.agent}, seed {run.seed}: `{reason.strip().splitlines()[-1]}`"
            for run, reason in failed.items()
        )
    return sections


def _score_table(results: Mapping[Run, Result], comparison: Comparison, settings: Settings) -> str:
    watch_s, likes = per_agent(results, "watch_s"), per_agent(results, "likes")
    curves = curve_areas(results)
    areas = Comparison(curves) if curves else None
    scale = {LOW, HIGH} <= set(comparison.value)
    rows = []
    for agent in sorted(comparison.value, key=lambda name: -comparison.value[name]):
        timing = [result.timing for run, result in results.items() if run.agent == agent]
        learns = any(len(result.curve) for run, result in results.items() if run.agent == agent)
        wall_s = float(np.mean([row["train_wall_s"] for row in timing]))
        rows.append(
            [
                f"`{agent}`",
                str(len(timing)) if learns else "–",
                estimate_text(comparison.score(agent)),
                estimate_text(comparison.normalised(agent, LOW, HIGH)) if scale else "–",
                estimate_text(areas.score(agent)) if areas and agent in curves else "–",
                f"{watch_s[agent].mean() / 60:.1f}",
                f"{likes[agent].mean():.2f}",
                f"{wall_s:.0f}" if learns else "–",
                f"{settings.timesteps / wall_s:,.0f}" if learns else "–",
            ]
        )
    header = ["agent", "seeds", "reward (IQM, 95 %)", "normalised score", "area under curve",
              "watch (min)", "likes", "wall-clock (s)", "steps/s"]  # fmt: skip
    text = "All per viewer-day; wall-clock seconds and steps/s of training one seed."
    if curves:
        text += " Area under curve: the mean reward over the training's evaluations."
    if scale:
        text += f" Normalised score: 0 is `{LOW}`, 1 is `{HIGH}`; above 1 an agent plans."
    return "\n".join([*markdown_table(header, rows), "", text])


def challengers(agents: list[str]) -> list[str]:
    """Whose paired differences are shown: our DQN's and the user's own classes'."""
    learners = [agent for agent in agents if agent in AGENTS and AGENTS[agent].learns]
    return [a for a in agents if a == "dqn" or a not in AGENTS] or learners[:1] or agents[:1]


def _pair_table(agent: str, comparison: Comparison) -> str:
    # Learners first: the comparison most asked for is DQN against SB3.
    others = sorted(
        (other for other in comparison.value if other != agent),
        key=lambda name: not (name not in AGENTS or AGENTS[name].learns),
    )
    rows = []
    for other in others:
        difference = comparison.difference(agent, other)
        verdict = "no difference shown"
        if difference.excludes_zero:
            verdict = f"`{agent}` is {'better' if difference.value > 0 else 'worse'}"
        pair = f"`{agent}` − `{other}`"
        probability = estimate_text(comparison.probability(agent, other))
        rows.append([pair, verdict, estimate_text(difference, sign="+"), probability])
    header = ["paired difference", "", "reward (95 %)", "P(a seed is better)"]
    return "\n".join(markdown_table(header, rows, left=2))


def _method(results: Mapping[Run, Result], settings: Settings) -> str:
    learners = list(
        dict.fromkeys(run.agent for run, result in results.items() if len(result.curve))
    )
    count = {name: sum(run.agent == name for run in results) for name in learners}
    seeds, fewest = max(count.values(), default=1), min(count.values(), default=1)
    text = (
        f"Learners were trained for {settings.timesteps:,} environment steps per seed; every agent "
        f"then played the same {settings.eval_episodes:,} held-out viewer-days, which no learner "
        "trained on, and chose without exploring. A seed's score is its mean over viewer-days, an "
        "agent's the interquartile mean over its seeds. Intervals are percentiles of a bootstrap "
        "that resamples viewer-days (the same ones for all agents, so that differences are paired) "
        "and, within each agent, training seeds. P(a seed is better): the probability that a "
        "training seed of the one scores above one of the other, ties half."
    )
    if learners and seeds == 1:
        text += " **With 1 seed the intervals know nothing of the variation between trainings.**"
    elif learners and fewest < FEW_SEEDS:
        some = f"{fewest} seeds" if seeds == fewest else f"{fewest} to {seeds} seeds"
        text += (
            f" **With {some} the intervals are too narrow**: nominal 95 % cover about 75 % "
            f"with 3 seeds and 90 % with 5; use {FEW_SEEDS} or more for a claim."
        )
    return text
