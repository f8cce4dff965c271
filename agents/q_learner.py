"""The learning half of the DQN: Q-network, target network, optimiser, masks."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .dqn_config import DQNConfig
from .networks import CandidateQNetwork, ColumnLayout, MLPQNetwork, QNetwork, flatten_parameters
from .replay import Batch

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
        if mask_fn is None and layout is not None:
            mask_fn = layout.action_mask
        self._mask_fn = mask_fn if config.mask_actions else None

        # Making an agent leaves the caller's random numbers alone.
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            self.q_net, self.target_net = (
                _build_network(config, observation_size, num_actions, layout).to(self.device)
                for _ in range(2)
            )
        self._weights = flatten_parameters(self.q_net)
        self._target_weights = flatten_parameters(self.target_net)
        self._target_weights.data.copy_(self._weights.data)
        self._optimizer = torch.optim.Adam([self._weights], lr=config.learning_rate, fused=True)
        self.num_updates = 0
        self._sums = torch.zeros(2, device=self.device)  # of loss and mean Q since the last report
        self._summed = 0

    def action_mask(self, observation: np.ndarray) -> np.ndarray | None:
        """Valid actions, bool ``(B, N)`` with at least one per row; None if all always are."""
        if self._mask_fn is None:
            return None
        mask = np.asarray(self._mask_fn(observation), dtype=bool)
        # Where nothing is valid every action does the same, so let all compete.
        return mask | ~mask.any(axis=1, keepdims=True)

    @torch.inference_mode()
    def q_values(self, observation: np.ndarray) -> np.ndarray:
        """Q of all actions, float32 ``(B, N)``, for float32 ``(B, D)``; -inf for masked ones."""
        mask = self._mask(observation)
        values = _masked(self.q_net(self._tensor(observation), mask), mask)
        array: np.ndarray = values.cpu().numpy()
        return array

    def update(self, batch: Batch, learning_rate: float) -> Tensor:
        """One gradient step; copies the target network when that is due.

        Returns:
            The TD errors before the step, ``(B,)``, detached.
        """
        config = self.config
        target = self.targets(batch)
        chosen = self.q_net.chosen(
            self._tensor(batch.observation),
            self._tensor(batch.action),
            self._mask(batch.observation),
        )
        if config.loss == "squared":
            losses = F.mse_loss(chosen, target, reduction="none")
        else:
            losses = F.smooth_l1_loss(chosen, target, reduction="none")
        loss = (losses * self._tensor(batch.weight)).mean()

        gradient = self._weights.grad
        assert gradient is not None
        gradient.zero_()
        loss.backward()
        if config.max_grad_norm is not None:
            norm = torch.linalg.vector_norm(gradient)
            gradient.mul_((config.max_grad_norm / (norm + 1e-6)).clamp(max=1.0))
        self._optimizer.param_groups[0]["lr"] = learning_rate
        self._optimizer.step()

        self.num_updates += 1
        self._update_target()
        chosen = chosen.detach()
        # Summed where they are: reading them here would make a GPU wait for every update.
        self._sums += torch.stack([loss.detach(), chosen.mean()])
        self._summed += 1
        return chosen - target

    @torch.no_grad()
    def targets(self, batch: Batch) -> Tensor:
        """``reward + discount * value of the next state``, ``(B,)``."""
        observation = self._tensor(batch.next_observation)
        mask = self._mask(batch.next_observation)
        if self.config.double:  # van Hasselt et al. 2016: θ chooses, θ⁻ values
            best = _masked(self.q_net(observation, mask), mask).argmax(dim=1)
            value = self.target_net.chosen(observation, best, mask)
        else:
            value = _masked(self.target_net(observation, mask), mask).amax(dim=1)
        return self._tensor(batch.reward) + self._tensor(batch.discount) * value

    def _update_target(self) -> None:
        if self.config.target_update == "soft":
            self._target_weights.data.lerp_(self._weights.data, self.config.target_tau)
        elif self.num_updates % self.config.target_interval == 0:
            self._target_weights.data.copy_(self._weights.data)

    def pop_metrics(self) -> dict[str, float]:
        """Mean loss and mean Q of the taken actions since the last call; nan without updates."""
        loss, q_mean = (self._sums / self._summed).tolist()
        self._sums.zero_()
        self._summed = 0
        return {"train/loss": loss, "train/q_mean": q_mean}

    def network_state(self) -> dict[str, np.ndarray]:
        """The online network's weights by name."""
        return {name: value.cpu().numpy() for name, value in self.q_net.state_dict().items()}

    def load_network_state(self, state: dict[str, np.ndarray]) -> None:
        """Set online and target network to weights that :meth:`network_state` gave."""
        self.q_net.load_state_dict({name: torch.from_numpy(value) for name, value in state.items()})
        self._target_weights.data.copy_(self._weights.data)

    def state_dict(self) -> dict[str, np.ndarray]:
        """Both networks and the optimiser's moments, each as one vector."""
        state = {"weights": self._weights.data, "target_weights": self._target_weights.data}
        state.update(self._optimizer.state[self._weights])
        return {name: value.cpu().numpy() for name, value in state.items()}

    def load_state_dict(self, state: dict[str, np.ndarray]) -> None:
        """Take over what :meth:`state_dict` gave."""
        tensors = {name: torch.from_numpy(value) for name, value in state.items()}
        self._weights.data.copy_(tensors.pop("weights"))
        self._target_weights.data.copy_(tensors.pop("target_weights"))
        moments = {name: value.to(self.device) for name, value in tensors.items()}
        if moments:  # none before the first update
            self._optimizer.state[self._weights] = moments

    def _tensor(self, array: np.ndarray) -> Tensor:
        return torch.from_numpy(array).to(self.device, non_blocking=True)

    def _mask(self, observation: np.ndarray) -> Tensor | None:
        mask = self.action_mask(observation)
        return None if mask is None else self._tensor(mask)


def _masked(q_values: Tensor, mask: Tensor | None) -> Tensor:
    return q_values if mask is None else q_values.masked_fill(~mask, -torch.inf)


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:
        raise ValueError(
            f"device must be auto, cpu or a working accelerator, got {name!r}"
        ) from error


def _build_network(
    config: DQNConfig, observation_size: int, num_actions: int, layout: ColumnLayout | None
) -> QNetwork:
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
    return CandidateQNetwork(layout, config.hidden_sizes, config.dueling, config.summary)
