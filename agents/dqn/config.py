"""Settings of the hand-written DQN: what each one means, and what low and high values do."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np


def _number(default: float | None, low: float, high: float, doc: str) -> Any:
    meta = {"kind": "number", "low": low, "high": high, "optional": default is None, "doc": doc}
    return field(default=default, metadata=meta)


def _integer(default: int | None, low: int, high: int, doc: str) -> Any:
    meta = {"kind": "integer", "low": low, "high": high, "optional": default is None, "doc": doc}
    return field(default=default, metadata=meta)


def _choice(default: str, choices: tuple[str, ...], doc: str) -> Any:
    return field(default=default, metadata={"kind": "choice", "choices": choices, "doc": doc})


def _flag(default: bool, doc: str) -> Any:
    return field(default=default, metadata={"kind": "flag", "doc": doc})


@dataclass(frozen=True)
class DQNConfig:
    """Every setting of :class:`agents.dqn.DQN`.

    The fields' own defaults suit any environment with a layout; the preset ``default`` adds what
    was found best on LiveStreamRec-v0.

    ``dataclasses.fields(DQNConfig)`` carries each field's explanation as ``metadata["doc"]``.

    Raises:
        ValueError: a value of the wrong type or outside its range, or an unknown choice.
    """

    network: str = _choice(
        "candidate",
        ("mlp", "candidate"),
        "mlp: one network over the flat observation; candidate: one scorer shared by all slots",
    )
    hidden_sizes: tuple[int, ...] = field(
        default=(64, 64),
        metadata={
            "kind": "sizes",
            "doc": "units of each hidden layer; narrow: underfits, wide: slow, needs more data",
        },
    )
    summary: bool = _flag(
        False, "candidate network: show each slot the mean and maximum of the candidates' features"
    )
    dueling: bool = _flag(
        False, "split Q into value and advantage; helps when actions matter little"
    )
    double: bool = _flag(True, "choose the bootstrap action with the online network: less optimism")
    n_step: int = _integer(
        1, 1, 100, "rewards summed before bootstrapping; high: faster credit, noisier, off-policy"
    )
    prioritized: bool = _flag(False, "replay transitions in proportion to their TD error")
    priority_alpha: float = _number(
        0.6, 0.0, 1.0, "exponent of the priorities; 0: uniform, 1: fully by TD error"
    )
    priority_beta_start: float = _number(
        0.4, 0.0, 1.0, "initial importance correction; low: biased but calmer early updates"
    )
    priority_beta_end: float = _number(
        1.0, 0.0, 1.0, "final importance correction, reached linearly; 1: unbiased"
    )
    loss: str = _choice(
        "squared",
        ("squared", "huber"),
        "squared: learns the mean of the return; huber: robust, nearer the median of heavy tails",
    )
    learning_rate: float = _number(
        5e-4, 1e-8, 1.0, "Adam's step size; low: slow, high: unstable or divergent"
    )
    learning_rate_schedule: str = _choice(
        "linear", ("constant", "linear"), "linear: decay to zero at the end of training"
    )
    max_grad_norm: float | None = _number(
        None, 1e-6, 1e6, "clip the gradient's norm; low: slow and safe, None: no clip"
    )
    gamma: float = _number(
        0.98,
        0.0,
        1.0,
        "discount; 0: greedy for the next reward, near 1: far-sighted, slower to learn",
    )
    discount: str = _choice(
        "step",
        ("step", "semi-markov"),
        "step: gamma per step; semi-markov: gamma per tau_s seconds of info['elapsed_s']",
    )
    tau_s: float = _number(
        60.0, 1e-3, 1e7, "seconds that cost one factor gamma (semi-markov); low: impatient"
    )
    batch_size: int = _integer(
        256, 1, 65_536, "transitions per update; low: noisy and cheap, high: smooth and slow"
    )
    replay_size: int = _integer(
        200_000, 8, 100_000_000, "observations kept; low: forgets, correlated; high: stale, memory"
    )
    learning_starts: int = _integer(
        5_000, 0, 10**9, "environment steps before the first update; low: overfits the first data"
    )
    train_interval: int = _integer(
        16, 1, 10**6, "environment steps per update, whatever num_envs; low: more learning per step"
    )
    target_update: str = _choice(
        "hard",
        ("hard", "soft"),
        "hard: copy every target_interval updates; soft: follow by target_tau",
    )
    target_interval: int = _integer(
        500, 1, 10**9, "updates between hard copies; low: chases its tail, high: learns slowly"
    )
    target_tau: float = _number(
        0.005, 1e-8, 1.0, "share of the online network mixed in per update (soft); high: unstable"
    )
    epsilon_start: float = _number(1.0, 0.0, 1.0, "initial share of random actions")
    epsilon_end: float = _number(
        0.05, 0.0, 1.0, "final share of random actions; low: little exploration, high: poor data"
    )
    epsilon_fraction: float = _number(
        0.2, 0.0, 1.0, "share of training over which epsilon falls; high: explores longer"
    )
    mask_actions: bool = _flag(
        True,
        "keep empty slots out of greedy choice, exploration and bootstrap, where a mask is known",
    )
    num_envs: int = _integer(
        128,
        1,
        100_000,
        "viewers stepped side by side when made from an id; high: fewer, larger passes",
    )
    gradients: str = _choice(
        "by_hand",
        ("by_hand", "autograd"),
        "by_hand: compiled on a CPU, fast; autograd: PyTorch's own, the same numbers, slow",
    )
    device: str = field(
        default="auto",
        metadata={"kind": "text", "doc": "auto (a GPU if there is one), cpu, cuda, cuda:1"},
    )
    seed: int | None = _integer(None, 0, 2**63 - 1, "of every random draw; None: drawn")

    def __post_init__(self) -> None:
        for spec in dataclasses.fields(self):
            value = _validated(spec.name, getattr(self, spec.name), spec.metadata)
            object.__setattr__(self, spec.name, value)

    @classmethod
    def preset(cls, name: str, **overrides: Any) -> Self:
        """A named configuration, with some fields replaced.

        Args:
            name: ``default`` (the best one measured on LiveStreamRec-v0) or ``article`` (the plain
                algorithm: two hidden layers of 24 units, uniform replay, squared loss, hard target
                copies, no refinement).
            **overrides: fields of this class that replace the preset's.

        Raises:
            ValueError: an unknown preset, an unknown field, or an invalid value.
        """
        if name not in PRESETS:
            raise ValueError(f"preset must be one of {sorted(PRESETS)}, got {name!r}")
        known = [spec.name for spec in dataclasses.fields(cls)]
        for key in overrides:
            if key not in known:
                raise ValueError(f"unknown field {key!r} of DQNConfig; fields are {known}")
        return cls(**{**PRESETS[name], **overrides})

    def epsilon(self, progress: float) -> float:
        """ε after a share ``progress`` in [0, 1] of training: linear, then constant."""
        fraction = self.epsilon_fraction
        fallen = min(progress / fraction, 1.0) if fraction > 0.0 else 1.0
        return self.epsilon_start + (self.epsilon_end - self.epsilon_start) * fallen

    def learning_rate_at(self, progress: float) -> float:
        """Adam's step size after a share ``progress`` of training."""
        linear = self.learning_rate_schedule == "linear"
        return self.learning_rate * (1.0 - progress if linear else 1.0)

    def priority_beta(self, progress: float) -> float:
        """Exponent of the importance weights after a share ``progress`` of training."""
        start, end = self.priority_beta_start, self.priority_beta_end
        return start + (end - start) * progress

    def updates_due(self, num_timesteps: int) -> int:
        """Updates to have made by then, which keeps their ratio to environment steps exact."""
        return max(0, num_timesteps - self.learning_starts) // self.train_interval


PRESETS: dict[str, dict[str, Any]] = {
    # Chosen among a dozen variants at 100,000 steps, two seeds each, on other viewer-days than any
    # that are reported.
    "default": {
        "hidden_sizes": (64,),
        "n_step": 3,
        "gamma": 0.99,
        "discount": "semi-markov",
        "tau_s": 180.0,
    },
    "article": {
        "network": "mlp",
        "hidden_sizes": (24, 24),
        "double": False,
        "learning_rate": 1e-3,
        "learning_rate_schedule": "constant",
        "gamma": 0.95,
        "batch_size": 32,
        "replay_size": 50_000,
        "learning_starts": 1_000,
        "train_interval": 1,
        "target_interval": 500,
        "mask_actions": False,
        "num_envs": 8,
    },
}


def _validated(name: str, value: Any, meta: Any) -> Any:
    """The value in its field's own type, or ValueError."""
    kind = meta["kind"]
    if kind == "choice":
        if value not in meta["choices"]:
            raise ValueError(f"{name} must be one of {list(meta['choices'])}, got {value!r}")
    elif kind == "flag":
        if not isinstance(value, (bool, np.bool_)):
            raise ValueError(f"{name} must be True or False, got {value!r}")
        value = bool(value)
    elif kind == "text":
        if not isinstance(value, str):
            raise ValueError(f"{name} must be a string, got {value!r}")
    elif kind == "sizes":
        whole = isinstance(value, (list, tuple)) and all(_is_whole(size) for size in value)
        if not whole or not value or min(value) < 1:
            raise ValueError(f"{name} must be one or more integers of at least 1, got {value!r}")
        value = tuple(int(size) for size in value)
    elif not (value is None and meta["optional"]):
        low, high = meta["low"], meta["high"]
        number = _is_whole(value) or isinstance(value, (float, np.floating))
        integer = kind == "integer"
        if not number or not low <= value <= high or (integer and value != int(value)):
            what = "an integer" if integer else "a number"
            none = " or None" if meta["optional"] else ""
            raise ValueError(f"{name} must be {what} in [{low:g}, {high:g}]{none}, got {value!r}")
        value = int(value) if integer else float(value)
    return value


def _is_whole(value: Any) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)
