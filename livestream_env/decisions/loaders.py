"""Logged decisions in the containers of other libraries, by one call each.

Both take the next observation of a truncated episode as one that more would have followed. Neither
library has masks or semi-Markov discounts: what they learn ignores both.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from livestream_env.decisions.decisions import Decisions

_BLOCK = 2**14  # transitions copied at once: 20 MB of observations


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

    Its arrays are filled as ``buffer.add`` fills them one transition after the other, which for
    300,000 of them takes ten times as long.

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
    size = buffer.buffer_size
    for start in range(0, len(steps), _BLOCK):
        rows = steps[start : start + _BLOCK]
        at = (buffer.pos + np.arange(len(rows))) % size
        following = decisions.observations[rows + 1]
        if buffer.optimize_memory_usage:  # it is the next transition's, if there is one
            buffer.observations[(at + 1) % size, 0] = following
        else:
            buffer.next_observations[at, 0] = following
        buffer.observations[at, 0] = decisions.observations[rows]
        buffer.actions[at, 0, 0] = decisions.action[rows]
        buffer.rewards[at, 0] = decisions.reward[rows]
        buffer.dones[at, 0] = decisions.terminated[rows] | decisions.truncated[rows]
        if buffer.handle_timeout_termination:
            buffer.timeouts[at, 0] = decisions.truncated[rows]
        buffer.full |= buffer.pos + len(rows) >= size
        buffer.pos = (buffer.pos + len(rows)) % size
    return buffer
