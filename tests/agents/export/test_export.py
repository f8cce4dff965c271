"""An exported policy chooses what the original chooses, and says what it is for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.vector import AutoresetMode
from gymnasium.wrappers import vector as vector_wrappers
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

from agents.dqn import DQN
from agents.dqn.behaviour import BehaviourModel
from agents.dqn.learner import build_network
from agents.evaluation import evaluate
from agents.sb3.base import SB3PPO
from agents.sb3.candidate import SB3CandidateDQN
from agents.sb3.dqn import SB3DQN

pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

from agents.export import OnnxPolicy, export_policy
from agents.export.description import ModelDescription
from agents.export.parity import compare, met_observations

ROOT = Path(__file__).resolve().parents[3]
# A world in which slots are empty: the default one fills them all.
SMALL = {"config": {"num_streamers": 80}}
VARIANTS = {
    "default": lambda env: DQN(env, "default", seed=0),
    "article": lambda env: DQN(env, "article", seed=0),
    "plain": lambda env: DQN(env, "plain", seed=0),
    "dueling, summary": lambda env: DQN(env, "plain", dueling=True, summary=True, seed=0),
    "mlp, dueling": lambda env: DQN(env, "plain", network="mlp", dueling=True, seed=0),
    "bcq": lambda env: with_behaviour(DQN(env, "plain", bcq_threshold=0.9, seed=0)),
    "sb3": lambda env: SB3DQN(env, seed=0),
    "sb3 itself": lambda env: SB3DQN(env, seed=0).model,
    "sb3 candidate": lambda env: SB3CandidateDQN(env, seed=0),
}
FAST = ("default", "plain", "sb3")  # an export takes seconds


def make_env(**kwargs) -> gym.Env:
    return gym.make("LiveStreamRec-v0", **SMALL, **kwargs)


def with_behaviour(agent: DQN) -> DQN:
    sizes = agent.observation_size, agent.num_actions
    agent.learner.behaviour = BehaviourModel(build_network(agent.config, *sizes, agent.layout))
    return agent


def spread(policy) -> None:
    """Values apart from each other, as a trained network's are."""
    net = (
        policy.learner.q_net if isinstance(policy, DQN) else getattr(policy, "model", policy).q_net
    )
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.mul_(2.0)


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=() if n in FAST else pytest.mark.slow) for n in VARIANTS]
)
def test_it_chooses_what_the_original_chooses(name: str, tmp_path: Path) -> None:
    env = make_env(traces=name == "default")
    policy = VARIANTS[name](env)
    spread(policy)
    path = export_policy(policy, tmp_path / "policy", env)
    assert path.name == "policy.onnx" and [p.name for p in tmp_path.iterdir()] == [path.name]
    exported = OnnxPolicy(path)
    observation = met_observations(policy, env, 2_000, seed=1)
    parity = compare(policy, exported, observation)
    assert parity.holds and parity.same_actions + parity.ties == parity.observations == 2_000
    assert parity.q_scale > 0.1
    single, _ = exported.predict(observation[0])
    assert single.shape == () and single == exported.predict(observation[:1])[0][0]


@pytest.fixture(scope="module")
def dqn() -> DQN:
    agent = DQN(make_env(), "default", seed=0)
    spread(agent)
    return agent


@pytest.fixture(scope="module")
def model(dqn: DQN, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_policy(dqn, tmp_path_factory.mktemp("onnx") / "p.onnx", make_env())


@pytest.fixture(scope="module")
def exported(model: Path) -> OnnxPolicy:
    return OnnxPolicy(model)


def test_the_model_says_what_it_is_for(exported: OnnxPolicy) -> None:
    env = make_env()
    about = exported.description
    assert about.policy == "DQN" and about.mask == "columns" and about.num_actions == 10
    assert about.env_id == "LiveStreamRec-v0" and about.env_kwargs["config"] == SMALL["config"]
    assert about.world_digest == env.unwrapped.world.digest
    assert about.columns == env.unwrapped.layout.column_names
    assert about.columns[about.valid_columns[3]] == "candidates[3].valid"
    assert about.versions["torch"] == torch.__version__
    assert ModelDescription.from_metadata(about.to_metadata()) == about


def test_it_plays_as_every_policy_does(dqn: DQN, exported: OnnxPolicy) -> None:
    played = (evaluate(policy, make_env(), episodes=8) for policy in (dqn, exported))
    np.testing.assert_array_equal(*played)


def test_masks(dqn: DQN, exported: OnnxPolicy) -> None:
    observation = met_observations(dqn, make_env(), 500, seed=2)
    valid = make_env().unwrapped.layout.action_mask(observation)
    assert not valid.all()  # or the test tests nothing
    values = exported.q_values(observation)
    np.testing.assert_array_equal(np.isneginf(values), ~valid)
    # The caller's mask is what counts where it is given; nothing valid, and all compete.
    only = np.eye(10, dtype=np.int8)[np.arange(500) % 10]
    np.testing.assert_array_equal(
        exported.predict(observation, action_masks=only)[0], only.argmax(1)
    )
    none = np.zeros((500, 10), dtype=bool)
    assert np.isfinite(exported.q_values(observation, none)).all()


@pytest.mark.slow
def test_a_mask_that_was_a_function_must_be_given(tmp_path: Path) -> None:
    env = make_env()
    layout = env.unwrapped.layout
    agent = DQN(env, mask_fn=layout.action_mask, seed=0)
    exported = OnnxPolicy(export_policy(agent, tmp_path / "p.onnx", env))
    observation = met_observations(agent, env, 128, seed=0)
    with pytest.raises(ValueError, match="give action_masks"):
        exported.predict(observation)
    action, _ = exported.predict(observation, action_masks=layout.action_mask(observation))
    np.testing.assert_array_equal(action, agent.predict(observation, deterministic=True)[0])


def test_normalisation_by_a_wrapper_is_in_the_graph(tmp_path: Path) -> None:
    viewers = gym.make_vec("LiveStreamRec-v0", 4, autoreset_mode=AutoresetMode.NEXT_STEP, **SMALL)
    env = vector_wrappers.NormalizeObservation(viewers)
    agent = DQN(env, "article", seed=0)
    raw = met_observations(DQN(make_env(), "article", seed=1), make_env(), 500, seed=0)
    env.obs_rms.update(raw)
    env.update_running_mean = False
    exported = OnnxPolicy(export_policy(agent, tmp_path / "p.onnx", env))
    parity = compare(agent, exported, raw, seen=env.observations(raw))
    assert parity.holds and parity.q_scale > 0.1
    assert not compare(agent, exported, raw).holds


@pytest.mark.slow
def test_normalisation_by_stable_baselines3_is_in_the_graph(tmp_path: Path) -> None:
    agent = SB3DQN(make_env(), seed=0)
    normalize = VecNormalize(DummyVecEnv([make_env]), clip_obs=2.0)
    agent.model.set_env(normalize)
    raw = met_observations(agent, make_env(), 500, seed=0)
    normalize.obs_rms.update(raw)
    exported = OnnxPolicy(export_policy(agent, tmp_path / "p.onnx", make_env()))
    seen = normalize.normalize_obs(raw)
    assert np.abs(seen).max() == 2.0
    assert compare(agent, exported, raw, seen=seen).holds


def test_what_cannot_be_exported_is_refused(dqn: DQN, tmp_path: Path) -> None:
    env, path = make_env(), tmp_path / "p.onnx"
    for policy, where, complaint in (
        (SB3PPO(env, seed=0), env, "policy must be a DQN.*got SB3PPO"),
        (dqn, gym.make("CartPole-v1"), "env must be a LiveStreamRec environment"),
        (dqn, make_env(num_candidates=5), r"actions\) = \(\d+, 10\), got \(\d+, 5\)"),
        (dqn, gym.wrappers.FlattenObservation(env), "changed by FlattenObservation"),
    ):
        with pytest.raises(ValueError, match=complaint):
            export_policy(policy, path, where)
    assert not path.exists()


def test_wrong_input_is_named(exported: OnnxPolicy, tmp_path: Path) -> None:
    size = exported.description.observation_size
    with pytest.raises(ValueError, match=rf"observation must have shape \({size},\) or .*got \(3,"):
        exported.predict(np.zeros((3, 2)))
    with pytest.raises(ValueError, match="observation must be finite"):
        exported.predict(np.full(size, np.nan))
    with pytest.raises(ValueError, match=r"action_masks must have shape \(3, 10\), got \(10,\)"):
        exported.predict(np.zeros((3, size)), action_masks=np.ones(10))
    with pytest.raises(ValueError, match=r"for LiveStreamRec-v0 with .* and no candidates\[5\]"):
        evaluate(exported, make_env(num_candidates=5), episodes=1)
    with pytest.raises(FileNotFoundError, match="no ONNX model of a policy at"):
        OnnxPolicy(tmp_path / "none.onnx")
    (tmp_path / "bad.onnx").write_bytes(b"no model")
    with pytest.raises(ValueError, match=r"bad.onnx is not an ONNX model of a policy"):
        OnnxPolicy(tmp_path / "bad.onnx")
    with pytest.raises(ValueError, match="num_threads must be"):
        OnnxPolicy(tmp_path / "bad.onnx", num_threads=0)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"format": "other"}, "have format 'other'"),
        ({"columns": None}, "have no columns"),
        ({"columns": "3"}, "columns must be a JSON list, got 3"),
        ({"num_actions": "9"}, "9 actions, and 10 columns"),
        ({"mask": "some"}, "mask must be"),
    ],
)
def test_metadata_that_make_no_sense(
    change: dict[str, str | None], complaint: str, exported: OnnxPolicy
) -> None:
    metadata = exported.description.to_metadata() | change
    with pytest.raises(ValueError, match=complaint):
        ModelDescription.from_metadata({k: v for k, v in metadata.items() if v is not None})


def test_running_a_model_needs_neither_torch_nor_a_compiler(model: Path) -> None:
    program = (
        "import sys\n"
        "sys.modules.update(torch=None, numba=None, stable_baselines3=None, onnx=None)\n"
        "from agents.export import OnnxPolicy\n"
        "policy = OnnxPolicy(sys.argv[1])\n"
        "print(policy.predict([[0.0] * policy.description.observation_size])[0].shape)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, model], cwd=ROOT, capture_output=True, text=True
    )
    assert done.stdout == "(1,)\n", done.stderr
