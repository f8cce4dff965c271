from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import livestream_env  # noqa: F401
from agents.evaluation import EPISODE_DTYPE, evaluate
from agents.rules.baselines import PopularityPolicy

KWARGS = {"satiation": False, "watch": "minutes"}  # not the defaults, to see that they arrive


class Recorder:
    """Shows slot 0; its state counts the steps of the episode each slot is in."""

    def __init__(self) -> None:
        self.starts: list[np.ndarray] = []
        self.lengths = np.zeros(0, int)  # of each slot's first episode
        self.deterministic = False

    def predict(
        self, observation: Any, state: Any = None, episode_start: Any = None,
        deterministic: bool = False,
    ) -> tuple[Any, Any]:  # fmt: skip
        self.starts.append(episode_start)
        self.deterministic = deterministic
        steps = np.zeros(len(observation), int) if state is None else state
        if state is None:
            self.lengths = np.zeros(len(observation), int)
        first = episode_start & (self.lengths == 0)
        self.lengths[first] = steps[first]
        return np.zeros(len(observation), int), np.where(episode_start, 1, steps + 1)


def by_hand(seed: int, slots: int, rounds: int) -> np.ndarray:
    """The same evaluation with single environments, one step at a time."""
    totals = np.zeros((rounds, slots), EPISODE_DTYPE)
    for slot in range(slots):
        env = gym.make("LiveStreamRec-v0", **KWARGS)
        policy = PopularityPolicy(env)
        for episode in range(rounds):
            observation, info = env.reset(seed=seed + slot if episode == 0 else None)
            row, done = totals[episode, slot], False
            while not done:
                visit = info["visit"]
                action, _ = policy.predict(observation)
                observation, reward, terminated, truncated, info = env.step(action)
                done = terminated or truncated
                row["reward"] += reward
                row["watch_s"] += info["watch_s"]
                row["clicks"] += info["click"]
                row["likes"] += info["likes"]
                row["comments"] += info["comments"]
                row["gifts"] += info["gift_value"] > 0
                row["gift_value"] += info["gift_value"]
                row["follows"] += info["follow"]
                row["impressions"] += info["room"] >= 0
                row["visits"] = visit + 1
    return totals.reshape(-1)


def test_totals_are_those_of_single_environments() -> None:
    policy = PopularityPolicy(gym.make("LiveStreamRec-v0", **KWARGS))
    played = evaluate(policy, env_kwargs=KWARGS, episodes=15, seed=40, num_envs=5)
    expected = by_hand(seed=40, slots=5, rounds=3)
    for name in EPISODE_DTYPE.names or ():
        assert np.allclose(played[name], expected[name], rtol=1e-12, atol=0), name


def test_shorter_evaluations_play_the_first_days_of_longer_ones() -> None:
    policy = PopularityPolicy(gym.make("LiveStreamRec-v0", **KWARGS))
    long = evaluate(policy, env_kwargs=KWARGS, episodes=30, num_envs=8)
    for episodes in (3, 8, 21):
        short = evaluate(policy, env_kwargs=KWARGS, episodes=episodes, num_envs=8)
        assert np.array_equal(short, long[:episodes])
    other = evaluate(policy, env_kwargs=KWARGS, episodes=30, num_envs=8, seed=1)
    assert not np.array_equal(other, long)


def test_policy_is_told_where_episodes_start() -> None:
    policy = Recorder()
    played = evaluate(policy, env_kwargs=KWARGS, episodes=8, num_envs=4)
    assert policy.deterministic
    assert policy.starts[0].all()
    assert np.array_equal(policy.lengths, played["impressions"][:4])


@pytest.mark.parametrize("name", ["episodes", "num_envs"])
def test_bad_numbers(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name}=0"):
        evaluate(Recorder(), **{name: 0})  # type: ignore[arg-type]
