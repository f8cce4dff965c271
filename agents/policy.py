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
from typing import Any, Literal, Protocol, runtime_checkable

import gymnasium as gym
import numpy as np

from livestream_env.settings import check_names, hint


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


GREY = "#8a8f98"
SLOW_STEPS_PER_S = 2_000
Group = Literal["rule", "oracle", "bandit", "learner", ""]


@dataclass(frozen=True)
class AgentSpec:
    """How one agent is made, and what the benchmark, its scheduler and its tables know of it.

    Attributes:
        name: Its name on the command line and in tables.
        target: ``module:Class``, imported when needed only.
        learns: Trained anew for every training seed; other agents are played once.
        kwargs: Further arguments of the class.
        group: Decides in which suites it is: rules, bandits and oracles are the ladder that every
            environment has, a planner plays the environments themselves, learners v0; a user's
            class has none.
        seeds: How many training seeds it has in the benchmark; 0: it is not part of it.
        colour: In plots; grey if none is given.
        training_steps_per_s: Environment steps that it trains for in a second of one core.
        impressions_per_s: That it plays, what it fits or tunes once included. Both are good for
            order and planning, not for claims.
        search_space: ``module:NAME`` of what :mod:`agents.experiments.tuning` searches; none if
            empty.
    """

    name: str
    target: str
    learns: bool = False
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    group: Group = ""
    seeds: int = 0
    colour: str = GREY
    training_steps_per_s: float = 1_200
    impressions_per_s: float = 40_000
    search_space: str = ""

    @property
    def slow(self) -> bool:
        """Whether training takes so long that a comparison gives it fewer seeds."""
        return self.group == "learner" and self.training_steps_per_s < SLOW_STEPS_PER_S

    def make(self, env: gym.Env, seed: int, **kwargs: Any) -> Policy:
        """Construct the agent for ``env`` (a single environment); ``kwargs`` replace its own.

        Raises:
            ValueError: If the class refuses an argument or its value.
        """
        arguments = {**self.kwargs, **kwargs}
        cls = load_policy_class(self.target)
        _check_arguments(f"{self.name!r}: {cls.__name__} has no setting", cls, arguments)
        try:
            policy: Policy = cls(env, seed=seed, **arguments)
            return policy
        except TypeError as error:
            if not arguments:
                raise
            raise ValueError(f"cannot make {self.name!r} with {arguments}: {error}") from error


def _check_arguments(refusal: str, cls: Any, arguments: Mapping[str, Any]) -> None:
    """``ValueError`` for one that the class does not take, with the nearest that it does."""
    try:
        parameters = inspect.signature(cls).parameters
    except (TypeError, ValueError):  # some compiled classes tell nothing
        return
    if not any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values()):
        valid = [name for name in parameters if name not in ("env", "seed")]
        check_names(arguments, valid, refusal)


def _rule(name: str, target: str, group: Group = "rule", seeds: int = 1, **known: Any) -> AgentSpec:
    return AgentSpec(name, f"agents.rules.{target}", group=group, seeds=seeds, **known)


def _learner(
    name: str, target: str, group: Group = "learner", seeds: int = 5, **known: Any
) -> AgentSpec:
    return AgentSpec(name, target, learns=True, group=group, seeds=seeds, **known)


_SPACES = "agents.experiments.search_spaces"
# Speeds were measured on one busy core of an AMD EPYC (Zen 4).
AGENTS: dict[str, AgentSpec] = {
    spec.name: spec
    for spec in (
        _rule("random", "baselines:RandomPolicy"),
        _rule("popularity", "baselines:PopularityPolicy"),
        _rule("affinity", "baselines:ColumnPolicy"),
        _rule("static-linear", "static_linear:StaticLinearPolicy", impressions_per_s=1_500),
        _rule("cover-price", "cover_price:CoverPricePolicy", impressions_per_s=10_000),
        _rule("max-ctr", "baselines:MaxCTRPolicy"),
        _rule("logging", "baselines:LoggingPolicy"),
        _learner("linucb", "agents.rules.baselines:LinUCB", "bandit",
                 colour="#4f9d69", training_steps_per_s=15_000),
        _rule("greedy", "observable_rules:GreedyPolicy", impressions_per_s=15_000),
        _rule("farsighted", "observable_rules:FarsightedPolicy", impressions_per_s=10_000),
        _rule("greedy-oracle", "oracles:GreedyOracle", "oracle", impressions_per_s=6_500),
        _rule("farsighted-oracle", "oracles:FarsightedOracle", "oracle", impressions_per_s=3_500),
        _rule("planner", "planner:Planner", "oracle", impressions_per_s=3_500),
        _learner("dqn", "agents.dqn:DQN", kwargs={"config": "default"}, seeds=10,
                 colour="#0b6fb8", training_steps_per_s=9_000, search_space=f"{_SPACES}:DQN"),
        _learner("dqn-article", "agents.dqn:DQN", kwargs={"config": "article"},
                 colour="#5aaee0", training_steps_per_s=2_500),
        _learner("sb3-dqn", "agents.sb3.dqn:SB3DQN", seeds=10,
                 colour="#d1495b", training_steps_per_s=1_400, search_space=f"{_SPACES}:SB3_DQN"),
        _learner("sb3-dqn-matched", "agents.sb3.dqn:SB3DQN", kwargs={"matched": True},
                 colour="#e8935a"),
        _learner("sb3-dqn-candidate", "agents.sb3.candidate:SB3CandidateDQN", colour="#c05fa0"),
        _learner("sb3-dqn-tuned", "agents.sb3.dqn:SB3DQN", kwargs={"tuned": True}),
        _learner("sb3-ppo", "agents.sb3.base:SB3PPO", kwargs={"tuned": True},
                 colour="#b08d2f", search_space=f"{_SPACES}:SB3_PPO"),
        _learner("sb3-qrdqn", "agents.sb3.base:SB3QRDQN", kwargs={"tuned": True},
                 colour="#7b5ea7", search_space=f"{_SPACES}:SB3_QRDQN"),
        _learner("sb3-maskable-ppo", "agents.sb3.base:SB3MaskablePPO", kwargs={"tuned": True},
                 colour="#8a6d4b"),
    )
}  # fmt: skip


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
        cls = getattr(module, class_name, None)  # a package may import its classes when asked
    except Exception as error:  # a user's module may raise anything
        raise ValueError(f"cannot import {module_name!r} for agent {target!r}: {error}") from error
    if cls is None:
        near = hint(class_name, dir(module))
        raise ValueError(f"module {module_name!r} has no class {class_name!r}{near}")
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
    if name != name.encode(errors="ignore").decode():
        raise ValueError(f"an agent's name must be Unicode text, got {name!r}")
    base, mark, settings = name.partition("?")
    if base in AGENTS:
        spec = AGENTS[base]
    else:
        if ":" not in base:
            check_names([base], [*AGENTS, "or a class 'module:Class'"], "unknown agent")
        spec = AgentSpec(name, base, learns=hasattr(load_policy_class(base), "learn"))
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
