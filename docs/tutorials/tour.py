# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # A tour of one viewer-day
#
# What an agent sees, chooses and gets, on one day of one viewer. Everything here runs in seconds; the
# first `reset` on a machine compiles the simulator, which takes some ten seconds more.

# %%
import gymnasium as gym
import matplotlib.pyplot as plt
import numpy as np

import livestream_env  # registers the ids

env = gym.make("LiveStreamRec-v0", render_mode="rgb_array")
observation, info = env.reset(seed=42)
print(observation.shape, env.action_space)

# %% [markdown]
# ## The screen
#
# A picture shows what a product person would want to see: left the viewer, right the candidates, below
# what has happened. The violet box is hidden from the agent.


# %%
def show(env):
    figure, axes = plt.subplots(figsize=(9.6, 5.4))
    axes.imshow(env.render())
    axes.set_axis_off()
    figure.subplots_adjust(0, 0, 1, 1)
    plt.show()


show(env)

# %% [markdown]
# ## The observation
#
# A flat vector in [-1, 1], which any policy of any library takes. The layout knows the name of every
# column, and takes a feature of all candidates out at once.

# %%
layout = env.unwrapped.layout
for block, shape in layout.shapes.items():
    print(f"{block:12} {shape!s:10}", ", ".join(layout.names[block][:6]), "...")
affinity = layout.candidate(observation, "affinity")
cover = layout.candidate(observation, "cover_appeal")
print("affinity", affinity.round(2))
print("cover   ", cover.round(2))

# %% [markdown]
# The categories have names, which differ in nothing but who likes them:

# %%
world = env.unwrapped.world
print(world.category_names)
print(world)

# %% [markdown]
# ## One step
#
# The action is the slot of the room to show. Slots are in random order, so that their number says
# nothing. `info` has what happened in natural units.

# %%
observation, reward, terminated, truncated, info = env.step(int(affinity.argmax()))
print(f"reward {reward:.2f}")
for name in ("click", "watch_s", "likes", "comments", "gift_value", "follow", "elapsed_s"):
    print(f"{name:12} {info[name]}")
show(env)

# %% [markdown]
# ## The day, under two rules
#
# The seed takes all chance with it, so that two rules play the very same day. One shows
# what the viewer likes best *and* clicks most: affinity plus the appeal of the cover. The other takes
# three quarters of the cover's appeal *off*. Some viewers mind sensational rooms and others seek them, so
# that which of the two is right differs between viewers.


# %%
def day(weight, seed=42):
    env = gym.make("LiveStreamRec-v0", observe="full")
    layout = env.unwrapped.layout
    observation, info = env.reset(seed=seed)
    trace, terminated = [], False
    while not terminated:
        scores = layout.candidate(observation, "affinity") + weight * layout.candidate(
            observation, "cover_appeal"
        )
        scores[~layout.action_mask(observation)] = -9
        observation, reward, terminated, _, info = env.step(int(scores.argmax()))
        satisfaction = observation[layout.slices["hidden"]][0]
        trace.append((info["clock_s"] / 3600 % 24, reward, info["watch_s"], satisfaction))
    return np.array(trace)


figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3), layout="constrained")
for weight, label in ((0.75, "with the cover"), (-0.75, "against it")):
    trace = day(weight)
    left.plot(trace[:, 1].cumsum(), label=f"{label}: {len(trace)} impressions")
    right.plot(trace[:, 3], label=label)
left.set(xlabel="impression", ylabel="reward so far")
right.set(xlabel="impression", ylabel="satisfaction (hidden, scaled)")
left.legend()
plt.show()

# %% [markdown]
# One day is chance. Many days are less so: the same comparison over 512 viewers, all at once in the native
# vector environment; and beside it a rule that takes the cover's appeal off in proportion to how often the
# viewer left such rooms at once in the past, which the platform's logs tell (`traces=True`, the default).

# %%
envs = gym.make_vec("LiveStreamRec-v0", num_envs=512, vectorization_mode="vector_entry_point")


def mean_reward(weight, price=0.0):
    """With one weight for everyone, less a price that grows with the viewer's past regret."""
    observation, _ = envs.reset(seed=7)
    total, alive = np.zeros(512), np.ones(512, bool)
    while alive.any():
        regret = observation[:, layout.slices["past"]]  # one column
        scores = layout.candidate(observation, "affinity") + (
            weight - price * regret
        ) * layout.candidate(observation, "cover_appeal")
        scores[~layout.action_mask(observation)] = -9
        observation, reward, terminated, _, _ = envs.step(scores.argmax(axis=1))
        total += np.where(alive, reward, 0.0)
        alive &= ~terminated
    return total.mean()


layout = gym.make("LiveStreamRec-v0").unwrapped.layout
weights = np.linspace(-1.5, 1.0, 6)
prices = np.linspace(0.0, 8.0, 5)
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3), sharey=True, layout="constrained")
left.plot(weights, [mean_reward(weight) for weight in weights], "o-")
left.set(xlabel="weight of the cover's appeal", ylabel="reward a day")
right.plot(prices, [mean_reward(0.0, price) for price in prices], "o-")
right.set(xlabel="price of the cover's appeal per unit of past regret")
plt.show()

# %% [markdown]
# That is the trap: covers win clicks now and cost satisfaction later, of those who mind. No one weight
# avoids it; a price by past regret does. The rule was told which two columns to multiply. What learners find
# who are not told is on [the world's page](../model/world.md), and [the benchmark](../benchmark.md) measures it.
# [Next: train two DQNs](two_dqns.py).
