"""One viewer-day played by one policy, impression by impression, for a reader to follow.

The viewer-day belongs to the seed alone, so that two recordings with the same seed show the same
viewer, the same rooms and the same chance under two policies. From their first different choice on
they drift apart: she leaves at other moments and is offered other candidates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from agents.evaluation import EVALUATION_SEED, step_info
from agents.experiments.runs import Result, Run, Settings
from agents.policy import Policy, agent_spec, load_policy_class
from agents.reports.html import markdown, side_by_side
from agents.reports.results import HIGH
from agents.reports.tables import challengers
from agents.vector import make_training_env
from livestream_env.rendering import Card, Frame, Renderer

SLOTS = 256  # the first viewer-days, those of the evaluation's slots, can be played alone
OUTCOME = ("click", "watch_s", "likes", "comments", "gift_value", "follow")


def record(
    policy: Policy,
    env_id: str = "LiveStreamRec-v0",
    env_kwargs: Mapping[str, Any] | None = None,
    seed: int = EVALUATION_SEED,
) -> dict[str, Any]:
    """Play one viewer-day and note what was offered, what was shown and what came of it.

    Args:
        policy: Acts with ``deterministic=True``.
        env_id: A registered environment of the family.
        env_kwargs: Its arguments.
        seed: Of the viewer-day; ``EVALUATION_SEED + i`` is that of slot ``i`` in an evaluation.

    Returns:
        JSON values: ``viewer`` (a line per feature), ``tastes`` (K,), and ``impressions``, each
        with ``time_s`` (from midnight of day 0), ``moment`` (in words), ``cards`` (per slot what
        the agent saw, :class:`livestream_env.rendering.Card`, and hidden from it
        ``click_probability`` and ``expected_reward``; None where empty), ``shown`` (the slot), what
        came of it (``click``, ``watch_s``, ``likes``, ``comments``, ``gift_value``, ``follow``,
        ``reward``), ``total`` (reward so far), ``away_s`` (seconds of absence after it; None if she
        stayed), and as they were before it ``satisfaction`` and ``fatigue``, hidden from the agent.
    """
    venv = make_training_env(env_id, 1, env_kwargs)
    if hasattr(policy, "bind"):
        policy.bind(venv)
    env: Any = venv.unwrapped
    renderer = Renderer("ansi", env.simulation)
    observation, _ = venv.reset(seed=seed)
    first = renderer.frame(0)
    impressions: list[dict[str, Any]] = []
    state, total, done = None, 0.0, np.ones(1, bool)
    while not impressions or not done[0]:
        frame, time_s = renderer.frame(0), float(env.simulation.slots["time_s"][0])
        expected = {name: values[0] for name, values in env.expected_response().items()}
        actions, state = policy.predict(
            observation, state=state, episode_start=done, deterministic=True
        )
        observation, reward, terminated, truncated, info = venv.step(actions)
        done = terminated | truncated
        total += float(reward[0])
        outcome = {name: step_info(info, name)[0].item() for name in OUTCOME}
        active_s = env.simulation.config.browse_s + outcome["watch_s"]
        away_s = float(step_info(info, "elapsed_s")[0]) - active_s
        impressions.append(
            {
                "time_s": round(time_s, 1),
                "moment": " · ".join(frame.moment),
                "cards": [_card(card, expected) for card in frame.cards],
                "shown": int(actions[0]),
                **{name: round(value, 2) for name, value in outcome.items()},
                "reward": round(float(reward[0]), 4),
                "total": round(total, 4),
                "away_s": round(away_s, 1) if step_info(info, "visit_ended")[0] else None,
                **_hidden(frame),
            }
        )
    venv.close()
    tastes = [round(taste, 2) for taste in first.tastes]
    return {"viewer": list(first.viewer), "tastes": tastes, "impressions": impressions}


def _card(card: Card, expected: Mapping[str, np.ndarray]) -> dict[str, Any] | None:
    if card.room < 0:
        return None
    return {
        "streamer": card.streamer,
        "category": card.category,
        "affinity": round(card.affinity, 2),
        "cover_appeal": round(card.cover_appeal, 2),
        "viewers": round(card.viewers, 2),
        "engagement": round(card.engagement, 2),
        "known_s": None if card.known_s is None else round(card.known_s),
        "followed": bool(card.followed),
        "click_probability": round(float(expected["click_probability"][card.slot]), 3),
        "expected_reward": round(float(expected["expected_reward"][card.slot]), 3),
    }


def _hidden(frame: Frame) -> dict[str, float]:
    return {"satisfaction": round(frame.satisfaction, 3), "fatigue": round(frame.fatigue, 3)}


def typical_day(rewards: Sequence[np.ndarray]) -> int:
    """The viewer-day that is most like the average one for several agents at once.

    Args:
        rewards: For each agent ``(viewer-days,)``, the same ones.

    Returns:
        Its index: where the distances from the agents' means, in standard deviations, are smallest
        in sum.
    """
    values = np.stack(list(rewards)).astype(np.float64)
    spread = np.maximum(values.std(axis=1, keepdims=True), 1e-12)
    return int((np.abs(values - values.mean(axis=1, keepdims=True)) / spread).sum(axis=0).argmin())


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
    return markdown(text) + "\n" + side_by_side(recordings)


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
