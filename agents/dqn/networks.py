"""Q-networks: a plain MLP, and one scorer shared by all candidate slots.

Both map a batch of flat observations to one Q-value per action. ``chosen`` gives the values of
given actions only: the loss needs no others, and the candidate network then scores one slot
instead of all of them.

Shapes in this file: B observations, D columns, N actions (slots), F features of a candidate,
W units of the first hidden layer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from agents.dqn.by_hand import Embed, Layers, SlotScorer
from agents.dqn.columns import CrossedColumns, LayoutColumns

Backward = Callable[[Tensor], None]


class QNetwork(nn.Module):
    """What the DQN asks of a network. A new one needs :meth:`forward` only.

    Masks are bool ``(B, N)``, with a True in every row; None means that all actions are valid.

    Attributes:
        reads_mask: Whether Q-values depend on the mask; if not, none is made for ``chosen``.
        num_actions: N.
    """

    reads_mask = True
    num_actions: int

    def forward(self, observation: Tensor, mask: Tensor | None = None) -> Tensor:
        """Q-values ``(B, N)`` of observations ``(B, D)``; those of masked actions mean nothing."""
        raise NotImplementedError

    def chosen(self, observation: Tensor, action: Tensor, mask: Tensor | None = None) -> Tensor:
        """Q-values ``(B,)`` of one action (int64 ``(B,)``) per observation."""
        values: Tensor = self(observation, mask).gather(1, action[:, None]).squeeze(1)
        return values

    def chosen_with_backward(
        self, observation: Tensor, action: Tensor, mask: Tensor | None = None
    ) -> tuple[Tensor, Backward]:
        """What :meth:`chosen` returns, and how to differentiate it.

        Returns:
            Q-values ``(B,)``, and a function that sets the ``grad`` of all parameters from a
            gradient of those values, ``(B,)``. Here it is autograd's; networks may override this
            method with one written by hand.
        """
        with torch.inference_mode(False):
            # Autograd keeps no tensors made in inference mode, so it gets copies.
            values = self.chosen(
                observation.clone(), action.clone(), None if mask is None else mask.clone()
            )

        def backward(gradient: Tensor) -> None:
            for parameter in self.parameters():
                if parameter.grad is not None:
                    parameter.grad.zero_()
            with torch.inference_mode(False):
                values.backward(gradient.clone())

        return values.detach(), backward

    def all_with_backward(
        self, observation: Tensor, mask: Tensor | None = None
    ) -> tuple[Tensor, Backward]:
        """Values of all actions, ``(B, N)``, and how to differentiate them.

        As for :meth:`chosen_with_backward`, of every action of every observation, by choosing each
        of them in turn; networks may override this method with a faster one.
        """
        size, num_actions = observation.shape[0], self.num_actions
        actions = torch.arange(num_actions, device=observation.device).repeat(size)
        rows = observation.repeat_interleave(num_actions, dim=0)
        masks = None if mask is None else mask.repeat_interleave(num_actions, dim=0)
        values, backward = self.chosen_with_backward(rows, actions, masks)
        return (
            values.view(size, num_actions).clone(),
            lambda gradient: backward(gradient.reshape(-1)),
        )


class MLPQNetwork(QNetwork):
    """Fully connected layers over the flat observation.

    Args:
        observation_size: D.
        num_actions: N.
        hidden_sizes: Units of each hidden layer.
        dueling: Q = V + A - mean A over the valid actions (Wang et al. 2016, eq. 9).
    """

    def __init__(
        self,
        observation_size: int,
        num_actions: int,
        hidden_sizes: Sequence[int] = (64, 64),
        dueling: bool = False,
    ) -> None:
        super().__init__()
        sizes = [observation_size, *hidden_sizes]
        # Without a second branch there is nothing to share: one stack, whose outputs are Q itself.
        self.trunk = Layers(sizes, relu_last=True) if dueling else None
        self.advantage = Layers([*(sizes[-1:] if dueling else sizes), num_actions])
        self.value = Layers([sizes[-1], 1]) if dueling else None
        self.reads_mask = dueling
        self.num_actions = num_actions

    def forward(self, observation: Tensor, mask: Tensor | None = None) -> Tensor:
        """Q-values ``(B, N)`` of observations ``(B, D)``; see :class:`QNetwork`."""
        if self.trunk is None or self.value is None:
            values: Tensor = self.advantage(observation)
            return values
        hidden = self.trunk(observation)
        return _dueling(self.value(hidden), self.advantage(hidden), mask)

    def chosen_with_backward(
        self, observation: Tensor, action: Tensor, mask: Tensor | None = None
    ) -> tuple[Tensor, Backward]:
        """See :class:`QNetwork`."""

        def backward(gradient: Tensor) -> None:
            if self.trunk is None or self.value is None:
                to_values = gradient.new_zeros(gradient.shape[0], num_actions)
                to_values.scatter_(1, action[:, None], gradient[:, None])
                self.advantage.backward(to_values, to_input=False)
            else:
                to_advantage = _dueling_gradient(gradient, action, mask, num_actions)
                to_hidden = self.advantage.backward(to_advantage)
                to_hidden += self.value.backward(gradient[:, None])
                self.trunk.backward(to_hidden, to_input=False)

        if not self.advantage.by_hand:
            return super().chosen_with_backward(observation, action, mask)
        num_actions = self.advantage.sizes[-1]
        return self.chosen(observation, action, mask), backward


class CandidateQNetwork(QNetwork):
    """One scorer shared by all slots, as production rankers have: Q(context, candidate).

    The shared columns become a context vector, once per observation. A candidate's features are
    embedded and added to it, and further layers turn the sum into that candidate's Q-value. Hence
    reordering the candidates reorders the values and nothing else, what is learned about a kind of
    candidate holds in every slot, and empty slots influence no other.

    Args:
        layout: Has ``shared_columns`` ``(S,)`` and ``candidate_columns`` ``(N, F)``.
        hidden_sizes: Units of context and embedding, then of the scorer's further layers.
        dueling: Q = V(context) + A - mean A over the filled slots.
        summary: Give the context the mean and the maximum of each feature over the filled slots.
        crosses: Also give what is known of the viewer's past times each trace and each feature.
    """

    outputs = 1  # of the scorer, for each candidate

    def __init__(
        self,
        layout: Any,
        hidden_sizes: Sequence[int] = (64, 64),
        dueling: bool = False,
        summary: bool = False,
        crosses: bool = False,
    ) -> None:
        super().__init__()
        self.columns = CrossedColumns(layout) if crosses else LayoutColumns(layout)
        self.num_candidates = len(layout.candidate_columns)
        self.num_shared, self.num_features = self.columns.num_shared, self.columns.num_features
        self.num_actions = self.num_candidates
        self.summary = summary
        self.reads_mask = dueling or summary

        width = hidden_sizes[0]
        inputs = self.num_shared + (2 * self.num_features if summary else 0)
        self.context = Layers([inputs, width, width])
        self.embed = Embed(self.num_features, width)
        self.scorer = Layers([*hidden_sizes, self.outputs])
        self.value = Layers([width, width, 1]) if dueling else None
        self._slots = SlotScorer(self.context, self.embed, self.scorer)

    def forward(self, observation: Tensor, mask: Tensor | None = None) -> Tensor:
        """Q-values ``(B, N)`` of observations ``(B, D)``; see :class:`QNetwork`."""
        if self._at_once:
            first = torch.zeros(observation.shape[0], dtype=torch.int64)
            return self._slots(self.columns(observation), first, self.num_candidates)
        shared, candidates = self._split(observation)
        context = self._context(shared, candidates, mask)
        advantage = self._score(context, candidates)
        if self.value is None:
            return advantage
        return _dueling(self.value(context), advantage, mask)

    def chosen(self, observation: Tensor, action: Tensor, mask: Tensor | None = None) -> Tensor:
        """Q-values ``(B,)`` of the given actions; see :class:`QNetwork`."""
        if self.value is not None:  # the mean advantage needs every slot
            return super().chosen(observation, action, mask)
        if self._at_once:
            return self._slots(self.columns(observation), action, 1).squeeze(1)
        shared, candidates = self._split(observation)
        context = self._context(shared, candidates, mask)
        rows = torch.arange(action.shape[0], device=action.device)
        return self._score(context, candidates[rows, action][:, None]).squeeze(1)

    def chosen_with_backward(
        self, observation: Tensor, action: Tensor, mask: Tensor | None = None
    ) -> tuple[Tensor, Backward]:
        """See :class:`QNetwork`."""

        def backward(gradient: Tensor) -> None:
            if self._at_once:
                self._slots.backward(gradient)
                return
            to_scores = gradient
            if self.value is not None:
                to_scores = _dueling_gradient(gradient, action, mask, self.num_candidates)
            to_context = self.embed.backward(self.scorer.backward(to_scores.view(-1, 1)))
            if self.value is not None:
                to_context += self.value.backward(gradient[:, None])
            self.context.backward(to_context, to_input=False)

        if not self._slots.by_hand:
            return super().chosen_with_backward(observation, action, mask)
        return self.chosen(observation, action, mask), backward

    def all_with_backward(
        self, observation: Tensor, mask: Tensor | None = None
    ) -> tuple[Tensor, Backward]:
        """See :class:`QNetwork`; the slots of an observation share its context."""
        if not self._at_once:
            return super().all_with_backward(observation, mask)
        # A copy: the network writes its next values into the same memory.
        return self(observation, mask).clone(), self._slots.backward

    @property
    def _at_once(self) -> bool:
        """Whether values are computed by hand and nothing comes between context and scores."""
        return self._slots.by_hand and not self.reads_mask

    def _split(self, observation: Tensor) -> tuple[Tensor, Tensor]:
        """Shared columns ``(B, S)`` and candidates ``(B, N, F)``."""
        columns = self.columns(observation)
        slots = (self.num_candidates, self.num_features)
        return columns[:, : self.num_shared], columns[:, self.num_shared :].unflatten(1, slots)

    def _context(self, shared: Tensor, candidates: Tensor, mask: Tensor | None) -> Tensor:
        """The context vector ``(B, W)``."""
        if self.summary:
            if mask is None:
                mask = torch.ones(candidates.shape[:2], dtype=torch.bool, device=shared.device)
            valid = mask[:, :, None]
            mean = (candidates * valid).sum(1) / valid.sum(1)
            maximum = candidates.masked_fill(~valid, -torch.inf).amax(1)
            shared = torch.cat([shared, mean, maximum], dim=1)
        context: Tensor = self.context(shared)
        return context

    def _score(self, context: Tensor, candidates: Tensor) -> Tensor:
        """Values ``(B, K)`` of K candidates each, features ``(B, K, F)``."""
        scores: Tensor = self.scorer(self.embed(context, candidates))
        return scores.view(candidates.shape[:2])


def _dueling(value: Tensor, advantage: Tensor, mask: Tensor | None) -> Tensor:
    """V ``(B, 1)`` and A ``(B, N)`` to Q ``(B, N)``; the mean of A is over the valid actions."""
    if mask is None:
        return value + advantage - advantage.mean(1, keepdim=True)
    mean = (advantage * mask).sum(1, keepdim=True) / mask.sum(1, keepdim=True)
    return value + advantage - mean


def _dueling_gradient(
    gradient: Tensor, action: Tensor, mask: Tensor | None, num_actions: int
) -> Tensor:
    """The gradient of A ``(B, N)`` from that of the chosen actions' Q-values ``(B,)``."""
    if mask is None:
        others = (gradient / -num_actions)[:, None].repeat(1, num_actions)
    else:
        others = mask * (gradient / -mask.sum(1))[:, None]
    return others.scatter_add_(1, action[:, None], gradient[:, None])
