"""The study of off-policy evaluation: logs of three policies, ten to judge, and the truth.

Only a simulator can play what is estimated. A cell of the study is a log of one behaviour policy;
its first decisions are the smaller logs. All estimators judge all targets from each of them.
"""

from __future__ import annotations

import os
import pickle
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
import pandas as pd

from agents.dqn.cloning import BehaviourCloning
from agents.evaluation import EVALUATION_SEED, evaluate
from agents.experiments.offline import BEHAVIOURS
from agents.experiments.workers import THREAD_VARIABLES
from agents.ope.estimators import ESTIMATORS
from agents.ope.evaluation import check_estimators, evaluate_off_policy
from agents.ope.targets import TargetPolicy
from agents.policy import agent_spec
from agents.vector import make_training_env
from livestream_env.decisions import Decisions, decision_writer, read_decisions
from livestream_env.files import atomic_path
from livestream_env.settings import check_choice
from livestream_env.simulated_logs.recording import describe, log_decisions
from livestream_env.wrappers import layout_under

DAY, SESSION = "LiveStreamRec-v0", "LiveStreamRecSession-v0"
TRAINING_STEPS = 100_000  # of the DQN
CLONED_STEPS, CLONING_UPDATES = 30_000, 2_000
NUM_ENVS = 1_000  # played side by side for the truth
EPSILON = 0.3  # share of uniform decisions of all that would be deterministic
# Of the first log of each kind; the estimators were chosen on logs of smaller seeds.
FIRST_SEED = 2_001


class Played(NamedTuple):
    """A world of the study.

    Attributes:
        env_kwargs: The world, and what is observed of it.
        dqn: Our DQN with the preset made for it.
    """

    env_kwargs: Mapping[str, Any]
    dqn: str


WORLDS = {
    "default": Played({}, "dqn"),
    "plain": Played({"world": "plain", "traces": False}, "dqn?config=plain"),
}


class Horizon(NamedTuple):
    """What is estimated: mean reward of an episode's first decisions, or of all."""

    label: str
    env_id: str
    decisions: int | None


HORIZONS = {
    "first-5": Horizon("first 5 of a session", SESSION, 5),
    "session": Horizon("session", SESSION, None),
    "day": Horizon("day", DAY, None),
}

# In tables → agent (``dqn``: as the world has it), share of uniform decisions.
TARGETS = {
    "random": ("random", 0.0),
    "popularity": ("popularity", EPSILON),
    "half logging": ("logging?uniform_share=0.5", 0.0),
    "logging policy": ("logging", 0.0),
    "affinity": ("affinity", EPSILON),
    "greedy": ("greedy", EPSILON),
    "far-sighted": ("farsighted", EPSILON),
    "planner, cloned": ("planner", EPSILON),
    "DQN": ("dqn", EPSILON),
    "DQN, deterministic": ("dqn", 0.0),
}


@dataclass(frozen=True)
class OpeStudy:
    """The plan.

    Attributes:
        folder: Where it writes.
        sizes: Decisions of each log, ascending.
        repeats: Logs of each behaviour policy and environment.
        resamples: Of each interval.
        truth_episodes: Sessions played for the truth; of days, which are longer, half as many.
        first_seed: Of the first log of each kind.
        horizons: Keys of :data:`HORIZONS`.
        estimators: Keys of :data:`agents.ope.estimators.ESTIMATORS`.
        world: Key of :data:`WORLDS`.

    Raises:
        ValueError: There is no such horizon, estimator or world.
    """

    folder: Path
    sizes: tuple[int, ...] = (3_000, 10_000, 30_000)
    repeats: int = 10
    resamples: int = 300
    truth_episodes: int = 16_000
    first_seed: int = FIRST_SEED
    horizons: tuple[str, ...] = tuple(HORIZONS)
    estimators: tuple[str, ...] = tuple(ESTIMATORS)
    world: str = "default"

    def __post_init__(self) -> None:
        check_choice("world", self.world, WORLDS)
        unknown = set(self.horizons) - set(HORIZONS)
        if unknown or not self.horizons:
            raise ValueError(
                f"horizons must be some of {', '.join(HORIZONS)}, got {list(self.horizons)}"
            )
        check_estimators("estimators", self.estimators)

    @property
    def played_horizons(self) -> list[Horizon]:
        """Those of :attr:`horizons`."""
        return [HORIZONS[key] for key in self.horizons]

    @property
    def env_kwargs(self) -> Mapping[str, Any]:
        """Of the environments that it plays."""
        return WORLDS[self.world].env_kwargs

    def settings(self) -> dict[str, Any]:
        """What decides the numbers of a part; not ``repeats``: more of them only add logs."""
        return {
            "world": self.world,
            "sizes": list(self.sizes),
            "resamples": self.resamples,
            "truth_episodes": self.truth_episodes,
            "targets": list(TARGETS),
            "horizons": [list(horizon) for horizon in self.played_horizons],
            "first_seed": self.first_seed,
            "estimators": list(self.estimators),
        }

    @property
    def cells(self) -> list[Cell]:
        """Its logs."""
        needed = {horizon.env_id for horizon in self.played_horizons}
        return [
            Cell(behaviour, env_id, repeat)
            for repeat in range(self.repeats)
            for env_id in (SESSION, DAY)
            if env_id in needed
            for behaviour in BEHAVIOURS
        ]

    def path(self, part: Cell | str) -> Path:
        """The file of a cell's estimates, or of the truth about a target."""
        name = f"truth-{part}" if isinstance(part, str) else "-".join(map(str, part))
        return self.folder / f"{name.replace(', ', '_').replace(' ', '_')}.csv"

    def load(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Truth (target, horizon, value, error) and estimates of what is finished."""
        return self._table(list(TARGETS)), self._table(self.cells)

    def _table(self, parts: Sequence[Cell | str]) -> pd.DataFrame:
        tables = [pd.read_csv(path) for part in parts if (path := self.path(part)).exists()]
        return pd.concat(tables) if tables else pd.DataFrame()


class Cell(NamedTuple):
    """A log of the study."""

    behaviour: str
    env_id: str
    repeat: int


def make_targets(world: str, seed: int = 0) -> dict[str, TargetPolicy]:
    """The policies that are judged; those that learn do so in the simulator, on days."""
    env = gym.make(DAY, **WORLDS[world].env_kwargs)
    layout = layout_under(env)
    assert layout is not None
    policies: dict[str, Any] = {}
    for name in dict.fromkeys(agent for agent, _ in TARGETS.values()):
        policy: Any = agent_spec(WORLDS[world].dqn if name == "dqn" else name).make(env, seed)
        if name == "dqn":
            policy.learn(TRAINING_STEPS)
        elif name == "planner":
            policy = _clone(policy, env, seed, WORLDS[world].env_kwargs)
        elif hasattr(policy, "learn"):
            policy.learn()
        policies[name] = policy
    return {
        label: TargetPolicy(policies[agent], layout, epsilon, seed=seed)
        for label, (agent, epsilon) in TARGETS.items()
    }


def _clone(policy: Any, env: gym.Env, seed: int, env_kwargs: Mapping[str, Any]) -> Any:
    """What a policy does that reads hidden state, as far as observations tell."""
    decisions = _log(policy, DAY, CLONED_STEPS, seed, env_kwargs)
    return BehaviourCloning(env, seed).learn_offline(decisions, CLONING_UPDATES)


def _log(
    policy: Any, env_id: str, steps: int, seed: int, env_kwargs: Mapping[str, Any]
) -> Decisions:
    """Decisions of a policy, through a file as those of a platform would come."""
    env: Any = make_training_env(env_id, max(min(steps // 500, 128), 1), env_kwargs).unwrapped
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log.parquet"
        with decision_writer(path, describe(env, env_id, env_kwargs, "study", seed)) as writer:
            for rows in log_decisions(policy, env, steps, seed):
                writer.write(rows)
        return read_decisions(path)


def find_truth(study: OpeStudy, label: str, target: TargetPolicy) -> None:
    """Play a target, and write its mean reward for each horizon with the standard error."""
    rows = []
    for horizon in study.played_horizons:
        episodes = study.truth_episodes // (2 if horizon.env_id == DAY else 1)
        if horizon.decisions is None:
            played = evaluate(target, horizon.env_id, study.env_kwargs, episodes, num_envs=NUM_ENVS)
            rewards = played["reward"]
        else:
            rewards = first_rewards(target, horizon, episodes, study.env_kwargs)
        error = rewards.std() / len(rewards) ** 0.5
        rows.append((label, horizon.label, rewards.mean(), error))
    _write(pd.DataFrame(rows, columns=["policy", "horizon", "truth", "error"]), study.path(label))


def first_rewards(
    target: TargetPolicy, horizon: Horizon, episodes: int, env_kwargs: Mapping[str, Any]
) -> np.ndarray:
    """(episodes,) sums of the rewards of the horizon's first decisions of each."""
    assert horizon.decisions is not None
    env = make_training_env(horizon.env_id, min(episodes, NUM_ENVS), env_kwargs)
    totals = []
    for start in range(0, episodes, env.num_envs):
        observation, _ = env.reset(seed=EVALUATION_SEED + start)
        total, playing = np.zeros(env.num_envs), np.ones(env.num_envs, bool)
        for _ in range(horizon.decisions):
            actions, _ = target.predict(observation)
            observation, reward, terminated, truncated, _ = env.step(actions)
            total += np.where(playing, reward, 0.0)
            playing &= ~(terminated | truncated)
        totals.append(total)
    env.close()
    return np.concatenate(totals)[:episodes]


def estimate_cell(study: OpeStudy, cell: Cell, targets: Mapping[str, TargetPolicy]) -> None:
    """Log, judge all targets by all estimators, write."""
    env = gym.make(cell.env_id, **study.env_kwargs)
    # Of who decides, of the episodes, and of what the estimators draw.
    seed = study.first_seed + cell.repeat
    behaviour = agent_spec(BEHAVIOURS[cell.behaviour]).make(env, seed)
    whole = _log(behaviour, cell.env_id, study.sizes[-1], seed, study.env_kwargs)
    rows = []
    for size in study.sizes:
        decisions = whole.first(size)
        for horizon in study.played_horizons:
            if horizon.env_id != cell.env_id:
                continue
            found = evaluate_off_policy(
                decisions,
                targets,
                horizon.decisions,
                resamples=study.resamples,
                seed=seed,
                keys=study.estimators,
            )
            for e in found:
                answer = (e.policy, e.estimator, e.value, e.low, e.high, e.trusted)
                rows.append((horizon.label, *cell, size, *answer))
    columns = ["horizon", "behaviour", "env_id", "repeat", "size", "policy", "estimator"]
    columns += ["value", "low", "high", "trusted"]
    _write(pd.DataFrame(rows, columns=columns), study.path(cell))


def _write(table: pd.DataFrame, path: Path) -> None:
    with atomic_path(path) as temporary:
        table.to_csv(temporary, index=False)


_targets: dict[str, TargetPolicy] = {}  # of a worker


def _begin(pickled: bytes) -> None:
    _targets.update(pickle.loads(pickled))


def _work(study: OpeStudy, part: Cell | str) -> None:
    if isinstance(part, str):
        find_truth(study, part, _targets[part])
    else:
        estimate_cell(study, part, _targets)


def play(study: OpeStudy, workers: int) -> Iterator[str]:
    """Do what is missing, in processes of their own; yields what is done, a line each."""
    planned: list[Cell | str] = [*TARGETS, *study.cells]
    parts = [part for part in planned if not study.path(part).exists()]
    if not parts:
        return
    for name in THREAD_VARIABLES:
        os.environ.setdefault(name, "1")  # read by the processes' libraries as they load
    pickled = pickle.dumps(make_targets(study.world))
    yield "the policies are trained"
    context = get_context("spawn")
    with ProcessPoolExecutor(workers, context, _begin, (pickled,)) as pool:
        futures = {pool.submit(_work, study, part): part for part in parts}
        for done, future in enumerate(as_completed(futures), start=1):
            future.result()
            yield f"{done} of {len(parts)}: {futures[future]}"
