"""The code in the README, and on the pages that greet a visitor, runs."""

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

    (tmp_path / "my_agent.py").write_text(block_with("class Likes"), encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    agent = agent_spec("my_agent:Likes").make(gym.make("LiveStreamRec-v0"), seed=0)
    sys.modules.pop("my_agent")
    assert evaluate(agent, episodes=64)["clicks"].sum() > 0


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


def test_a_world_from_logs(monkeypatch):
    monkeypatch.chdir(ROOT)
    names = {}
    exec(block_with("fit(read_logs"), names)
    observation, _ = names["env"].reset(seed=0)
    assert names["env"].observation_space.contains(observation)
    assert len(names["world"].viewers) == 200
