"""The code in the README, and on the first pages that a visitor reads, runs."""

import re
import sys
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest

import livestream_env

ROOT = Path(__file__).parents[1]


def block_with(text, page="README.md"):
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text("utf-8"), re.DOTALL)
    return next(block for block in blocks if text in block)


@pytest.mark.parametrize("page", ["README.md", "docs/index.md", "docs/start.md"])
def test_ten_lines(page):
    names = {}
    exec(block_with("action_space.sample", page), names)
    assert names["terminated"] or names["truncated"]


def test_an_agent_of_ones_own(tmp_path, monkeypatch):
    from agents.evaluation import evaluate
    from agents.policy import agent_spec

    tutorial = (ROOT / "docs" / "tutorials" / "own_agent.py").read_text("utf-8")
    (module,) = re.findall(r'Path\("(\w+)\.py"\)\.write_text', tutorial)
    (code,) = re.findall(r"'{3}(.*?)'{3}", tutorial, re.DOTALL)
    (tmp_path / f"{module}.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    pages = tutorial + (ROOT / "docs" / "results.md").read_text("utf-8")
    named = re.findall(rf"{module}:[\w?=.]+", pages)
    assert f"{module}:Likes?price=4" in named
    for spec in set(named):
        agent = agent_spec(spec).make(gym.make("LiveStreamRec-v0"), seed=0)
        assert evaluate(agent, episodes=64)["clicks"].sum() > 0
    sys.modules.pop(module)


@pytest.mark.parametrize(
    "line", block_with("satisfaction=False", "docs/environments/index.md").splitlines()
)
def test_changing_the_world(line, tmp_path, monkeypatch):
    if "my_world.npz" in line:
        world = livestream_env.World.synthetic(livestream_env.WorldConfig(num_streamers=200))
        world.save(tmp_path / "my_world.npz")
        monkeypatch.chdir(tmp_path)
    env = eval(line, {"gym": gym})
    observation, _ = env.reset(seed=0)
    assert env.observation_space.contains(observation)
    *_, info = env.step(np.int64(0))
    assert "action_mask" in info


def test_a_world_from_logs(tmp_path, monkeypatch):
    (tmp_path / "data").symlink_to(ROOT / "data")
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(block_with("fit(read_logs", "docs/calibration.md"), names)
    observation, _ = names["env"].reset(seed=0)
    assert names["env"].observation_space.contains(observation)
    assert len(names["fitted"].world.viewers) == 200
    assert names["gym"].make("LiveStreamRec-v0", world="my_world.npz").reset(seed=0)


def test_the_dqn_in_python(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code = block_with('save("my_dqn")', "docs/reference/agents.md")
    exec(code.replace("150_000, progress_bar=True", "500"), {})
    assert (tmp_path / "my_dqn.safetensors").is_file()
