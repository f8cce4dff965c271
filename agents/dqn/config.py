"""Settings of the hand-written DQN: what each one means, and what low and high values do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from livestream_env.settings import (
    Settings,
    check_choice,
    check_names,
    choice,
    flag,
    integer,
    number,
    sizes,
    text,
)


@dataclass(frozen=True, repr=False)
class DQNConfig(Settings):
    """Every setting of :class:`agents.dqn.DQN`.

    The fields' own defaults suit any environment with a layout; the preset ``default`` adds what
    was found best on LiveStreamRec-v0.

    ``dataclasses.fields(DQNConfig)`` carries each field's explanation as ``metadata["doc"]``.

    Raises:
        ValueError: a value of the wrong type or outside its range, or an unknown choice.
    """

    network: str = choice(
        "candidate",
        ("mlp", "candidate"),
        "mlp: one network over the flat observation; candidate: one scorer shared by all slots",
    )
    hidden_sizes: tuple[int, ...] = sizes(
        (64, 64), "units of each hidden layer; narrow: underfits, wide: slow, needs more data"
    )
    summary: bool = flag(
        False, "candidate network: show each slot the mean and maximum of the candidates' features"
    )
    crosses: bool = flag(
        False,
        "candidate network: show it what is known of the viewer's past times each trace and each "
        "feature of a candidate (an environment with traces=True knows some)",
    )
    history_length: int | None = integer(
        None,
        0,
        10_000,
        "candidate network: past impressions that it reads, the latest first, None: all observed; "
        "low: fewer inputs to learn by heart, where traces tell the same (traces=True)",
    )
    q_form: str = choice(
        "direct",
        ("direct", "click"),
        "direct: one number; click: value without a click + P(click) * gain by it, P learnt from "
        "the clicks (needs the candidate network and info['click'])",
    )
    click_weight: float = number(
        20.0,
        0.0,
        1e6,
        "of the clicks' log loss beside the mean squared error (q_form click); high: P first",
    )
    dueling: bool = flag(
        False, "split Q into value and advantage; helps when actions matter little"
    )
    double: bool = flag(True, "choose the bootstrap action with the online network: less optimism")
    n_step: int = integer(
        1, 1, 100, "rewards summed before bootstrapping; high: faster credit, noisier, off-policy"
    )
    prioritized: bool = flag(False, "replay transitions in proportion to their TD error")
    priority_alpha: float = number(
        0.6, 0.0, 1.0, "exponent of the priorities; 0: uniform, 1: fully by TD error"
    )
    priority_beta_start: float = number(
        0.4, 0.0, 1.0, "initial importance correction; low: biased but calmer early updates"
    )
    priority_beta_end: float = number(
        1.0, 0.0, 1.0, "final importance correction, reached linearly; 1: unbiased"
    )
    loss: str = choice(
        "squared",
        ("squared", "huber"),
        "squared: learns the mean of the return; huber: robust, nearer the median of heavy tails",
    )
    inverse_variance: float | None = number(
        None,
        1e-6,
        1e9,
        "weigh each error by 1 / (1 + (Q / this)^2), for large returns vary most; low: large ones "
        "hardly count, None: all count the same",
    )
    learning_rate: float = number(
        5e-4, 1e-8, 1.0, "Adam's step size; low: slow, high: unstable or divergent"
    )
    learning_rate_schedule: str = choice(
        "linear", ("constant", "linear"), "linear: decay to zero at the end of training"
    )
    max_grad_norm: float | None = number(
        None, 1e-6, 1e6, "clip the gradient's norm; low: slow and safe, None: no clip"
    )
    gamma: float = number(
        0.98,
        0.0,
        1.0,
        "discount; 0: greedy for the next reward, near 1: far-sighted, slower to learn",
    )
    discount: str = choice(
        "step",
        ("step", "semi-markov"),
        "step: gamma per step; semi-markov: gamma per tau_s seconds of info['elapsed_s']",
    )
    tau_s: float = number(
        60.0, 1e-3, 1e7, "seconds that cost one factor gamma (semi-markov); low: impatient"
    )
    batch_size: int = integer(
        256, 1, 65_536, "transitions per update; low: noisy and cheap, high: smooth and slow"
    )
    replay_size: int = integer(
        200_000, 8, 100_000_000, "observations kept; low: forgets, correlated; high: stale, memory"
    )
    learning_starts: int = integer(
        5_000, 0, 10**9, "environment steps before the first update; low: overfits the first data"
    )
    train_interval: int = integer(
        16, 1, 10**6, "environment steps per update, whatever num_envs; low: more learning per step"
    )
    target_update: str = choice(
        "hard",
        ("hard", "soft"),
        "hard: copy every target_interval updates; soft: follow by target_tau",
    )
    target_interval: int = integer(
        500, 1, 10**9, "updates between hard copies; low: chases its tail, high: learns slowly"
    )
    target_tau: float = number(
        0.005, 1e-8, 1.0, "share of the online network mixed in per update (soft); high: unstable"
    )
    epsilon_start: float = number(1.0, 0.0, 1.0, "initial share of random actions")
    epsilon_end: float = number(
        0.05, 0.0, 1.0, "final share of random actions; low: little exploration, high: poor data"
    )
    epsilon_fraction: float = number(
        0.2, 0.0, 1.0, "share of training over which epsilon falls; high: explores longer"
    )
    mask_actions: bool = flag(
        True,
        "keep empty slots out of greedy choice, exploration and bootstrap, where a mask is known",
    )
    num_envs: int = integer(
        128,
        1,
        100_000,
        "viewers stepped side by side when made from an id; high: fewer, larger passes",
    )
    gradients: str = choice(
        "by_hand",
        ("by_hand", "autograd"),
        "by_hand: compiled on a CPU, fast; autograd: PyTorch's own, the same numbers, slow",
    )
    cql_weight: float = number(
        0.0,
        0.0,
        1e3,
        "offline: weight of the conservative loss, log sum exp Q - Q(logged); high: stays close to "
        "what was logged, 0: plain",
    )
    bcq_threshold: float = number(
        0.0,
        0.0,
        1.0,
        "offline: only actions at least so likely, relative to the likeliest, under the estimated "
        "behaviour policy; 0: all, 1: imitates it",
    )
    device: str = text("auto", "auto (a GPU if there is one), cpu, cuda, cuda:1")
    seed: int | None = integer(None, 0, 2**63 - 1, "of every random draw; None: drawn")

    def __post_init__(self) -> None:
        """Check each value, and what must hold between them."""
        super().__post_init__()
        if self.q_form == "click":
            needed = {"network": "candidate", "dueling": False, "cql_weight": 0.0}
            for name, value in needed.items():
                if getattr(self, name) != value:
                    raise ValueError(
                        f"{name} must be {value!r} with q_form='click' (q_form='direct' takes it), "
                        f"got {getattr(self, name)!r}"
                    )

    @classmethod
    def preset(cls, name: str, **overrides: Any) -> Self:
        """A named configuration, with some fields replaced.

        Args:
            name: ``article`` (the plain algorithm: two hidden layers of 24 units, uniform replay,
                squared loss, hard target copies, no refinement), ``default`` (the best one measured
                on LiveStreamRec-v0: far-sighted, with less noise; needs ``info["click"]``), or
                ``plain`` (the best one measured with ``world="plain", traces=False``; takes every
                setting).
            **overrides: fields of this class that replace the preset's.

        Raises:
            ValueError: an unknown preset, an unknown field, or an invalid value.
        """
        check_choice("preset", name, sorted(PRESETS))
        check_names(overrides, cls.names(), cls._refusal)
        return cls(**{**PRESETS[name], **overrides})

    @property
    def of_behaviour(self) -> Self:
        """Of the network that estimates a behaviour policy: who decided knew of no click yet."""
        return self.replace({"q_form": "direct"})

    def check_online(self) -> None:
        """Raise ``ValueError`` if a setting is not 0 that only logged decisions have a use for."""
        for name in ("cql_weight", "bcq_threshold"):
            if value := getattr(self, name):
                raise ValueError(
                    f"{name} is for learn_offline, from logged decisions; in learn it must be 0, "
                    f"got {value}"
                )

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

    def discounts(self, terminated: np.ndarray, elapsed_s: np.ndarray | None) -> np.ndarray:
        """Of steps, float ``(B,)``: γ, or γ^(Δt/τ) if semi-Markov; 0 where nothing follows.

        Args:
            terminated: bool ``(B,)``; after a truncation more would have followed.
            elapsed_s: ``(B,)``: Δt, from one observation to the next; None if it is not known.

        Raises:
            ValueError: The discount is semi-Markov and ``elapsed_s`` is None.
        """
        discount = np.full(len(terminated), self.gamma)
        if self.discount == "semi-markov":
            if elapsed_s is None:
                raise ValueError("discount='semi-markov' needs an env with info['elapsed_s']")
            discount **= elapsed_s / self.tau_s
        discount[terminated] = 0.0
        return discount

    def updates_due(self, num_timesteps: int) -> int:
        """Updates to have made by then, which keeps their ratio to environment steps exact."""
        return max(0, num_timesteps - self.learning_starts) // self.train_interval


# Chosen among a dozen variants at 100,000 steps, two seeds each, on other viewer-days than any
# that are reported.
_PLAIN: dict[str, Any] = {
    "hidden_sizes": (64,),
    "n_step": 3,
    "gamma": 0.99,
    "discount": "semi-markov",
    "tau_s": 180.0,
}
PRESETS: dict[str, dict[str, Any]] = {
    "plain": _PLAIN,
    # What was measured: docs/model/world.md.
    "default": {
        **_PLAIN,
        "q_form": "click",
        "crosses": True,
        "inverse_variance": 8.0,
        "gamma": 0.999,
        "double": False,
        "history_length": 1,
        # Without crosses this decides how much is learnt; with them it hardly matters.
        "learning_rate": 3e-3,
        "target_interval": 200,
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
