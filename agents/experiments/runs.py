"""What a comparison consists of: its settings, its runs, and how one run is played.

A *run* is one agent with one training seed. It is the unit of resuming: what is finished stays
finished, what was interrupted starts again. :mod:`agents.experiments.workers` plays many of them.
"""

from __future__ import annotations

import json
import math
import shutil
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import gymnasium as gym
import numpy as np

import livestream_env  # noqa: F401  (registers the environments)
from agents.evaluation import EPISODE_DTYPE, EVALUATION_SEED, evaluate
from agents.experiments.replay import REPLAY_FILE, write_replay
from agents.policy import Policy, agent_spec, learn
from livestream_env.files import read_arrays, reading, write_arrays, write_text
from livestream_env.settings import check_integer, check_number

LONGEST_FOLDER = 200  # characters of a run's; file systems take 255
SETTINGS_FILE = "settings.json"
RESULT_FILE = "result.npz"
DIAGNOSTICS_FILE = "diagnostics.npz"  # of agents that have a method `diagnose`, as our DQN
CURVE_DTYPE = np.dtype([("timesteps", np.int64), ("cpu_s", np.float64), ("reward", np.float64)])
TIMES = ("train_wall_s", "train_cpu_s", "eval_wall_s")
Report = Callable[[int], object]  # told the number of training steps done


@dataclass(frozen=True)
class Settings:
    """What decides the numbers of every run of a comparison.

    Attributes:
        env_id: A registered environment of the family.
        env_kwargs: Its arguments, JSON values.
        timesteps: Environment steps that a learner trains for.
        eval_episodes: Viewer-days of the final evaluation.
        curve_points: Evaluations while training, evenly spaced, besides the one before.
        curve_episodes: Viewer-days of each of them.
        eval_seed: Seed of the evaluated viewer-days.
    """

    env_id: str = "LiveStreamRec-v0"
    env_kwargs: Mapping[str, Any] = field(default_factory=dict, hash=False)
    timesteps: int = 100_000
    eval_episodes: int = 2000
    curve_points: int = 10
    curve_episodes: int = 256
    eval_seed: int = EVALUATION_SEED

    def __post_init__(self) -> None:
        for name in ("timesteps", "eval_episodes", "curve_points", "curve_episodes"):
            check_integer(name, getattr(self, name), 1)

    def make_env(self) -> gym.Env:
        """The single environment that agents are constructed with."""
        return gym.make(self.env_id, **dict(self.env_kwargs))

    def evaluate(self, policy: Policy, episodes: int) -> np.ndarray:
        """Play the first ``episodes`` of the held-out viewer-days."""
        return evaluate(policy, self.env_id, self.env_kwargs, episodes, self.eval_seed)


class Run(NamedTuple):
    """One agent with one training seed."""

    agent: str
    seed: int

    def folder(self, comparison: Path) -> Path:
        """Where it writes: its result, log, trained model and diagnostics, and a viewer-day.

        The agent's name is made safe for file systems: ``dqn?double=false&n_step=1`` becomes
        ``dqn,double=false,n_step=1``, percent signs stand for what is rarer, and of a long name
        the rest is a hash.
        """
        safe = quote(self.agent, safe=":?&=", errors="backslashreplace")
        name = safe.translate(str.maketrans(":?&", ".,,"))
        if len(name) > LONGEST_FOLDER:
            digest = sha256(self.agent.encode(errors="backslashreplace")).hexdigest()
            name = f"{name[: LONGEST_FOLDER - 33]}-{digest[:32]}"
        return comparison / "runs" / f"{name}-{self.seed}"

    def result_path(self, comparison: Path) -> Path:
        """Its result, which is there once the run is finished."""
        return self.folder(comparison) / RESULT_FILE

    @property
    def env_seed(self) -> int:
        """The seed given to the agent.

        Slot i of a vector environment seeded with s plays the viewers of seed s + i, so that
        neighbouring seeds would share almost all of them; these are far apart.
        """
        return 2_000_000 + 10_000 * self.seed


class Result(NamedTuple):
    """What a finished run left.

    Attributes:
        episodes: The final evaluation, of :data:`agents.evaluation.EPISODE_DTYPE`.
        curve: The evaluations while training, of :data:`CURVE_DTYPE`; empty without training.
        timing: ``train_wall_s``, ``train_cpu_s`` (without evaluations), ``eval_wall_s``.
    """

    episodes: np.ndarray
    curve: np.ndarray
    timing: dict[str, float]

    def save(self, path: Path) -> None:
        """Store it atomically."""
        timing = np.array(json.dumps(self.timing))
        write_arrays(path, {"episodes": self.episodes, "curve": self.curve, "timing": timing})

    @classmethod
    def load(cls, path: Path) -> Result:
        """Read a stored one.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: It is no result, it is damaged, or it has no checksum, as results have that
                were stored before there was one.
        """
        with reading(path, "a result of a run"):
            arrays = read_arrays(path, ("episodes", "curve", "timing"))
            episodes, curve = arrays["episodes"], arrays["curve"]
            for name, array, dtype in (
                ("episodes", episodes, EPISODE_DTYPE),
                ("curve", curve, CURVE_DTYPE),
            ):
                if array.dtype != dtype or array.ndim != 1:
                    raise ValueError(f"{name} must be a table of {dtype}, got {array.dtype}")
            if not len(episodes):
                raise ValueError("episodes must be at least one")
            timing = {
                name: check_number(name, value, 0.0, math.inf)
                for name, value in json.loads(str(arrays["timing"])).items()
            }
            if timing.keys() != set(TIMES):
                raise ValueError(f"timing must be {', '.join(TIMES)}, got {', '.join(timing)}")
        return cls(episodes, curve, timing)

    def check(self, settings: Settings) -> None:
        """Refuse a result that was not made with these settings.

        Raises:
            ValueError: Another number of viewer-days, or less training.
        """
        if len(self.episodes) != settings.eval_episodes:
            raise ValueError(
                f"it has {len(self.episodes)} viewer-days, not {settings.eval_episodes}"
            )
        if len(self.curve) and self.curve["timesteps"][-1] < settings.timesteps:
            raise ValueError(
                f"its training ends at step {self.curve['timesteps'][-1]}, not {settings.timesteps}"
            )


def check_agents(agents: Iterable[str], settings: Settings) -> None:
    """Construct each agent once, as a run does, so that no run begins if one cannot be made.

    Raises:
        ValueError: Of the first that cannot: its name and why.
    """
    for name in dict.fromkeys(agents):
        env = settings.make_env()
        try:
            policy = agent_spec(name).make(env, seed=Run(name, 0).env_seed)
        except Exception as error:  # whatever a user's class raises
            reason = str(error) if isinstance(error, ValueError) else f"{error!r}"
            named = reason if repr(name) in reason else f"{name!r}: {reason}"
            raise ValueError(named) from error
        finally:
            env.close()
        del policy


def plan(agents: Iterable[str], seeds: int, slow_seeds: int | None = None) -> list[Run]:
    """The runs of a comparison: every seed for agents that learn, one run for the others.

    Args:
        agents: Their names.
        seeds: Of each that learns.
        slow_seeds: At most so many of each whose training takes long (:attr:`AgentSpec.slow`).

    Raises:
        ValueError: For an unknown agent, an agent named twice, or no seed.
    """
    names = list(agents)
    if seeds < 1:
        raise ValueError(f"seeds must be at least 1, got {seeds}")
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise ValueError(f"agents named more than once: {', '.join(sorted(twice))}")
    specs = {name: agent_spec(name) for name in names}
    most = seeds if slow_seeds is None else min(seeds, slow_seeds)
    count = {
        name: (most if spec.slow else seeds) if spec.learns else 1 for name, spec in specs.items()
    }
    return [Run(name, seed) for name in names for seed in range(count[name])]


class LearningCurve:
    """The callback of a training run: scores the agent at fixed points, off the clock."""

    def __init__(self, policy: Policy, settings: Settings, report: Report) -> None:
        points = np.linspace(0, settings.timesteps, settings.curve_points + 1)[1:]
        self.due = deque(np.ceil(points).astype(int).tolist())
        self.policy = policy
        self.settings = settings
        self.report = report
        self.rows: list[tuple[int, float, float]] = []
        self.cpu_s = self.wall_s = 0.0
        self._resume()

    def _resume(self) -> None:
        self._cpu_start, self._wall_start = time.process_time(), time.perf_counter()

    def pause(self) -> None:
        """Stop the clock."""
        self.cpu_s += time.process_time() - self._cpu_start
        self.wall_s += time.perf_counter() - self._wall_start

    def record(self, timesteps: int) -> None:
        """Evaluate now."""
        self.pause()
        episodes = self.settings.evaluate(self.policy, self.settings.curve_episodes)
        self.rows.append((timesteps, self.cpu_s, float(episodes["reward"].mean())))
        self._resume()

    def __call__(self, agent: Any) -> None:
        """Called by the agent now and then while it learns."""
        timesteps = int(agent.num_timesteps)
        self.report(timesteps)
        if self.due and timesteps >= self.due[0]:
            while self.due and timesteps >= self.due[0]:
                self.due.popleft()
            self.record(timesteps)


def play(
    run: Run, settings: Settings, folder: Path, report: Report = lambda timesteps: None
) -> None:
    """Train (if the agent learns), evaluate, and save the result.

    Args:
        run: What to play.
        settings: Of the comparison.
        folder: Of the comparison; what an earlier attempt left of the run is removed.
        report: Told the progress of the training.
    """
    home = run.folder(folder)
    shutil.rmtree(home, ignore_errors=True)
    env = settings.make_env()
    spec = agent_spec(run.agent)
    policy = spec.make(env, seed=run.env_seed)
    curve = LearningCurve(policy, settings, report)
    if spec.learns:
        curve.record(0)
        learn(policy, settings.timesteps, callback=curve, log_dir=home)
        if curve.due:  # an agent that does not call back, or that stopped short
            curve.record(settings.timesteps)
        curve.pause()
    elif hasattr(policy, "learn"):  # fits an estimate once; there is no curve to follow
        learn(policy, settings.timesteps)
        curve.pause()
    if hasattr(policy, "save"):
        home.mkdir(parents=True, exist_ok=True)
        policy.save(home / "model")
    if spec.learns and hasattr(policy, "diagnose"):
        found = policy.diagnose(settings.env_id, settings.env_kwargs)
        found.save(home / DIAGNOSTICS_FILE)
    start = time.perf_counter()
    episodes = settings.evaluate(policy, settings.eval_episodes)
    timing = {
        "train_wall_s": curve.wall_s,
        "train_cpu_s": curve.cpu_s,
        "eval_wall_s": time.perf_counter() - start,
    }
    write_replay(
        home / REPLAY_FILE,
        run.agent,
        policy,
        episodes,
        settings.env_id,
        settings.env_kwargs,
        settings.eval_seed,
    )
    Result(episodes, np.array(curve.rows, CURVE_DTYPE), timing).save(run.result_path(folder))
    env.close()


def open_folder(
    folder: Path, settings: Settings, resume: bool, overwrite: bool = False
) -> list[str]:
    """Prepare the folder of a comparison: its settings are written, its finished runs are sound.

    Returns:
        A line for each damaged result, which is set aside, so that its run is played again.

    Raises:
        FileExistsError: If it holds finished runs and neither flag is given.
        ValueError: If it is to be resumed with other settings than it was begun with, or if it has
            finished runs and nothing says with which settings they were made.
    """
    finished = sorted(folder.glob(f"runs/*/{RESULT_FILE}"))
    if overwrite:
        shutil.rmtree(folder / "runs", ignore_errors=True)
    elif finished and not resume:
        raise FileExistsError(
            f"{folder} already holds {len(finished)} finished runs: --resume keeps them and does "
            "the rest, --overwrite starts again, --out names another folder"
        )
    note_settings(folder, asdict(settings), bool(finished) and not overwrite)
    return [] if overwrite else _set_aside_damaged(finished, settings)


def note_settings(folder: Path, settings: Mapping[str, Any], begun: bool) -> None:
    """Write down what decides the numbers of a folder's results.

    Args:
        folder: Made if it is not there.
        settings: JSON values by name.
        begun: It holds results already.

    Raises:
        ValueError: These were made with other settings, or nothing says with which.
    """
    mine = json.loads(json.dumps(settings))
    if begun:
        theirs = _stored_settings(folder / SETTINGS_FILE, list(mine))
        changed = [
            f"{name} was {theirs[name]!r} and is now {value!r}"
            for name, value in mine.items()
            if theirs[name] != value
        ]
        if changed:
            raise ValueError(
                f"cannot resume {folder}, its results were made with other settings: "
                + "; ".join(changed)
            )
    write_text(folder / SETTINGS_FILE, json.dumps(mine, indent=2) + "\n")


def _stored_settings(path: Path, names: Collection[str]) -> dict[str, Any]:
    """What a comparison was begun with; ``ValueError`` if ``path`` does not say all of it."""
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(stored, dict) or set(stored) != set(names):
            raise ValueError(f"it must be an object with {', '.join(names)}")
    except (OSError, ValueError, RecursionError) as error:
        what = "is missing" if isinstance(error, FileNotFoundError) else f"is damaged ({error})"
        raise ValueError(
            f"cannot resume {path.parent}: {path} {what}, so that nothing says with which settings "
            "its results were made: delete the folder, or name another one by --out"
        ) from error
    return stored


def _set_aside_damaged(paths: Iterable[Path], settings: Settings) -> list[str]:
    """Rename the results that cannot be used; a line for each, with the reason."""
    lines = []
    for path in paths:
        try:
            Result.load(path).check(settings)
        except Exception as error:  # whatever reading a damaged file brings
            aside = path.with_name(path.name + ".damaged")
            path.replace(aside)
            reason = str(error) or type(error).__name__
            lines.append(f"{path}: damaged, its run is played again ({reason})")
    return lines
