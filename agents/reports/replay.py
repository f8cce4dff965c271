"""The same viewer-day under an agent of a comparison and under the greedy oracle."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from agents.experiments.runs import Result, Run, Settings
from agents.policy import Policy, agent_spec, load_policy_class
from agents.reports.html import markdown, replay
from agents.reports.results import HIGH
from agents.reports.tables import challengers
from agents.reports.viewer_day import record, typical_day

SLOTS = 256  # the first viewer-days, those of the evaluation's slots, can be played alone


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
