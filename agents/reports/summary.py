"""A comparison in words and tables, Markdown."""

from __future__ import annotations

import json
from collections.abc import Mapping

from agents.experiments.runs import Run, Settings
from agents.experiments.workers import last_line
from agents.reports.diagnostics import TITLE, ByAgent, diagnostics_text
from agents.reports.markdown import code
from agents.reports.results import Group
from agents.reports.statistics import FEW_SEEDS
from agents.reports.tables import COVERAGE, challengers, paired_table, score_table


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
    group: Group,
    settings: Settings,
    failed: Mapping[Run, str],
    diagnostics: ByAgent | None = None,
) -> dict[str, str]:
    """Title and Markdown of each section of a comparison.

    Args:
        group: The finished runs.
        settings: Of all runs.
        failed: Runs that failed, with the reason.
        diagnostics: Of those agents that have any.
    """
    sections = {}
    if group.results:
        sections["Scores"] = score_table(group, settings)
        if len(group.labels) > 1:
            for agent in challengers(group.labels):
                title = f"{code(agent)} against the others, on the same viewer-days"
                sections[title] = paired_table(group, agent)
        if diagnostics:
            sections[TITLE] = diagnostics_text(diagnostics)
        sections["How it was measured"] = _method(group, settings)
    if failed:
        sections["Failed runs"] = "\n".join(
            f"- {code(run.agent)}, seed {run.seed}: {code(last_line(reason))}"
            for run, reason in failed.items()
        )
    return sections


def _method(group: Group, settings: Settings) -> str:
    count = [len(group.of(label)) for label in group.labels if group.learns(label)]

    days = f"the same {settings.eval_episodes:,} held-out viewer-days"
    paired = "viewer-days (the same ones for all agents, so that differences are paired)"
    if not count:
        return (
            f"No agent was trained. Every agent played {days}; its score is its mean over them. "
            f"Intervals are percentiles of a bootstrap that resamples {paired}."
        )
    seeds, fewest = max(count), min(count)
    text = (
        f"Learners were trained for {settings.timesteps:,} environment steps per seed; every agent "
        f"then played {days}, which no learner trained on, and chose without exploring. A seed's "
        "score is its mean over viewer-days, an agent's the interquartile mean over its seeds. "
        f"Intervals are percentiles of a bootstrap that resamples {paired} and, within each agent, "
        "training seeds. P(a seed is better): the probability that a training seed of the one "
        "scores above one of the other, ties half."
    )
    if settings.curve_episodes < settings.eval_episodes:
        text += (
            f" Learning curves are played on the first {settings.curve_episodes:,} of those "
            "viewer-days, and end at other values than the scores."
        )
    if seeds == 1:
        text += " **With 1 seed the intervals know nothing of the variation between trainings.**"
    elif fewest < FEW_SEEDS:
        some = f"{fewest} seeds" if seeds == fewest else f"{fewest} to {seeds} seeds"
        text += (
            f" **With {some} the intervals are too narrow**: {COVERAGE}; use {FEW_SEEDS} or "
            "more for a claim."
        )
    return text
