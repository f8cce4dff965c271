"""What a viewer's state is worth: the rewards to come under a far-sighted rule, learned.

Whoever regresses returns on what is observed learns also who clicks a lot, and would take a click
for the cause of being such a viewer. Two things keep causes apart from signs of them: now and then
the episodes' hidden state is disturbed at random; and only those columns that shape the future by
themselves (clock, satisfaction, fatigue, satiation) are taken from the state that an action leads
to, while what tells viewers apart (features, counts, attachments) stays as it was before.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from .networks import MLPQNetwork
from .oracles import FarsightedOracle
from .regression import fit_values

_DISTURBED = 0.06  # share of impressions before which the hidden state is disturbed
_CLOCK = ("hour_sin", "hour_cos", "time_left", "visit_elapsed")
_LARGEST = 6.0  # of the log of a worth, relative to the mean
_HIDDEN_SIZES = (32,)
_NETWORKS = 2  # whose predictions are averaged
_EPOCHS = 4


class StateValue:
    """Fits networks to the returns of ``rule``; their mean is the log of a state's worth.

    Args:
        rule: Plays; it is bound to ``env``.
        env: A native vector environment with ``observe="full"``.
        steps: To play in each of its slots.
        seed: Of everything random.
    """

    def __init__(self, rule: FarsightedOracle, env: Any, steps: int, seed: int) -> None:
        names, slices = env.layout.names, env.layout.slices
        used = ("viewer", "context", "hidden")
        self._columns = np.concatenate([np.arange(env.layout.size)[slices[b]] for b in used])
        context, hidden = len(names["viewer"]), len(names["viewer"]) + len(names["context"])
        clock = [context + names["context"].index(name) for name in _CLOCK]
        self._causes = np.array([*clock, *range(hidden, len(self._columns))])
        self._gifts = env.world.viewers["gift_propensity"]

        features, returns = self._play(rule, env, steps, np.random.default_rng(seed), seed)
        self._mean, self._std = features.mean(axis=0), features.std(axis=0) + 1e-3
        self._scale = max(float(returns.mean()), 1e-6)
        self._networks = []
        for i in range(_NETWORKS):
            with torch.random.fork_rng(devices=[]):
                torch.default_generator.manual_seed(seed + i)
                network = MLPQNetwork(features.shape[1], 1, _HIDDEN_SIZES)
            fit_values(
                network,
                self._scaled(features),
                np.zeros(len(returns), np.int64),
                returns / self._scale,
                epochs=_EPOCHS,
                seed=seed + i,
                log_mean=True,
            )
            self._networks.append(network)

    def features(self, env: Any, state: NDArray[Any]) -> NDArray[np.float32]:
        """What is known of the states of a snapshot (B,), of whose size ``env`` is: (B, F)."""
        observation = env.set_state(state)
        known = np.where(state["attached_streamer"] >= 0, state["attachment"], 0.0)
        time_s = state["time_s"][:, None]
        live = (state["attached_from_s"] <= time_s) & (time_s < state["attached_until_s"])
        more = [
            known.sum(axis=1) / 4.0,
            known.max(axis=1),
            (known * live).sum(axis=1) / 2.0,
            np.log(self._gifts[state["viewer"]] + 1e-3) / 4.0,
        ]
        return np.column_stack([observation[:, self._columns], *more]).astype(np.float32)

    def after(
        self, before: NDArray[np.float32], observation: NDArray[np.float32]
    ) -> NDArray[np.float64]:
        """The worth of the states that actions have led to.

        Args:
            before: Features of the states where they were taken, (B, F).
            observation: Full observations afterwards, (n B, D), n for each of B in turn.

        Returns:
            Rewards to come, (n B,).
        """
        features = np.repeat(before, len(observation) // len(before), axis=0)
        features[:, self._causes] = observation[:, self._columns[self._causes]]
        return self(features)

    @torch.inference_mode()
    def __call__(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Rewards to come, (B,), from features (B, F)."""
        scaled = torch.from_numpy(self._scaled(features))
        logs = np.mean([network(scaled).numpy()[:, 0] for network in self._networks], axis=0)
        return np.exp(np.minimum(logs.astype(np.float64), _LARGEST)) * self._scale

    def _scaled(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        return ((features - self._mean) / self._std).astype(np.float32)

    def _play(
        self, rule: FarsightedOracle, env: Any, steps: int, rng: np.random.Generator, seed: int
    ) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """Features (n, F) and expected returns (n,) at each impression of finished episodes."""
        rule.bind(env)
        slots = np.arange(env.num_envs)
        features, rewards, ends = [], [], []
        env.reset(seed=seed)
        for _ in range(steps):
            state = env.get_state()
            _disturb(state, rng)
            features.append(self.features(env, state))
            value, reward = rule.values()
            action = value.argmax(axis=1)
            # Where nothing is on, nothing is to be had.
            rewards.append(np.maximum(reward[slots, action], 0.0))
            _, _, terminated, truncated, _ = env.step(action)
            ends.append(terminated | truncated)
        returns = np.empty((steps, env.num_envs))
        to_come = np.full(env.num_envs, np.nan)  # unknown after the last end
        for t in range(steps - 1, -1, -1):
            to_come = np.where(ends[t], 0.0, to_come) + rewards[t]
            returns[t] = to_come
        known = np.isfinite(returns)
        return np.stack(features)[known], returns[known]


def _disturb(state: NDArray[Any], rng: np.random.Generator) -> None:
    """Change satisfaction, fatigue and satiation of some slots at random."""
    chosen = np.flatnonzero(rng.random(len(state)) < _DISTURBED)
    shape = (len(chosen), state["satiation"].shape[1])
    state["satisfaction"][chosen] += rng.normal(0.0, 0.4, len(chosen))
    state["fatigue"][chosen] += rng.normal(0.0, 0.2, len(chosen))
    state["fatigue"] = np.abs(state["fatigue"])
    state["satiation"][chosen] *= rng.uniform(0.0, 1.5, (len(chosen), 1))
    state["satiation"][chosen] += rng.exponential(0.3, shape) * (rng.random(shape) < 0.3)
