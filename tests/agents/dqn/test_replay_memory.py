from __future__ import annotations

import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.dqn.replay_memory import ReplayBuffer, SumTree
from agents.vector import EpisodeStream
from tests.agents.small_envs import CountingEnv


def filled(capacity, num_envs, steps, n_step=1, alpha=None, seed=0, end_rate=0.3):
    """A memory after random episodes, and all that ever happened: one list of rows per env.

    Every observation is a number of its own. A row is (o, a, r, discount, o', episode goes on).
    """
    rng = np.random.default_rng(seed)
    replay = ReplayBuffer(capacity, num_envs, 1, n_step, alpha)
    history = [[] for _ in range(num_envs)]
    numbers = iter(range(10**6))

    def fresh(count):
        return np.array([next(numbers) for _ in range(count)], dtype=np.float32)[:, None]

    envs = np.arange(num_envs)
    now = fresh(num_envs)
    replay.begin(envs, now)
    for _ in range(steps):
        live = np.flatnonzero(rng.random(num_envs) < 0.9)  # some skip a step, as NEXT_STEP does
        action, reward = rng.integers(0, 5, len(live)), rng.normal(size=len(live))
        terminated, truncated = rng.random((2, len(live))) < end_rate / 2
        discount = np.where(terminated, 0.0, rng.uniform(0.5, 1.0, len(live)))
        after = fresh(len(live))
        replay.append(live, action, reward, discount, after)
        ended = terminated | truncated
        rows = zip(live, now[live, 0], action, reward, discount, after[:, 0], ~ended, strict=True)
        for env, *row in rows:
            history[env].append(row)
        now[live] = after
        now[live[ended]] = fresh(ended.sum())
        replay.begin(live[ended], now[live[ended]])
    return replay, history


def stored_rows(replay, history):
    """What the memory should hold: the latest transitions, counting observations."""
    kept = []
    for rows in history:
        cells = 1  # the current observation, without a transition yet
        count = 0
        for row in reversed(rows):
            cells += 1 if row[-1] else 2  # an episode's last observation has a cell of its own
            # Its own cell is the newer of the two, so the transition may be the one overwritten.
            if cells > replay.num_rows:
                break
            count += 1
        kept.append(rows[len(rows) - count :])
    return kept


def reference_window(rows, start, n):
    """Ten plain lines: reward, discount and last observation of up to n transitions."""
    reward, discount = 0.0, 1.0
    for row in rows[start : start + n]:
        _, _, r, d, after, goes_on = row
        reward += discount * r
        discount *= d
        if not goes_on:
            break
    return reward, discount, after


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 10**6),
    num_envs=st.integers(1, 4),
    rows=st.integers(8, 30),
    steps=st.integers(1, 80),
    n_step=st.integers(1, 6),
    end_rate=st.sampled_from([0.05, 0.3, 0.9]),
)
def test_windows_equal_the_plain_loop(seed, num_envs, rows, steps, n_step, end_rate):
    replay, history = filled(rows * num_envs, num_envs, steps, n_step, None, seed, end_rate)
    if len(replay) == 0:
        return
    kept = stored_rows(replay, history)
    assert len(replay) == sum(map(len, kept))
    where = {
        row[0]: (env, i) for env, env_rows in enumerate(kept) for i, row in enumerate(env_rows)
    }

    batch = replay.sample(200, np.random.default_rng(seed))
    for b in range(200):
        env, i = where[float(batch.observation[b, 0])]  # KeyError: sampled what should be gone
        reward, discount, after = reference_window(kept[env], i, n_step)
        assert batch.action[b] == kept[env][i][1]
        assert batch.reward[b] == pytest.approx(reward, abs=1e-5)
        assert batch.discount[b] == pytest.approx(discount, abs=1e-6)
        if discount > 0.0:
            assert batch.next_observation[b, 0] == after
    assert batch.observation.dtype == batch.next_observation.dtype == torch.float32
    assert batch.reward.dtype == batch.discount.dtype == np.float32
    assert batch.action.dtype == np.int64
    assert batch.weight is None


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_every_autoreset_mode_fills_the_memory_alike(mode):
    env = SyncVectorEnv([lambda i=i: CountingEnv(i) for i in range(3)], autoreset_mode=mode)
    stream, replay = EpisodeStream(env), ReplayBuffer(600, 3, 1)
    replay.begin(np.arange(3), stream.reset(seed=0))
    for _ in range(60):
        step = stream.step(np.zeros(3, dtype=np.int64))
        live, began = np.flatnonzero(step.live), np.flatnonzero(step.began)
        discount = np.where(step.terminated, 0.0, 1.0)[live]
        replay.append(
            live, np.zeros(len(live)), step.reward[live], discount, step.next_observation[live]
        )
        replay.begin(began, step.observation[began])

    state = replay.state_dict()
    for i in range(3):
        # The definition of CountingEnv: every observation of every episode once, in order.
        lengths = [1 + (episode + i) % 4 for episode in range(60)]
        cells = [(e, t, n) for e, n in enumerate(lengths) for t in range(n + 1)]
        head = int(state["head"][i])
        assert head > 45
        column = slice(i, (head + 1) * 3, 3)
        observation = [100.0 * e + t for e, t, _ in cells[: head + 1]]
        np.testing.assert_array_equal(state["observation"][column, 0], observation)
        starts = [t < n for _, t, n in cells[:head]] + [False]
        np.testing.assert_array_equal(state["stored"][column], starts)
        terminal = [t == n - 1 and e % 3 != 2 for e, t, n in cells[: head + 1]]
        discount = np.where(terminal, 0.0, 1.0)[starts]
        np.testing.assert_array_equal(state["discount"][column][starts], discount)


def test_observations_are_stored_once():
    replay = ReplayBuffer(1_000, 10, 300)
    arrays = (np.ndarray, torch.Tensor)
    memory = sum(v.nbytes for v in vars(replay).values() if isinstance(v, arrays))
    assert memory < 1.05 * 1_000 * 300 * 4


def test_uniform_sampling_is_uniform():
    replay, _ = filled(120, 3, 100)
    draws = 200 * len(replay)
    cell = replay.sample(draws, np.random.default_rng(0)).cell
    counts = np.bincount(cell, minlength=120)
    stored = replay.state_dict()["stored"]
    assert (counts[~stored] == 0).all()
    chi_square = ((counts[stored] - 200) ** 2 / 200).sum()
    degrees = len(replay) - 1
    assert abs(chi_square - degrees) < 4 * np.sqrt(2 * degrees)


def test_prioritised_sampling_follows_the_priorities():
    replay, _ = filled(120, 3, 100, alpha=0.7)
    stored = np.flatnonzero(replay.state_dict()["stored"])
    errors = np.random.default_rng(1).exponential(size=len(stored))
    replay.update_priorities(stored, -errors)  # the sign does not matter
    probability = (errors + 1e-6) ** 0.7
    probability /= probability.sum()

    draws = 500 * len(stored)
    batch = replay.sample(draws, np.random.default_rng(0), beta=0.5)
    counts = np.bincount(batch.cell, minlength=120)
    assert counts.sum() == counts[stored].sum()
    # Strata make the counts more even than independent draws would be.
    np.testing.assert_allclose(counts[stored], draws * probability, atol=2.0)

    of_cell = dict(zip(stored.tolist(), probability, strict=True))
    weight = np.array([(len(stored) * of_cell[c]) ** -0.5 for c in batch.cell.tolist()])
    np.testing.assert_allclose(batch.weight, weight / weight.max(), rtol=1e-5)
    assert batch.weight.max() == 1.0
    assert batch.weight.dtype == np.float32


def test_new_transitions_get_the_highest_priority_and_old_cells_none():
    replay = ReplayBuffer(8, 1, 1, alpha=1.0)
    env = np.array([0])

    def append():
        replay.append(env, env, np.zeros(1), np.ones(1), np.zeros((1, 1)))

    replay.begin(env, np.zeros((1, 1)))
    append()
    append()
    np.testing.assert_array_equal(replay.state_dict()["priority"], [1.0, 1.0, 0.0])
    replay.update_priorities(np.array([0, 1]), np.array([5.0, 0.1]))
    append()
    np.testing.assert_allclose(replay.state_dict()["priority"], [5.0, 0.1, 5.0, 0.0], atol=1e-5)
    for _ in range(20):  # round and round
        append()
    priority = replay.state_dict()["priority"]
    assert (priority > 0).sum() == len(replay) == 7
    assert priority[replay.state_dict()["head"][0]] == 0.0


@pytest.mark.parametrize("size", [1, 2, 5, 64, 100])
def test_sum_tree_against_a_list(size):
    rng = np.random.default_rng(size)
    tree, values = SumTree(size), np.zeros(size)
    for _ in range(30):
        index = rng.integers(0, size, 7)
        new = rng.choice([0.0, 1e-9, 1.0, 1e6]) * rng.random(7)
        tree.update(index, new)
        for i, value in zip(index, new, strict=True):  # of duplicates, the last one counts
            values[i] = value
        np.testing.assert_array_equal(tree.values[:size], values)
        assert tree.total == pytest.approx(values.sum(), rel=1e-12)
        if tree.total > 0:
            drawn, probability = tree.sample(50, rng)
            assert (values[drawn] > 0).all()
            np.testing.assert_allclose(probability, values[drawn] / values.sum())


@pytest.mark.parametrize("alpha", [None, 0.6])
def test_state_round_trip(alpha):
    replay, _ = filled(120, 3, 30, n_step=3, alpha=alpha)
    if alpha is not None:
        replay.update_priorities(replay.sample(20, np.random.default_rng(0)).cell, np.arange(20.0))
    copy = ReplayBuffer(120, 3, 1, 3, alpha)
    copy.load_state_dict({name: array.copy() for name, array in replay.state_dict().items()})
    assert len(copy) == len(replay)
    for memory in (replay, copy):
        memory.append(np.arange(3), np.ones(3), np.ones(3), np.ones(3), np.ones((3, 1)))
    ours, theirs = (memory.sample(64, np.random.default_rng(1), 0.4) for memory in (copy, replay))
    for name, mine, yours in zip(ours._fields, ours, theirs, strict=True):
        np.testing.assert_array_equal(mine, yours, err_msg=name)


def test_clicks_are_those_of_the_first_action():
    memory = ReplayBuffer(40, 2, 1, n_step=3, clicks=True)
    both, one = np.arange(2), np.ones(2)
    memory.begin(both, np.zeros((2, 1)))
    for t in range(30):  # wraps around
        click = np.array([t % 3 == 0, t % 2 == 0])
        memory.append(both, click * 1, one, one, np.full((2, 1), t + 1), click)
    copy = ReplayBuffer(40, 2, 1, n_step=3, clicks=True)
    copy.load_state_dict(memory.state_dict())
    for each in (memory, copy):
        batch = each.sample(200, np.random.default_rng(0))
        assert batch.click.dtype == bool and 0 < batch.click.sum() < 200
        np.testing.assert_array_equal(batch.click, batch.action)
    assert "click" not in ReplayBuffer(40, 2, 1).state_dict()


def test_latest_are_the_newest_windows_that_are_stored():
    replay, history = filled(400, 3, 60, n_step=3)
    batch = replay.latest(3)
    assert len(set(batch.cell.tolist())) == 3
    # Of an environment that has just begun an episode there is none, and an older one of another.
    newest = {(row[0], row[1]) for rows in history for row in rows[-2:]}
    assert set(zip(batch.observation[:, 0].tolist(), batch.action.tolist(), strict=True)) <= newest
    every = replay.latest(10**6)
    assert len(every.cell) == len(replay) == len(set(every.cell.tolist()))


def test_too_small_a_memory_is_refused():
    with pytest.raises(ValueError, match=r"replay_size must be at least .* = 60, got 59"):
        ReplayBuffer(59, 12, 1, n_step=3)
    ReplayBuffer(60, 12, 1, n_step=3)


def test_sampling_from_nothing_is_refused():
    replay = ReplayBuffer(100, 1, 1)
    with pytest.raises(ValueError, match="empty"):
        replay.sample(1, np.random.default_rng(0))
    replay.begin(np.array([0]), np.zeros((1, 1)))
    with pytest.raises(ValueError, match="empty"):
        replay.sample(1, np.random.default_rng(0))
