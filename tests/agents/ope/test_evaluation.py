"""From a log to estimates: the logging policy itself, fitted values, and what must be said."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from agents.dqn import DQN
from agents.ope.estimators import ESTIMATORS, estimators, variants, weights_of
from agents.ope.evaluation import evaluate_off_policy, interval
from agents.ope.fitted_q import FittedQ
from agents.ope.targets import TargetPolicy, target_probabilities
from agents.ope.trajectories import Trajectories, decision_rows
from agents.ope.weights import recent_weights
from agents.rules.baselines import ColumnPolicy, LoggingPolicy, RandomPolicy
from agents.rules.oracles import GreedyOracle
from livestream_env import LiveStreamRecVectorEnv
from livestream_env.decisions import decision_writer, read_decisions
from livestream_env.simulated_logs.recording import describe, log_decisions
from livestream_env.wrappers import layout_under

KWARGS = {
    "world": "plain",
    "horizon": "visit",
    "config": {"num_viewers": 100, "num_streamers": 60, "days": 2},
}


@pytest.fixture(scope="module")
def env():
    return LiveStreamRecVectorEnv(8, **KWARGS)


@pytest.fixture(scope="module")
def layout(env):
    return layout_under(env)


@pytest.fixture(scope="module")
def decisions(env, tmp_path_factory):
    path = tmp_path_factory.mktemp("ope") / "log.parquet"
    about = describe(env, "LiveStreamRec-v0", KWARGS, "logging", 0)
    with decision_writer(path, about) as writer:
        for rows in log_decisions(LoggingPolicy(env, 0), env, 3_000, 0):
            writer.write(rows)
    return read_decisions(path)


def test_trajectories_are_the_logged_episodes(decisions):
    log = Trajectories.of(decisions, gamma=0.9, tau_s=60.0)
    assert log.running.sum() == decisions.num_steps
    for episode in (0, 3):
        start, length = decisions.starts[episode], decisions.lengths[episode]
        rows = np.arange(start, start + length)
        elapsed = np.r_[0.0, np.cumsum(decisions.elapsed_s[rows])[:-1]]
        expected = (0.9 ** (elapsed / 60.0) * decisions.reward[rows]).sum()
        assert log.returns[episode] == pytest.approx(expected)
    same_viewer = decisions.viewer[decisions.starts][:, None] == decisions.viewer[decisions.starts]
    np.testing.assert_array_equal(log.cluster[:, None] == log.cluster, same_viewer)
    short = Trajectories.of(decisions, horizon=3)
    assert short.running.shape[1] == 3 and (short.discount[:, 2] == 0).all()
    assert short.running.sum() == len(decision_rows(decisions, 3))


def test_of_the_logging_policy_all_agree_and_are_trusted(decisions, env, layout):
    target = TargetPolicy(LoggingPolicy(env, 0), layout)
    mean = Trajectories.of(decisions).returns.mean()
    found = {e.estimator: e for e in evaluate_off_policy(decisions, {"same": target}, resamples=99)}
    assert list(found) == list(ESTIMATORS)
    for key in ("is", "snis", "pdis", "snpdis", "phis", "mis"):
        assert found[key].value == pytest.approx(mean, rel=1e-4)
        size = found[key].diagnosis.effective_sample_size
        assert size == pytest.approx(decisions.num_episodes, rel=0.01)
    for key in ("dm", "dr", "wdr", "drl"):
        assert found[key].value == pytest.approx(mean, rel=0.2)
        assert found[key].low < mean < found[key].high
    trusted = {key for key, estimate in found.items() if estimate.trusted}
    assert trusted == set(ESTIMATORS) - {"dm", "mis", "drl"}


def test_far_policies_are_not_trusted(decisions, env, layout):
    target = TargetPolicy(ColumnPolicy(env, column="viewers"), layout)
    for estimate in evaluate_off_policy(decisions, {"far": target}, resamples=20):
        assert not estimate.trusted
        if estimate.estimator in ("is", "snpdis", "wdr"):
            assert "effective sample size" in " ".join(estimate.diagnosis.warnings)


def test_the_fixed_point_is_one(decisions, env, layout):
    """Of the values that were learned from, the errors have no linear trend in any feature."""
    log, rows = Trajectories.of(decisions), decisions.steps
    chances = target_probabilities(TargetPolicy(RandomPolicy(env, 0), layout), decisions, rows)
    (values,) = FittedQ(decisions, log, chances[..., None], layout).fit()
    assert abs(values.influence.sum()) < 0.1 * np.abs(values.influence).sum()
    assert np.isfinite(values.state).all() and (values.state[~log.running] == 0).all()
    again = FittedQ(decisions, log, chances[..., None], layout).fit()[0]
    np.testing.assert_array_equal(values.state, again.state)


def test_the_interval_of_phis_takes_in_those_of_the_next_windows(decisions, env, layout):
    log, rows = Trajectories.of(decisions), decisions.steps
    action = decisions.action[rows]
    found = {}
    for name, policy in {"far": RandomPolicy(env, 0), "same": LoggingPolicy(env, 0)}.items():
        chances = target_probabilities(TargetPolicy(policy, layout), decisions, rows)
        chosen = log.padded(chances[np.arange(len(rows)), action], 1.0)
        weights, parts = weights_of(log, chosen, None), []
        for window in (1, 2, 3):
            recent = recent_weights(chosen / log.behaviour, window)
            made = {"phis": estimators(log, weights._replace(recent=recent))["phis"]}
            parts.append(interval(made, log, 99, 0)["phis"])
        values, lows, highs = zip(*parts, strict=True)
        made = {"phis": estimators(log, weights)["phis"]}
        answer = interval(made, log, 99, 0, variants(log, chosen))["phis"]
        assert answer == (values[1], min(lows), max(highs))
        low, high = answer[1:]
        found[name] = (high - low) / (highs[1] - lows[1])
    # Where the window makes no difference there is no bias to be seen.
    assert found["same"] == pytest.approx(1.0, rel=1e-3) and found["far"] > 1.1


def test_some_estimators_alone_need_no_fit(decisions, env, layout, monkeypatch):
    targets = {"random": TargetPolicy(RandomPolicy(env, 0), layout)}
    every = evaluate_off_policy(decisions, targets, resamples=10)
    monkeypatch.setattr(FittedQ, "fit", None)
    some = evaluate_off_policy(decisions, targets, resamples=10, keys=["phis", "is"])
    assert some == [e for e in every if e.estimator in ("is", "phis")]


def test_several_targets_do_not_change_each_other(decisions, env, layout):
    targets = {
        "random": TargetPolicy(RandomPolicy(env, 0), layout),
        "popular": TargetPolicy(ColumnPolicy(env, column="viewers"), layout, epsilon=0.5),
    }
    both = evaluate_off_policy(decisions, targets, horizon=4, resamples=10)
    alone = evaluate_off_policy(decisions, {"popular": targets["popular"]}, 4, resamples=10)
    for one, other in zip(both[len(ESTIMATORS) :], alone, strict=True):
        assert one.value == pytest.approx(other.value, rel=1e-6)


def test_target_probabilities(decisions, env, layout):
    rows = decisions.observations[decisions.steps[:50]]
    valid = layout.action_mask(rows)
    policy = ColumnPolicy(env, column="affinity")
    greedy = TargetPolicy(policy, layout).propensities(rows)
    best = policy.predict(rows)[0]
    np.testing.assert_array_equal(greedy.argmax(axis=1), best)
    mixed = TargetPolicy(policy, layout, epsilon=0.2).propensities(rows)
    np.testing.assert_allclose(mixed.sum(axis=1), 1.0)
    np.testing.assert_allclose(mixed[~valid], 0.0)
    np.testing.assert_allclose(mixed[range(50), best], 0.8 + 0.2 / valid.sum(axis=1))
    soft = TargetPolicy(policy, layout, temperature=0.3).propensities(rows)
    scores = np.where(valid, layout.candidate(rows, "affinity"), -np.inf).astype(float)
    expected = np.exp(scores / 0.3)
    np.testing.assert_allclose(soft, expected / expected.sum(axis=1, keepdims=True), rtol=1e-6)
    agent = DQN(env, seed=0)
    hot = TargetPolicy(agent, layout, temperature=1e5).propensities(rows)
    np.testing.assert_allclose(hot, valid / valid.sum(axis=1, keepdims=True), atol=1e-3)
    drawn = TargetPolicy(policy, layout, epsilon=0.5, seed=0)
    shares = np.mean([drawn.predict(rows)[0] == best for _ in range(300)], axis=0)
    np.testing.assert_allclose(shares, 0.5 + 0.5 / valid.sum(axis=1), atol=0.15)
    assert drawn.predict(rows[0])[0] in np.flatnonzero(valid[0])


def test_what_is_refused(decisions, env, layout):
    with pytest.raises(ValueError, match="GreedyOracle reads the environment's hidden state"):
        TargetPolicy(GreedyOracle(env), layout)
    with pytest.raises(ValueError, match="epsilon must be a number"):
        TargetPolicy(RandomPolicy(env), layout, epsilon=1.5)
    with pytest.raises(ValueError, match="temperature must be None for LoggingPolicy"):
        TargetPolicy(LoggingPolicy(env), layout, temperature=1.0)
    with pytest.raises(ValueError, match="targets must name at least one"):
        evaluate_off_policy(decisions, {})
    with pytest.raises(ValueError, match="keys must be some of is, snis"):
        evaluate_off_policy(decisions, {}, keys=["ips"])
    with pytest.raises(ValueError, match="horizon must be an integer"):
        Trajectories.of(decisions, horizon=0)
    unknown = dataclasses.replace(decisions, propensity=np.full_like(decisions.propensity, np.nan))
    with pytest.raises(ValueError, match="decisions must have propensities"):
        Trajectories.of(unknown)
    with pytest.raises(ValueError, match="at least one step"):
        Trajectories.of(decisions.select([]))
