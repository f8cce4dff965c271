# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # Plug in your own agent
#
# Anything with Stable-Baselines3's `predict` takes part in evaluations, comparisons and logs. It is
# constructed as `Class(env, seed=seed)` with the single environment and needs no import from here.

# %%
import sys
from pathlib import Path

import gymnasium as gym
import numpy as np

import livestream_env  # registers the ids
from agents.evaluation import evaluate
from agents.policy import agent_spec

Path("my_agents.py").write_text('''
import numpy as np


class Likes:
    """What the viewer likes best, less what the cover promises, as far as she regretted it before."""

    def __init__(self, env, seed, price=0.0):
        self.layout, self.price = env.unwrapped.layout, price

    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        regret = observation[..., self.layout.slices["past"]]  # one column
        appeal = self.layout.candidate(observation, "cover_appeal")
        scores = self.layout.candidate(observation, "affinity") - self.price * regret * appeal
        scores[~self.layout.action_mask(observation)] = -9
        return scores.argmax(axis=-1), state


class Learns(Likes):
    """The same, with the price found by trying: a bandit over five of them."""

    prices = np.linspace(-4.0, 12.0, 5)

    def __init__(self, env, seed):
        super().__init__(env, seed)
        self.env, self.rng, self.num_timesteps = env, np.random.default_rng(seed), 0

    def learn(self, total_timesteps, callback=None):
        returns = [[] for _ in self.prices]
        while self.num_timesteps < total_timesteps:
            arm = int(self.rng.integers(len(self.prices)))
            self.price = self.prices[arm]
            returns[arm].append(self._episode())
            self.price = self.prices[np.argmax([np.mean(r) if r else -np.inf for r in returns])]
            if callback is not None:
                callback(self)
        return self

    def _episode(self):
        observation, _ = self.env.reset(seed=int(self.rng.integers(2**31)))
        total, done = 0.0, False
        while not done:
            action, _ = self.predict(observation)
            observation, reward, terminated, truncated, _ = self.env.step(int(action))
            total += reward
            self.num_timesteps += 1
            done = terminated or truncated
        return total
''')
sys.path.insert(0, ".")

# %% [markdown]
# An agent is named as `module:Class`, on the command line as in Python; settings follow a question mark
# and are part of its name in every table, those of the project's own agents, too:
# `dqn?double=false&n_step=1`.

# %%
env = gym.make("LiveStreamRec-v0")
for name in ("random", "my_agents:Likes", "my_agents:Likes?price=4"):
    agent = agent_spec(name).make(env, seed=0)
    days = evaluate(agent, episodes=512)
    print(
        f"{name:28} reward {days['reward'].mean():6.2f}, watched {days['watch_s'].mean() / 60:5.1f} min"
    )

# %% [markdown]
# ## A learner
#
# A method `learn(total_timesteps, callback=None)` makes it one: it is trained once per seed, and evaluated
# along the way whenever it calls `callback(self)`; it needs an attribute `num_timesteps`.

# %%
learner = agent_spec("my_agents:Learns").make(env, seed=0)
learner.learn(20_000)
print("price of a regretted cover found:", learner.price)
print("reward", np.round(evaluate(learner, episodes=512)["reward"].mean(), 2))

# %% [markdown]
# ## In the comparison
#
# ```sh
# python -m scripts.compare --agents random,greedy-oracle,dqn --agent my_agents:Learns \
#     --agent "my_agents:Likes?price=4" --out results/mine
# ```
#
# (`cover-price` is such a rule, with both weights tuned, and a line to hold yourself against.) The command
# trains and plays all of them on the same viewer-days, and writes tables with intervals, curves and one
# viewer-day to step through. `bind(env)`, `save(path)` and further optional methods are in
# [the reference](../reference/agents.md). Adding a learner for good is one file and one entry, as
# [Contributing](../../CONTRIBUTING.md) says.
