"""All parameters of a network in one vector, all gradients in another."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from agents.dqn.by_hand.layers import ByHand


def flatten_parameters(network: nn.Module, by_hand: bool = True) -> tuple[Tensor, Tensor]:
    """Move all parameters and gradients into one vector each, of which the network keeps views.

    Clipping, the optimiser's step, the target copy and a checkpoint are then one operation each.

    Args:
        network: Changed in place.
        by_hand: Whether its layers then compute by hand where they can (:meth:`ByHand.bind`).

    Returns:
        The vector of all parameters and the vector of all gradients, float32 ``(P,)``.
    """
    parameters = list(network.parameters())
    weights = torch.cat([parameter.detach().flatten() for parameter in parameters])
    gradient = torch.zeros_like(weights)
    start = 0
    for parameter in parameters:
        end = start + parameter.numel()
        parameter.data = weights[start:end].view_as(parameter)
        parameter.grad = gradient[start:end].view_as(parameter)
        start = end
    if by_hand:
        for module in network.modules():
            if isinstance(module, ByHand):
                module.bind()
    return weights, gradient
