"""A planner that knows the hidden state and the true model, never the random numbers to come.

It shows the candidate with the highest

    E[reward] - price * P(click) * harm,

harm being sensationalism times the viewer's sensitivity; all exact expectations in the state of
now. The price of goodwill depends on that state,

    price = weight * (best + 0.25) * min(1, time left / 6 h),

``best`` being the highest expected reward on the screen. Nothing is simulated when it chooses.
Simulated futures led to this form once: from sampled states of a day and of a visit, the rewards
after a click that is certain were compared with those after none, and the loss grew with the
click's sensationalism in proportion to ``best``: who enjoys the service has more to lose, and at
the end of the horizon nobody has. It is a rule, no optimum: what a click costs whatever the room,
and what long views give, is left out.

The weight is planned for by rollouts in the model (Tesauro & Galperin 1996; Bertsekas 2019,
"Reinforcement learning and optimal control", chapter 2): each of several weights is played from the
same initial states to the end of the horizon. Expected rewards are summed, not sampled ones, which
keeps chance out of the comparison.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from agents.rules.far_sighted import TUNING_SEED
from agents.rules.oracles import GreedyOracle
from agents.vector import make_training_env
from livestream_env.world import DAY_S

_LEAST = 0.25  # added to the best expected reward: where nothing is liked, goodwill counts too
_FADING_S = 6 * 3600.0  # before the end of the horizon goodwill loses its worth
_SMALLEST = 64  # viewers simulated together


class Planner(GreedyOracle):
    """See above.

    Args:
        env: A single environment, made from an id: what to plan for.
        seed: Not needed: rollouts are seeded, and nothing else is drawn.
        viewer_days: Simulated with each weight; a week is seven.
        weights: To choose from.
    """

    weight = 4.0  # until it is planned for: of a day of the default world

    def __init__(
        self,
        env: gym.Env | None = None,
        seed: int = 0,
        viewer_days: int = 3_000,
        weights: Sequence[float] = (0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0),
    ) -> None:
        super().__init__(env, seed)
        self.env = env
        self.viewer_days = viewer_days
        self.weights = weights

    def learn(self, total_timesteps: int | None = None) -> Planner:
        """Choose the weight by rollouts, whatever ``total_timesteps``.

        Raises:
            ValueError: it was made without an environment.
        """
        if self.env is None:
            raise ValueError("env must be given to plan for, got None")
        returns = []
        for weight in self.weights:
            self.weight = weight
            returns.append(self._rollouts(self.env))
        self.weight = self.weights[max(range(len(returns)), key=returns.__getitem__)]
        self.bind(self.env)
        return self

    def values(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Of each candidate of the moment that the bound environment is in.

        Returns:
            What a choice is worth (less what all have in common) and the expected immediate
            reward, (N, candidates) each; -inf for empty slots.

        Raises:
            ValueError: no environment is bound.
        """
        expected = self._expected()
        reward = expected["reward"]
        state = self._env.get_state()
        left = np.clip((state["end_s"] - state["time_s"]) / _FADING_S, 0.0, 1.0)
        best = np.maximum(reward.max(axis=1), 0.0)
        price = self.weight * left * (best + _LEAST)
        return reward - price[:, None] * expected["harm"], reward

    def _rollouts(self, env: gym.Env) -> float:
        """Mean expected reward of an episode, over the same initial states at every call."""
        model: Any = make_training_env(env, 1).unwrapped
        model.reset(seed=TUNING_SEED)
        first = model.get_state()[0]
        days = (first["end_s"] - first["start_s"]) / DAY_S
        viewers = math.ceil(self.viewer_days / days) if math.isfinite(days) else self.viewer_days
        model = make_training_env(env, viewers).unwrapped
        model.reset(seed=TUNING_SEED)
        playing, total = np.ones(viewers, bool), 0.0
        while playing.any():
            if len(playing) > _SMALLEST and 2 * playing.sum() < len(playing):
                model, playing = _remaining(env, model, playing)
            self.bind(model)
            value, reward = self.values()
            action = value.argmax(axis=1)
            # Where nothing is on, nothing is to be had.
            shown = np.maximum(reward[np.arange(len(action)), action], 0.0)
            total += float(shown[playing].sum())
            _, _, terminated, truncated, _ = model.step(action)
            playing &= ~(terminated | truncated)
        return total / viewers


def _remaining(
    env: gym.Env, model: Any, playing: NDArray[np.bool_]
) -> tuple[Any, NDArray[np.bool_]]:
    """A smaller model that goes on with the episodes still playing, and which slots those are."""
    count = max(int(playing.sum()), _SMALLEST)
    kept = np.argsort(~playing, kind="stable")[:count]
    smaller: Any = make_training_env(env, count).unwrapped
    smaller.reset(seed=0)
    smaller.set_state(model.get_state()[kept])
    return smaller, playing[kept]
