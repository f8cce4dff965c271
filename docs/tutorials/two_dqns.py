# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # Train and compare two DQNs
#
# The hand-written DQN, and the same one without a future: γ = 0, which makes it a learner of the next
# reward only. If the first beats the second, planning has paid. Needs a clone with the extra `agents`.
#
# The budget here is a minute, a tenth of the steps after which planning was seen to pay. `make compare`
# spends several, `make benchmark` hours; what is said here in an interval is said there in a narrower one.

# %%
import gymnasium as gym
import matplotlib.pyplot as plt
import numpy as np

import livestream_env  # registers the ids
from agents.dqn import DQN
from agents.evaluation import evaluate
from agents.policy import agent_spec
from agents.reports.statistics import Comparison

STEPS, SEEDS, EPISODES = 30_000, 3, 512

# %% [markdown]
# ## Training
#
# `config="default"` is the preset made for this world; every field of `DQNConfig` is a switch and can be given
# beside it. `learn` takes Stable-Baselines3's arguments; the callback is called along the way.

# %%
curves = {}


def trained(name, seed, **changes):
    agent = DQN("LiveStreamRec-v0", config="default", seed=seed, **changes)
    points = curves.setdefault(name, {}).setdefault(seed, [])

    def callback(agent):
        due = len(points) * STEPS // 4
        if agent.num_timesteps >= due:
            points.append((agent.num_timesteps, evaluate(agent, episodes=256)["reward"].mean()))

    agent.learn(STEPS, callback=callback)
    return agent


agents = {
    "dqn": [trained("dqn", seed) for seed in range(SEEDS)],
    "dqn, γ = 0": [trained("dqn, γ = 0", seed, gamma=0.0) for seed in range(SEEDS)],
}

# %%
plt.figure(figsize=(6, 3))
for (name, runs), colour in zip(curves.items(), ("#0b6fb8", "#c8601a"), strict=True):
    for seed, points in runs.items():
        plt.plot(*np.array(points).T, color=colour, label=name if seed == 0 else None)
plt.xlabel("environment steps")
plt.ylabel("reward a viewer-day")
plt.legend()
plt.show()

# %% [markdown]
# ## The same viewer-days for everybody
#
# `evaluate` plays held-out viewer-days that belong to the evaluation's seed: the same viewers, the same
# chance. So differences are paired, and oracles that need no learning join for the price of playing. The
# normalised score is 0 for random choice and 1 for the planner, the best policy known.

# %%
env = gym.make("LiveStreamRec-v0")
RULES = ("random", "greedy-oracle", "planner")
rules = {name: [agent_spec(name).make(env, seed=0)] for name in RULES}
scores = {
    name: np.array([evaluate(agent, episodes=EPISODES)["reward"] for agent in group])
    for name, group in {**agents, **rules}.items()
}
comparison = Comparison(scores, resamples=1000)
for name in scores:
    reward, normalised = (
        comparison.score(name), comparison.normalised(name, "random", "planner"),
    )  # fmt: skip
    print(f"{name:17} {reward.value:6.2f} [{reward.low:.2f}, {reward.high:.2f}]"
          f"   normalised {normalised.value:.2f} [{normalised.low:.2f}, {normalised.high:.2f}]")  # fmt: skip

# %%
difference = comparison.difference("dqn", "dqn, γ = 0")
print(f"dqn - its short-sighted twin: {difference.value:+.2f} "
      f"[{difference.low:+.2f}, {difference.high:+.2f}]")  # fmt: skip

# %% [markdown]
# An interval that holds 0 tells nothing apart. After 300,000 steps the one that plans is ahead by
# .82 [.69, .95] ([ten seeds, `history_length=1`](../model/world.md#what-it-asks-of-an-agent)): first a learner
# finds what pays now, then what it costs later.
#
# Intervals resample viewer-days and training seeds. Three seeds are few: such intervals are too narrow,
# and [the benchmark](../benchmark.md) trains ten.
#
# The command line does all of this, in several processes, and writes a page with one viewer-day to step
# through:
#
# ```sh
# python -m scripts.compare --agents "random,greedy-oracle,planner,dqn,dqn?gamma=0,sb3-dqn" --out results/mine
# ```
#
# [Next: plug in your own agent](own_agent.py).
