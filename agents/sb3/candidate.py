"""Our candidate network inside Stable-Baselines3's DQN: what then differs is the algorithm."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
from stable_baselines3.dqn.policies import DQNPolicy
from stable_baselines3.dqn.policies import QNetwork as SB3QNetwork

from agents.dqn.columns import ColumnLayout
from agents.dqn.networks import CandidateQNetwork
from agents.sb3.dqn import SB3DQN
from livestream_env.simulated_logs.policy import flat_layout


class CandidatePolicy(DQNPolicy):
    """SB3's DQN policy with one scorer shared by all slots.

    Args:
        *args: Of :class:`stable_baselines3.dqn.policies.DQNPolicy`.
        layout: Which columns of the flat observation belong to which candidate.
        **kwargs: As ``args``; ``net_arch`` is :class:`CandidateQNetwork`'s ``hidden_sizes``.
    """

    def __init__(self, *args: Any, layout: ColumnLayout, **kwargs: Any) -> None:
        self.layout = layout  # first, because DQNPolicy's constructor makes the networks
        super().__init__(*args, **kwargs)

    def make_q_net(self) -> SB3QNetwork:
        """A network of SB3's whose layers are replaced by ours."""
        network = super().make_q_net()
        scorer = CandidateQNetwork(self.layout, network.net_arch).to(self.device)
        network.q_net = scorer  # type: ignore[assignment]
        return network

    def _get_constructor_parameters(self) -> dict[str, Any]:
        return {**super()._get_constructor_parameters(), "layout": self.layout}


class SB3CandidateDQN(SB3DQN):
    """Stable-Baselines3's DQN with our candidate network and our preset's settings.

    Args:
        env: A single environment with flat observations.
        seed: Seed of the network, the exploration and the viewers it trains with.
        **settings: Arguments that replace our preset's; see :class:`agents.sb3.base.SB3Agent`.
    """

    def __init__(self, env: gym.Env, seed: int | None = None, **settings: Any) -> None:
        layout = ColumnLayout.of(flat_layout(env, self))
        ours = {"policy": CandidatePolicy, "policy_kwargs": {"layout": layout}}
        super().__init__(env, seed, matched=True, **{**ours, **settings})
