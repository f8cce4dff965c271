"""Exporting a DQN, ours or Stable-Baselines3's, as one ONNX file.

The graph takes ``observation`` float32 ``(B, D)`` and ``action_mask`` bool ``(B, N)`` and gives
``q_values`` float32 ``(B, N)``, -inf for what is masked, and ``action`` int64 ``(B,)``.
"""

from __future__ import annotations

import copy
import logging
import os
import platform
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import onnxscript
import torch
from onnx_ir.passes.common import ClearMetadataAndDocStringPass
from torch import Tensor, nn

from agents.dqn.agent import DQN
from agents.dqn.columns import ColumnLayout
from agents.export.description import ModelDescription
from agents.export.normalization import normalizations
from livestream_env.files import atomic_path
from livestream_env.registration import json_arguments
from livestream_env.wrappers import AnyEnv, layout_under

_OPSET = 20


def export_policy(policy: Any, path: str | os.PathLike[str], env: AnyEnv) -> Path:
    """Write a trained policy as an ONNX model.

    Args:
        policy: A :class:`agents.dqn.DQN`; an agent of :mod:`agents.sb3` with Stable-Baselines3's
            DQN, or such a model itself.
        path: The file; ``.onnx`` is appended to a name without a suffix.
        env: What the policy plays, single or vector: names of columns, id, arguments and world are
            read off it. Running means and variances of its ``NormalizeObservation``, or of the
            model's ``VecNormalize``, become a part of the graph, which then takes observations as
            they are before normalisation.

    Returns:
        The path written.

    Raises:
        ValueError: The policy is no such DQN, does not fit ``env``, or ``env`` is no LiveStreamRec
            environment with flat observations or has a wrapper that changes them otherwise.
        OSError: The file could not be written; what was there before is there still.
    """
    values = _values_of(policy)
    description = _describe(policy, values, env)
    graph = _Graph(values, nn.Sequential(*normalizations(policy, env))).eval()
    # Two rows, for one would be taken for a constant.
    example = (
        torch.zeros(2, values.observation_size),
        torch.ones(2, values.num_actions, dtype=torch.bool),
    )
    batch = {0: torch.export.Dim("batch", min=1)}
    with _quiet():
        program = torch.onnx.export(
            graph,
            example,
            dynamo=True,
            dynamic_shapes=(batch, batch),
            input_names=["observation", "action_mask"],
            output_names=["q_values", "action"],
            opset_version=_OPSET,
            verbose=False,
        )
    assert program is not None  # it is None for the older exporter only
    ClearMetadataAndDocStringPass()(program.model)  # stack traces, with paths of this machine
    program.model.metadata_props.update(description.to_metadata())
    path = Path(path)
    path = path if path.suffix else path.with_name(path.name + ".onnx")
    with atomic_path(path) as temporary:
        program.save(temporary)
    return path


class _Values(nn.Module):
    """What a policy ranks actions by, on the CPU, with sizes D and N and where masks come from."""

    observation_size: int
    num_actions: int
    mask: str

    def forward(self, observation: Tensor, mask: Tensor) -> Tensor:
        """Q-values ``(B, N)``, -inf for actions that are not taken into account."""
        raise NotImplementedError


class _DQNValues(_Values):
    """Our DQN: its network, and what an offline agent takes for likely enough (BCQ)."""

    def __init__(self, agent: DQN) -> None:
        super().__init__()
        self.observation_size, self.num_actions = agent.observation_size, agent.num_actions
        self.mask = agent.learner.mask_source
        self.network = copy.deepcopy(agent.learner.q_net).cpu()
        self.threshold = agent.config.bcq_threshold
        self.behaviour = copy.deepcopy(agent.learner.behaviour) if self.threshold else None
        if self.behaviour is not None:
            self.behaviour_network = self.behaviour.network.cpu()

    def forward(self, observation: Tensor, mask: Tensor) -> Tensor:
        values: Tensor = self.network(observation, mask)
        if self.behaviour is not None:
            mask = self.behaviour.likely(observation, mask, self.threshold)
        return values.masked_fill(~mask, -torch.inf)


class _SB3Values(_Values):
    """Stable-Baselines3's DQN, which knows no masks."""

    mask = "none"

    def __init__(self, q_net: Any) -> None:
        super().__init__()
        shape = q_net.observation_space.shape
        if shape is None or len(shape) != 1:
            raise ValueError(
                f"the model must be one for flat observations, got {q_net.observation_space}"
            )
        (self.observation_size,), self.num_actions = shape, int(q_net.action_space.n)
        self.network = copy.deepcopy(q_net).cpu()

    def forward(self, observation: Tensor, mask: Tensor) -> Tensor:
        values: Tensor = self.network(observation)
        return values.masked_fill(~mask, -torch.inf)


class _Graph(nn.Module):
    """From an observation as the environment gives it to values and the best action."""

    def __init__(self, values: _Values, normalization: nn.Module) -> None:
        super().__init__()
        self.values = values
        self.normalization = normalization

    def forward(self, observation: Tensor, action_mask: Tensor) -> tuple[Tensor, Tensor]:
        mask = action_mask | ~action_mask.any(1, keepdim=True)
        values = self.values(self.normalization(observation), mask)
        return values, values.argmax(1)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what the exporter says of itself: of packages that are missing, of its own code."""
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)


def _values_of(policy: Any) -> _Values:
    if isinstance(policy, DQN):
        return _DQNValues(policy)
    q_net = getattr(getattr(policy, "model", policy), "q_net", None)  # SB3 need not be installed
    if isinstance(q_net, nn.Module):
        return _SB3Values(q_net)
    raise ValueError(
        f"policy must be a DQN, of agents.dqn or of Stable-Baselines3, got {type(policy).__name__}"
    )


def _describe(policy: Any, values: _Values, env: AnyEnv) -> ModelDescription:
    layout = layout_under(env)
    if layout is None:
        raise ValueError(f"env must be a LiveStreamRec environment, got {env}")
    mine = values.observation_size, values.num_actions
    theirs = layout.size, layout.num_candidates
    if mine != theirs:
        raise ValueError(f"env must have (observation size, actions) = {mine}, got {theirs}")
    if isinstance(policy, DQN) and not policy.fits(layout):
        raise ValueError("env must have the layout that the policy was made for")
    base: Any = env.unwrapped
    base = getattr(base, "envs", [base])[0].unwrapped
    spec = env.spec or base.spec
    return ModelDescription(
        policy=type(policy).__name__,
        env_id="" if spec is None else spec.id,
        env_kwargs={} if spec is None else json_arguments(spec.kwargs),
        world_digest=base.world.digest,
        num_actions=values.num_actions,
        columns=layout.column_names,
        valid_columns=tuple(ColumnLayout.of(layout).valid_columns.tolist()),
        mask=values.mask,
        versions={
            "python": platform.python_version(),
            "livestream-env": version("livestream-env"),
            **{module.__name__: module.__version__ for module in (torch, onnxscript)},
        },
    )
