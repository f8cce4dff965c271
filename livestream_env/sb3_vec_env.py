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
from livestream_env.infos import info_of_one
from livestream_env.vector_env import LiveStreamRecVectorEnv

with needs("sb3", __name__):
    from stable_baselines3.common.vec_env import VecEnv


class LiveStreamRecVecEnv(VecEnv):
    """Stable-Baselines3's view of a :class:`LiveStreamRecVectorEnv` in ``"SameStep"`` mode.

    Args:
        env: the vector environment, made with ``autoreset_mode="SameStep"``.
        info_keys: keys of ``info`` that are copied into each viewer's info at every step; none by
            default, because a dict per viewer costs more than the simulation.

    Attributes:
        reset_infos: for each viewer the info of the reset that began her episode.

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
        self.metadata["render_fps"] = env.metadata["render_fps"]  # for VecVideoRecorder

    def reset(self) -> Any:
        """Observations of new episodes, with what ``seed()`` and ``set_options()`` have set.

        Options are one dict for all viewers, or a list with a dict for each, of ``"viewer"`` and
        ``"day"`` as :meth:`LiveStreamRecVectorEnv.reset` takes them.

        Raises:
            ValueError: the options are not of that form; nothing is reset then.
        """
        seeds = self._seeds if self._seeds[0] is not None else None
        resets = self._resets()
        for options in resets:
            mask = options.get("reset_mask", np.ones(self.num_envs, np.bool_))
            self.env.simulation.starts(options, mask)  # all are checked before any begins
        for options in resets:
            observation, infos = self.env.reset(seed=seeds, options=options)
            for i in np.flatnonzero(infos["_viewer"]).tolist():
                self.reset_infos[i] = _of_slot(infos, i)
        self._reset_seeds()
        self._reset_options()
        return observation

    def _resets(self) -> list[dict[str, Any]]:
        """The options of as many resets as there are sets of names in the viewers' options."""
        given = self._options
        if len(given) != self.num_envs or not all(isinstance(one, dict) for one in given):
            raise ValueError(
                f"options must be a dict, or a list of num_envs={self.num_envs} dicts, got {given}"
            )
        groups: dict[tuple[str, ...], list[int]] = {}
        for i, one in enumerate(given):
            if "reset_mask" in one:
                raise ValueError(
                    "options must not have a 'reset_mask': a VecEnv resets all viewers"
                )
            groups.setdefault(tuple(sorted(one, key=str)), []).append(i)
        resets: list[dict[str, Any]] = []
        for names, members in groups.items():
            # What other viewers play does not matter: 0 can always be played.
            options: dict[str, Any] = {
                name: np.array([given[i][name] if i in members else 0 for i in range(len(given))])
                for name in names
            }
            if len(groups) > 1:
                options["reset_mask"] = np.isin(np.arange(self.num_envs), members)
            resets.append(options)
        return resets

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
            self.reset_infos[i] = info_of_one(played.now[i].item())
        observations = self.env.simulation.shaped(played.observations)
        return observations, outcomes["reward"].astype(np.float32), done, infos

    def close(self) -> None:
        """Close the vector environment."""
        self.env.close()

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """The attribute of each viewer asked for; see :meth:`LiveStreamRecVectorEnv.call`."""
        values = self.env.get_attr(attr_name)
        return [values[i] for i in self._get_indices(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Attach ``value`` to the viewers; see :meth:`LiveStreamRecVectorEnv.set_attr`."""
        chosen = set(self._get_indices(indices))
        before = (
            self.env.get_attr(attr_name) if self.has_attr(attr_name) else (None,) * self.num_envs
        )
        self.env.set_attr(
            attr_name, [value if i in chosen else old for i, old in enumerate(before)]
        )

    def env_method(
        self, method_name: str, *method_args: Any, indices: Any = None, **method_kwargs: Any
    ) -> list[Any]:
        """What :meth:`LiveStreamRecVectorEnv.call` answers for the viewers asked for."""
        values = self.env.call(method_name, *method_args, **method_kwargs)
        return [values[i] for i in self._get_indices(indices)]

    def get_images(self) -> list[NDArray[np.uint8] | None]:
        """A picture of each viewer's moment, (height, width, 3); None without ``"rgb_array"``.

        ``render()`` shows them as one, side by side.
        """
        if self.render_mode != "rgb_array":
            return [None] * self.num_envs
        return list(self.env.render() or ())

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        """False for each: the viewers have no wrappers of their own."""
        return [False] * len(list(self._get_indices(indices)))


def _of_slot(infos: dict[str, Any], i: int) -> dict[str, Any]:
    """Viewer ``i``'s part of a vector environment's infos, as the single environment has it."""
    own = {name: values for name, values in infos.items() if not name.startswith("_")}
    return {
        name: values[i].item() if values.ndim == 1 else values[i].copy()
        for name, values in own.items()
    }
