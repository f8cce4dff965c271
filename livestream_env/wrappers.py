"""Wrappers for other libraries' sake; and what any wrapper does to the observation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.utils import RecordConstructorArgs
from gymnasium.vector import VectorEnv, VectorObservationWrapper, VectorWrapper
from gymnasium.vector.utils import batch_space
from gymnasium.wrappers import MaxAndSkipObservation
from numpy.typing import NDArray

from livestream_env.observation import ObservationLayout


class MaskObservation(gym.ObservationWrapper[Any, Any, Any], RecordConstructorArgs):
    """Puts the mask of actions into the observation, for libraries that look for it there.

    The observation becomes a dict of what it was and of the mask, bool (N,). The default names are
    Tianshou's; RLlib's are ``observation="observations"`` and ``mask="action_mask"``.

    Args:
        env: A single environment with ``action_masks()`` under or in its wrappers.
        observation: Key of the observation.
        mask: Key of the mask.

    Raises:
        ValueError: The environment has no ``action_masks()``, or the keys are the same.
    """

    def __init__(
        self, env: gym.Env[Any, Any], observation: str = "obs", mask: str = "mask"
    ) -> None:
        RecordConstructorArgs.__init__(self, observation=observation, mask=mask)
        super().__init__(env)
        if not env.has_wrapper_attr("action_masks"):
            raise ValueError(f"env must have action_masks(), which {env} has not")
        self._keys = _two_keys(observation, mask)
        self._action_masks = env.get_wrapper_attr("action_masks")
        self.observation_space = _masked(env.observation_space, env.action_space, self._keys)

    def observation(self, observation: Any) -> dict[str, Any]:
        """Beside the mask of the moment."""
        return dict(zip(self._keys, (observation, self._action_masks()), strict=True))


class VectorMaskObservation(VectorWrapper):  # RLlib pins a Gymnasium in which it is not generic
    """:class:`MaskObservation` for vector environments, in every autoreset mode.

    Args:
        env: A vector environment of environments with ``action_masks()``.
        observation: Key of the observations.
        mask: Key of the masks, bool (num_envs, N).

    Raises:
        ValueError: The keys are the same.
    """

    def __init__(
        self, env: VectorEnv[Any, Any, Any], observation: str = "obs", mask: str = "mask"
    ) -> None:
        super().__init__(env)
        self.autoreset_mode = env.metadata["autoreset_mode"]  # TorchRL looks for it here
        self._keys = _two_keys(observation, mask)
        self.single_observation_space = _masked(
            env.single_observation_space, env.single_action_space, self._keys
        )
        self.observation_space = batch_space(self.single_observation_space, env.num_envs)

    def reset(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """The wrapped reset, with masks."""
        observations, infos = self.env.reset(**kwargs)
        return self._with_masks(observations), infos

    def step(self, actions: Any) -> tuple[dict[str, Any], Any, Any, Any, dict[str, Any]]:
        """The wrapped step, with masks; last observations of episodes have theirs, too."""
        observations, *rest, infos = self.env.step(actions)
        for i in np.flatnonzero(infos.get("_final_obs", False)).tolist():
            mask = infos["final_info"]["action_mask"][i].astype(np.bool_)
            infos["final_obs"][i] = dict(
                zip(self._keys, (infos["final_obs"][i], mask), strict=True)
            )
        return self._with_masks(observations), *rest, infos

    def _with_masks(self, observations: Any) -> dict[str, Any]:
        masks = np.stack(self.unwrapped.call("action_masks"))  # type: ignore[attr-defined]
        return dict(zip(self._keys, (observations, masks), strict=True))


class ArrayInfo(gym.Wrapper[Any, Any, Any, Any], RecordConstructorArgs):
    """Makes arrays of the numbers in ``info``, 0-d ones, for libraries that look at their dtype.

    TorchRL's ``auto_register_info_dict()`` does. The vector environment's infos are arrays anyway.

    Args:
        env: A single environment.
    """

    def __init__(self, env: gym.Env[Any, Any]) -> None:
        RecordConstructorArgs.__init__(self)
        super().__init__(env)

    def reset(self, **kwargs: Any) -> tuple[Any, dict[str, NDArray[Any]]]:
        """The wrapped reset, with arrays in its info."""
        observation, info = self.env.reset(**kwargs)
        return observation, {name: np.asarray(value) for name, value in info.items()}

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, NDArray[Any]]]:
        """The wrapped step, with arrays in its info."""
        *results, info = self.env.step(action)
        return *results, {name: np.asarray(value) for name, value in info.items()}


def _two_keys(observation: str, mask: str) -> tuple[str, str]:
    if observation == mask:
        raise ValueError(f"observation and mask must be two keys, got {mask!r} for both")
    return observation, mask


def _masked(
    observation: spaces.Space[Any], action: spaces.Space[Any], keys: tuple[str, str]
) -> spaces.Dict:
    """The space of a viewer's observation beside her mask."""
    if not isinstance(action, spaces.Discrete):
        raise ValueError(f"the action space must be Discrete, got {action}")
    mask = spaces.Box(0, 1, (int(action.n),), np.bool_)  # type: ignore[arg-type]
    return spaces.Dict(dict(zip(keys, (observation, mask), strict=True)))


AnyEnv = gym.Env[Any, Any] | VectorEnv[Any, Any, Any]
# Wrappers whose observations can be others in the same space.
_CHANGE_OBSERVATIONS = (gym.ObservationWrapper, VectorObservationWrapper, MaxAndSkipObservation)


def layout_under(env: AnyEnv) -> ObservationLayout | None:
    """The layout of what the environment under all wrappers observes; None if it has none."""
    bases = (base for base in _bases(env) if hasattr(base, "layout"))
    return next((base.layout for base in bases), None)


def column_changers(env: AnyEnv) -> Iterator[Any]:
    """The wrappers, from the outermost, after which columns are not where the layout says.

    They are those that are made to change observations, or that have another observation space than
    what they wrap. Any other wrapper can do so, too: see :func:`check_columns`.
    """
    for wrapper in _wrappers(env):
        if isinstance(wrapper, _CHANGE_OBSERVATIONS) or _space(wrapper) != _space(wrapper.env):
            yield wrapper


def column_changer(env: AnyEnv) -> str | None:
    """The name of the first of :func:`column_changers`; None if there is none."""
    return next((type(wrapper).__name__ for wrapper in column_changers(env)), None)


def check_columns(env: AnyEnv, observation: NDArray[np.float32]) -> None:
    """Compare what ``reset`` returned with what the environment under all wrappers observes.

    Args:
        env: Just reset.
        observation: ``(N, D)``, of the reset.

    Raises:
        ValueError: They differ: some wrapper rewrites observations.
    """
    names = [type(wrapper).__name__ for wrapper in _wrappers(env)]
    bases = [base for base in _bases(env) if hasattr(base, "simulation")]
    if not (names and bases):
        return
    truth = np.concatenate([base.simulation.observe() for base in bases])
    if truth.shape != observation.shape or not np.array_equal(truth, observation):
        raise ValueError(
            f"{' or '.join(dict.fromkeys(names))} rewrites the observation, of which the agent "
            "reads columns by their place: leave such a wrapper out"
        )


def _bases(env: AnyEnv) -> list[Any]:
    """What is under all wrappers: the vector environment, then the single ones that it steps."""
    base: Any = env.unwrapped
    return [base, *(single.unwrapped for single in getattr(base, "envs", []))]


def _wrappers(env: AnyEnv) -> Iterator[Any]:
    """From the outermost; those of a vector environment's single ones follow."""
    inner: Any = env
    while isinstance(inner, (gym.Wrapper, VectorWrapper)):
        yield inner
        inner = inner.env
    for single in getattr(inner, "envs", []):
        yield from _wrappers(single)


def _space(env: Any) -> spaces.Space[Any]:
    """Of one viewer's observation."""
    space: spaces.Space[Any] = getattr(env, "single_observation_space", env.observation_space)
    return space
