"""One viewer-day played by one policy, impression by impression, for a reader to follow.

The viewer-day belongs to the seed alone, so that two recordings with the same seed show the same
viewer, the same rooms and the same chance under two policies. From their first different choice on
they drift apart: she leaves at other moments and is offered other candidates.

A run stores such a recording when it is played, so that a report over it needs neither the agent
nor its model.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from agents.evaluation import EVALUATION_SEED, step_info
from agents.policy import Policy, agent_spec
from agents.vector import make_training_env
from livestream_env.files import write_text
from livestream_env.observation import ObservationLayout

if TYPE_CHECKING:
    from livestream_env.rendering import Card, Frame

REPLAY_FILE = "replay.json"
ORACLE = "greedy-oracle"  # plays the same viewer-day, to compare with
SLOTS = 256  # the first viewer-days, those of the evaluation's slots, can be played alone
OUTCOME = ("click", "watch_s", "likes", "comments", "gift_value", "follow")


class ViewerDay:
    """One viewer-day in play: what can be seen of its moment, and a record of what came before.

    Args:
        env_id: A registered environment of the family.
        env_kwargs: Its arguments.
        seed: Of the viewer-day; ``EVALUATION_SEED + i`` is that of slot ``i`` in an evaluation.
        policy: That is to play it: it is bound to the environment, if it has ``bind``.

    Attributes:
        observation: ``(1, D)``, what the agent sees of the moment.
        frame: The moment for a reader, what is hidden from the agent included.
        impressions: What was shown so far, as :func:`record` returns it.
        over: Whether the viewer-day has ended; the moment is then the last one.

    Raises:
        ValueError: If the environment is not one of the family, or refuses an argument.
    """

    def __init__(
        self,
        env_id: str = "LiveStreamRec-v0",
        env_kwargs: Mapping[str, Any] | None = None,
        seed: int = EVALUATION_SEED,
        policy: Policy | None = None,
    ) -> None:
        self._venv = make_training_env(env_id, 1, env_kwargs)
        self._env: Any = self._venv.unwrapped
        if not hasattr(self._env, "simulation"):
            raise ValueError(f"env_id must be an environment of LiveStreamRec, got {env_id!r}")
        if policy is not None and hasattr(policy, "bind"):
            policy.bind(self._venv)
        from livestream_env.rendering import Renderer  # with the compiler, which plans do without

        self._renderer = Renderer("ansi", self._env.simulation)
        self.observation, _ = self._venv.reset(seed=seed)
        self.frame: Frame = self._renderer.frame(0)
        first = self.frame
        tastes = zip(first.categories, first.tastes, strict=True)
        self._viewer = {
            "viewer": list(first.viewer),
            "tastes": {name: round(taste, 2) for name, taste in tastes},
        }
        self.impressions: list[dict[str, Any]] = []
        self.over = False
        self._total = 0.0

    @property
    def layout(self) -> ObservationLayout:
        """Names of the observation's columns."""
        return cast(ObservationLayout, self._env.layout)

    def show(self, slot: int) -> dict[str, Any]:
        """Show the candidate in ``slot``.

        Returns:
            The impression, as in :attr:`impressions`.
        """
        frame, time_s = self.frame, float(self._env.simulation.slots["time_s"][0])
        expected = {name: values[0] for name, values in self._env.expected_response().items()}
        observation, reward, terminated, truncated, info = self._venv.step(np.array([slot]))
        self._total += float(reward[0])
        outcome = {name: step_info(info, name)[0].item() for name in OUTCOME}
        active_s = self._env.simulation.config.browse_s + outcome["watch_s"]
        away_s = float(step_info(info, "elapsed_s")[0]) - active_s
        impression = {
            "time_s": round(time_s, 1),
            "moment": " · ".join(frame.moment),
            "cards": [_card(card, frame, expected) for card in frame.cards],
            "shown": int(slot),
            **{name: round(value, 2) for name, value in outcome.items()},
            "reward": round(float(reward[0]), 4),
            "total": round(self._total, 4),
            "away_s": round(away_s, 1) if step_info(info, "visit_ended")[0] else None,
            "satisfaction": round(frame.satisfaction, 3),
            "fatigue": round(frame.fatigue, 3),
        }
        self.impressions.append(impression)
        self.over = bool(terminated[0] or truncated[0])
        if self.over:
            self._venv.close()
        else:
            self.observation, self.frame = observation, self._renderer.frame(0)
        return impression

    def recording(self) -> dict[str, Any]:
        """The viewer-day so far, as :func:`record` returns it."""
        return {**self._viewer, "impressions": self.impressions}


def record(
    policy: Policy,
    env_id: str = "LiveStreamRec-v0",
    env_kwargs: Mapping[str, Any] | None = None,
    seed: int = EVALUATION_SEED,
) -> dict[str, Any]:
    """Play one viewer-day and note what was offered, what was shown and what came of it.

    Args:
        policy: Acts with ``deterministic=True``.
        env_id: As for :class:`ViewerDay`, and so are the others.
        env_kwargs: Of the environment.
        seed: Of the viewer-day.

    Returns:
        JSON values: ``viewer`` (a line per feature), ``tastes`` (by category), and
        ``impressions``, each with ``time_s`` (from midnight of day 0), ``moment`` (in words),
        ``cards`` (per slot what the agent saw, :class:`livestream_env.rendering.Card`, and hidden
        from it ``click_probability`` and ``expected_reward``; None where empty), ``shown`` (the
        slot), what came of it (``click``, ``watch_s``, ``likes``, ``comments``, ``gift_value``,
        ``follow``, ``reward``), ``total`` (reward so far), ``away_s`` (seconds of absence after it;
        None if she stayed), and as they were before it ``satisfaction`` and ``fatigue``, hidden
        from the agent.
    """
    day = ViewerDay(env_id, env_kwargs, seed, policy)
    state = None
    while not day.over:
        begins = np.array([not day.impressions])
        actions, state = policy.predict(
            day.observation, state=state, episode_start=begins, deterministic=True
        )
        day.show(int(actions[0]))
    return day.recording()


def seen(card: Card, frame: Frame) -> dict[str, Any] | None:
    """What a recording has of a candidate and the agent saw; None of an empty slot."""
    if card.room < 0:
        return None
    return {
        "streamer": card.streamer,
        "category": frame.categories[card.category],
        "affinity": round(card.affinity, 2),
        "cover_appeal": round(card.cover_appeal, 2),
        "viewers": round(card.viewers, 2),
        "engagement": round(card.engagement, 2),
        "known_s": None if card.known_s is None else round(card.known_s),
        "followed": bool(card.followed),
    }


def _card(card: Card, frame: Frame, expected: Mapping[str, np.ndarray]) -> dict[str, Any] | None:
    visible = seen(card, frame)
    return visible and {
        **visible,
        "click_probability": round(float(expected["click_probability"][card.slot]), 3),
        "expected_reward": round(float(expected["expected_reward"][card.slot]), 3),
    }


def typical_day(rewards: np.ndarray) -> int:
    """Which of the viewer-days, whose rewards ``(viewer-days,)`` are given, is nearest the mean."""
    return int(np.abs(rewards - rewards.mean()).argmin())


def write_replay(
    path: Path,
    agent: str,
    policy: Policy,
    episodes: np.ndarray,
    env_id: str,
    env_kwargs: Mapping[str, Any],
    eval_seed: int,
) -> None:
    """Record the typical viewer-day of an evaluation, and the same one under the greedy oracle.

    The file is JSON: ``day`` (its place in the evaluation), ``of`` (among so many), and ``plays``,
    by agent what :func:`record` returns; or a ``reason`` why there are none. A recording is for
    readers: what a user's class raises here does not cost the run.

    Args:
        path: The file.
        agent: The policy's name.
        policy: As it was evaluated.
        episodes: Of that evaluation, in :func:`agents.evaluation.evaluate`'s order.
        env_id: A registered environment of the family.
        env_kwargs: Its arguments.
        eval_seed: The evaluation's.
    """
    try:
        rewards = episodes["reward"][:SLOTS]
        day = typical_day(rewards)
        players = {agent: policy}
        if agent != ORACLE:
            players[ORACLE] = agent_spec(ORACLE).make(None, 0)  # type: ignore[arg-type]
        plays = {
            name: record(player, env_id, env_kwargs, eval_seed + day)
            for name, player in players.items()
        }
        content = {"day": day, "of": len(rewards), "plays": plays}
        text = json.dumps(content, allow_nan=False)
    except Exception as error:
        text = json.dumps({"reason": f"{type(error).__name__}: {error}"})
    write_text(path, text + "\n")
