"""Agents that play the same viewer-days as a person, in the background."""

from __future__ import annotations

import itertools
import queue
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import gymnasium as gym

from agents.dqn import DQN
from agents.experiments.replay import record
from agents.policy import Policy, agent_spec

MODEL_FILE = "model.safetensors"

# As the comparison knows them, the quick ones first. The last two are tuned for the environment,
# on fewer viewer-days than a comparison takes: that is done while the person plays.
RIVALS = {
    "random": "random",
    "affinity": "affinity",
    "greedy-oracle": "greedy-oracle",
    "farsighted-oracle": "farsighted-oracle?episodes=64",
    "planner": "planner?viewer_days=200",
}


def load_run(folder: Path, env: gym.Env) -> Policy:
    """Our DQN as a run left it, ready to play in ``env``.

    Args:
        folder: Of ``scripts.train``, or of a run of ``scripts.compare``.
        env: What it is to play.

    Raises:
        FileNotFoundError: There is no model of our DQN in it.
        ValueError: It is damaged, or was trained for observations of another shape.
    """
    path = folder / MODEL_FILE
    if not path.is_file():
        raise FileNotFoundError(f"there is no {MODEL_FILE} (a model of our DQN) in {folder}")
    agent = DQN.load(path)
    observation, _ = env.reset(seed=0)
    try:
        agent.predict(observation, deterministic=True)
    except ValueError as error:
        raise ValueError(f"the model in {folder} is of another environment: {error}") from error
    return agent


class Rivals:
    """Plays each viewer-day that it is told of with every agent, one after another.

    An agent plays all viewer-days that wait before the next agent does: who has just begun another
    one need not wait for an agent that is being tuned.

    Args:
        env_id: A registered environment of the family.
        env_kwargs: Its arguments.
        agents: Name → how it is made; called once, in the background.
    """

    def __init__(
        self, env_id: str, env_kwargs: Mapping[str, Any], agents: Mapping[str, Callable[[], Policy]]
    ) -> None:
        self.names = tuple(agents)
        self._env = (env_id, env_kwargs)
        self._agents = dict(agents)
        self._policies: dict[str, Policy] = {}
        # Place of the agent, a number that tells apart, seed, what to fill.
        self._waiting: queue.PriorityQueue[tuple[int, int, int, dict[str, Any]]]
        self._waiting = queue.PriorityQueue()
        self._count = itertools.count()
        # Agents are neither made nor used by two threads; a daemon is not waited for at the end.
        threading.Thread(target=self._work, name="rivals", daemon=True).start()

    def play(self, seed: int) -> dict[str, Any]:
        """Play a viewer-day.

        Args:
            seed: Of the viewer-day.

        Returns:
            A dict that fills in the background: by agent what
            :func:`agents.experiments.replay.record` returns, or ``{"reason": text}`` if it failed.
        """
        plays: dict[str, Any] = {}
        for place in range(len(self.names)):
            self._waiting.put((place, next(self._count), seed, plays))
        return plays

    def _work(self) -> None:
        while True:
            place, _, seed, plays = self._waiting.get()
            name = self.names[place]
            try:
                if name not in self._policies:
                    self._policies[name] = self._agents[name]()
                plays[name] = record(self._policies[name], *self._env, seed)
            except (
                Exception
            ) as error:  # what one agent raises costs neither the others nor the game
                plays[name] = {"reason": f"{type(error).__name__}: {error}"}


def rivals(env_id: str, env_kwargs: Mapping[str, Any], runs: Iterable[Path] = ()) -> Rivals:
    """:data:`RIVALS` and the agents of ``runs``, by the names of their folders.

    Raises:
        FileNotFoundError, ValueError: As :func:`load_run`.
    """

    def maker(target: str) -> Callable[[], Policy]:
        def make() -> Policy:
            agent = agent_spec(target).make(gym.make(env_id, **env_kwargs), seed=0)
            if hasattr(agent, "learn"):
                agent.learn()
            return agent

        return make

    def loaded(agent: Policy) -> Callable[[], Policy]:
        return lambda: agent

    env = gym.make(env_id, **env_kwargs)
    trained = {str(folder): loaded(load_run(folder, env)) for folder in runs}
    rules = {name: maker(target) for name, target in RIVALS.items()}
    return Rivals(env_id, env_kwargs, trained | rules)
