"""Several networks for one: their mean acts, and each learns from its own share of every batch.

What a network holds by the chance of its first weights and of the transitions it drew, another does
not: their mean is nearer to what all the data say. As batches are shared out, they learn together
from no more transitions than a single one would (:class:`agents.dqn.learner.QLearner`).
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from agents.dqn.networks import QNetwork


class EnsembleQNetwork(QNetwork):
    """The mean of its members' Q-values.

    Args:
        members: Networks of one kind, at least one.
    """

    def __init__(self, members: Sequence[QNetwork]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.reads_mask, self.num_actions = members[0].reads_mask, members[0].num_actions

    def forward(self, observation: Tensor, mask: Tensor | None = None) -> Tensor:
        """Q-values ``(B, N)`` of observations ``(B, D)``; see :class:`QNetwork`."""
        first, *others = self.members
        total = first(observation, mask)
        for member in others:
            total = total + member(observation, mask)
        return total / len(self.members)
