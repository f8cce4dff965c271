"""What the examples share: their options, and the score that each prints at its end."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np

import livestream_env  # noqa: F401  (registers the environments)
from agents.evaluation import evaluate
from agents.rules.baselines import RandomPolicy

ENV_ID = "LiveStreamRec-v0"
# Observations (B, D) and masks, bool (B, N), to actions (B,).
Act = Callable[[np.ndarray, np.ndarray], np.ndarray]


def command_line(description: str | None, timesteps: int) -> argparse.ArgumentParser:
    """The options that every example has; ``timesteps`` is the default of the first."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--timesteps", type=int, default=timesteps, help="to train for; default: %(default)s")
    add("--episodes", type=int, default=500, help="viewer-days to score; default: %(default)s")
    return parser


def print_scores(act: Act, episodes: int, name: str = "score", **env_kwargs: Any) -> None:
    """Print the mean reward per episode beside that of random actions on the same viewer-days."""
    env = gym.make(ENV_ID, **env_kwargs)
    policies = (_Acting(act, env), RandomPolicy(env, seed=0))
    mine, chance = (evaluate(p, ENV_ID, env_kwargs, episodes)["reward"] for p in policies)
    difference = mine - chance
    half = 1.96 * difference.std(ddof=1) / np.sqrt(episodes)
    print(
        f"{name} {mine.mean():.2f}, random {chance.mean():.2f}: {difference.mean():+.2f} "
        f"± {half:.2f} (95 %, {episodes} viewer-days)"
    )


class _Acting:
    """A function as :class:`agents.policy.Policy`."""

    def __init__(self, act: Act, env: gym.Env[Any, Any]) -> None:
        self.act = act
        self.layout = env.unwrapped.layout  # type: ignore[attr-defined]

    def predict(
        self,
        observation: np.ndarray,
        state: Any = None,
        episode_start: np.ndarray | None = None,
        deterministic: bool = False,
    ) -> tuple[np.ndarray, Any]:
        return np.asarray(self.act(observation, self.layout.action_mask(observation))), state
