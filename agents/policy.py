"""What an agent is to the evaluation, and the one list of agents by name.

A policy is anything with Stable-Baselines3's ``predict``. A user's class needs no import from
here: it is constructed as ``Class(env, seed=seed)`` with a single Gymnasium environment, and named
on the command line as ``module:Class``. Settings follow a question mark, as in
``dqn?double=false&n_step=1``: an agent with other settings is another agent in every table.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import gymnasium as gym
import numpy as np


@runtime_checkable
class Policy(Protocol):
    """Chooses actions for a batch of observations, as Stable-Baselines3's models do.

    Optional methods that the evaluation and the comparison call when they exist:

    * ``bind(env)``: the vector environment about to be played (for policies that read its hidden
      state).
    * ``learn(total_timesteps, callback=None)``: train for that many steps of the environment;
      ``callback(agent)`` is to be called now and then, and reads ``agent.num_timesteps``. It may
      also take ``progress_bar`` (bool) and ``log_dir`` (a folder for TensorBoard and CSV).
    * ``save(path)``: store what was learned; the path has no suffix.
    """

    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: np.ndarray | None = None,
        deterministic: bool = False,
    ) -> tuple[Any, Any]:
        """Choose one action per observation.

        Args:
            observation: A batch ``(B, D)`` or a single observation ``(D,)``.
            state: What the previous call returned as state; ``None`` at first.
            episode_start: Boolean ``(B,)``: which observations begin an episode.
            deterministic: No exploration.

        Returns:
            Integer actions ``(B,)`` (a scalar for a single observation) and the next state.
        """
        ...


Callback = Callable[[Any], object]


@dataclass(frozen=True)
class AgentSpec:
    """How one agent is made.

    Attributes:
        name: Its name on the command line and in tables.
        target: ``module:Class``, imported when needed only.
        learns: Trained anew for every training seed; other agents are played once.
        kwargs: Further arguments of the class.
    """

    name: str
    target: str
    learns: bool = False
    kwargs: Mapping[str, Any] = field(default_factory=dict)

    def make(self, env: gym.Env, seed: int, **kwargs: Any) -> Policy:
        """Construct the agent for ``env`` (a single environment); ``kwargs`` replace its own.

        Raises:
            ValueError: If the class refuses an argument or its value.
        """
        arguments = {**self.kwargs, **kwargs}
        try:
            return load_policy_class(self.target)(env, seed=seed, **arguments)
        except TypeError as error:
            if not arguments:
                raise
            raise ValueError(f"cannot make {self.name!r} with {arguments}: {error}") from error


AGENTS: dict[str, AgentSpec] = {
    spec.name: spec
    for spec in (
        AgentSpec("random", "agents.rules.baselines:RandomPolicy"),
        AgentSpec("popularity", "agents.rules.baselines:PopularityPolicy"),
        AgentSpec("max-ctr", "agents.rules.baselines:MaxCTRPolicy"),
        AgentSpec("logging", "agents.rules.baselines:LoggingPolicy"),
        AgentSpec("linucb", "agents.rules.baselines:LinUCB", learns=True),
        AgentSpec("greedy", "agents.rules.observable_rules:GreedyPolicy"),
        AgentSpec("farsighted", "agents.rules.observable_rules:FarsightedPolicy"),
        AgentSpec("greedy-oracle", "agents.rules.oracles:GreedyOracle"),
        AgentSpec("farsighted-oracle", "agents.rules.oracles:FarsightedOracle"),
        AgentSpec("planner", "agents.rules.planner:Planner"),
        AgentSpec("dqn", "agents.dqn:DQN", learns=True, kwargs={"config": "default"}),
        AgentSpec("dqn-article", "agents.dqn:DQN", learns=True, kwargs={"config": "article"}),
        AgentSpec("sb3-dqn", "agents.sb3.dqn:SB3DQN", learns=True),
        AgentSpec(
            "sb3-dqn-matched", "agents.sb3.dqn:SB3DQN", learns=True, kwargs={"matched": True}
        ),
        AgentSpec("sb3-dqn-tuned", "agents.sb3.dqn:SB3DQN", learns=True, kwargs={"tuned": True}),
        AgentSpec("sb3-dqn-candidate", "agents.sb3.candidate:SB3CandidateDQN", learns=True),
        AgentSpec("sb3-qrdqn", "agents.sb3.base:SB3QRDQN", learns=True, kwargs={"tuned": True}),
        AgentSpec("sb3-ppo", "agents.sb3.base:SB3PPO", learns=True, kwargs={"tuned": True}),
        AgentSpec(
            "sb3-maskable-ppo",
            "agents.sb3.base:SB3MaskablePPO",
            learns=True,
            kwargs={"tuned": True},
        ),
    )
}


def load_policy_class(target: str) -> Any:
    """Import ``"package.module:Class"``.

    Raises:
        ValueError: If ``target`` is not of that form, its module cannot be imported, or what it
            names has no ``predict``.
    """
    module_name, colon, class_name = target.partition(":")
    if not (colon and module_name and class_name):
        raise ValueError(f"an agent's class is written 'package.module:Class', got {target!r}")
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise ValueError(f"cannot import {module_name!r} for agent {target!r}: {error}") from error
    try:
        cls = getattr(module, class_name)
    except AttributeError:
        raise ValueError(f"module {module_name!r} has no class {class_name!r}") from None
    if not callable(cls) or not callable(getattr(cls, "predict", None)):
        raise ValueError(
            f"agent {target!r} must be a class with a method "
            "predict(observation, state=None, episode_start=None, deterministic=False)"
        )
    return cls


def agent_spec(name: str) -> AgentSpec:
    """The agent called ``name`` in :data:`AGENTS`, or a user's class ``module:Class``.

    Either may be followed by settings, ``?setting=value&setting=value``: arguments of the agent's
    class (for our DQN the fields of its configuration), JSON values or else strings.

    Raises:
        ValueError: If there is no such agent, or the settings are not of that form.
    """
    base, mark, settings = name.partition("?")
    if base in AGENTS:
        spec = AGENTS[base]
    elif ":" in base:
        spec = AgentSpec(name, base, learns=hasattr(load_policy_class(base), "learn"))
    else:
        raise ValueError(
            f"unknown agent {base!r}; valid are {', '.join(AGENTS)}, or a class 'module:Class'"
        )
    if not mark:
        return spec
    return dataclasses.replace(spec, name=name, kwargs={**spec.kwargs, **_settings(name, settings)})


def _settings(name: str, text: str) -> dict[str, Any]:
    """``a=1&b=x`` as ``{"a": 1, "b": "x"}``; ``name`` is what a complaint quotes."""
    values: dict[str, Any] = {}
    for pair in text.split("&"):
        key, equals, value = pair.partition("=")
        if not (key.isidentifier() and equals and value) or "?" in value or key in values:
            raise ValueError(
                "an agent's settings are written 'name?setting=value&setting=value', each setting "
                f"once, got {name!r}"
            )
        try:
            values[key] = json.loads(value)
        except json.JSONDecodeError:
            values[key] = value
    return values


def learn(policy: Any, total_timesteps: int, **options: Any) -> None:
    """Call ``policy.learn`` with those ``options`` that it takes.

    Args:
        policy: Has a method ``learn``.
        total_timesteps: Steps of the environment to train for.
        **options: ``callback``, ``progress_bar``, ``log_dir``.
    """
    parameters = inspect.signature(policy.learn).parameters
    anything = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values())
    policy.learn(
        total_timesteps, **{k: v for k, v in options.items() if anything or k in parameters}
    )
