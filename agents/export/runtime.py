"""An exported policy, run by ONNX Runtime: no PyTorch, no environment."""

from __future__ import annotations

import os
from typing import Any, Self

import numpy as np
import onnxruntime
from gymnasium.vector import VectorEnv

from agents.export.description import ModelDescription
from livestream_env.files import reading
from livestream_env.settings import check_integer


class OnnxPolicy:
    """What :func:`agents.export.export_policy` wrote, to play and to serve.

    A :class:`agents.policy.Policy` that chooses what the original chose: it masks if that did. A
    mask of the caller's replaces it. Where nothing is valid, all slots compete.

    Args:
        path: The ``.onnx`` file. Its reader runs no code that is in it.
        num_threads: Of one call; networks this small are fastest with one.

    Attributes:
        description: The model's metadata.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no such model, or ``num_threads`` is not an integer of at least 1.
    """

    def __init__(self, path: str | os.PathLike[str], num_threads: int = 1) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = check_integer("num_threads", num_threads, 1)
        with reading(path, "an ONNX model of a policy"):
            self._session = onnxruntime.InferenceSession(
                os.fspath(path), options, providers=["CPUExecutionProvider"]
            )
            metadata = self._session.get_modelmeta().custom_metadata_map
            self.description = ModelDescription.from_metadata(metadata)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """The same as ``OnnxPolicy(path)``, by the name that every learner has for it."""
        return cls(path)

    def bind(self, env: VectorEnv) -> None:
        """Check that ``env``, which is about to be played, has the model's columns.

        Raises:
            ValueError: It observes something else.
        """
        from livestream_env.wrappers import layout_under  # with the compiler, no need of a server's

        layout = layout_under(env)
        found = () if layout is None else layout.column_names
        if found != self.description.columns:
            lacking = [name for name in self.description.columns if name not in found]
            raise ValueError(
                f"the model was exported for {self.description.env_id} with "
                f"{self.description.env_kwargs}, of {self.description.observation_size} columns; "
                f"env has {len(found)}" + (f", and no {lacking[0]}" if lacking else "")
            )

    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: np.ndarray | None = None,
        deterministic: bool = False,
        action_masks: Any = None,
    ) -> tuple[np.ndarray, Any]:
        """Choose the action of the highest value; there is no exploration.

        Args:
            observation: ``(B, D)``, or a single one ``(D,)``.
            state: Returned as it is: the policy has no memory.
            episode_start: Not needed.
            deterministic: True in any case.
            action_masks: Valid actions, ``(B, N)`` or ``(N,)``; default: as the original masked.

        Returns:
            Actions, int64 ``(B,)`` or ``()``, and ``state``.

        Raises:
            ValueError: A wrong shape, a number that is not finite, or no mask for a policy whose
                mask was a function.
        """
        return self._run("action", observation, action_masks), state

    def q_values(self, observation: Any, action_masks: Any = None) -> np.ndarray:
        """Values of all actions, float32 ``(B, N)`` or ``(N,)``; -inf for masked ones.

        Arguments and errors as for :meth:`predict`.
        """
        return self._run("q_values", observation, action_masks)

    def _run(self, output: str, observation: Any, action_masks: Any) -> np.ndarray:
        about = self.description
        rows = np.asarray(observation, dtype=np.float32)
        if rows.ndim not in (1, 2) or rows.shape[-1] != about.observation_size:
            size = about.observation_size
            raise ValueError(
                f"observation must have shape ({size},) or (B, {size}), got {rows.shape}"
            )
        if not np.isfinite(rows).all():
            raise ValueError("observation must be finite, got NaN or infinity")
        mask = self._mask(rows) if action_masks is None else np.asarray(action_masks, dtype=bool)
        if mask.shape != (expected := (*rows.shape[:-1], about.num_actions)):
            raise ValueError(f"action_masks must have shape {expected}, got {mask.shape}")
        feed = {"observation": np.atleast_2d(rows), "action_mask": np.atleast_2d(mask)}
        (result,) = self._session.run([output], feed)
        return np.asarray(result if rows.ndim == 2 else result[0])

    def _mask(self, observation: np.ndarray) -> np.ndarray:
        """Which actions the original takes for valid, bool ``(..., N)``."""
        about = self.description
        if about.mask == "given":
            raise ValueError(
                "the policy was trained with a mask_fn, which is not in the model: "
                "give action_masks"
            )
        if about.mask == "none":
            return np.ones((*observation.shape[:-1], about.num_actions), dtype=bool)
        return np.asarray(observation[..., list(about.valid_columns)] > 0.5)
