"""Learning from logged decisions: the same targets as online, and the two corrections."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from agents.dqn import DQN, DQNConfig
from agents.dqn.cloning import BehaviourCloning
from agents.dqn.offline import fill_replay
from livestream_env import LiveStreamRecVectorEnv
from livestream_env.decisions import decision_writer, read_decisions
from livestream_env.decisions.loaders import fill_sb3, to_d3rlpy
from livestream_env.simulated_logs.policy import LoggingPolicy
from livestream_env.simulated_logs.recording import describe, log_decisions

KWARGS = {
    "world": "plain",
    "traces": False,
    "config": {"num_viewers": 100, "num_streamers": 60, "days": 2},
}


@pytest.fixture(scope="module")
def decisions(tmp_path_factory):
    env = LiveStreamRecVectorEnv(8, **KWARGS)
    path = tmp_path_factory.mktemp("offline") / "log.parquet"
    about = describe(env, "LiveStreamRec-v0", KWARGS, "logging", 0)
    with decision_writer(path, about) as writer:
        for rows in log_decisions(LoggingPolicy(env, 0), env, 1_500, 0):
            writer.write(rows)
    return read_decisions(path)


@pytest.fixture(scope="module")
def env(decisions):
    return decisions.description.make_env()


def make(env, preset="plain", **settings):
    return DQN(env, preset, seed=0, num_envs=2, batch_size=32, **settings)


def q_of(agent, decisions):
    values = agent.learner.q_values(decisions.observations[decisions.steps])
    logged = values[np.arange(len(values)), decisions.action[decisions.steps]]
    return values, logged


@pytest.mark.parametrize("prioritized", [False, True])
def test_replay_holds_what_was_logged(decisions, prioritized):
    config = DQNConfig(
        n_step=3, gamma=0.9, discount="semi-markov", tau_s=60.0, prioritized=prioritized
    )
    replay = fill_replay(decisions, config)
    assert len(replay) == decisions.num_steps
    batch = replay.sample(400, np.random.default_rng(0), 1.0)
    gamma = config.discounts(decisions.terminated, decisions.elapsed_s)
    for i, row in enumerate(batch.cell.tolist()):
        reward, product, at = 0.0, 1.0, row
        while at < row + 3 and decisions.action[at] >= 0:
            reward += product * decisions.reward[at]
            product *= 0.0 if decisions.terminated[at] else 0.9 ** (decisions.elapsed_s[at] / 60)
            at += 1
        assert batch.reward[i] == pytest.approx(reward, rel=1e-5)
        assert batch.discount[i] == pytest.approx(product, rel=1e-5)
        assert gamma[at - 1] == 0 or decisions.action[at] >= 0 or decisions.truncated[at - 1]
        np.testing.assert_array_equal(batch.observation[i], decisions.observations[row])
        np.testing.assert_array_equal(batch.next_observation[i], decisions.observations[at])
        assert batch.action[i] == decisions.action[row]


def test_clicks_are_found_in_what_was_logged(decisions, env):
    agent = make(env, "default", bcq_threshold=0.3)
    batch = fill_replay(decisions, agent.config).sample(400, np.random.default_rng(0))
    row = decisions.observations[batch.cell + 1]
    layout = env.unwrapped.layout
    newest = row[:, layout.slices["history"].start + layout.names["history"].index("clicked")]
    np.testing.assert_array_equal(batch.click, newest > 0.5)
    assert 0.1 < batch.click.mean() < 0.5
    agent.learn_offline(decisions, 30)
    assert agent.learner.pop_metrics()["train/loss"] < 100.0


DEEPER = {"preset": "default", "q_form": "direct", "inverse_variance": None}


@pytest.mark.parametrize("settings", [{}, DEEPER, {"dueling": True}, {"network": "mlp"}], ids=str)
def test_the_conservative_gradient_is_autograds(decisions, env, settings):
    """One gradient of the whole loss, against PyTorch's own of its formula."""
    agent = make(env, cql_weight=0.7, gradients="autograd", **settings)
    replay = fill_replay(decisions, agent.config)
    batch = replay.sample(32, np.random.default_rng(1))
    learner = agent.learner
    network = learner.q_net
    with torch.inference_mode():
        target = learner._targets(batch)
        mask = learner.action_mask(batch.observation)
        chosen, backward = learner._conservative(batch)
        backward(2.0 / 32 * (chosen - target))
    found = [p.grad.clone() for p in network.parameters()]
    for parameter in network.parameters():
        parameter.grad.zero_()
    values = network(batch.observation.clone(), mask.clone())
    taken = values.gather(1, torch.from_numpy(batch.action)[:, None]).squeeze(1)
    valid = values.masked_fill(~mask.clone(), -torch.inf)
    penalty = (valid.logsumexp(1) - taken).mean()
    ((taken - target.clone()).square().mean() + 0.7 * penalty).backward()
    for gradient, parameter in zip(found, network.parameters(), strict=True):
        torch.testing.assert_close(gradient, parameter.grad, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("settings", [{}, DEEPER, {"dueling": True}, {"summary": True}], ids=str)
def test_the_conservative_gradient_by_hand(decisions, env, settings):
    found = []
    for gradients in ("autograd", "by_hand"):
        agent = make(env, cql_weight=0.7, gradients=gradients, **settings)
        batch = fill_replay(decisions, agent.config).sample(32, np.random.default_rng(1))
        with torch.inference_mode():
            chosen, backward = agent.learner._conservative(batch)
            backward(chosen / 32)
            found.append((chosen.clone(), agent.learner._gradient.clone()))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


def test_learns_and_is_conservative(decisions, env):
    plain = make(env).learn_offline(decisions, 600)
    careful = make(env, cql_weight=2.0).learn_offline(decisions, 600)
    gaps = []
    for agent in (plain, careful):
        assert agent.learner.num_updates == 600
        values, logged = q_of(agent, decisions)
        # The conservative loss itself: it falls only where it is learned from.
        gaps.append(np.mean(np.log(np.exp(values).sum(axis=1)) - logged))
    assert gaps[1] < gaps[0] - 0.1


@pytest.mark.parametrize("settings", [{"cql_weight": 0.5}, {"preset": "default"}], ids=str)
def test_same_seed_same_bits(settings, decisions, env):
    one, two = (make(env, **settings).learn_offline(decisions, 20) for _ in range(2))
    np.testing.assert_array_equal(q_of(one, decisions)[0], q_of(two, decisions)[0])


@pytest.mark.parametrize("preset", ["default", "plain"])
def test_batch_constrained(preset, decisions, env, tmp_path):
    agent = make(env, preset, bcq_threshold=0.3).learn_offline(decisions, 200)
    rows = decisions.observations[decisions.steps]
    tensor = torch.from_numpy(rows)
    with torch.inference_mode():
        mask = agent.learner.action_mask(tensor)
        logs = agent.learner.behaviour.log_probabilities(tensor, mask)
    share = (logs - logs.amax(1, keepdim=True)).exp().numpy()
    action, _ = agent.predict(rows, deterministic=True)
    assert (share[np.arange(len(rows)), action] >= 0.3 - 1e-6).all()
    assert (share >= 0.3).sum() < mask.sum()
    agent.save(tmp_path / "model")
    loaded = DQN.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.predict(rows, deterministic=True)[0], action)


def test_cloning_finds_the_policy(decisions, env):
    clone = BehaviourCloning(env, seed=0).learn_offline(decisions, 600)
    rows = decisions.steps
    estimate = clone.propensities(decisions.observations[rows])
    truth = decisions.propensity[rows]
    np.testing.assert_allclose(estimate.sum(axis=1), 1.0)
    assert (estimate[~decisions.action_mask[rows]] == 0).all()
    uniform = decisions.action_mask[rows] / decisions.action_mask[rows].sum(1, keepdims=True)
    assert abs(estimate - truth).mean() < 0.6 * abs(uniform - truth).mean()
    action, _ = clone.predict(decisions.observations[rows])
    np.testing.assert_array_equal(action, estimate.argmax(axis=1))
    sampling = BehaviourCloning(env, seed=0, sample=True)
    assert len(set(sampling.predict(decisions.observations[[0] * 99])[0])) > 1


def test_refusals(decisions, env):
    with pytest.raises(ValueError, match="num_updates must be an integer of at least 1"):
        make(env).learn_offline(decisions, 0)
    other = DQN("LiveStreamRec-v0", env_kwargs={**KWARGS, "num_candidates": 5}, num_envs=2)
    with pytest.raises(ValueError, match=r"decisions must have \(observation size, actions\)"):
        other.learn_offline(decisions, 1)


def test_these_settings_are_for_logged_decisions(env):
    for name in ("cql_weight", "bcq_threshold"):
        with pytest.raises(ValueError, match=f"{name} is for learn_offline.*must be 0, got 0.5"):
            make(env, **{name: 0.5}).learn(10)


@pytest.mark.parametrize("kept_once", [False, True])
def test_sb3_is_filled_as_by_its_own_method(decisions, env, kept_once, monkeypatch):
    """Block by block as row by row, also on from the middle and over the end of the buffer."""
    buffers = pytest.importorskip("stable_baselines3.common.buffers")
    monkeypatch.setattr("livestream_env.decisions.loaders._BLOCK", 64)
    few = decisions.first(200)
    few.truncated[few.steps[-1]], few.terminated[few.steps[-1]] = not kept_once, kept_once

    def make_buffer():
        options = {"optimize_memory_usage": kept_once, "handle_timeout_termination": not kept_once}
        size = few.num_steps + 30
        return buffers.ReplayBuffer(
            size, env.observation_space, env.action_space, device="cpu", **options
        )

    ours, theirs = make_buffer(), make_buffer()
    for _ in range(2):
        assert fill_sb3(few, ours) is ours
        for row in few.steps:
            truncated = few.truncated[row]
            theirs.add(
                few.observations[row][None],
                few.observations[row + 1][None],
                few.action[row][None],
                few.reward[row][None],
                np.array([few.terminated[row] | truncated]),
                [{"TimeLimit.truncated": truncated}],
            )
    assert ours.full and (ours.pos, ours.full) == (theirs.pos, theirs.full)
    for name, array in vars(theirs).items():
        if isinstance(array, np.ndarray):
            np.testing.assert_array_equal(getattr(ours, name), array, name)
    with pytest.raises(ValueError, match="hold at least"):
        fill_sb3(few, buffers.ReplayBuffer(10, env.observation_space, env.action_space))


def test_d3rlpy(decisions):
    pytest.importorskip("d3rlpy")
    few = decisions.first(200)
    dataset = to_d3rlpy(few)
    assert dataset.transition_count == few.num_steps
    assert dataset.size() == few.num_episodes
    first = dataset.episodes[0]
    np.testing.assert_array_equal(
        first.observations, few.observations[few.starts[0] : few.lengths[0]]
    )
    assert first.terminated
