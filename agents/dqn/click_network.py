"""Q factored by the click: three estimates, each learnt from the data that tell of it.

Q(s, a) = V(s) + P(s, a) * (C(s, a) - V(s)): V is what follows without a click, when it hardly
matters which candidate was passed over; P is the probability of a click; C is what follows one, so
that C - V is its gain. Most of a return's noise is in whether there was a click and what came of
it. P is learnt by log loss from every impression, C by squared error from those that were clicked,
V from the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from agents.dqn.networks import Backward, CandidateQNetwork, QNetwork


class ClickQNetwork(CandidateQNetwork):
    """A candidate network whose scorer gives the logit of P and C, beside V of the context.

    Args:
        layout: See :class:`CandidateQNetwork`.
        hidden_sizes: Likewise.
        summary: Likewise.
        crosses: Likewise.
    """

    outputs = 2

    def __init__(
        self,
        layout: Any,
        hidden_sizes: Sequence[int] = (64, 64),
        summary: bool = False,
        crosses: bool = False,
    ) -> None:
        super().__init__(layout, hidden_sizes, dueling=True, summary=summary, crosses=crosses)
        self.reads_mask = summary

    def forward(self, observation: Tensor, mask: Tensor | None = None) -> Tensor:
        """Q-values ``(B, N)`` of observations ``(B, D)``; see :class:`QNetwork`."""
        shared, candidates = self._split(observation)
        logit, clicked, value = self._parts(self._context(shared, candidates, mask), candidates)
        return torch.lerp(value.expand_as(clicked), clicked, logit.sigmoid())

    def chosen(self, observation: Tensor, action: Tensor, mask: Tensor | None = None) -> Tensor:
        """Q-values ``(B,)`` of the given actions; see :class:`QNetwork`."""
        logit, clicked, value = self._chosen_parts(observation, action, mask)
        return torch.lerp(value, clicked, logit.sigmoid())

    def chosen_with_backward(
        self, observation: Tensor, action: Tensor, mask: Tensor | None = None
    ) -> tuple[Tensor, Backward]:
        """See :class:`QNetwork`; by autograd, for what is learnt is not this value."""
        return QNetwork.chosen_with_backward(self, observation, action, mask)

    def given_click_with_backward(
        self,
        observation: Tensor,
        action: Tensor,
        click: Tensor,
        click_weight: float,
        mask: Tensor | None = None,
    ) -> tuple[Tensor, Backward]:
        """What is expected of each action given its outcome: C if it was clicked, else V.

        Args:
            observation: ``(B, D)``.
            action: int64 ``(B,)``.
            click: bool ``(B,)``: what happened.
            click_weight: Of the mean log loss of P, whose gradient is added in the backward pass.
            mask: bool ``(B, N)``; see :class:`QNetwork`.

        Returns:
            Values ``(B,)``, and a function that sets all gradients from those of the values.
        """
        if not self.embed.by_hand:
            return self._given_click_by_autograd(observation, action, click, click_weight, mask)
        logit, clicked, value = self._chosen_parts(observation, action, mask)
        happened = click.to(logit.dtype)
        to_logit = (logit.sigmoid() - happened) * (click_weight / len(happened))

        def backward(gradient: Tensor) -> None:
            assert self.value is not None
            to_clicked = gradient * happened
            to_scores = torch.stack([to_logit, to_clicked], dim=1)
            to_context = self.embed.backward(self.scorer.backward(to_scores))
            to_context += self.value.backward((gradient - to_clicked)[:, None])
            self.context.backward(to_context, to_input=False)

        return torch.where(click, clicked, value), backward

    def _given_click_by_autograd(
        self,
        observation: Tensor,
        action: Tensor,
        click: Tensor,
        click_weight: float,
        mask: Tensor | None,
    ) -> tuple[Tensor, Backward]:
        with torch.inference_mode(False):
            # Autograd keeps no tensors made in inference mode, so it gets copies.
            copies = observation.clone(), action.clone(), None if mask is None else mask.clone()
            logit, clicked, value = self._chosen_parts(*copies)
            happened = click.clone()
            expected = torch.where(happened, clicked, value)
            log_loss = binary_cross_entropy_with_logits(logit, happened.to(logit.dtype))

        def backward(gradient: Tensor) -> None:
            for parameter in self.parameters():
                if parameter.grad is not None:
                    parameter.grad.zero_()
            with torch.inference_mode(False):
                (click_weight * log_loss + torch.dot(expected, gradient.clone())).backward()

        return expected.detach(), backward

    @property
    def _at_once(self) -> bool:
        """Never: V comes between the context and the values."""
        return False

    def _chosen_parts(
        self, observation: Tensor, action: Tensor, mask: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Logit of P, C and V of the given actions, ``(B,)`` each."""
        shared, candidates = self._split(observation)
        context = self._context(shared, candidates, mask)
        rows = torch.arange(action.shape[0], device=action.device)
        parts = self._parts(context, candidates[rows, action][:, None])
        logit, clicked, value = (part.squeeze(1) for part in parts)
        return logit, clicked, value

    def _parts(self, context: Tensor, candidates: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logit of P and C ``(B, K)`` of K candidates each, and V ``(B, 1)``."""
        assert self.value is not None
        scores = self.scorer(self.embed(context, candidates)).view(*candidates.shape[:2], 2)
        return scores[..., 0], scores[..., 1], self.value(context)
