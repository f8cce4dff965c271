"""Is it learning, and if not, why? What a Q-network says, held against what comes of it.

docs/learning.md explains what to read from these numbers.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv

from agents.vector import make_training_env
from livestream_env.files import read_arrays, reading, write_arrays
from livestream_env.reward import REWARD_COMPONENTS, REWARD_FIELDS, weight_vector

if TYPE_CHECKING:
    from agents.dqn.files import DQNState

DIAGNOSTICS_SEED = 2_000_033  # of viewer-days that neither training nor evaluation plays
BINS = 10  # of the calibration
_TD_ROWS = 1_024  # transitions whose errors are averaged


@dataclass(frozen=True, eq=False)
class Diagnostics:
    """Of one trained agent.

    Returns are discounted as in training, from the impression on to the end of the episode, the
    agent playing greedily; Q is of the action it took.

    Attributes:
        q: Mean of Q over all impressions.
        returns: Mean of the returns.
        correlation: Of both.
        slot_spread: s.d. of Q between the filled slots of a screen, root mean square.
        horizon: Impressions to come, discounted as rewards are; mean.
        undiscounted_horizon: Likewise, not discounted.
        td_fresh: Root mean square of the TD errors of the latest transitions, hardly learnt from
            yet; nan without a replay memory.
        td_replayed: Likewise of transitions drawn as in training.
        calibration: float64 ``(BINS, 2)``: mean Q and mean return of each tenth of all impressions,
            by Q.
        shares: float64 ``(C,)``: of each of :data:`REWARD_COMPONENTS` in the reward; nan for an
            environment without them.
        probe: float32 ``(M, N)``: Q of the same screens for every agent of an environment; nan for
            empty slots.
    """

    q: float
    returns: float
    correlation: float
    slot_spread: float
    horizon: float
    undiscounted_horizon: float
    td_fresh: float
    td_replayed: float
    calibration: np.ndarray
    shares: np.ndarray
    probe: np.ndarray

    @property
    def bias(self) -> float:
        """Of Q, relative to the mean return: positive is overestimation."""
        return (self.q - self.returns) / abs(self.returns) if self.returns else math.nan

    def save(self, path: Path) -> None:
        """Write it to one file, whole or not at all."""
        write_arrays(path, {name: np.asarray(value) for name, value in vars(self).items()})

    @classmethod
    def load(cls, path: Path) -> Self:
        """From a file that :meth:`save` wrote.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: It is something else, or damaged.
        """
        names = [spec.name for spec in dataclasses.fields(cls)]
        with reading(path, "diagnostics of a run"):
            arrays = read_arrays(path, names)
            for name, array in arrays.items():
                dimensions = {"calibration": 2, "shares": 1, "probe": 2}.get(name, 0)
                if array.dtype.kind != "f" or array.ndim != dimensions:
                    raise ValueError(f"{name} must be numbers of {dimensions} dimensions")
            values: dict[str, Any] = {k: v if v.ndim else float(v) for k, v in arrays.items()}
            return cls(**values)


def seed_noise(probes: list[np.ndarray]) -> float:
    """The share of Q's variance between the slots of a screen that differs between training seeds.

    0: all seeds rank the candidates alike; 1: what one says another does not. Of S seeds, the
    variance between them is estimated without bias.

    Args:
        probes: :attr:`Diagnostics.probe` of each seed; nan without two.
    """
    if len(probes) < 2:
        return math.nan
    values = np.stack(probes).astype(np.float64)
    values -= np.nanmean(values, axis=2, keepdims=True)  # what is common to a screen orders nothing
    within = float(np.nanmean(values.var(axis=0, ddof=1)))
    total = float(np.nanmean(values**2))
    return within / total if total else math.nan


def diagnose(
    agent: DQNState,
    env_id: str = "LiveStreamRec-v0",
    env_kwargs: Mapping[str, Any] | None = None,
    episodes: int = 256,
    seed: int = DIAGNOSTICS_SEED,
) -> Diagnostics:
    """Play held-out episodes greedily and compare; changes nothing that training depends on.

    Args:
        agent: Trained.
        env_id: An environment that its observations are of.
        env_kwargs: Its arguments.
        episodes: To play, all side by side.
        seed: Of them.
    """
    kwargs = dict(env_kwargs or {})
    played = _play(agent, _make(env_id, kwargs, episodes), seed)
    q, returns, horizon, undiscounted = _to_go(played)
    weights = weight_vector(kwargs.get("reward_weights"))
    totals = np.array(list(played.components.values())) * weights
    total = totals.sum()
    fresh, replayed = td_errors(agent)
    return Diagnostics(
        q=float(q.mean()),
        returns=float(returns.mean()),
        correlation=_correlation(q, returns),
        slot_spread=float(np.sqrt(np.mean(np.concatenate(played.slot_variance)))),
        horizon=float(horizon.mean()),
        undiscounted_horizon=float(undiscounted.mean()),
        td_fresh=fresh,
        td_replayed=replayed,
        calibration=_calibration(q, returns),
        shares=totals / total if total else np.full(len(weights), np.nan),
        probe=_probe(agent, _make(env_id, kwargs, 64), seed),
    )


def td_errors(agent: DQNState) -> tuple[float, float]:
    """Root mean square of TD errors: of the latest transitions, and of replayed ones.

    The first are hardly learnt from yet. nan for an agent without a replay memory.
    """
    memory = agent.replay
    if memory is None or not len(memory):
        return math.nan, math.nan
    # Draws of its own: those of training stay what they are.
    replayed = memory.sample(_TD_ROWS, np.random.default_rng(agent.num_timesteps))
    second = agent.learner.td_errors(replayed)
    first = agent.learner.td_errors(memory.latest(_TD_ROWS))
    return _root_mean_square(first), _root_mean_square(second)


class _Played(NamedTuple):
    """Lists over the steps: of all E episodes, ``(E,)``, unless said otherwise."""

    q: list[np.ndarray]
    reward: list[np.ndarray]
    discount: list[np.ndarray]
    playing: list[np.ndarray]
    slot_variance: list[np.ndarray]  # (those that play,): of Q between a screen's filled slots
    components: dict[str, float]  # unweighted sums over everything


def _make(env_id: str, env_kwargs: Mapping[str, Any], num_envs: int) -> VectorEnv:
    """Whose info at an episode's end is the episode's."""
    return make_training_env(
        env_id, num_envs, {"autoreset_mode": AutoresetMode.NEXT_STEP, **env_kwargs}
    )


def _play(agent: DQNState, env: VectorEnv, seed: int) -> _Played:
    played = _Played([], [], [], [], [], dict.fromkeys(REWARD_COMPONENTS, 0.0))
    observation, _ = env.reset(seed=seed)
    playing = np.ones(env.num_envs, bool)
    while playing.any():
        values = agent.learner.q_values(observation)
        action = values.argmax(axis=1)
        played.q.append(values[np.arange(len(action)), action])
        played.slot_variance.append(np.nanvar(_with_gaps(values[playing]), axis=1))
        observation, reward, terminated, truncated, info = env.step(action)
        discount = agent.config.discounts(terminated, info.get("elapsed_s"))
        played.reward.append(np.asarray(reward))
        played.discount.append(discount)
        played.playing.append(playing)
        for name, field in zip(REWARD_COMPONENTS, REWARD_FIELDS, strict=True):
            if field in info:
                played.components[name] += float(info[field][playing].sum())
        playing = playing & ~(terminated | truncated)
    env.close()
    return played


def _probe(agent: DQNState, env: VectorEnv, seed: int, steps: int = 8) -> np.ndarray:
    """Q of the screens that a policy met which is the same whatever the agent."""
    rng, seen = np.random.default_rng(seed), []
    observation, info = env.reset(seed=seed)
    for _ in range(steps):
        seen.append(np.array(observation))
        tickets = rng.random((env.num_envs, agent.num_actions)) * info.get("action_mask", 1)
        observation, _, _, _, info = env.step(tickets.argmax(axis=1))
    env.close()
    return _with_gaps(agent.learner.q_values(np.concatenate(seen)))


def _with_gaps(values: np.ndarray) -> np.ndarray:
    """Values ``(B, N)``, nan for the slots that are masked."""
    return np.where(np.isneginf(values), np.float32(np.nan), values)


def _to_go(played: _Played) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Of every impression: Q, the return from it on, and impressions to come, discounted or not."""
    reward, discount, playing = map(np.array, (played.reward, played.discount, played.playing))
    ahead = np.zeros((3, reward.shape[1]))
    rows = []
    for t in reversed(range(len(reward))):
        factors = np.stack([discount[t], discount[t], np.ones_like(discount[t])])
        gained = np.stack([reward[t], np.ones_like(reward[t]), np.ones_like(reward[t])])
        # An episode that is over has nothing ahead: what its slot plays then is another's.
        ahead = np.where(playing[t], gained + factors * ahead, 0.0)
        rows.append(ahead)
    everything = np.stack(rows[::-1], axis=1)[:, playing]
    return np.array(played.q)[playing], *everything


def _calibration(q: np.ndarray, returns: np.ndarray) -> np.ndarray:
    """Means of both in each of ``BINS`` groups of as many impressions, by Q."""
    groups = np.array_split(np.argsort(q, kind="stable"), BINS)
    return np.array([[q[g].mean(), returns[g].mean()] if len(g) else [np.nan] * 2 for g in groups])


def _correlation(x: np.ndarray, y: np.ndarray) -> float:
    spread = x.std() * y.std()
    return float(np.mean((x - x.mean()) * (y - y.mean())) / spread) if spread else math.nan


def _root_mean_square(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64))))
