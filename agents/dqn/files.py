"""What a DQN agent consists of, and its files.

There are two kinds of files: a model to predict with, and a checkpoint to go on training from.
"""

from __future__ import annotations

import dataclasses
import os
import secrets
from typing import Any, Self

import numpy as np
import torch
from gymnasium.vector import VectorEnv

from agents.dqn.checkpoint import (
    checkpoint_path,
    read_checkpoint,
    with_prefix,
    without_prefix,
    write_checkpoint,
)
from agents.dqn.checks import (
    Description,
    check_arrays,
    check_env_arrays,
    check_episodes,
    check_learner,
    check_replay,
    check_updates,
)
from agents.dqn.columns import ColumnLayout
from agents.dqn.config import DQNConfig
from agents.dqn.learner import MaskFunction, QLearner
from agents.dqn.replay_memory import ReplayBuffer
from agents.dqn.training_log import EpisodeStatistics
from agents.vector import EpisodeStream, env_layout, space_sizes
from livestream_env.files import array_from_bytes, array_to_bytes, reading

# One stream of random numbers per purpose: predicting between two updates then changes neither.
_STREAMS = ("env", "explore", "replay", "predict")


def reads_columns(config: DQNConfig, mask_fn: MaskFunction | None) -> bool:
    """Whether an agent of these settings looks for anything in a certain column."""
    return config.network == "candidate" or (config.mask_actions and mask_fn is None)


class DQNState:
    """Building, saving and loading: :class:`agents.dqn.DQN` but for the algorithm."""

    def _build(
        self,
        config: DQNConfig,
        observation_size: int,
        num_actions: int,
        layout: ColumnLayout | None,
        mask_fn: MaskFunction | None,
    ) -> None:
        """Everything but the environment."""
        if config.seed is None:
            config = dataclasses.replace(config, seed=secrets.randbits(32))
        self.config = config
        self.observation_size = observation_size
        self.num_actions = num_actions
        self.layout = layout
        self._reads_columns = reads_columns(config, mask_fn)
        *streams, weights = np.random.SeedSequence(config.seed).spawn(len(_STREAMS) + 1)
        self._rng = dict(zip(_STREAMS, map(np.random.default_rng, streams), strict=True))
        weights_seed = int(weights.generate_state(1)[0])
        self.learner = QLearner(
            config, observation_size, num_actions, layout, mask_fn, weights_seed
        )
        self.env: VectorEnv | None = None
        self.replay: ReplayBuffer | None = None
        self.num_timesteps = 0
        self._horizon = 0  # num_timesteps at the end of this training
        self._began = (0, 0)  # num_timesteps and num_updates when the replay memory was empty
        self._observation: np.ndarray | None = None  # (N, D), None before the first reset

    def set_env(self, env: VectorEnv) -> None:
        """Train on another environment from now on, in new episodes.

        The replay memory is kept if ``env`` steps as many environments as the one before.

        Raises:
            ValueError: If its spaces or its layout are not those the agent was made for, or a
                wrapper moves or rescales columns that are read.
        """
        mine, sizes = (self.observation_size, self.num_actions), space_sizes(env)
        if sizes != mine:
            raise ValueError(f"env must have (observation size, actions) = {mine}, got {sizes}")
        layout = env_layout(env, self._reads_columns)
        if layout is not None and not self.fits(layout):
            raise ValueError("env must have the layout that the agent was made for")
        self.env = env
        self._stream = EpisodeStream(env)
        self._episodes = EpisodeStatistics(env.num_envs)
        self._observation = None
        if self.replay is not None and self.replay.num_envs != env.num_envs:
            self.replay = None

    def fits(self, layout: Any) -> bool:
        """Whether the columns that it reads by their place are those of ``layout``.

        Args:
            layout: An environment's ``ObservationLayout``.
        """
        if self.layout is None:
            return True
        columns = ColumnLayout.of(layout, self.config.history_length)
        return columns.to_json() == self.layout.to_json()

    def _set_env_for(self, path: str | os.PathLike[str], env: VectorEnv) -> None:
        """:meth:`set_env`, of an agent from a file: errors name both."""
        try:
            self.set_env(env)
        except ValueError as error:
            raise ValueError(f"{checkpoint_path(path)} does not fit env: {error}") from error

    def _make_replay(self) -> ReplayBuffer:
        assert self.env is not None
        config = self.config
        alpha = config.priority_alpha if config.prioritized else None
        return ReplayBuffer(
            config.replay_size,
            self.env.num_envs,
            self.observation_size,
            config.n_step,
            alpha,
            self.learner.device,
            config.q_form == "click",
        )

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write what predicting needs (weights, settings, layout) to one safetensors file."""
        arrays = with_prefix("network", self.learner.network_state())
        if self.learner.behaviour is not None:
            weights = self.learner.behaviour.network.state_dict().items()
            state = {name: value.cpu().numpy() for name, value in weights}
            arrays |= with_prefix("behaviour", state)
        write_checkpoint(path, "model", arrays, self._description().to_json())

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        env: VectorEnv | None = None,
        *,
        device: str = "auto",
        mask_fn: MaskFunction | None = None,
    ) -> Self:
        """An agent from a file that :meth:`save` wrote.

        Args:
            path: The file.
            env: To learn more in; predicting needs none.
            device: Where to put the networks.
            mask_fn: That of the saved agent, if it had one.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: It is another kind of file, it is damaged or without a checksum (as files
                from before there was one), or ``env`` does not fit.
        """
        arrays, header = read_checkpoint(path, "model")
        with reading(checkpoint_path(path), "a model of a DQN"):
            description = Description.from_json(header)
            network = without_prefix("network", arrays)
            check_arrays(network, description.network_shapes())
            behaviour = without_prefix("behaviour", arrays)
            if behaviour:
                check_arrays(behaviour, description.behaviour_shapes())
        agent = cls._from_description(description, device, mask_fn)
        agent.learner.load_network_state(network)
        if behaviour:
            agent.learner.load_behaviour(behaviour)
        agent.learner.num_updates = description.num_updates
        if env is not None:
            agent._set_env_for(path, env)
        return agent

    def save_checkpoint(self, path: str | os.PathLike[str]) -> None:
        """Write all that training depends on, to go on from bit for bit.

        An environment without ``get_state`` and ``set_state`` cannot take part: training then goes
        on in new episodes.

        Raises:
            ValueError: If training has not begun, or the environment's state holds Python objects.
        """
        if self.env is None or self.replay is None or self._observation is None:
            raise ValueError("there is no training to save: call learn first, or use save")
        arrays = {
            "torch_rng": torch.get_rng_state().numpy(),
            **with_prefix("learner", self.learner.state_dict()),
            **with_prefix("replay", self.replay.state_dict()),
        }
        if hasattr(self.env.unwrapped, "get_state"):
            arrays["env/state"] = array_to_bytes(self.env.unwrapped.get_state())
            arrays["env/observation"] = self._observation
            arrays["env/ended"] = self._stream.ended
            arrays.update(with_prefix("episodes", self._episodes.state_dict()))
        rng = {name: generator.bit_generator.state for name, generator in self._rng.items()}
        write_checkpoint(path, "checkpoint", arrays, {**self._description().to_json(), "rng": rng})

    @classmethod
    def load_checkpoint(
        cls,
        path: str | os.PathLike[str],
        env: VectorEnv,
        *,
        device: str = "auto",
        mask_fn: MaskFunction | None = None,
    ) -> Self:
        """An agent from a file that :meth:`save_checkpoint` wrote.

        ``agent.learn(remaining, reset_num_timesteps=False)`` then goes on. Sets PyTorch's global
        random state, too.

        Args:
            path: The file.
            env: Like the one trained in; its state is replaced.
            device: Where to put the networks.
            mask_fn: That of the saved agent, if it had one.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: It is another kind of file, it is damaged or without a checksum (as files
                from before there was one), or ``env`` does not fit.
        """
        arrays, header = read_checkpoint(path, "checkpoint")
        with reading(checkpoint_path(path), "a checkpoint of a DQN"):
            description = Description.from_json(header)
            learner = without_prefix("learner", arrays)
            check_learner(learner, description)
            count = len(arrays["replay/head"])
            check_updates(description, count)
        if env.num_envs != count:
            raise ValueError(
                f"{checkpoint_path(path)} does not fit env, which has {env.num_envs} environments, "
                f"the checkpoint {count}"
            )
        agent = cls._from_description(description, device, mask_fn)
        agent.learner.num_updates = description.num_updates
        agent._set_env_for(path, env)
        agent._began = description.began
        with reading(checkpoint_path(path), "a checkpoint of a DQN"):
            agent._take_over(learner, arrays, header["rng"])
        return agent

    def _take_over(
        self, learner: dict[str, np.ndarray], arrays: dict[str, np.ndarray], rng: dict[str, Any]
    ) -> None:
        """Go on from the arrays of a checkpoint; what is not the agent's own is set last."""
        assert self.env is not None
        self.learner.load_state_dict(learner)
        sizes = self.env.num_envs, self.observation_size
        replay = without_prefix("replay", arrays)
        self.replay = self._make_replay()
        check_replay(replay, self.replay.num_rows, *sizes, self.num_actions, self.config)
        self.replay.load_state_dict(replay)
        if rng.keys() != self._rng.keys():
            raise ValueError(f"rng must be of {', '.join(self._rng)}, got {', '.join(rng)}")
        for name, generator in self._rng.items():
            generator.bit_generator.state = rng[name]
        torch_rng = torch.from_numpy(arrays["torch_rng"])
        torch.Generator().set_state(torch_rng)  # raises if that is no state
        if "env/state" in arrays:
            stands = without_prefix("env", arrays)
            state = array_from_bytes(stands.pop("state"))
            check_env_arrays(stands, *sizes)
            episodes = without_prefix("episodes", arrays)
            check_episodes(episodes, self.env.num_envs)
            self._episodes.load_state_dict(episodes)
            self.env.unwrapped.set_state(state)  # type: ignore[attr-defined]
            self._observation, self._stream.ended = stands["observation"], stands["ended"]
        torch.set_rng_state(torch_rng)

    def _description(self) -> Description:
        """What the agent is and how far it has come."""
        return Description(
            self.config,
            self.observation_size,
            self.num_actions,
            self.layout,
            self.num_timesteps,
            self.learner.num_updates,
            self._horizon,
            self._began,
        )

    @classmethod
    def _from_description(
        cls, description: Description, device: str, mask_fn: MaskFunction | None
    ) -> Self:
        agent = cls.__new__(cls)
        agent._build(
            dataclasses.replace(description.config, device=device),
            description.observation_size,
            description.num_actions,
            description.layout,
            mask_fn,
        )
        agent.num_timesteps = description.num_timesteps
        agent._horizon = description.horizon
        return agent
