"""The native vector environment as a Stable-Baselines3 ``VecEnv``.

Stable-Baselines3 refuses Gymnasium's vector environments, and its own step single environments
one by one. Needs the extra ``[sb3]``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from livestream_env.extras import needs
from livestream_env.vector_env import LiveStreamRecVectorEnv

with needs("sb3", __name__):
    from stable_baselines3.common.vec_env import VecEnv


class LiveStreamRecVecEnv(VecEnv):
    """Stable-Baselines3's view of a :class:`LiveStreamRecVectorEnv` in ``"SameStep"`` mode.

    Args:
        env: the vector environment, made with ``autoreset_mode="SameStep"``.
        info_keys: keys of ``info`` that are copied into each viewer's info at every step; none by
            default, because a dict per viewer costs more than the simulation.

    Raises:
        ValueError: ``env`` resets in another mode.
    """

    def __init__(self, env: LiveStreamRecVectorEnv, info_keys: Sequence[str] = ()) -> None:
        if env.metadata["autoreset_mode"] != AutoresetMode.SAME_STEP:
            raise ValueError(
                "env must be made with autoreset_mode='SameStep', got "
                f"{env.metadata['autoreset_mode'].value!r}"
            )
        self.env = env
        self.info_keys = tuple(info_keys)
        super().__init__(env.num_envs, env.single_observation_space, env.single_action_space)

    def reset(self) -> Any:
        """Observations of new episodes; uses the seeds of a preceding ``seed()``."""
        observation, _ = self.env.reset(seed=self._seeds if self._seeds[0] is not None else None)
        self._reset_seeds()
        self._reset_options()
        return observation

    def step_async(self, actions: NDArray[np.int64]) -> None:
        """Take the actions of the step to come."""
        self._actions = actions

    def step_wait(self) -> Any:
        """Play them: observations, float32 rewards, dones, list of infos."""
        played = self.env.play(self._actions)
        outcomes = played.outcomes
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        for key in self.info_keys:
            for one, value in zip(infos, outcomes[key], strict=True):
                one[key] = value
        done = outcomes["terminated"] | played.truncated
        for i, last in zip(np.flatnonzero(done).tolist(), played.last, strict=True):
            truncated = played.truncated[i] and not outcomes["terminated"][i]
            infos[i]["terminal_observation"] = self.env.simulation.shaped(last)
            infos[i]["TimeLimit.truncated"] = bool(truncated)
        observations = self.env.simulation.shaped(played.observations)
        return observations, outcomes["reward"].astype(np.float32), done, infos

    def close(self) -> None:
        """Close the vector environment."""
        self.env.close()

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """The attribute of the vector environment, once per viewer asked for."""
        return [getattr(self.env, attr_name)] * len(list(self._get_indices(indices)))

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Refused: viewers share one environment, whose arguments are set when it is made."""
        raise AttributeError(f"{attr_name} cannot be set: viewers share one vector environment")

    def env_method(
        self, method_name: str, *method_args: Any, indices: Any = None, **method_kwargs: Any
    ) -> list[Any]:
        """``action_masks``, one row per viewer (for MaskablePPO); other methods are refused."""
        if method_name != "action_masks":
            raise AttributeError(f"method_name must be 'action_masks', got {method_name!r}")
        masks = self.env.action_masks()
        return [masks[i] for i in self._get_indices(indices)]

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        """False for each: the viewers have no wrappers of their own."""
        return [False] * len(list(self._get_indices(indices)))
