"""The learning half of the DQN: Q-network, target network, optimiser, masks."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from agents.dqn.behaviour import BehaviourModel
from agents.dqn.by_hand import Adam, flatten_parameters, kernels
from agents.dqn.click_network import ClickQNetwork
from agents.dqn.columns import ColumnLayout, Columns
from agents.dqn.config import DQNConfig
from agents.dqn.networks import (
    Backward,
    CandidateQNetwork,
    MLPQNetwork,
    QNetwork,
)
from agents.dqn.replay_memory import Batch, on_device

MaskFunction = Callable[[np.ndarray], np.ndarray]


class QLearner:
    """Fits Q(s, a) to ``reward + discount * max Q'(s', a')``, one batch at a time.

    Args:
        config: Network, loss, target, optimiser and device.
        observation_size: D.
        num_actions: N.
        layout: The observation's columns; needed by the candidate network.
        mask_fn: Maps observations ``(B, D)`` to the valid actions, bool ``(B, N)``; default: the
            layout's mask if there is a layout, else all actions are valid. ``mask_actions=False``
            switches either off.
        seed: Of the initial weights.

    Attributes:
        q_net: The online network θ.
        target_net: The target network θ⁻.
        num_updates: Gradient steps so far.

    Raises:
        ValueError: A candidate network without a layout, a layout with another number of slots than
            there are actions, or an unusable device.
    """

    def __init__(
        self,
        config: DQNConfig,
        observation_size: int,
        num_actions: int,
        layout: ColumnLayout | None = None,
        mask_fn: MaskFunction | None = None,
        seed: int = 0,
    ) -> None:
        self.config = config
        self.device = _device(config.device)
        self._mask_fn = mask_fn if config.mask_actions else None
        self._valid = None
        if config.mask_actions and mask_fn is None and layout is not None:
            self._valid_columns = layout.valid_columns
            self._valid = Columns(layout.valid_columns).to(self.device)

        # Making an agent leaves the caller's random numbers alone.
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            self.q_net, self.target_net = (
                build_network(config, observation_size, num_actions, layout).to(self.device)
                for _ in range(2)
            )
        by_hand = config.gradients == "by_hand"
        self._weights, self._gradient = flatten_parameters(self.q_net, by_hand)
        self._target_weights, _ = flatten_parameters(self.target_net, by_hand)
        self._target_weights.copy_(self._weights)
        self._adam = Adam(self._weights, self._gradient, by_hand)
        self._make_behaviour_network = functools.partial(
            build_network, config.of_behaviour, observation_size, num_actions, layout
        )
        self._seed = seed
        self.num_updates = 0
        self.behaviour: BehaviourModel | None = None  # what bcq_threshold compares with
        # Of loss and mean Q since the last report.
        self._loss_sum, self._q_sum = torch.zeros(2, device=self.device).unbind()
        self._summed = 0

    def action_mask(self, observation: Tensor) -> Tensor | None:
        """Valid actions, bool ``(B, N)`` with at least one per row; None if all always are."""
        if self._valid is not None and observation.is_cpu:
            # What follows for the others, in one call.
            rows = observation.contiguous().numpy()
            valid = np.empty((len(rows), len(self._valid_columns)), dtype=np.bool_)
            kernels.valid_actions(rows, self._valid_columns, valid)
            return torch.from_numpy(valid)
        if self._valid is not None:
            mask = self._valid(observation) > 0.5
        elif self._mask_fn is not None:
            mask = self._tensor(np.asarray(self._mask_fn(observation.cpu().numpy()), dtype=bool))
        else:
            return None
        # Where nothing is valid every action does the same, so let all compete.
        return mask | ~mask.any(1, keepdim=True)

    @property
    def mask_source(self) -> str:
        """What :meth:`action_mask` goes by: ``"columns"``, ``"given"`` (a function) or "none"."""
        if self._valid is not None:
            return "columns"
        return "none" if self._mask_fn is None else "given"

    @torch.inference_mode()
    def q_values(self, observation: np.ndarray) -> np.ndarray:
        """Q of all actions, float32 ``(B, N)``, for float32 ``(B, D)``; -inf for masked ones."""
        tensor = self._tensor(observation)
        mask = self.action_mask(tensor)
        values = self.q_net(tensor, mask).cpu().numpy()
        mask = self._allowed(tensor, mask)
        # A copy in any case: the network writes its next values into the same memory.
        return np.where(True if mask is None else mask.cpu().numpy(), values, np.float32(-np.inf))

    @torch.inference_mode()
    def update(self, batch: Batch, learning_rate: float) -> Tensor:
        """One gradient step; copies the target network when that is due.

        Returns:
            The TD errors before the step, ``(B,)``.
        """
        target = self._targets(batch)
        chosen, backward = self._estimates(batch)
        td_error = chosen - target
        slope = td_error if self.config.loss == "squared" else td_error.clamp(-1.0, 1.0)
        # Of each loss, slope * this: half the square; straight where clamped.
        mean_height = torch.sub(td_error, slope, alpha=0.5)
        scale = (2.0 if self.config.loss == "squared" else 1.0) / len(batch.action)
        if batch.weight is not None:
            slope = slope * self._tensor(batch.weight)
        if self.config.inverse_variance is not None:
            weight = 1.0 / (1.0 + (chosen / self.config.inverse_variance).square())
            slope = slope * (weight / weight.mean())
        backward(slope * scale)
        self._adam.step(learning_rate, self.config.max_grad_norm or torch.inf)

        self.num_updates += 1
        self._update_target()
        # Summed where they are: reading them here would make a GPU wait for every update.
        self._loss_sum.add_(torch.dot(slope, mean_height), alpha=scale)
        self._q_sum.add_(chosen.sum(), alpha=1.0 / len(batch.action))
        self._summed += 1
        return td_error

    @torch.inference_mode()
    def targets(self, batch: Batch) -> Tensor:
        """``reward + discount * value of the next state``, ``(B,)``."""
        return self._targets(batch)

    @torch.inference_mode()
    def td_errors(self, batch: Batch) -> np.ndarray:
        """Those of :meth:`update`, float32 ``(B,)``, without a step."""
        target = self._targets(batch)
        return (self._estimates(batch)[0] - target).cpu().numpy()

    def _targets(self, batch: Batch) -> Tensor:
        # Without the decorator: an update is in inference mode already, and entering it takes long.
        observation = batch.next_observation
        mask = self.action_mask(observation)
        if self.config.double:  # van Hasselt et al. 2016: θ chooses, θ⁻ values
            values = self.q_net(observation, mask)
            best = _masked(values, self._allowed(observation, mask)).argmax(dim=1)
            value = self.target_net.chosen(observation, best, mask)
        else:
            values = self.target_net(observation, mask)
            value = _masked(values, self._allowed(observation, mask)).amax(dim=1)
        return torch.addcmul(self._tensor(batch.reward), self._tensor(batch.discount), value)

    def _allowed(self, observation: Tensor, mask: Tensor | None) -> Tensor | None:
        """Valid actions that the behaviour policy takes often enough (BCQ), bool ``(B, N)``."""
        threshold = self.config.bcq_threshold
        if self.behaviour is None or not threshold:
            return mask
        return self.behaviour.likely(observation, mask, threshold)

    def _estimates(self, batch: Batch) -> tuple[Tensor, Backward]:
        """What of the online network the targets are for, ``(B,)``, and how to differentiate it."""
        if self.config.cql_weight:
            return self._conservative(batch)
        mask = self.action_mask(batch.observation) if self.q_net.reads_mask else None
        action = self._tensor(batch.action)
        if isinstance(self.q_net, ClickQNetwork):
            assert batch.click is not None
            click, weight = self._tensor(batch.click), self.config.click_weight
            return self.q_net.given_click_with_backward(
                batch.observation, action, click, weight, mask
            )
        return self.q_net.chosen_with_backward(batch.observation, action, mask)

    def _conservative(self, batch: Batch) -> tuple[Tensor, Backward]:
        """As ``chosen_with_backward``, with the gradient of CQL's loss added (Kumar et al. 2020).

        That loss is ``cql_weight`` times the batch's mean of log sum exp Q over the valid actions,
        minus Q of the logged one.
        """
        action = self._tensor(batch.action)[:, None]
        mask = self.action_mask(batch.observation)
        values, backward = self.q_net.all_with_backward(batch.observation, mask)
        excess = _masked(values, mask).softmax(dim=1)
        excess.scatter_add_(1, action, torch.full_like(excess[:, :1], -1.0))
        excess *= self.config.cql_weight / len(action)

        def both(gradient: Tensor) -> None:
            backward(excess.scatter_add(1, action, gradient[:, None]))

        return values.gather(1, action).squeeze(1), both

    def _update_target(self) -> None:
        if self.config.target_update == "soft":
            self._target_weights.lerp_(self._weights, self.config.target_tau)
        elif self.num_updates % self.config.target_interval == 0:
            self._target_weights.copy_(self._weights)

    def pop_metrics(self) -> dict[str, float]:
        """Mean loss and mean Q of the taken actions since the last call; nan without updates."""
        sums = torch.stack([self._loss_sum, self._q_sum])
        loss, q_mean = (sums / self._summed).tolist()
        self._loss_sum.zero_()
        self._q_sum.zero_()
        self._summed = 0
        return {"train/loss": loss, "train/q_mean": q_mean}

    def network_state(self) -> dict[str, np.ndarray]:
        """The online network's weights by name."""
        return {name: value.cpu().numpy() for name, value in self.q_net.state_dict().items()}

    def load_network_state(self, state: dict[str, np.ndarray]) -> None:
        """Set online and target network to weights that :meth:`network_state` gave."""
        self.q_net.load_state_dict({name: torch.from_numpy(value) for name, value in state.items()})
        self._target_weights.copy_(self._weights)

    def make_behaviour(self) -> BehaviourModel:
        """An unfitted model of a behaviour policy: a network as the learner's, of direct form."""
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(self._seed)
            return BehaviourModel(self._make_behaviour_network().to(self.device))

    def load_behaviour(self, state: dict[str, np.ndarray]) -> None:
        """Take over a fitted behaviour model's weights by name."""
        self.behaviour = self.make_behaviour()
        weights = {name: torch.from_numpy(value) for name, value in state.items()}
        self.behaviour.network.load_state_dict(weights)

    def state_dict(self) -> dict[str, np.ndarray]:
        """Both networks and the optimiser's moments, each as one vector."""
        return {name: value.cpu().numpy() for name, value in self._state().items()}

    def load_state_dict(self, state: dict[str, np.ndarray]) -> None:
        """Take over what :meth:`state_dict` gave."""
        for name, value in self._state().items():
            value.copy_(torch.from_numpy(state[name]))

    def _state(self) -> dict[str, Tensor]:
        networks = {"weights": self._weights, "target_weights": self._target_weights}
        return {**networks, **self._adam.state()}

    def _tensor(self, array: np.ndarray) -> Tensor:
        return on_device(array, self.device)


def _masked(q_values: Tensor, mask: Tensor | None) -> Tensor:
    return q_values if mask is None else torch.where(mask, q_values, -torch.inf)


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:
        raise ValueError(
            f"device must be auto, cpu or a working accelerator, got {name!r}"
        ) from error


def build_network(
    config: DQNConfig, observation_size: int, num_actions: int, layout: ColumnLayout | None
) -> QNetwork:
    """The Q-network that the settings describe, on PyTorch's current default device."""
    if config.network == "mlp":
        return MLPQNetwork(observation_size, num_actions, config.hidden_sizes, config.dueling)
    if layout is None:
        raise ValueError(
            "network='candidate' needs an environment with a layout (LiveStreamRec); "
            "use network='mlp'"
        )
    if len(layout.candidate_columns) != num_actions:
        raise ValueError(
            f"layout has {len(layout.candidate_columns)} candidate slots, "
            f"the action space {num_actions} actions"
        )
    if config.q_form == "click":
        return ClickQNetwork(layout, config.hidden_sizes, config.summary, config.crosses)
    return CandidateQNetwork(
        layout, config.hidden_sizes, config.dueling, config.summary, config.crosses
    )
