from __future__ import annotations

import csv

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode

from agents.dqn import DQN
from agents.dqn.config import DQNConfig
from agents.policy import Policy
from agents.vector import VectorStep, make_training_env
from tests.agents.small_envs import chain, small_platform

SMALL = {
    "hidden_sizes": (8,),
    "batch_size": 16,
    "learning_starts": 50,
    "replay_size": 2_000,
    "train_interval": 4,
    "target_interval": 10,
    "seed": 0,
}


def small(env=None, **settings):
    """A small agent on the chain, or on an environment with a layout."""
    network = "mlp" if env is None or env.layout is None else "candidate"
    return DQN(env or chain(4), DQNConfig(**{"network": network, **SMALL, **settings}))


def weights(agent):
    return agent.learner.state_dict()["weights"].copy()


def test_termination_ends_the_return_and_truncation_does_not():
    agent = small(chain(4), gamma=0.5, learning_starts=10**6, epsilon_end=1.0, double=False)
    agent.learn(4)
    flags = np.array([[0, 0], [1, 0], [0, 1], [1, 1]], dtype=bool)
    observation = np.eye(7, dtype=np.float32)
    before = len(agent.replay)
    agent._store(
        np.zeros(4, dtype=np.int64),
        VectorStep(
            observation=observation[[1, 2, 3, 4]],
            next_observation=observation[[1, 5, 5, 5]],
            reward=np.array([1.0, 2.0, 3.0, 4.0]),
            terminated=flags[:, 0],
            truncated=flags[:, 1],
            elapsed_s=None,
            live=np.ones(4, dtype=bool),
            began=flags.any(axis=1),
        ),
    )
    assert len(agent.replay) == before + 4
    batch = agent.replay.sample(400, np.random.default_rng(0))
    with torch.no_grad():  # Q(s', .) = (position of s', 0)
        for weight in agent.learner.target_net.parameters():
            weight.zero_()
        agent.learner.target_net.advantage.linear[-1].bias.copy_(torch.tensor([8.0, 0.0]))
    targets = agent.learner.targets(batch).numpy()
    for reward, target in [(1.0, 5.0), (2.0, 2.0), (3.0, 7.0), (4.0, 4.0)]:
        chosen = targets[np.isclose(batch.reward, reward) & (batch.action == 0)]
        assert np.isclose(chosen, target).any()
    # The first observation of the next episode is nobody's successor.
    for reward, after in [(2.0, 5), (3.0, 5), (4.0, 5)]:
        chosen = batch.next_observation[batch.reward == reward]
        assert (chosen.argmax(axis=1) == after).all()


def test_semi_markov_discount():
    agent = small(chain(2), discount="semi-markov", tau_s=60.0, gamma=0.9)
    agent.learn(2)
    nothing = np.zeros(2, dtype=bool)
    agent._store(
        np.zeros(2, dtype=np.int64),
        VectorStep(
            np.eye(7)[:2], np.eye(7)[:2], np.array([5.0, 6.0]), nothing, nothing,
            np.array([30.0, 120.0]), ~nothing, nothing,
        ),
    )  # fmt: skip
    batch = agent.replay.sample(100, np.random.default_rng(0))
    np.testing.assert_allclose(batch.discount[batch.reward == 5.0], 0.9**0.5)
    np.testing.assert_allclose(batch.discount[batch.reward == 6.0], 0.9**2, rtol=1e-6)


def test_semi_markov_needs_durations():
    agent = DQN("CartPole-v1", DQNConfig(network="mlp", discount="semi-markov", num_envs=2))
    with pytest.raises(ValueError, match="elapsed_s"):
        agent.learn(10)


def test_the_click_form_needs_clicks():
    env = small_platform(4)
    step = env.step
    env.step = lambda action: (*step(action)[:4], {"elapsed_s": np.ones(4)})
    env.metadata = {"autoreset_mode": AutoresetMode.NEXT_STEP}
    with pytest.raises(ValueError, match=r"q_form='click' needs .*info\['click'\]"):
        small(env, q_form="click").learn(10)


@pytest.mark.parametrize("epsilon", [0.0, 0.5, 1.0])
def test_masked_actions_are_never_taken(epsilon):
    env = small_platform(64)
    agent = small(env)
    observation, _ = env.reset(seed=0)
    mask = env.layout.action_mask(observation)
    assert not mask.all()
    counts = np.zeros(mask.shape)
    for seed in range(200):
        action = agent._act(observation, epsilon, np.random.default_rng(seed))
        counts[np.arange(64), action] += 1
    assert (counts[~mask] == 0).all()
    if epsilon == 1.0:  # uniform over what is valid
        expected = mask * 200 / mask.sum(axis=1, keepdims=True)
        assert np.abs(counts - expected).max() < 5 * np.sqrt(200 / 4)


def test_masks_hold_through_training():
    env = small_platform(8)
    taken = []
    step = env.step

    def watched(action):
        taken.append(env.layout.action_mask(env.observation[env.slots["state"]])[range(8), action])
        return step(action)

    env.step = watched
    small(env).learn(800)
    assert np.concatenate(taken).all()


def test_every_environment_has_its_own_coin():
    agent = small(chain(64))
    observation = np.tile(np.eye(7, dtype=np.float32)[3], (64, 1))
    greedy = agent._act(observation, 0.0, np.random.default_rng(0))[0]
    rng = np.random.default_rng(1)
    explored = np.array([agent._act(observation, 0.2, rng) != greedy for _ in range(500)])
    # Of two actions, half of the explorers take the greedy one anyway: 64 coins of 0.1 each.
    share, number = explored.mean(), explored.sum(axis=1)
    assert share == pytest.approx(0.1, abs=0.01)
    assert number.var() == pytest.approx(64 * 0.1 * 0.9, rel=0.3)
    assert np.abs(np.corrcoef(explored.T)[np.triu_indices(64, 1)]).mean() < 0.06


def test_exploration_rate_follows_the_steps():
    seen = {}
    agent = small(epsilon_start=1.0, epsilon_end=0.2, epsilon_fraction=0.5)
    agent.learn(400, callback=lambda a: seen.update({a.num_timesteps: a.exploration_rate}))
    assert seen[4] == pytest.approx(1.0 - 0.8 * 4 / 200)
    assert seen[100] == pytest.approx(0.6)
    assert seen[200] == seen[400] == pytest.approx(0.2)


@pytest.mark.parametrize("num_envs", [1, 3, 16, 50])
def test_updates_per_step_do_not_depend_on_the_number_of_environments(num_envs):
    agent = small(chain(num_envs))

    def exact(a):
        assert a.learner.num_updates == max(0, a.num_timesteps - 50) // 4

    agent.learn(600, callback=exact)
    assert 600 <= agent.num_timesteps < 600 + num_envs
    assert agent.learner.num_updates == (agent.num_timesteps - 50) // 4


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_only_real_steps_are_counted(mode):
    env = chain(5, mode=mode)
    agent = small(env)
    agent.learn(500)
    assert 500 <= agent.num_timesteps < 505
    assert len(agent.replay) == agent.num_timesteps


def test_targets_are_copied_at_multiples_of_the_interval():
    agent = small(train_interval=1, target_interval=25)
    changes, last = [], None
    update = agent.learner.update

    def watched(*args):
        nonlocal last
        result = update(*args)
        now = agent.learner.state_dict()["target_weights"].copy()
        if last is not None and not np.array_equal(now, last):
            changes.append(agent.learner.num_updates)
        last = now
        return result

    agent.learner.update = watched
    agent.learn(200)
    assert changes == [25, 50, 75, 100, 125, 150]


@pytest.mark.parametrize(
    "settings",
    [{}, {"prioritized": True, "n_step": 3, "dueling": True}, {"q_form": "click"}],
    ids=["plain", "all", "click"],
)
def test_same_seed_same_bits(settings):
    first, second, other = (
        small(small_platform(8), **settings | {"seed": seed}).learn(600) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(weights(first), weights(second))
    assert not np.array_equal(weights(first), weights(other))
    assert first.learner.num_updates > 100


def test_predicting_changes_nothing():
    def predict(agent):
        observation = np.zeros((3, 12), dtype=np.float32)
        agent.predict(observation, deterministic=True)
        agent.predict(observation)
        agent.predict(observation[0])

    quiet = small(small_platform(8)).learn(400)
    disturbed = small(small_platform(8)).learn(400, callback=predict)
    np.testing.assert_array_equal(weights(quiet), weights(disturbed))
    np.testing.assert_array_equal(quiet._observation, disturbed._observation)


def test_predict_follows_the_policy_protocol():
    agent = small(small_platform(8)).learn(400)
    assert isinstance(agent, Policy)
    observation = agent.env.observation[:5]
    actions, state = agent.predict(observation, state="kept", deterministic=True)
    assert actions.shape == (5,)
    assert actions.dtype == np.int64
    assert state == "kept"
    single, _ = agent.predict(observation[2], deterministic=True)
    assert single.shape == ()
    assert single == actions[2]
    # Without exploration the same always, with it not.
    agent.config = DQNConfig(**SMALL, epsilon_end=1.0)
    explored = {int(agent.predict(observation[0])[0]) for _ in range(50)}
    assert len(explored) > 1
    with pytest.raises(ValueError, match=r"shape \(12,\) or \(B, 12\), got \(5,\)"):
        agent.predict(np.zeros(5))


def test_learning_goes_on_or_begins_anew():
    agent = small()
    agent.learn(200)
    agent.learn(200, reset_num_timesteps=False)
    assert agent.num_timesteps == 400
    assert agent.learner.num_updates == (400 - 50) // 4
    agent.learn(100)
    assert agent.num_timesteps == 100
    assert len(agent.replay) > 100


def test_a_callback_may_stop_training():
    agent = small()
    agent.learn(1000, callback=lambda a: a.num_timesteps < 100)
    assert agent.num_timesteps == 100


def test_environments_that_reuse_their_buffer():
    fresh, reusing = small_platform(4), small_platform(4)
    buffer, step = np.zeros((4, 12), dtype=np.float32), reusing.step

    def step_into_buffer(action):
        observation, *rest = step(action)
        buffer[:] = observation
        return (buffer, *rest)

    reusing.step = step_into_buffer
    np.testing.assert_array_equal(
        weights(small(fresh).learn(400)), weights(small(reusing).learn(400))
    )


def test_another_environment():
    agent = small(chain(4)).learn(200)
    held = len(agent.replay)
    agent.set_env(chain(4))
    agent.learn(40)
    assert len(agent.replay) == held + 40
    agent.set_env(chain(8))  # another number of environments: another memory
    agent.learn(80)
    assert len(agent.replay) == 80
    with pytest.raises(ValueError, match=r"= \(7, 2\), got \(12, 3\)"):
        agent.set_env(small_platform(4))


def test_a_different_layout_is_refused():
    agent, env = small(small_platform(4)), small_platform(4)
    env.layout.shared_columns = np.array([2, 1, 0])
    with pytest.raises(ValueError, match="layout"):
        agent.set_env(env)


def test_made_from_ids_and_presets():
    agent = DQN("CartPole-v1", DQNConfig.preset("article", num_envs=4), seed=5)
    assert agent.env.num_envs == 4
    assert agent.config.seed == 5
    agent.learn(1_200)
    assert agent.learner.num_updates == agent.num_timesteps - 1_000

    drawn = DQN(gym.make("CartPole-v1"), "article").config.seed
    assert drawn is not None
    with pytest.raises(ValueError, match="network='mlp'"):
        DQN("CartPole-v1")


def test_learns_on_the_livestream_env(tmp_path):
    livestream_env = pytest.importorskip("livestream_env")
    assert livestream_env is not None
    env = gym.make("LiveStreamRec-v0")
    agent = DQN(env, DQNConfig.preset("default", num_envs=16, learning_starts=200), seed=0)
    agent.learn(1_000)
    assert agent.learner.num_updates == (agent.num_timesteps - 200) // 16
    observation, _ = env.reset(seed=0)
    action, _ = agent.predict(observation, deterministic=True)
    env.step(action)
    mine = agent.learner.action_mask(torch.from_numpy(observation[None]))
    np.testing.assert_array_equal(mine[0], env.unwrapped.layout.action_mask(observation))


def test_reads_the_latest_of_what_is_observed(tmp_path):
    """Of eight observed impressions two: the others change nothing; a file says so, too."""
    env = gym.make("LiveStreamRec-v0")
    agent = DQN(env, "default", history_length=2, num_envs=4, seed=0)
    agent.save(tmp_path / "model")
    agent = DQN.load(tmp_path / "model")
    agent.set_env(make_training_env("LiveStreamRec-v0", 4))
    layout = env.unwrapped.layout
    history, each = layout.slices["history"], len(layout.names["history"])
    unread = np.arange(history.start + 2 * each, history.stop)
    expected = np.setdiff1d(layout.shared_columns, unread)
    np.testing.assert_array_equal(agent.layout.shared_columns, expected)
    observation, _ = env.reset(seed=0)
    for column, same in ((unread[0], True), (unread[-1], True), (unread[0] - 1, False)):
        changed = observation.copy()
        changed[column] += 1.0
        # One at a time: in a batch the last bits may depend on the row.
        values = [agent.learner.q_values(row[None]) for row in (observation, changed)]
        assert np.array_equal(*values) == same, column
    everything = DQN(env, "default", history_length=None, num_envs=4, seed=0)
    np.testing.assert_array_equal(everything.layout.shared_columns, layout.shared_columns)


def test_log(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("livestream_env.progress.FIRST_LINE_S", 0.0)
    agent = small(small_platform(8))
    agent.learn(800, progress_bar=True, log_dir=tmp_path / "run", log_interval=200)
    with open(tmp_path / "run" / "progress.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["time/total_timesteps"]) for row in rows] == [200, 400, 600, 800]
    names = "rollout/ep_rew_mean rollout/ep_len_mean rollout/exploration_rate train/loss".split()
    names += "train/q_mean train/learning_rate train/n_updates time/fps".split()
    assert set(names) < set(rows[0])
    assert all(np.isfinite(float(row[name])) for row in rows for name in names)
    assert float(rows[-1]["rollout/ep_len_mean"]) > 1
    assert list((tmp_path / "run").glob("events.out.tfevents.*"))
    said = capsys.readouterr().err.splitlines()
    assert "dqn: 800 of 800 steps (100 %) in " in said[-1] and ", reward " in said[-1]


def test_episode_statistics():
    env, running, returns = chain(4), np.zeros(4), []
    step = env.step

    def watched(action):
        result = step(action)
        running[:] += result[1]
        returns.extend(running[result[2]])
        running[result[2]] = 0.0
        return result

    env.step = watched
    agent = small(env).learn(2_000)
    assert len(returns) > 100
    assert agent._episodes.means()["rollout/ep_rew_mean"] == pytest.approx(np.mean(returns[-100:]))


@pytest.mark.parametrize("steps", [-5, float("nan"), 1e5, "100", None, True])
def test_steps_must_be_a_count(steps):
    agent = small(chain(2))
    with pytest.raises(ValueError, match="total_timesteps must be an integer"):
        agent.learn(steps)
    with pytest.raises(ValueError, match="log_interval must be an integer"):
        agent.learn(10, log_interval=steps)
    assert agent.learn(np.int64(10)).num_timesteps >= 10 and agent.learn(0).num_timesteps == 0


@pytest.mark.parametrize("config", [{}, {"gamma": 0.9}, None, 3, DQNConfig])
def test_config_is_a_preset_or_a_config(config):
    with pytest.raises(
        ValueError, match=r"config must be .*DQNConfig.*article, default, plain.*gamma="
    ):
        DQN(chain(2), config)
