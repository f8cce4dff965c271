"""What a comparison's page shows besides the summary: plots, and a viewer-day played twice."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from agents.experiments.runs import Result, Run, Settings
from agents.policy import Policy, agent_spec, load_policy_class
from agents.reports.html import Section, figure, markdown, replay
from agents.reports.plots import draw_curves, draw_profiles, draw_scores
from agents.reports.results import curves_table, per_agent
from agents.reports.statistics import Comparison, performance_profile
from agents.reports.summary import HIGH, LOW, challengers
from agents.reports.viewer_day import record, typical_day

SLOTS = 256  # the first viewer-days, those of the evaluation's slots, can be played alone

CAPTIONS = {
    "scores": "Final scores: interquartile mean over training seeds, 95 % interval.",
    "curves": "Learning curves on the first held-out viewer-days, by experience and by computing "
    "time: interquartile mean over seeds, pointwise 95 % bootstrap interval (of two or three seeds "
    "the lowest and the highest). Dashed: agents that do not learn.",
    "profile": "Performance profile: the share of an agent's training seeds whose score is above "
    "the threshold, pointwise 95 % bootstrap interval. Dashed: the clairvoyant greedy oracle.",
}


def comparison_figures(
    results: Mapping[Run, Result], comparison: Comparison, settings: Settings
) -> dict[str, Figure]:
    """``scores``, ``curves``, and ``profile`` if an agent was trained more than once."""
    curves = curves_table(results)
    learners = set(curves["agent"])
    first_days = {
        agent: float(values[:, : settings.curve_episodes].mean())
        for agent, values in per_agent(results, "reward").items()
        if agent not in learners
    }
    scores = {agent: comparison.score(agent) for agent in comparison.value}
    figures = {
        "scores": draw_scores(scores, LOW, HIGH),
        "curves": draw_curves(curves, first_days),
    }
    trained = {agent: comparison.seeds[agent] for agent in scores if agent in learners}
    if any(len(seeds) > 1 for seeds in trained.values()):
        levels = {HIGH: comparison.value[HIGH]} if HIGH in scores else {}
        every = np.concatenate([*trained.values(), list(levels.values())])
        margin = 0.05 * (every.max() - every.min())
        thresholds = np.linspace(every.min() - margin, every.max() + margin, 400)
        profiles = {
            agent: performance_profile(seeds[:, None], thresholds)
            for agent, seeds in trained.items()
        }
        figures["profile"] = draw_profiles(thresholds, profiles, levels)
    return figures


def comparison_page(
    folder: Path,
    results: Mapping[Run, Result],
    settings: Settings,
    summary: Mapping[str, str],
    figures: Mapping[str, Figure],
) -> list[Section]:
    """The sections of a comparison's page.

    Args:
        folder: Of the comparison, for the trained models.
        results: Of the finished runs.
        settings: Of all runs.
        summary: Title and Markdown of the summary's sections.
        figures: Of :func:`comparison_figures`; empty without results.
    """
    drawn = {name: figure(drawing, name, CAPTIONS[name]) for name, drawing in figures.items()}
    sections = []
    for title, text in summary.items():
        body = markdown(text)
        if title == "Scores":
            body += "\n" + drawn["scores"]
        sections.append(Section(title.replace("`", ""), body))
        if title == "Scores" and any(len(result.curve) for result in results.values()):
            body = "\n".join(drawn[name] for name in ("curves", "profile") if name in drawn)
            sections.append(Section("Learning", body))
    if results:
        after = [section.title for section in sections].index("How it was measured")
        sections.insert(
            after, Section("One viewer-day, twice", viewer_day_twice(folder, results, settings))
        )
    return sections


def viewer_day_twice(folder: Path, results: Mapping[Run, Result], settings: Settings) -> str:
    """The same viewer-day under an agent of the comparison and under the greedy oracle, HTML.

    Args:
        folder: Of the comparison, for the trained models.
        results: Of the finished runs, at least one. The agent is the first of the challengers, or
            else of the others, that need not be trained anew to be played.
        settings: Of all runs.
    """
    runs = {run.agent: run for run in reversed(list(results))}  # the first seed of each
    first = [name for name in challengers(list(runs)) if name != HIGH]
    agents = list(dict.fromkeys([*first, *(name for name in runs if name != HIGH)]))
    oracle = runs.get(HIGH, Run(HIGH, 0))
    shown: dict[Run, Policy] = {}
    try:
        for agent in agents:
            policy = load_agent(runs[agent], settings, folder)
            if policy is not None:
                shown[runs[agent]] = policy
                break
        shown[oracle] = agent_spec(HIGH).make(settings.make_env(), oracle.env_seed)
        rewards = [results[run].episodes["reward"][:SLOTS] for run in shown if run in results]
        day = typical_day(rewards)
        seed = settings.eval_seed + day
        recordings = {
            run.agent: record(policy, settings.env_id, settings.env_kwargs, seed)
            for run, policy in shown.items()
        }
    except Exception as error:  # whatever a user's class raises: the page does without it
        return markdown(f"There is no replay: `{type(error).__name__}: {error}`")
    names = " and ".join(f"`{agent}`" for agent in recordings)
    text = (
        f"Viewer-day {day} of the evaluation under {names}: of the first {len(rewards[0])} the one "
        "whose rewards are closest to the agents' means. The same viewer and the same chance, but "
        "after the first different choice other rooms are offered, at other moments."
    )
    for run in shown:
        if agent_spec(run.agent).learns:
            text += f" `{run.agent}` is its training seed {run.seed}."
    return markdown(text) + "\n" + replay(recordings)


def load_agent(run: Run, settings: Settings, folder: Path) -> Policy | None:
    """The agent as the run left it; None if it has learned something that cannot be read back.

    Args:
        run: A finished one.
        settings: It was made with.
        folder: Of its comparison.
    """
    spec = agent_spec(run.agent)
    cls = load_policy_class(spec.target)
    if not hasattr(cls, "learn"):
        return spec.make(settings.make_env(), run.env_seed)
    saved = sorted(run.folder(folder).glob("model*"))
    if not (saved and hasattr(cls, "load")):
        return None
    policy: Policy = cls.load(saved[0])
    return policy
