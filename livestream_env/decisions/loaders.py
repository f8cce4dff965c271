"""Logged decisions in the containers of other libraries, by one call each.

Both take the next observation of a truncated episode as one that more would have followed. Neither
library has masks or semi-Markov discounts: what they learn ignores both.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from livestream_env.decisions.decisions import Decisions


def to_d3rlpy(decisions: Decisions) -> Any:
    """A ``d3rlpy.dataset.MDPDataset`` of all episodes, for its offline algorithms.

    d3rlpy takes the last transition of a terminated episode to lead to nothing, so the episode's
    last observation is not needed; of a truncated one d3rlpy leaves out the last transition.

    Raises:
        ModuleNotFoundError: d3rlpy is not installed: ``pip install d3rlpy``.
    """
    from d3rlpy.constants import ActionSpace
    from d3rlpy.dataset import MDPDataset

    steps = decisions.steps
    return MDPDataset(
        observations=decisions.observations[steps],
        actions=decisions.action[steps].astype(np.int64)[:, None],
        rewards=decisions.reward[steps].astype(np.float32)[:, None],
        terminals=decisions.terminated[steps].astype(np.float32),
        timeouts=decisions.truncated[steps].astype(np.float32),
        action_space=ActionSpace.DISCRETE,
        action_size=decisions.description.num_actions,
    )


def fill_sb3(decisions: Decisions, buffer: Any) -> Any:
    """Put all decisions into a replay buffer of Stable-Baselines3, in their order.

    Args:
        decisions: Logged ones.
        buffer: A ``stable_baselines3.common.buffers.ReplayBuffer`` for one environment, for example
            ``model.replay_buffer`` of ``DQN("MlpPolicy", env, buffer_size=decisions.num_steps)``.

    Returns:
        The buffer.

    Raises:
        ValueError: It is too small, or for several environments.
    """
    steps = decisions.steps
    if buffer.n_envs != 1 or buffer.buffer_size < len(steps):
        raise ValueError(
            f"buffer must be of one environment and hold at least {len(steps)} transitions, got "
            f"n_envs={buffer.n_envs}, buffer_size={buffer.buffer_size}"
        )
    for row in steps.tolist():
        ended = bool(decisions.terminated[row] or decisions.truncated[row])
        buffer.add(
            decisions.observations[row][None],
            decisions.observations[row + 1][None],
            np.array([[decisions.action[row]]]),
            np.array([decisions.reward[row]]),
            np.array([ended]),
            [{"TimeLimit.truncated": bool(decisions.truncated[row])}],
        )
    return buffer
