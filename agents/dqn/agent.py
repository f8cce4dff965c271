"""The hand-written DQN: deep Q-learning (Mnih et al. 2015) and its usual refinements as switches.

:meth:`DQN.learn` is the outer half of the algorithm (act, store, when to learn),
:meth:`agents.dqn.learner.QLearner.update` the inner one (what is learned from a batch).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, Self

import gymnasium as gym
import numpy as np
from gymnasium.vector import VectorEnv

from agents.dqn.columns import ColumnLayout
from agents.dqn.config import PRESETS, DQNConfig
from agents.dqn.diagnostics import Diagnostics, diagnose, td_errors
from agents.dqn.files import DQNState, reads_columns
from agents.dqn.learner import MaskFunction
from agents.dqn.offline import learn_offline
from agents.dqn.training_log import EpisodeStatistics, TrainingLog
from agents.vector import VectorStep, env_layout, make_training_env, space_sizes
from livestream_env.decisions import Decisions
from livestream_env.settings import check_integer
from livestream_env.wrappers import check_columns


class DQN(DQNState):
    """Deep Q-learning on many environments at once.

    Args:
        env: A Gymnasium vector environment; or an id, or a single environment made from one, of
            which ``config.num_envs`` are made (:func:`agents.vector.make_training_env`).
            Observations are a flat Box, actions Discrete.
        config: Settings, or the name of a preset.
        seed: Replaces ``config.seed``. The same seed gives the same bits.
        env_kwargs: Further arguments of the environment, for an id.
        mask_fn: Maps observations ``(B, D)`` to valid actions, bool ``(B, N)``; default: the mask
            of the environment's layout, if it has one.
        **settings: Fields of :class:`DQNConfig` that replace those of ``config``.

    Attributes:
        config: The settings, with the seed that was drawn if none was given.
        num_timesteps: Environment steps so far, over all environments.
        learner: Networks and optimiser.
        env: The vector environment; None for an agent loaded without one.
        replay: The replay memory, once learning has begun.

    Raises:
        ValueError: Spaces that do not fit, a setting the environment cannot serve, or a wrapper
            that moves or rescales columns which are read.
    """

    def __init__(
        self,
        env: str | gym.Env | VectorEnv,
        config: DQNConfig | str = "default",
        *,
        seed: int | None = None,
        env_kwargs: Mapping[str, Any] | None = None,
        mask_fn: MaskFunction | None = None,
        **settings: Any,
    ) -> None:
        if seed is not None:
            settings["seed"] = seed
        if isinstance(config, str):
            config = DQNConfig.preset(config, **settings)
        elif isinstance(config, DQNConfig):
            config = config.replace(settings)
        else:
            raise ValueError(
                f"config must be a DQNConfig or the name of a preset ({', '.join(sorted(PRESETS))})"
                f", got {config!r}; single settings are arguments, as in DQN(env, gamma=0.9)"
            )
        vector_env = make_training_env(env, config.num_envs, env_kwargs)
        layout = env_layout(vector_env, reads_columns(config, mask_fn))
        columns = None if layout is None else ColumnLayout.of(layout, config.history_length)
        self._build(config, *space_sizes(vector_env), columns, mask_fn)
        self.set_env(vector_env)

    def learn(
        self,
        total_timesteps: int,
        callback: Callable[[Self], object] | None = None,
        progress_bar: bool = False,
        log_dir: str | os.PathLike[str] | None = None,
        *,
        log_interval: int = 5_000,
        reset_num_timesteps: bool = True,
    ) -> Self:
        """Train.

        Args:
            total_timesteps: Environment steps to make, summed over the environments; the last step
                of all environments together may exceed it.
            callback: Called with the agent after each vector step; returning False ends training.
            progress_bar: Show one.
            log_dir: Where to write ``progress.csv`` and TensorBoard's events.
            log_interval: Environment steps between two rows of the log.
            reset_num_timesteps: True: a new training, step count and schedules begin anew. False:
                go on where the last call, or the checkpoint, stopped; then training M steps,
                stopped after N and continued with M - N, equals training M steps in one go. A
                loaded model has no transitions yet: it gathers ``learning_starts`` before it learns
                on.

        Returns:
            The agent.

        Raises:
            ValueError: If the agent was loaded without an environment, ``total_timesteps`` is not
                an integer of at least 0, ``log_interval`` not one of at least 1, or a setting is
                for :meth:`learn_offline` only.
        """
        self.config.check_online()
        check_integer("total_timesteps", total_timesteps, 0)
        check_integer("log_interval", log_interval, 1)
        if self.env is None:
            raise ValueError("the agent has no environment: call set_env, or load it with env=")
        if reset_num_timesteps:
            self.num_timesteps = self.learner.num_updates = 0
            self._began = (0, 0)
            self._observation = None
        self._horizon = self.num_timesteps + total_timesteps
        observation = self._begin_episodes() if self._observation is None else self._observation

        with TrainingLog(
            log_dir, progress_bar, self.num_timesteps, self._horizon, log_interval
        ) as log:
            while self.num_timesteps < self._horizon:
                action = self._act(observation, self.exploration_rate, self._rng["explore"])
                step = self._stream.step(action)
                self._store(action, step)
                self._observation = observation = step.observation
                self.num_timesteps += int(step.live.sum())

                while self.learner.num_updates < self._updates_due:
                    self._update()

                if log.row_is_due(self.num_timesteps):
                    log.write(self.num_timesteps, self._metrics())
                if callback is not None and callback(self) is False:
                    break
        return self

    def learn_offline(
        self,
        decisions: Decisions,
        num_updates: int,
        callback: Callable[[int], object] | None = None,
        progress_bar: bool = False,
    ) -> Self:
        """Learn from logged decisions only; no environment is played.

        Masks, discounts and n-step returns are those of :meth:`learn`. Two settings correct for
        actions that were hardly ever logged: ``cql_weight`` (conservative Q-learning, Kumar et
        al. 2020) and ``bcq_threshold`` (batch-constrained Q-learning, Fujimoto et al. 2019; the
        behaviour policy is estimated from the same decisions).

        Args:
            decisions: Of ``livestream_env.decisions.read_decisions``.
            num_updates: Gradient steps; the learning rate's schedule spans them.
            callback: Called with the number of updates after each; returning False ends training.
            progress_bar: Show one.

        Returns:
            The agent.

        Raises:
            ValueError: ``decisions`` are of another size than the agent, or there are none.
        """
        learn_offline(self, decisions, num_updates, callback, progress_bar)
        return self

    def _begin_episodes(self) -> np.ndarray:
        """Reset all environments; the first observations ``(N, D)``."""
        assert self.env is not None
        if self.replay is None:
            self.replay = self._make_replay()
            self._began = (self.num_timesteps, self.learner.num_updates)
        self._episodes = EpisodeStatistics(self.env.num_envs)
        observation = self._stream.reset(seed=int(self._rng["env"].integers(2**31)))
        if self._reads_columns and self.layout is not None:
            check_columns(self.env, observation)
        self.replay.begin(np.arange(self.env.num_envs), observation)
        return observation

    def _act(self, observation: Any, epsilon: float, rng: np.random.Generator) -> np.ndarray:
        """ε-greedy valid actions, int64 ``(B,)``, one coin per observation of ``(B, D)``."""
        values = self.learner.q_values(np.ascontiguousarray(observation, dtype=np.float32))
        action: np.ndarray = values.argmax(axis=1)
        if epsilon > 0.0:
            explores = rng.random(len(values)) < epsilon
            ticket = np.where(np.isneginf(values), -1.0, rng.random(values.shape))
            action = np.where(explores, ticket.argmax(axis=1), action)
        return action

    def _store(self, action: np.ndarray, step: VectorStep) -> None:
        """Put what really happened into the replay memory and the statistics."""
        assert self.replay is not None
        discount = self.config.discounts(step.terminated, step.elapsed_s)
        live, began = np.flatnonzero(step.live), np.flatnonzero(step.began)
        reward = step.reward[live]
        click = None
        if self.config.q_form == "click" and len(live):
            if step.click is None:
                raise ValueError("q_form='click' needs an env with info['click']")
            click = step.click[live]
        self.replay.append(
            live, action[live], reward, discount[live], step.next_observation[live], click
        )
        if len(began):
            self.replay.begin(began, step.observation[began])
        self._episodes.add(live, reward, (step.terminated | step.truncated)[live])

    def _update(self) -> None:
        """One gradient step on a fresh batch, at the current place of the schedules."""
        assert self.replay is not None
        beta = self.config.priority_beta(self._progress)
        batch = self.replay.sample(self.config.batch_size, self._rng["replay"], beta)
        td_error = self.learner.update(batch, self.config.learning_rate_at(self._progress))
        if self.config.prioritized:
            self.replay.update_priorities(batch.cell, td_error.cpu().numpy())

    @property
    def _updates_due(self) -> int:
        """Updates to have made by now: owed are those for transitions that were gathered."""
        steps, updates = self._began
        return updates + self.config.updates_due(self.num_timesteps - steps)

    @property
    def _progress(self) -> float:
        """Share of this training that is over; 1 outside any."""
        return min(self.num_timesteps / self._horizon, 1.0) if self._horizon else 1.0

    @property
    def exploration_rate(self) -> float:
        """The current ε."""
        return self.config.epsilon(self._progress)

    def _metrics(self) -> dict[str, float]:
        """One row of the log; nan where there is nothing to average yet."""
        return {
            **self._episodes.means(),
            "rollout/exploration_rate": self.exploration_rate,
            "train/learning_rate": self.config.learning_rate_at(self._progress),
            "train/n_updates": self.learner.num_updates,
            **self.learner.pop_metrics(),
            **dict(zip(("train/td_fresh", "train/td_replayed"), td_errors(self), strict=True)),
        }

    def diagnose(
        self, env_id: str = "LiveStreamRec-v0", env_kwargs: Mapping[str, Any] | None = None
    ) -> Diagnostics:
        """Is it learning, and if not, why? Plays held-out episodes; changes nothing.

        Args:
            env_id: An environment that the agent's observations are of.
            env_kwargs: Its arguments.

        Returns:
            What :class:`agents.dqn.Diagnostics` lists; docs/learning.md says how to read it.
        """
        return diagnose(self, env_id, env_kwargs)

    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: np.ndarray | None = None,
        deterministic: bool = False,
    ) -> tuple[np.ndarray, Any]:
        """Choose actions; changes nothing that training depends on.

        Args:
            observation: ``(B, D)``, or a single one ``(D,)``.
            state: Returned as it is: the policy has no memory.
            episode_start: Not needed.
            deterministic: True: greedy. False: ε-greedy at the current exploration rate.

        Returns:
            Actions, int64 ``(B,)`` or ``()``, and ``state``.

        Raises:
            ValueError: If the observation has another shape.
        """
        array = np.asarray(observation)
        if array.ndim not in (1, 2) or array.shape[-1] != self.observation_size:
            size = self.observation_size
            raise ValueError(
                f"observation must have shape ({size},) or (B, {size}), got {array.shape}"
            )
        epsilon = 0.0 if deterministic else self.exploration_rate
        action = self._act(np.atleast_2d(array), epsilon, self._rng["predict"])
        return action.reshape(array.shape[:-1]), state
