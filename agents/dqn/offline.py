"""Learning from logged decisions: the replay memory is filled once, then only learned from."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch

from agents.dqn.config import DQNConfig
from agents.dqn.replay_memory import ReplayBuffer
from livestream_env.decisions import Decisions
from livestream_env.decisions.schema import NO_ACTION
from livestream_env.progress import Progress
from livestream_env.reward import REWARD_COMPONENTS
from livestream_env.settings import check_integer

if TYPE_CHECKING:
    from agents.dqn.files import DQNState


def fill_replay(
    decisions: Decisions, config: DQNConfig, device: torch.device | str = "cpu"
) -> ReplayBuffer:
    """Our replay memory with all logged decisions in it, whatever ``config.replay_size`` is.

    Rows become cells of one environment: an episode's last observation has a cell without a
    transition, so windows of n steps end there as they do online.
    """
    rows = len(decisions.action)
    alpha = config.priority_alpha if config.prioritized else None
    size = decisions.description.observation_size
    clicks = config.q_form == "click"
    replay = ReplayBuffer(
        max(rows, config.n_step + 2), 1, size, config.n_step, alpha, device, clicks
    )
    stored = decisions.action != NO_ACTION
    state = {
        "action": np.where(stored, decisions.action, 0).astype(np.int64),
        "reward": decisions.reward.astype(np.float32),
        "discount": config.discounts(decisions.terminated, decisions.elapsed_s).astype(np.float32),
        "stored": stored,
        "observation": decisions.observations[:],
        "head": np.array([rows - 1]),
    }
    if clicks:  # whoever clicks watches
        state["click"] = decisions.components[:, REWARD_COMPONENTS.index("watch")] > 0.0
    if alpha is not None:
        state |= {"priority": stored.astype(np.float64), "max_priority": np.ones(1)}
    replay.load_state_dict(state)
    return replay


def learn_offline(
    agent: DQNState,
    decisions: Decisions,
    num_updates: int,
    callback: Callable[[int], object] | None = None,
    progress_bar: bool = False,
) -> None:
    """See :meth:`agents.dqn.DQN.learn_offline`."""
    check_integer("num_updates", num_updates, 1)
    about = decisions.description
    mine = (agent.observation_size, agent.num_actions)
    theirs = (about.observation_size, about.num_actions)
    if mine != theirs:
        raise ValueError(
            f"decisions must have (observation size, actions) = {mine}, as the agent, got {theirs}"
        )
    if not decisions.num_steps:
        raise ValueError("decisions must hold at least one step, got none")
    config, learner = agent.config, agent.learner
    if config.bcq_threshold:
        learner.behaviour = learner.make_behaviour()
        learner.behaviour.fit(decisions, min(num_updates, 5_000), learner.action_mask, config.seed)
    replay = fill_replay(decisions, config, learner.device)
    rng = agent._rng["replay"]
    with Progress(num_updates, "learn offline", "updates", show=progress_bar) as bar:
        for update in range(num_updates):
            progress = update / num_updates
            batch = replay.sample(config.batch_size, rng, config.priority_beta(progress))
            td_error = learner.update(batch, config.learning_rate_at(progress))
            if config.prioritized:
                replay.update_priorities(batch.cell, td_error.cpu().numpy())
            bar.update()
            if callback is not None and callback(update + 1) is False:
                break
