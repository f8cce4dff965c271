"""Where the benchmark's tables and plots go: the documentation's page, and a page of their own."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from matplotlib.figure import Figure

from agents.experiments.suites import Suite
from agents.reports.benchmark_results import Group, groups
from agents.reports.benchmark_tables import FAR, IDS, tables
from agents.reports.comparison_page import CAPTIONS, comparison_figures, viewer_day_twice
from agents.reports.html import Section, figure, markdown, write_html
from agents.reports.plots import draw_scores, save_png
from agents.reports.reporting import package_versions
from agents.reports.results import load_results, per_agent
from agents.reports.statistics import Comparison
from agents.reports.summary import HIGH, LOW
from livestream_env.files import write_text

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
    drawn = plots(finished, suites)
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
    sections = []
    for name, table in made.items():
        body = [markdown(table)]
        body += [figure(p.drawing, p.name, p.caption) for p in drawn if p.table == name]
        sections.append(Section(TITLES[name], "\n".join(body)))
    if (replay := _replay(folder, suites)) is not None:
        sections.append(replay)
    write_html(folder / "report.html", "Benchmark", sections, origin.replace("`", ""))


def plots(finished: Mapping[str, Group], suites: Sequence[Suite]) -> list[Plot]:
    """Of every ladder, and of the agents on v0."""
    by_name = {suite.name: suite for suite in suites}
    made = []
    for short, env_id in IDS.items():
        name = f"{short}-ladder"
        if name in finished and name in by_name:
            reward = finished[name].comparison()
            policies = (*by_name[name].seeds, "planner")
            scores = {p: reward.score(p) for p in policies if p in reward.value}
            caption = f"{env_id}: interquartile mean over training seeds, 95 % interval."
            made.append(Plot("ladder", name, draw_scores(scores, LOW, HIGH), caption))
    suite, group = by_name.get("v0-agents"), finished.get("v0-ladder")
    if suite is not None and group is not None:
        shown = {*suite.seeds, "linucb", LOW, HIGH, FAR}
        results = {run: result for run, result in group.results.items() if run.agent in shown}
        if any(len(result.curve) > 1 for result in results.values()):
            reward = Comparison(per_agent(results, "reward"))
            figures = comparison_figures(results, reward, suite.settings)
            made += [Plot("agents", name, figures[name], CAPTIONS[name]) for name in figures]
    return made


def _replay(folder: Path, suites: Sequence[Suite]) -> Section | None:
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
