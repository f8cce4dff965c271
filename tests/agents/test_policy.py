import sys
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest

import livestream_env  # noqa: F401
from agents.dqn.config import DQNConfig
from agents.policy import AGENTS, Policy, agent_spec, learn, load_policy_class


def test_every_name_makes_a_policy() -> None:
    env = gym.make("LiveStreamRec-v0")
    observation, _ = env.reset(seed=0)
    for spec in AGENTS.values():
        policy = spec.make(env, seed=0)
        assert isinstance(policy, Policy)
        if hasattr(policy, "bind"):
            policy.bind(env)
        action, _ = policy.predict(observation, deterministic=True)
        assert env.action_space.contains(np.int64(action)), spec.name


def test_names_of_the_issue_are_all_there() -> None:
    assert list(AGENTS) == [
        *("random", "popularity", "affinity", "static-linear", "cover-price", "max-ctr"),
        *("logging", "linucb"),
        *("greedy", "farsighted", "greedy-oracle", "farsighted-oracle", "planner"),
        *("dqn", "dqn-article", "sb3-dqn", "sb3-dqn-matched"),
        *("sb3-dqn-candidate", "sb3-dqn-tuned", "sb3-ppo", "sb3-qrdqn", "sb3-maskable-ppo"),
    ]


def test_users_class(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_policies.py").write_text(
        "class Mine:\n"
        "    def __init__(self, env, seed=None): self.seed = seed\n"
        "    def predict(self, o, state=None, episode_start=None, deterministic=False): ...\n"
        "class Learner(Mine):\n"
        "    def learn(self, total_timesteps): ...\n"
        "class NoPolicy: ...\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "my_policies", raising=False)
    assert not agent_spec("my_policies:Mine").learns
    assert agent_spec("my_policies:Learner").learns
    assert agent_spec("my_policies:Mine").make(gym.make("LiveStreamRec-v0"), 7).seed == 7  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="predict"):
        load_policy_class("my_policies:NoPolicy")
    with pytest.raises(ValueError, match="no class 'Other'"):
        load_policy_class("my_policies:Other")


def test_bad_names() -> None:
    with pytest.raises(ValueError, match=r"'nonsense'.*valid are random, popularity"):
        agent_spec("nonsense")
    with pytest.raises(ValueError, match=r"package\.module:Class"):
        load_policy_class("agents.rules.baselines")
    with pytest.raises(ValueError, match="must be Unicode text"):
        agent_spec("my_module:Mine?label=\udcff")
    with pytest.raises(ValueError, match="cannot import 'no_such_module'"):
        agent_spec("no_such_module:Class")


def test_learn_passes_what_the_agent_takes() -> None:
    calls = []

    class Plain:
        def learn(self, total_timesteps: int) -> None:
            calls.append({"total_timesteps": total_timesteps})

    class Open:
        def learn(self, total_timesteps: int, **options: object) -> None:
            calls.append({"total_timesteps": total_timesteps, **options})

    learn(Plain(), 5, callback=None, log_dir="logs")
    learn(Open(), 6, log_dir="logs")
    assert calls == [{"total_timesteps": 5}, {"total_timesteps": 6, "log_dir": "logs"}]


def test_settings_in_names() -> None:
    env = gym.make("LiveStreamRec-v0")
    name = "dqn?config=plain&double=false&n_step=1&network=mlp&hidden_sizes=[8,4]"
    spec = agent_spec(name)
    assert spec.name == name and spec.learns
    config = spec.make(env, seed=3).config  # type: ignore[attr-defined]
    expected = {"double": False, "n_step": 1, "network": "mlp", "hidden_sizes": (8, 4), "seed": 3}
    assert {name: getattr(config, name) for name in expected} == expected
    # The rest is the preset's; arguments of make() go before the name's.
    assert config.discount == "semi-markov" and config.gamma == 0.99
    assert spec.make(env, seed=3, n_step=2).config.n_step == 2  # type: ignore[attr-defined]
    config = agent_spec("dqn?n_step=1").make(env, seed=3).config  # type: ignore[attr-defined]
    assert config == DQNConfig.preset("default", n_step=1, seed=3)
    assert agent_spec("linucb?alpha=0.5").make(env, seed=0).alpha == 0.5  # type: ignore[attr-defined]
    assert "double" not in AGENTS["dqn"].kwargs
    user = agent_spec("agents.rules.baselines:LinUCB?alpha=2")
    assert user.learns and user.make(env, seed=0).alpha == 2  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "name",
    ["dqn?", "dqn?double", "dqn?=1", "dqn?n_step=", "dqn?a=1&a=2", "dqn?a=1?b=2", "dqn?a b=1"],
)
def test_malformed_settings(name: str) -> None:
    with pytest.raises(ValueError, match="an agent's settings are written"):
        agent_spec(name)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("dqn?depth=3", "unknown field 'depth'"),
        ("dqn?n_step=many", "n_step must be an integer"),
        ("dqn?config=best", "preset must be one of"),
        ("linucb?beta=1", "'linucb.beta=1'.*beta"),
        ("sb3-dqn?depth=3", "depth"),
    ],
)
def test_settings_that_the_agent_refuses(name: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        agent_spec(name).make(gym.make("LiveStreamRec-v0"), seed=0)


@pytest.mark.parametrize("steps", [-5, float("nan"), 1e4, "100", True])
@pytest.mark.parametrize("name", ["linucb", "max-ctr", "greedy", "farsighted", "dqn", "sb3-dqn"])
def test_learners_refuse_what_is_no_number_of_steps(name, steps):
    agent = agent_spec(name).make(gym.make("LiveStreamRecSession-v0"), seed=0)
    with pytest.raises(ValueError, match="total_timesteps must be an integer"):
        agent.learn(steps)
