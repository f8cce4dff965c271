"""Searching the learners' main hyperparameters with Optuna, the same small budget for each.

A trial trains an agent once and scores its last policy. The viewers it trains with and those it is
scored on are others than those of any comparison (:class:`agents.experiments.runs.Run`,
:data:`agents.evaluation.EVALUATION_SEED`). Every study begins with the defaults, so that what is
chosen is at least as good as they are, on the viewers of the search.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium as gym
import optuna
import pandas as pd
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.samplers import TPESampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from agents.dqn.config import DQNConfig
from agents.evaluation import evaluate
from agents.policy import agent_spec, learn
from livestream_env.files import atomic_path

# Comparisons train with seeds from 2,000,000 and evaluate from 1,000,003.
TRAINING_SEED = 500_000
SCORING_SEED = 700_003
SCORING_EPISODES = 512
STARTUP_TRIALS = 4  # drawn at random, the defaults among them, before the sampler has an opinion

JOURNAL_FILE = "journal.log"


@dataclass(frozen=True)
class Space:
    """What is searched for one agent.

    Attributes:
        defaults: The first trial: the library's defaults, or our preset.
        distributions: What each hyperparameter is drawn from; its default is among that.
        hidden_layers: How many layers of ``width`` units the network has.
    """

    defaults: Mapping[str, Any]
    distributions: Mapping[str, BaseDistribution]
    hidden_layers: int = 2

    def settings(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """The agent's arguments: ``width`` becomes ``hidden_sizes``, the rest are their names."""
        others = {name: value for name, value in parameters.items() if name != "width"}
        return {**others, "hidden_sizes": (parameters["width"],) * self.hidden_layers}


def _choice(*values: Any) -> CategoricalDistribution:
    return CategoricalDistribution(values)


# What every learner has.
_COMMON: dict[str, BaseDistribution] = {
    "learning_rate": FloatDistribution(5e-5, 3e-3, log=True),
    "learning_rate_schedule": _choice("constant", "linear"),
    "width": _choice(64, 128, 256),
    "gamma": _choice(0.95, 0.98, 0.99, 0.995),
}
_PRESET = DQNConfig.preset("default")
_SB3_DQN_DEFAULTS: dict[str, Any] = {
    "learning_rate": 1e-4,
    "learning_rate_schedule": "constant",
    "width": 64,
    "gamma": 0.99,
    "n_steps": 1,
    "batch_size": 32,
    "train_freq": 4,
    "target_update_interval": 10_000,
    "exploration_fraction": 0.1,
}
_SB3_DQN: dict[str, BaseDistribution] = {
    **_COMMON,
    "n_steps": _choice(1, 3, 5),
    "batch_size": _choice(32, 64, 128),
    "train_freq": _choice(4, 8),
    "target_update_interval": _choice(500, 2_000, 10_000),
    "exploration_fraction": FloatDistribution(0.005, 0.5),
}
SPACES: dict[str, Space] = {
    "dqn": Space(
        {
            "width": _PRESET.hidden_sizes[0],
            "learning_rate": _PRESET.learning_rate,
            "learning_rate_schedule": _PRESET.learning_rate_schedule,
            "gamma": _PRESET.gamma,
            "n_step": _PRESET.n_step,
            "batch_size": _PRESET.batch_size,
            "train_interval": _PRESET.train_interval,
            "target_interval": _PRESET.target_interval,
            "epsilon_fraction": _PRESET.epsilon_fraction,
        },
        {
            **_COMMON,
            "n_step": _choice(1, 3, 5),
            "batch_size": _choice(128, 256, 512),
            "train_interval": _choice(8, 16, 32),
            "target_interval": _choice(125, 250, 500, 1_000),
            "epsilon_fraction": FloatDistribution(0.005, 0.5),
        },
        hidden_layers=1,
    ),
    "sb3-dqn": Space(_SB3_DQN_DEFAULTS, _SB3_DQN),
    # The library's default of 200 quantiles would take three times as long as 50 (230 instead of
    # 740 steps/s), and twenty times with larger batches.
    "sb3-qrdqn": Space(
        _SB3_DQN_DEFAULTS
        | {"learning_rate": 5e-5, "exploration_fraction": 0.005, "n_quantiles": 50},
        {**_SB3_DQN, "n_quantiles": _choice(25, 50)},
    ),
    # MaskablePPO has no space: with all slots filled, as in v0, it is PPO bit for bit. Nor has
    # SB3's DQN with our network, which takes our preset's settings.
    "sb3-ppo": Space(
        {
            "learning_rate": 3e-4,
            "learning_rate_schedule": "constant",
            "width": 64,
            "gamma": 0.99,
            "n_steps": 32,
            "batch_size": 64,
            "n_epochs": 10,
            "ent_coef": 0.0,
        },
        {
            **_COMMON,
            "n_steps": _choice(16, 32, 64, 128),  # of each of 64 viewers
            "batch_size": _choice(64, 256, 1_024),
            "n_epochs": _choice(4, 10, 20),
            "ent_coef": _choice(0.0, 0.003, 0.01, 0.03),
        },
    ),
}


@dataclass(frozen=True)
class Search:
    """One agent's search.

    Attributes:
        agent: A name in :data:`SPACES`.
        timesteps: Environment steps that each trial trains for.
        env_id: The environment.
        seed: Of the sampler.

    Raises:
        ValueError: An agent without a search space.
    """

    agent: str
    timesteps: int = 100_000
    env_id: str = "LiveStreamRec-v0"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.agent not in SPACES:
            raise ValueError(f"agent must be one of {', '.join(SPACES)}, got {self.agent!r}")

    @property
    def space(self) -> Space:
        """What is searched."""
        return SPACES[self.agent]

    def study(self, folder: Path) -> optuna.Study:
        """The study, begun in ``folder`` or gone on with.

        The sampler is seeded by the number of finished trials, so that a search that was
        interrupted goes on as if it had not been.
        """
        folder.mkdir(parents=True, exist_ok=True)
        study = optuna.create_study(
            storage=JournalStorage(JournalFileBackend(str(folder / JOURNAL_FILE))),
            study_name=f"{self.agent} {self.env_id} {self.timesteps}",
            direction="maximize",
            load_if_exists=True,
        )
        study.sampler = TPESampler(
            seed=self.seed + len(finished(study)),
            n_startup_trials=STARTUP_TRIALS,
            multivariate=True,
            constant_liar=False,  # a trial that was interrupted is no trial
        )
        return study

    def run_trial(
        self, folder: Path, callback: Callable[[Any], object] | None = None
    ) -> optuna.trial.FrozenTrial:
        """Run the next trial and store its score; one that raises an error counts as failed.

        Args:
            folder: Of the journal.
            callback: Told of the training's progress, as by :meth:`agents.policy.Policy`.

        Returns:
            The finished trial.
        """
        study = self.study(folder)
        if not finished(study):
            study.enqueue_trial(dict(self.space.defaults))
        trial = study.ask(dict(self.space.distributions))
        start = time.process_time()
        try:
            score = self.score(self.space.settings(trial.params), callback)
        except (ArithmeticError, ValueError) as error:  # a network that diverged
            trial.set_user_attr("error", str(error))
            return study.tell(trial, state=TrialState.FAIL)
        trial.set_user_attr("cpu_s", time.process_time() - start)
        return study.tell(trial, score)

    def score(
        self, settings: Mapping[str, Any], callback: Callable[[Any], object] | None = None
    ) -> float:
        """Train with these settings: mean reward per episode of the last policy."""
        env = gym.make(self.env_id)
        spec = agent_spec(self.agent)
        untuned = {"tuned": False} if "tuned" in spec.kwargs else {}
        policy = spec.make(env, seed=TRAINING_SEED, **untuned, **settings)
        learn(policy, self.timesteps, callback=callback)
        env.close()
        episodes = evaluate(policy, self.env_id, episodes=SCORING_EPISODES, seed=SCORING_SEED)
        return float(episodes["reward"].mean())


def finished(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    """The trials that came to an end, also a bad one."""
    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.FAIL))


def trials_table(folder: Path) -> pd.DataFrame:
    """All finished trials of all searches of ``folder``, one a row.

    Returns:
        Columns ``agent``, ``env_id``, ``timesteps``, ``trial`` (0: the defaults), ``score`` (mean
        reward per episode; empty if it failed), ``cpu_s``, then every hyperparameter, empty where
        an agent has no such one.
    """
    storage = JournalStorage(JournalFileBackend(str(folder / JOURNAL_FILE)))
    rows = []
    for name in optuna.get_all_study_names(storage):
        agent, env_id, timesteps = name.split(" ")
        trials = finished(optuna.load_study(study_name=name, storage=storage))
        rows += [
            {
                "agent": agent,
                "env_id": env_id,
                "timesteps": int(timesteps),
                "trial": number,
                "score": trial.value,
                "cpu_s": trial.user_attrs.get("cpu_s"),
                **trial.params,
            }
            for number, trial in enumerate(trials)
        ]
    return pd.DataFrame(rows).convert_dtypes()  # integers where others have no such column


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write what :func:`trials_table` returns as CSV, atomically."""
    with atomic_path(path) as temporary:
        table.round({"score": 3, "cpu_s": 1, "learning_rate": 6, "exploration_fraction": 4,
                     "epsilon_fraction": 4}).to_csv(temporary, index=False)  # fmt: skip
