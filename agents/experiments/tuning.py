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
from pkgutil import resolve_name
from typing import Any

import gymnasium as gym

from agents.evaluation import evaluate
from agents.experiments.search_spaces import Space
from agents.policy import AGENTS, Policy, agent_spec, learn
from livestream_env.extras import needs
from livestream_env.files import atomic_path

with needs("tune", __name__):
    import optuna
    from optuna.samplers import TPESampler
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend
    from optuna.trial import TrialState
with needs("agents", __name__):
    import pandas as pd

# Comparisons train with seeds from 2,000,000 and evaluate from 1,000,003.
TRAINING_SEED = 500_000
SCORING_SEED = 700_003
SCORING_EPISODES = 512
STARTUP_TRIALS = 4  # drawn at random, the defaults among them, before the sampler has an opinion

JOURNAL_FILE = "journal.log"


SPACES: dict[str, Space] = {
    name: resolve_name(spec.search_space) for name, spec in AGENTS.items() if spec.search_space
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

    def check(self) -> None:
        """Construct environment and agent once, with the defaults.

        Raises:
            ValueError: One of them cannot be made.
        """
        try:
            env = gym.make(self.env_id)
        except (gym.error.Error, TypeError, OSError) as error:
            raise ValueError(f"cannot make {self.env_id}: {error}") from error
        self.make(env, self.space.settings(self.space.defaults))
        env.close()

    def make(self, env: gym.Env, settings: Mapping[str, Any]) -> Policy:
        """The agent with these settings, otherwise untuned."""
        spec = agent_spec(self.agent)
        untuned = {"tuned": False} if "tuned" in spec.kwargs else {}
        return spec.make(env, seed=TRAINING_SEED, **untuned, **settings)

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
        policy = self.make(env, settings)
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
