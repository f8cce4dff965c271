"""Whether an exported policy is the original one."""

from __future__ import annotations

from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
import torch

from agents.dqn.agent import DQN
from agents.export.runtime import OnnxPolicy
from agents.vector import EpisodeStream, make_training_env

_NUM_ENVS = 64
# Of the largest value of an observation: how far apart float32 sums in another order may be.
_ROUNDING = 1e-5


class Parity(NamedTuple):
    """An exported policy against the original, over the same observations.

    Attributes:
        observations: How many.
        same_actions: In how many the action is the same.
        ties: In how many it is another one, which the original values alike, up to rounding.
        q_difference: The largest difference of Q-values.
        q_scale: The largest of the original's, without sign.
    """

    observations: int
    same_actions: int
    ties: int
    q_difference: float
    q_scale: float

    @property
    def holds(self) -> bool:
        """Whether nothing but rounding differs."""
        alike = self.q_difference <= _ROUNDING * max(self.q_scale, 1.0)
        return alike and self.same_actions + self.ties == self.observations

    def __str__(self) -> str:
        """One line."""
        ties = f", in {self.ties:,} one of the same value up to rounding" if self.ties else ""
        return (
            f"{'equal' if self.holds else 'NOT equal'} to the original: the same action in "
            f"{self.same_actions:,} of {self.observations:,} observations{ties}; Q-values differ "
            f"by at most {self.q_difference:.1e} (their largest is {self.q_scale:.1f})"
        )


def compare(
    policy: Any, exported: OnnxPolicy, observation: np.ndarray, seen: np.ndarray | None = None
) -> Parity:
    """Hold the exported policy against the original.

    Args:
        policy: What was exported.
        exported: What came of it.
        observation: float32 ``(B, D)``, as the bare environment gives them.
        seen: What the original gets instead, if it was trained on normalised observations.
    """
    seen = observation if seen is None else seen
    action, _ = policy.predict(seen, deterministic=True)
    found, _ = exported.predict(observation, deterministic=True)
    values, exported_values = _q_values(policy, seen), exported.q_values(observation)
    taken = np.isfinite(values)
    same_masks = np.array_equal(taken, np.isfinite(exported_values))
    values[~taken] = exported_values[~taken] = 0.0
    scale = np.abs(values).max(axis=1)
    rows, differs = np.arange(len(values)), action != found
    short = values[rows, action] - values[rows, found]
    ties = differs & (short <= _ROUNDING * np.maximum(scale, 1.0))
    return Parity(
        observations=len(values),
        same_actions=int((~differs).sum()),
        ties=int(ties.sum()),
        q_difference=float(np.abs(values - exported_values).max()) if same_masks else np.inf,
        q_scale=float(scale.max()),
    )


def met_observations(policy: Any, env: gym.Env, count: int, seed: int) -> np.ndarray:
    """Observations that ``policy`` meets when it plays, float32 ``(count, D)``.

    Args:
        policy: What is asked for actions.
        env: A single environment, of which :data:`_NUM_ENVS` are made.
        count: How many.
        seed: Of the viewers.
    """
    stream = EpisodeStream(make_training_env(env, _NUM_ENVS))
    batches = [stream.reset(seed)]
    while len(batches) * stream.env.num_envs < count:
        action, _ = policy.predict(batches[-1], deterministic=True)
        batches.append(stream.step(action).observation.copy())
    stream.env.close()
    return np.concatenate(batches)[:count]


def _q_values(policy: Any, observation: np.ndarray) -> np.ndarray:
    """Of the original, float32 ``(B, N)``."""
    if isinstance(policy, DQN):
        return policy.learner.q_values(observation)
    model = getattr(policy, "model", policy)
    with torch.inference_mode():
        values: np.ndarray = model.q_net(model.policy.obs_to_tensor(observation)[0]).cpu().numpy()
    return values
