"""Stable-Baselines3's learners as baselines, behind the same interface as ours.

What is common to all of them is :class:`SB3Agent`; each algorithm adds little. On-policy ones learn
from many viewers at once through the native vector environment, as their users would; DQN-like
ones from one, because SB3 draws one exploration coin for all environments of a step.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import gymnasium as gym
import numpy as np
from sb3_contrib import QRDQN, MaskablePPO
from stable_baselines3 import PPO
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import configure
from stable_baselines3.common.utils import LinearSchedule
from stable_baselines3.common.vec_env import VecEnv, VecMonitor

from agents.policy import Callback
from agents.sb3.tuned_settings import TUNED
from agents.vector import make_training_env
from livestream_env.files import atomic_path
from livestream_env.sb3_vec_env import LiveStreamRecVecEnv
from livestream_env.settings import check_integer, check_names
from livestream_env.simulated_logs.policy import flat_layout
from livestream_env.vector_env import LiveStreamRecVectorEnv


class SB3Agent:
    """A model of Stable-Baselines3.

    Args:
        env: A single environment.
        seed: Seed of the network, the exploration and the viewers it trains with.
        tuned: Take the settings found for LiveStreamRec-v0 (:mod:`agents.sb3.tuned_settings`)
            instead of the library's defaults.
        **settings: Arguments of the model's class that replace the above, and three of our own:
            ``num_envs``, viewers stepped side by side; ``hidden_sizes``, units of each hidden
            layer; ``learning_rate_schedule``, ``"constant"`` or ``"linear"`` (to zero at the end).

    Raises:
        ValueError: Several viewers in an environment without a native vector class, or an unknown
            schedule.
    """

    model_class: ClassVar[type[BaseAlgorithm]]
    name: ClassVar[str]  # in TUNED
    defaults: ClassVar[Mapping[str, Any]] = {}
    own_settings: ClassVar[tuple[str, ...]] = ("num_envs", "hidden_sizes", "learning_rate_schedule")
    log_interval: ClassVar[int] = 100  # episodes, or for on-policy models rollouts

    def __init__(
        self, env: gym.Env, seed: int | None = None, tuned: bool = False, **settings: Any
    ) -> None:
        theirs = inspect.signature(self.model_class).parameters
        valid = [name for name in theirs if name not in ("env", "seed")]
        check_names(settings, [*valid, *self.own_settings], f"{type(self).__name__} has no setting")
        tuned_settings = TUNED[self.name] if tuned else {}
        chosen = {**self.defaults, **tuned_settings, **settings}
        dict_space = isinstance(env.observation_space, gym.spaces.Dict)
        policy = chosen.pop("policy", "MultiInputPolicy" if dict_space else "MlpPolicy")
        num_envs = chosen.pop("num_envs", 1)
        self.model: Any = self.model_class(
            policy, _training_env(env, num_envs), seed=seed, **self._arguments(chosen)
        )

    def _arguments(self, settings: dict[str, Any]) -> dict[str, Any]:
        """The model's arguments from ours."""
        arguments = {"device": "cpu", **settings}  # networks this small are slower on a GPU
        if "hidden_sizes" in arguments:
            sizes = list(arguments.pop("hidden_sizes"))
            arguments["policy_kwargs"] = {**arguments.get("policy_kwargs", {}), "net_arch": sizes}
        schedule = arguments.pop("learning_rate_schedule", "constant")
        if schedule not in ("constant", "linear"):
            raise ValueError(
                f"learning_rate_schedule must be 'constant' or 'linear', got {schedule!r}"
            )
        if schedule == "linear":
            default = inspect.signature(self.model_class).parameters["learning_rate"].default
            rate = arguments.get("learning_rate", default)
            arguments["learning_rate"] = LinearSchedule(rate, 0.0, 1.0)
        return arguments

    @property
    def num_timesteps(self) -> int:
        """Environment steps trained for so far, over all environments."""
        return int(self.model.num_timesteps)

    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: np.ndarray | None = None,
        deterministic: bool = False,
    ) -> tuple[np.ndarray, Any]:
        """See :class:`agents.policy.Policy`."""
        actions, state = self.model.predict(observation, state, episode_start, deterministic)
        return actions, state

    def learn(
        self,
        total_timesteps: int,
        callback: Callback | None = None,
        progress_bar: bool = False,
        log_dir: str | Path | None = None,
    ) -> Self:
        """Train.

        Args:
            total_timesteps: Environment steps to make; PPO completes the rollout it is in.
            callback: Called with the agent after each step of the environment, single or vector;
                returning False ends training.
            progress_bar: Show one.
            log_dir: Where to write ``progress.csv`` and TensorBoard's events.

        Returns:
            The agent.

        Raises:
            ValueError: ``total_timesteps`` is not an integer of at least 0.
        """
        check_integer("total_timesteps", total_timesteps, 0)
        if log_dir is not None:
            self.model.set_logger(configure(str(log_dir), ["csv", "tensorboard"]))
        self.model.learn(
            total_timesteps,
            callback=None if callback is None else _Call(self, callback),
            log_interval=self.log_interval,
            progress_bar=progress_bar,
        )
        return self

    def save(self, path: str | Path) -> None:
        """Store the model as SB3 does, in ``path`` (``.zip`` is appended if it has no suffix)."""
        path = Path(path)
        with atomic_path(path if path.suffix else path.with_suffix(".zip")) as temporary:
            self.model.save(temporary)

    @classmethod
    def load(
        cls, path: str | Path, env: gym.Env | None = None, *, trust_pickle: bool = False
    ) -> Self:
        """A stored agent.

        Args:
            path: The file.
            env: A single environment, needed to train on, not to predict.
            trust_pickle: Load it although it can hold code: SB3's files are pickles.

        Raises:
            ValueError: ``trust_pickle`` is not True; the file is not opened then.
        """
        if trust_pickle is not True:
            raise ValueError(
                f"{path} is a model of Stable-Baselines3, which holds pickled Python objects: to "
                "load it is to run whatever code is in it. If it is yours, or you trust who made "
                "it, pass trust_pickle=True (on the command line --trust-pickle)"
            )
        agent = cls.__new__(cls)
        agent.model = cls.model_class.load(path, device="cpu")
        if env is not None:
            agent.model.set_env(_training_env(env, agent.model.n_envs))
        return agent


class SB3PPO(SB3Agent):
    """Proximal policy optimisation (Schulman et al. 2017).

    The defaults are SB3's but for the rollout: its 2,048 steps are 32 of each of 64 viewers.
    """

    model_class: ClassVar[type[BaseAlgorithm]] = PPO
    name = "sb3-ppo"
    defaults: ClassVar[Mapping[str, Any]] = {"num_envs": 64, "n_steps": 32}
    log_interval = 1


class SB3MaskablePPO(SB3PPO):
    """PPO that gives empty slots no probability (sb3-contrib), for flat observations."""

    model_class = MaskablePPO
    name = "sb3-maskable-ppo"

    def __init__(
        self, env: gym.Env, seed: int | None = None, tuned: bool = False, **settings: Any
    ) -> None:
        layout = flat_layout(env, self)
        super().__init__(env, seed, tuned, **settings)
        self.model.layout = layout  # SB3 stores all attributes of a model

    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: np.ndarray | None = None,
        deterministic: bool = False,
    ) -> tuple[np.ndarray, Any]:
        """See :class:`agents.policy.Policy`; the mask is read from the observation."""
        mask = self.model.layout.action_mask(observation)
        actions, state = self.model.predict(
            observation, state, episode_start, deterministic, action_masks=mask
        )
        return actions, state


class SB3QRDQN(SB3Agent):
    """DQN that learns quantiles of the return (Dabney et al. 2018), of sb3-contrib.

    Takes ``n_quantiles`` as a further setting of its own.
    """

    model_class = QRDQN
    name = "sb3-qrdqn"

    own_settings = (*SB3Agent.own_settings, "n_quantiles")

    def _arguments(self, settings: dict[str, Any]) -> dict[str, Any]:
        arguments = super()._arguments(settings)
        if "n_quantiles" in arguments:
            quantiles = {"n_quantiles": arguments.pop("n_quantiles")}
            arguments["policy_kwargs"] = {**arguments.get("policy_kwargs", {}), **quantiles}
        return arguments


def _training_env(env: gym.Env, num_envs: int) -> gym.Env | VecEnv:
    """What SB3 trains on: the environment itself, or the native vector environment of its id."""
    if num_envs == 1:
        return env
    viewers = make_training_env(env, num_envs)
    if not isinstance(viewers, LiveStreamRecVectorEnv):
        raise ValueError(
            f"num_envs must be 1 for an environment without a native vector class, got {num_envs}"
        )
    return VecMonitor(LiveStreamRecVecEnv(viewers))


class _Call(BaseCallback):
    """Hands each step to a function of the agent."""

    def __init__(self, agent: SB3Agent, function: Callback) -> None:
        super().__init__()
        self.agent = agent
        self.function = function

    def _on_step(self) -> bool:
        return self.function(self.agent) is not False
