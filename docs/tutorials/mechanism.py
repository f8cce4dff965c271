# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # Change a mechanism
#
# Every mechanism of the world is an argument or a parameter. Here the trap is taken out, made deeper, and
# three rules are asked what they make of it.

# %%
import gymnasium as gym
import matplotlib.pyplot as plt
import numpy as np

import livestream_env  # registers the ids

layout = gym.make("LiveStreamRec-v0").unwrapped.layout


def mean_reward(cover, price=0.0, **changes):
    """Of a day under 'affinity plus so much of the cover's appeal', over 512 viewers.

    The price is taken off that weight for each unit of the viewer's past regret.
    """
    envs = gym.make_vec(
        "LiveStreamRec-v0", num_envs=512, vectorization_mode="vector_entry_point", **changes
    )
    observation, _ = envs.reset(seed=7)
    total, alive = np.zeros(512), np.ones(512, bool)
    while alive.any():
        regret = observation[:, layout.slices["past"]]  # one column
        scores = layout.candidate(observation, "affinity") + (
            cover - price * regret
        ) * layout.candidate(observation, "cover_appeal")
        scores[~layout.action_mask(observation)] = -9
        observation, reward, terminated, truncated, _ = envs.step(scores.argmax(axis=1))
        total += np.where(alive, reward, 0.0)
        alive &= ~(terminated | truncated)
    envs.close()
    return total.mean()


# %% [markdown]
# ## Switches
#
# Each of these switches one mechanism off, so that an ablation is one argument. The rules are affinity with
# the cover's appeal, against it, and against it by the viewer's past regret.

# %%
RULES = {"with the cover": (0.75, 0.0), "against it": (-0.75, 0.0), "by regret": (0.0, 4.0)}
print(f"{'':16}" + "".join(f"{name:>16}" for name in RULES))
for name in ("", "satisfaction", "satiation", "attachment", "curiosity", "highlights"):
    changes = {name: False} if name else {}
    rewards = [mean_reward(*rule, **changes) for rule in RULES.values()]
    print(f"{'no ' + name if name else 'default':16}" + "".join(f"{r:16.2f}" for r in rewards))

# %% [markdown]
# Without satisfaction nothing remembers a sensational room, what wins the click is right, and to ask who minds is
# a loss. That is what makes the mechanism a trap, and the switch a test.
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

harms = (0.0, 2.5, 5.0, 10.0)
plt.figure(figsize=(6, 3))
for label, rule in RULES.items():
    rewards = [mean_reward(*rule, config={"satisfaction_harm": harm}) for harm in harms]
    plt.plot(harms, rewards, "o-", label=label)
plt.xlabel("satisfaction_harm")
plt.ylabel("reward a day")
plt.legend()
plt.show()

# %% [markdown]
# ## From the plain world
#
# The world `plain` has most mechanisms off: all its parameters have their own defaults. One price on covers
# fits everybody there. Where some viewers mind such rooms and others seek them, past regret tells more:

# %%
mixed = {"sensitivity_std": 2.0, "sensitivity_mean": 0.9, "past_regret_correlation": 0.96}
for name, config in (("plain", {}), ("mixed", mixed)):
    rewards = [mean_reward(*rule, world="plain", config=config) for rule in RULES.values()]
    print(f"{name:16}" + "".join(f"{reward:16.2f}" for reward in rewards))

# %% [markdown]
# ## Where it is in the code
#
# Adding a mechanism takes a dozen lines in named places; [Contributing](../../CONTRIBUTING.md) lists them,
# and [the equations](../model/equations.md) say what is there. `env.unwrapped.world` is the world itself:
# its tables can be read, saved, and given back as `world=`.

# %%
# Parameters of a world made by hand are those of the plain one, but for what is given.
small = livestream_env.World.synthetic(
    livestream_env.WorldConfig(num_viewers=500, num_streamers=200), seed=1
)
small.save("small.npz")
print(gym.make("LiveStreamRec-v0", world="small.npz").unwrapped.world)
