"""The files of a comparison and of the benchmark: tables, plots, and a page with all."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from agents.dqn.diagnostics import Diagnostics
from agents.experiments.runs import Run, Settings
from agents.experiments.suites import Suite
from agents.reports.diagnostics import (
    CAPTION,
    TITLE,
    diagnostics_section,
    draw_diagnostics,
    load_diagnostics,
)
from agents.reports.html import Section, figure, markdown, write_html
from agents.reports.plots import draw_curves, draw_profiles, draw_scores, drawable, save_png
from agents.reports.reporting import package_versions, run_record
from agents.reports.results import (
    GREEDY,
    HIGH,
    LOW,
    Group,
    curves_table,
    groups,
    load_results,
    per_agent,
    scores_table,
    write_csv,
)
from agents.reports.statistics import performance_profile, seed_means
from agents.reports.summary import environment, summary, summary_sections
from agents.reports.tables import IDS, tables
from agents.reports.viewer_day import viewer_day_twice
from livestream_env.files import write_text

CAPTIONS = {
    "scores": "Final scores: interquartile mean over training seeds, 95 % interval.",
    "profile": "Performance profile: the share of an agent's training seeds whose score is above "
    "the threshold, pointwise 95 % bootstrap interval. Dashed: policies that do not learn.",
}
# Of the agents that do not learn those that are drawn as lines.
LINES = ("affinity", "static-linear", "cover-price", GREEDY, HIGH)
TITLES = {
    "ladder": "The ladder",
    "mechanisms": "Which mechanism makes planning pay",
    "agents": "Agents",
    "ablations": "Ablations of our DQN",
    "long": "Longer training, longer horizon",
    "order": "What was expected, and what came out",
}


class Plot(NamedTuple):
    """A plot that belongs to a table."""

    table: str
    name: str
    drawing: Figure
    caption: str


def write_comparison(
    folder: Path,
    suite: Suite,
    failed: Mapping[Run, str],
    arguments: Mapping[str, Any],
    wall_clock_s: float,
) -> str:
    """Write every file of a comparison from its finished runs.

    Args:
        folder: That holds the suite's.
        suite: The comparison, a benchmark of one suite.
        failed: Runs that failed, with the reason.
        arguments: Of the command, for ``run.json``.
        wall_clock_s: How long the command has taken.

    Returns:
        The summary, Markdown.
    """
    home, settings = folder / suite.name, suite.settings
    group = Group(load_results(home, suite.runs))
    write_csv(scores_table(group.results), home / "scores.csv")
    write_csv(curves_table(group.results), home / "curves.csv")
    diagnostics = load_diagnostics(home, group.results)
    made = summary_sections(group, settings, failed, diagnostics)
    text = summary(settings, made)
    write_text(home / "summary.md", text)
    record = run_record(group.results, settings, failed, arguments, wall_clock_s)
    write_text(home / "run.json", json.dumps(record, indent=2) + "\n")
    drawn = comparison_plots(group, settings, "Scores", "Learning") if group.results else []
    if diagnostics:
        drawn.append(Plot(TITLE, "diagnostics", draw_diagnostics(diagnostics), CAPTION))
    for plot in drawn:
        if plot.name in ("curves", "scores", "diagnostics"):
            save_png(plot.drawing, home / f"{plot.name}.png")
    sections = comparison_page(home, group, settings, made, drawn)
    subtitle = f"{environment(settings)}, finished {record['finished']}"
    write_html(home / "report.html", "Comparison", sections, subtitle)
    return text


def comparison_page(
    folder: Path,
    group: Group,
    settings: Settings,
    made: Mapping[str, str],
    drawn: Sequence[Plot],
) -> list[Section]:
    """The sections of a comparison's page.

    Args:
        folder: Of the comparison, for the recorded viewer-days.
        group: The finished runs.
        settings: Of all runs.
        made: Title and Markdown of the summary's sections.
        drawn: Of :func:`comparison_plots`; empty without results.
    """
    texts = dict(made)
    if group.areas is not None:
        scores = texts.pop("Scores")
        texts = {"Scores": scores, "Learning": "", **texts}
    sections = sections_of(texts, drawn)
    if group.results:
        after = [section.title for section in sections].index("How it was measured")
        body = viewer_day_twice(folder, group.results, settings)
        sections.insert(after, Section("One viewer-day, twice", body))
    return sections


def curves_caption(settings: Settings) -> str:
    """What the learning curves show, and why they end at other values than the table has."""
    text = (
        f"Learning curves on the first {settings.curve_episodes:,} held-out viewer-days, by "
        "experience and by computing time: interquartile mean over seeds, pointwise 95 % bootstrap "
        "interval (of two or three seeds the lowest and the highest). Dashed: agents that do not "
        "learn, on the same viewer-days."
    )
    if settings.curve_episodes < settings.eval_episodes:
        text += f" The scores of the table are over all {settings.eval_episodes:,}."
    return text


def sections_of(texts: Mapping[str, str], plots: Sequence[Plot]) -> list[Section]:
    """A section for each title and its Markdown, with the plots that belong to it."""
    return [
        Section(
            title.replace("`", ""),
            "\n".join(
                [markdown(text)] * bool(text)
                + [figure(p.drawing, p.name, p.caption) for p in plots if p.table == title]
            ),
        )
        for title, text in texts.items()
    ]


def write_benchmark(
    folder: Path, suites: Sequence[Suite], command: str, docs: Path | None = None
) -> None:
    """Write ``report.html`` from the runs that are finished.

    Args:
        folder: Of the benchmark.
        suites: The plan.
        command: That makes the runs, named in the pages.
        docs: A Markdown page whose marked places are to be filled, too; plots go to ``images``
            beside it.

    Raises:
        ValueError: If ``docs`` has no place for a table.
    """
    finished = groups(folder, suites)
    made = tables(finished, suites)
    drawn = benchmark_plots(finished, suites)
    origin = provenance(command)
    if docs is not None:
        text = docs.read_text(encoding="utf-8")
        for name, table in made.items():
            images = [
                f"![{plot.caption}](images/benchmark-{plot.name}.png)"
                for plot in drawn
                if plot.table == name
            ]
            text = fill(text, name, "\n\n".join([table, *images, origin]))
        for plot in drawn:
            save_png(plot.drawing, docs.parent / "images" / f"benchmark-{plot.name}.png")
        write_text(docs, text)
    sections = sections_of(
        {TITLES[name]: table for name, table in made.items()},
        [plot._replace(table=TITLES[plot.table]) for plot in drawn],
    )
    sections += [s for s in (_diagnostics(folder, suites), _viewer_day(folder, suites)) if s]
    write_html(folder / "report.html", "Benchmark", sections, origin.replace("`", ""))


def benchmark_plots(finished: Mapping[str, Group], suites: Sequence[Suite]) -> list[Plot]:
    """Of every ladder, and of the agents on v0."""
    by_name = {suite.name: suite for suite in suites}
    made = []
    for short, env_id in IDS.items():
        name = f"{short}-ladder"
        if name in finished and name in by_name:
            reward = finished[name].comparison()
            scores = {p: reward.score(p) for p in by_name[name].seeds if p in reward.value}
            caption = f"{env_id}: interquartile mean over training seeds, 95 % interval."
            made.append(Plot("ladder", name, draw_scores(scores, LOW, HIGH), caption))
    suite, group = by_name.get("v0-agents"), finished.get("v0-ladder")
    if suite is not None and group is not None:
        shown = {*suite.seeds, "linucb", LOW, *LINES}
        results = {run: result for run, result in group.results.items() if run.agent in shown}
        if any(len(result.curve) > 1 for result in results.values()):
            made += comparison_plots(Group(results), suite.settings, "agents", "agents")
    return made


def comparison_plots(group: Group, settings: Settings, *tables: str) -> list[Plot]:
    """``scores``, ``curves``, and ``profile`` if an agent was trained more than once.

    Args:
        group: The finished runs, at least one.
        settings: Of all runs.
        *tables: Which table the scores and which the others belong to.
    """
    comparison, curves = group.comparison(), curves_table(group.results)
    learners = set(curves["agent"])
    rewards = per_agent(group.results, "reward")
    first_days = {
        agent: float(np.mean(seed_means(values[:, : settings.curve_episodes])))
        for agent, values in rewards.items()
        if agent not in learners
    }
    scores = {agent: comparison.score(agent) for agent in comparison.value}
    figures = {
        "scores": draw_scores(scores, LOW, HIGH),
        "curves": draw_curves(curves, first_days, settings.curve_episodes),
    }
    captions = {**CAPTIONS, "curves": curves_caption(settings)}
    trained = {
        agent: comparison.seeds[agent]
        for agent in scores
        if agent in learners and drawable(comparison.seeds[agent]).all()
    }
    if any(len(seeds) > 1 for seeds in trained.values()):
        levels = {name: scores[name].value for name in LINES if name in scores}
        levels = {name: level for name, level in levels.items() if drawable(level)}
        every = np.concatenate([*trained.values(), list(levels.values())])
        margin = 0.05 * (every.max() - every.min())
        thresholds = np.linspace(every.min() - margin, every.max() + margin, 400)
        profiles = {
            agent: performance_profile(seeds[:, None], thresholds)
            for agent, seeds in trained.items()
        }
        figures["profile"] = draw_profiles(thresholds, profiles, levels)
    of_scores, of_learning = tables
    return [
        Plot(of_scores if name == "scores" else of_learning, name, drawing, captions[name])
        for name, drawing in figures.items()
    ]


def _diagnostics(folder: Path, suites: Sequence[Suite]) -> Section | None:
    """Of the agents on v0, and of our DQN's ablations there, as far as they left any."""
    found: dict[str, list[Diagnostics]] = {}
    for suite in suites:
        if suite.name in ("v0-agents", "v0-ablations"):
            found |= load_diagnostics(folder / suite.name, suite.runs)
    return diagnostics_section(found) if found else None


def _viewer_day(folder: Path, suites: Sequence[Suite]) -> Section | None:
    """One viewer-day under our DQN and under the greedy oracle, if the DQN is finished."""
    for suite in suites:
        if suite.name == "v0-agents":
            home = folder / suite.name
            results = load_results(home, suite.runs)
            if results:
                body = viewer_day_twice(home, results, suite.settings)
                return Section("One viewer-day, twice", body)
    return None


def fill(text: str, name: str, block: str) -> str:
    """``text`` with ``block`` in the place called ``name``, instead of what is there.

    Raises:
        ValueError: If there is not exactly one such place.
    """
    begin, end = f"<!-- begin: {name} -->", f"<!-- end: {name} -->"
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    filled, count = pattern.subn(lambda _: f"{begin}\n{block}\n{end}", text)
    if count != 1:
        raise ValueError(f"the page must have one place {begin} ... {end}, it has {count}")
    return filled


def provenance(command: str) -> str:
    """The command, the day and the versions, in one line."""
    versions = ", ".join(f"{name} {version}" for name, version in package_versions().items())
    return f"`{command}`, {datetime.now(UTC):%Y-%m-%d}; {versions}."
