# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # Offline learning and evaluation
#
# A platform has logs before it has a simulator. Here the logging policy's decisions are stored, an agent
# learns from them alone, and only then is it played. Needs the extras `agents` and `logs`.
#
# ## Logging decisions
#
# One Parquet file holds a row per observation: what was seen, the mask, the propensity of every candidate,
# the action, the reward with its components, the seconds until the next decision. With half of the actions
# drawn uniformly, every candidate has been shown often enough to be judged.

# %%
import numpy as np

from agents.dqn import DQN
from agents.dqn.cloning import BehaviourCloning
from agents.evaluation import evaluate
from agents.policy import agent_spec
from livestream_env.decisions import read_decisions
from scripts.log_decisions import main as log_decisions

STEPS, UPDATES, EPISODES = 30_000, 1_500, 512
log_decisions(
    ["--policy", "logging?uniform_share=0.5", "--steps", str(STEPS), "--out", "mixture.parquet"]
)
decisions = read_decisions("mixture.parquet")
print(decisions)

# %% [markdown]
# The file names its environment and world, and makes them again, or refuses where they have changed:

# %%
env = decisions.description.make_env()
taken = decisions.steps  # rows; an episode's last observation has one of its own
propensity = decisions.propensity[taken, decisions.action[taken]]
print(env.spec.id, "- smallest propensity of a room shown", propensity.min().round(3))

# %% [markdown]
# ## Learning
#
# Our DQN learns from the file as it would online, with masks, semi-Markov discounts and n-step returns,
# as it is or with a correction for what the log does not cover: conservative Q-learning (`cql_weight`, which
# does not go with the network of clicks of the preset `default`, and takes `plain`) or batch-constrained
# actions (`bcq_threshold`). Behaviour cloning is the baseline.

# %%
learners = {
    "cloning": BehaviourCloning(env, seed=0),
    "dqn": DQN(env, config="default", seed=0),
    "dqn, plain": DQN(env, config="plain", seed=0),
    "dqn, plain, cql_weight=0.1": DQN(env, config="plain", seed=0, cql_weight=0.1),
    "dqn, bcq_threshold=0.1": DQN(env, config="default", seed=0, bcq_threshold=0.1),
}
for agent in learners.values():
    agent.learn_offline(decisions, UPDATES)

# %% [markdown]
# ## How good are they?
#
# In a simulator the answer is to play them, on viewer-days that nobody logged:

# %%
learners["the log's policy"] = agent_spec("logging?uniform_share=0.5").make(env, seed=0)
for name, agent in learners.items():
    reward = evaluate(agent, episodes=EPISODES)["reward"]
    print(f"{name:26} {reward.mean():6.2f} ± {1.96 * reward.std() / np.sqrt(len(reward)):.2f}")

# %% [markdown]
# These are budgets of seconds and one seed; [a study](../offline.md) with more of both compares six
# learners on data of the world `plain`.
#
# ## Without playing
#
# Where there is no simulator, a policy is judged by the log alone. The simplest estimate weighs each decision
# by how much more often the new policy takes it, per decision and self-normalised; the propensities are in the
# file. Over a day of some 28 decisions such weights are products, so that one-step estimates as this one answer
# another question: what is the next reward, in the moments that the log has seen? What a whole episode would
# bring, by ten estimators and with what speaks against each, `python -m scripts.ope` says
# ([when to believe it](../offline.md#what-would-it-have-earned)).

# %%
greedy, _ = learners["dqn"].predict(decisions.observations[taken], deterministic=True)
weight = (greedy == decisions.action[taken]) / propensity
value = (weight * decisions.reward[taken]).sum() / weight.sum()
print(f"next reward in the log {decisions.reward[taken].mean():.3f}, under dqn {value:.3f}")

# %% [markdown]
# ## On the command line
#
# ```sh
# python -m scripts.log_decisions --steps 300_000 --out logging.parquet
# python -m scripts.log_decisions --policy "logging?uniform_share=0.5" --out mixture.parquet
# python -m scripts.train --agent dqn --offline logging.parquet --out runs/offline
# python -m scripts.train --agent "dqn?config=plain&cql_weight=0.1" --offline logging.parquet --out runs/cql
# python -m scripts.train --agent "dqn?bcq_threshold=0.1" --offline logging.parquet --out runs/bcq
# python -m scripts.train --agent agents.dqn.cloning:BehaviourCloning --offline logging.parquet
# ```
#
# `simulate_logs --decisions FILE` writes decisions beside KuaiLive's files; `livestream_env.decisions.loaders`
# fills Stable-Baselines3's replay buffer (`fill_sb3`) and d3rlpy's dataset (`to_d3rlpy`). Real logs have
# neither slates nor propensities: of those, [learn a world](world_from_logs.py).
