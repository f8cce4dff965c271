"""A look-ahead planner with the true model.

It knows the environment's hidden state and its equations, never its future random numbers: every
look ahead starts from the exact state of now with random numbers of its own. For each promising
candidate it weighs two futures, one in which the viewer clicks and one in which she does not:

    E[reward] + P(click) * (V(after a click) - V(after none)),

where E[reward] and P(click) are exact and V is the mean, over simulated impressions, of what the
state after them is worth. The same random numbers for all candidates, and the click not left to
them, keep the noise far below the differences that count. :mod:`agents.state_value` learns V.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from .far_sighted import EPISODES
from .oracles import FarsightedOracle
from .state_value import StateValue
from .vector import make_training_env

_CERTAIN = 20.0  # log-odds of a click that is certain, or certain not to come


class Planner:
    """See above.

    Args:
        env: A single environment, made from an id: what to plan for.
        seed: Of everything random.
        candidates: Looked ahead for: those that the far-sighted rule ranks highest.
        samples: Simulated impressions for each of them, and as many without a click.
        steps: Impressions of each of 512 viewers, from which a state's worth is learned.
        episodes: Played with each weight when the far-sighted rule is tuned.
    """

    def __init__(
        self,
        env: gym.Env,
        seed: int = 0,
        candidates: int = 5,
        samples: int = 12,
        steps: int = 1_000,
        episodes: int = EPISODES,
    ) -> None:
        layout = env.unwrapped.layout  # type: ignore[attr-defined]
        self.env = env
        self.seed = seed
        self.candidates = min(candidates, layout.num_candidates)
        self.samples = samples
        self.steps = steps
        self.rule = FarsightedOracle(env, episodes=episodes)
        self.value: StateValue | None = None
        self._rng = np.random.default_rng(seed)
        self._models: dict[tuple[int, float | None], Any] = {}

    def bind(self, env: Any) -> None:
        """Read the hidden state of ``env``, made with the same arguments, from now on."""
        self._env = env.unwrapped
        self.rule.bind(env)

    def learn(self, total_timesteps: int | None = None) -> Planner:
        """Tune the rule and learn what states are worth, whatever ``total_timesteps``."""
        self.rule.learn()
        self.value = StateValue(self.rule, self._model(512, None), self.steps, self.seed)
        return self

    def predict(
        self,
        observation: NDArray[np.float32],
        state: Any = None,
        episode_start: Any = None,
        deterministic: bool = False,
    ) -> tuple[Any, Any]:
        """Actions for the moment that the bound environment is in; ignores ``observation``.

        Raises:
            ValueError: no environment is bound, or :meth:`learn` was not called.
        """
        if self.value is None:
            raise ValueError("the planner must learn() what a state is worth before predict()")
        rank, reward = self.rule.values()
        top = np.argsort(-rank, axis=1, kind="stable")[:, : self.candidates]
        change = self._changes(self._env.get_state(), top)
        click = self._env.expected_response()["click_probability"]
        value = np.take_along_axis(reward, top, 1) + np.take_along_axis(click, top, 1) * change
        actions = np.take_along_axis(top, value.argmax(axis=1)[:, None], axis=1)[:, 0]
        return (actions if np.ndim(observation) == 2 else actions[0]), state

    def _changes(self, now: NDArray[Any], actions: NDArray[np.int64]) -> NDArray[np.float64]:
        """How much more a click is worth afterwards than none.

        Args:
            now: A snapshot (B,).
            actions: Candidates (B, K).

        Returns:
            Means over the samples, (B, K).
        """
        keys = self._rng.integers(2**64, size=(len(now), 1, self.samples), dtype=np.uint64)
        clicked = self._worth_after(now, actions, keys, _CERTAIN)
        # Without a click it makes no difference what was shown.
        return clicked - self._worth_after(now, actions[:, :1], keys, -_CERTAIN)

    def _worth_after(
        self,
        now: NDArray[Any],
        actions: NDArray[np.int64],
        keys: NDArray[np.uint64],
        click_bias: float,
    ) -> NDArray[np.float64]:
        """Mean worth of the states after ``actions`` (B, K), under random keys (B, 1, samples)."""
        assert self.value is not None
        shape = (*actions.shape, self.samples)
        futures = np.repeat(now, shape[1] * shape[2]).reshape(shape)
        futures["episode_key"] = keys
        model = self._model(futures.size, click_bias)
        before = self.value.features(self._model(len(now), None), now)
        model.set_state(futures.reshape(-1))
        observation, _, terminated, _, _ = model.step(np.repeat(actions.ravel(), self.samples))
        worth = self.value.after(before, observation)
        worth[terminated] = 0.0
        return np.asarray(worth.reshape(shape).mean(axis=2))

    def _model(self, num_envs: int, click_bias: float | None) -> Any:
        """Environments to simulate in, all observed; in which a click may be certain."""
        if (num_envs, click_bias) not in self._models:
            spec = self.env.spec
            if spec is None:
                raise ValueError("env must be made from an id, to be made anew")
            kwargs = {**spec.kwargs, "observe": "full"}
            if click_bias is not None:
                kwargs["config"] = {**(kwargs.get("config") or {}), "click_bias": click_bias}
            single = gym.make(dataclasses.replace(spec, kwargs=kwargs))
            self._models[num_envs, click_bias] = make_training_env(single, num_envs).unwrapped
        return self._models[num_envs, click_bias]
