"""Normalisation by running statistics, as a part of a network."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from gymnasium import wrappers
from gymnasium.wrappers import vector as vector_wrappers
from torch import Tensor, nn

from livestream_env.wrappers import AnyEnv, column_changers

_NORMALIZERS = (wrappers.NormalizeObservation, vector_wrappers.NormalizeObservation)


class Normalization(nn.Module):
    """``(x - mean) / sqrt(variance + epsilon)``, clipped, in the precision of the statistics.

    Args:
        statistics: Has ``mean`` and ``var`` ``(D,)``, as they are now.
        epsilon: Added to the variance.
        limit: Results lie in [-limit, limit].
    """

    def __init__(self, statistics: Any, epsilon: float, limit: float = np.inf) -> None:
        super().__init__()
        self.mean: Tensor
        self.deviation: Tensor
        self.register_buffer("mean", torch.tensor(statistics.mean))
        self.register_buffer("deviation", torch.tensor(np.sqrt(statistics.var + epsilon)))
        self.limit = limit

    def forward(self, observation: Tensor) -> Tensor:
        """Float32 ``(B, D)`` to the same."""
        scaled = (observation.to(self.mean.dtype) - self.mean) / self.deviation
        if np.isfinite(self.limit):
            scaled = scaled.clamp(-self.limit, self.limit)
        return scaled.float()


def normalizations(policy: Any, env: AnyEnv) -> list[Normalization]:
    """What stands between the observations of the bare environment and the policy's, in order.

    Args:
        policy: May be a model of Stable-Baselines3, or have one, with a ``VecNormalize``.
        env: May have one ``NormalizeObservation``, single or vector.

    Raises:
        ValueError: If another wrapper changes observations.
    """
    changers = list(column_changers(env))
    foreign = [wrapper for wrapper in changers if not isinstance(wrapper, _NORMALIZERS)]
    if foreign or len(changers) > 1:
        names = ", ".join(type(wrapper).__name__ for wrapper in changers)
        raise ValueError(
            f"observations are changed by {names}, which is not exported: of such wrappers, one "
            "NormalizeObservation can become a part of the model"
        )
    found = [Normalization(wrapper.obs_rms, wrapper.epsilon) for wrapper in changers]
    model = getattr(policy, "model", policy)
    if hasattr(model, "get_vec_normalize_env"):
        vec_normalize = model.get_vec_normalize_env()
        if vec_normalize is not None and vec_normalize.norm_obs:
            found.append(
                Normalization(vec_normalize.obs_rms, vec_normalize.epsilon, vec_normalize.clip_obs)
            )
    return found
