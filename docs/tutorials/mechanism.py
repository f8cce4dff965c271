# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # Change a mechanism
#
# Every mechanism of the world is an argument or a parameter. Here the trap is taken out, made deeper, and
# two rules are asked what they make of it.

# %%
import gymnasium as gym
import matplotlib.pyplot as plt
import numpy as np

import livestream_env  # registers the ids

layout = gym.make("LiveStreamRec-v0").unwrapped.layout


def mean_reward(cover, **changes):
    """Of a day under 'affinity plus so much of the cover's appeal', over 512 viewers."""
    envs = gym.make_vec(
        "LiveStreamRec-v0", num_envs=512, vectorization_mode="vector_entry_point", **changes
    )
    observation, _ = envs.reset(seed=7)
    total, alive = np.zeros(512), np.ones(512, bool)
    while alive.any():
        scores = layout.candidate(observation, "affinity") + cover * layout.candidate(
            observation, "cover_appeal"
        )
        scores[~layout.action_mask(observation)] = -9
        observation, reward, terminated, truncated, _ = envs.step(scores.argmax(axis=1))
        total += np.where(alive, reward, 0.0)
        alive &= ~(terminated | truncated)
    envs.close()
    return total.mean()


# %% [markdown]
# ## Switches
#
# Each of these switches one mechanism off, so that an ablation is one argument.

# %%
print(f"{'':14} with the cover   against it")
for name in ("", "satisfaction", "satiation", "attachment", "highlights", "availability"):
    changes = {name: False} if name else {}
    plus, minus = (mean_reward(cover, **changes) for cover in (0.75, -0.75))
    print(f"{'no ' + name if name else 'default':16} {plus:12.2f} {minus:12.2f}")

# %% [markdown]
# Without satisfaction nothing remembers a sensational room, and what wins the click is right. That is what
# makes the mechanism a trap, and the switch a test: an agent that gains nothing by its absence has not
# been caught.
#
# ## Parameters
#
# `config` takes any field of [the parameters](../model/parameters.md); an unknown name is refused with the
# nearest that there is.

# %%
try:
    gym.make("LiveStreamRec-v0", config={"satisfaction_harms": 2.0})
except ValueError as error:
    print(str(error)[:100], "...")

harms = (0.0, 0.7, 1.4286, 2.8)
plt.figure(figsize=(6, 3))
for cover, label in ((0.75, "with the cover"), (-0.75, "against it")):
    rewards = [mean_reward(cover, config={"satisfaction_harm": harm}) for harm in harms]
    plt.plot(harms, rewards, "o-", label=label)
plt.xlabel("satisfaction_harm")
plt.ylabel("reward a day")
plt.legend()
plt.show()

# %% [markdown]
# ## Mechanisms that are off
#
# Some are there and off by default, while their magnitudes are being calibrated. Here viewers differ in
# what they mind, and covers show it imperfectly, so that no rule on covers fits all:

# %%
deeper = {"sensitivity_std": 1.0, "sensitivity_mean": 0.9, "cover_correlation": 0.85}
for cover in (0.75, 0.0, -0.75):
    print(f"weight {cover:+.2f}: {mean_reward(cover, config=deeper):6.2f}")

# %% [markdown]
# ## Where it is in the code
#
# Adding a mechanism takes a dozen lines in named places; [Contributing](../../CONTRIBUTING.md) lists them,
# and [the equations](../model/equations.md) say what is there. `env.unwrapped.world` is the world itself:
# its tables can be read, saved, and given back as `world=`.

# %%
small = livestream_env.World.synthetic(
    livestream_env.WorldConfig(num_viewers=500, num_streamers=200), seed=1
)
small.save("small.npz")
print(gym.make("LiveStreamRec-v0", world="small.npz").unwrapped.world)
