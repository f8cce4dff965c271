"""What a learner needs of a vector environment: the transitions that really happened.

Gymnasium's vector environments start new episodes in three ways (``AutoresetMode``). This file
hides the difference: whichever mode, the same episodes give the same transitions.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
from gymnasium.envs.registration import EnvSpec, load_env_creator
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv

from livestream_env.observation import ObservationLayout


class VectorStep(NamedTuple):
    """One step of N environments.

    Attributes:
        observation: ``(N, D)``: where each environment stands now; the next action is for this.
        next_observation: ``(N, D)``: what the action led to; differs from ``observation`` where an
            episode ended and the next one has begun.
        reward: float ``(N,)``.
        terminated: bool ``(N,)``: the episode ended by itself; nothing follows.
        truncated: bool ``(N,)``: the episode was cut off; more would have followed.
        elapsed_s: float ``(N,)``: ``info["elapsed_s"]``, or None if the environment has none.
        live: bool ``(N,)``: False where the environment ignored the action to start an episode.
        began: bool ``(N,)``: ``observation`` is the first one of an episode.
        click: bool ``(N,)``: ``info["click"]``, or None if the environment has none.
    """

    observation: np.ndarray
    next_observation: np.ndarray
    reward: np.ndarray
    terminated: np.ndarray
    truncated: np.ndarray
    elapsed_s: np.ndarray | None
    live: np.ndarray
    began: np.ndarray
    click: np.ndarray | None = None


class EpisodeStream:
    """Steps a vector environment and says which transitions are real.

    Args:
        env: Any vector environment that names its autoreset mode in ``metadata``.

    Raises:
        ValueError: If it names none.
    """

    def __init__(self, env: VectorEnv) -> None:
        mode = env.metadata.get("autoreset_mode")
        if not isinstance(mode, AutoresetMode):
            raise ValueError(
                f"env.metadata['autoreset_mode'] must be one of {list(AutoresetMode)}, got {mode!r}"
            )
        self.env = env
        self.mode = mode
        self.ended = np.zeros(env.num_envs, dtype=bool)

    def reset(self, seed: int | None = None) -> np.ndarray:
        """Start an episode everywhere; observations ``(N, D)``."""
        self.ended = np.zeros(self.env.num_envs, dtype=bool)
        observation, _ = self.env.reset(seed=seed)
        return np.asarray(observation)

    def step(self, action: np.ndarray) -> VectorStep:
        """Take one action per environment, int ``(N,)``."""
        was_over = self.ended
        observation, reward, terminated, truncated, info = self.env.step(action)
        observation = next_observation = np.asarray(observation)
        self.ended = terminated | truncated

        live = np.ones(len(action), dtype=bool)
        began = self.ended
        if self.mode is AutoresetMode.NEXT_STEP:
            live, began = ~was_over, was_over
        elif self.ended.any() and self.mode is AutoresetMode.SAME_STEP:
            over = np.flatnonzero(self.ended)
            next_observation = observation.copy()
            next_observation[over] = np.stack(list(info["final_obs"][over]))
        elif self.ended.any():
            next_observation = observation.copy()
            observation, _ = self.env.reset(options={"reset_mask": self.ended})
        return VectorStep(
            np.asarray(observation),
            next_observation,
            np.asarray(reward),
            np.asarray(terminated),
            np.asarray(truncated),
            self._outcome(info, "elapsed_s"),
            live,
            began,
            self._outcome(info, "click"),
        )

    def _outcome(self, info: Mapping[str, Any], key: str) -> np.ndarray | None:
        """``info[key]`` of the step just taken, also where it ended an episode; None if missing."""
        final = info.get("final_info", {})
        if key not in final:
            return info.get(key)
        # ``info`` itself is of the observation returned: where an episode ended, of the next one.
        return np.where(self.ended, final[key], info.get(key, final[key]))


def make_training_env(
    env: str | gym.Env | VectorEnv, num_envs: int, env_kwargs: Mapping[str, Any] | None = None
) -> VectorEnv:
    """A vector environment to train on.

    Args:
        env: A vector environment (used as it is); an id, or a single environment that was made from
            one (``num_envs`` new ones are made: with the native vector class if the id has one,
            else with ``SyncVectorEnv``, starting episodes in the same step where that can be
            chosen); or any other single environment (used as it is, alone).
        num_envs: How many to make from an id.
        env_kwargs: Further arguments for an id.

    Raises:
        ValueError: If ``env`` is none of these, or ``env_kwargs`` come without an id.
    """
    kwargs = dict(env_kwargs or {})
    if isinstance(env, str):
        module, colon, name = env.rpartition(":")
        if colon:
            importlib.import_module(module)
        return _make_vec(gym.spec(name), num_envs, kwargs)
    if kwargs:
        raise ValueError(f"env_kwargs need env to be an id, got env={env!r}")
    if isinstance(env, VectorEnv):
        return env
    if isinstance(env, gym.Env):
        if env.spec is not None and not env.spec.additional_wrappers:
            return _make_vec(env.spec, num_envs, {})
        single = env
        return SyncVectorEnv([lambda: single], autoreset_mode=AutoresetMode.SAME_STEP)
    raise ValueError(f"env must be an id, a gymnasium Env or VectorEnv, got {type(env).__name__}")


def _make_vec(spec: EnvSpec, num_envs: int, kwargs: dict[str, Any]) -> VectorEnv:
    same_step = {"autoreset_mode": AutoresetMode.SAME_STEP}
    if spec.vector_entry_point is None:
        return gym.make_vec(spec, num_envs, "sync", vector_kwargs=same_step, **kwargs)
    entry = spec.vector_entry_point
    creator: Callable[..., Any] = load_env_creator(entry) if isinstance(entry, str) else entry
    if "autoreset_mode" in inspect.signature(creator).parameters:
        kwargs = same_step | kwargs
    return gym.make_vec(spec, num_envs, "vector_entry_point", **kwargs)


def env_layout(env: VectorEnv, needed: bool = True) -> ObservationLayout | None:
    """The environment's layout, or None if it has none.

    Args:
        env: With any wrappers.
        needed: Whether columns are read by it. If not, wrappers that move or rescale columns only
            take the layout away.

    Raises:
        ValueError: If columns are read, and a wrapper moves or rescales them.
    """
    # With the compiler, which lists of agents do without.
    from livestream_env.wrappers import column_changer, layout_under

    layout = layout_under(env)
    wrapper = column_changer(env)
    if layout is None or wrapper is None:
        return layout
    if needed:
        raise ValueError(
            f"{wrapper} moves or rescales columns of the observation, from which the agent reads "
            "its candidates and its mask: leave it out, or use network='mlp' with "
            "mask_actions=False or a mask_fn, which read none"
        )
    return None


def space_sizes(env: VectorEnv) -> tuple[int, int]:
    """Observation size D and number of actions N.

    Raises:
        ValueError: If observations are not a flat Box, or actions not Discrete from 0.
    """
    observation, action = env.single_observation_space, env.single_action_space
    if not isinstance(observation, gym.spaces.Box) or len(observation.shape) != 1:
        raise ValueError(f"observations must be a flat Box, got {observation}")
    if not isinstance(action, gym.spaces.Discrete) or action.start != 0:
        raise ValueError(f"actions must be Discrete, starting at 0, got {action}")
    return observation.shape[0], int(action.n)
