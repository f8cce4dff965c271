# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # A world from your logs
#
# Logs in KuaiLive's files become a world: its viewers, streamers and rooms have their ids, features and
# times, its responses are fitted. Needs the extra `logs`. The sample log in `data/sample_log` is simulated
# in the world `plain`, so that what it was simulated with is known.

# %%
from pathlib import Path

import gymnasium as gym
import matplotlib.pyplot as plt

import livestream_env
from livestream_env.calibration import fit
from livestream_env.logs import read_logs

ROOT = Path(livestream_env.__file__).parents[1]
logs = read_logs(ROOT / "data" / "sample_log")
print(logs.report)

# %% [markdown]
# Every row is kept or counted under a reason; with your own files, this report is the first thing to read.
# `read_logs` takes a folder or a `.zip`, CSV or Parquet; `read_twitch` and `read_kuailive_m3` read those
# data sets.
#
# ## Fitting
#
# What is estimated how is on [the page on calibration](../calibration.md). Here the search simulates little,
# to take a minute; leave `viewer_days` out for a real fit.

# %%
fitted = fit(logs, viewer_days=1_000)
print(fitted.world)

# %% [markdown]
# Each parameter comes with a standard error, and with whether the log identifies it. What a log does not tell
# keeps its own default, that of the world `plain`, and says so.

# %%
for name, estimate in list(fitted.parameters.items())[:16]:
    error = "" if estimate.stderr is None else f"± {estimate.stderr:.2g}"
    print(f"{name:24} {estimate.value:9.4g} {error:10} {estimate.status}")

# %% [markdown]
# ## Playing in it

# %%
env = gym.make("LiveStreamRec-v0", world=fitted.world)
observation, info = env.reset(seed=0)
print("viewer", info["viewer"], "- rooms", info["candidate_rooms"])
fitted.world.save("my_world.npz")  # gym.make("LiveStreamRec-v0", world="my_world.npz")

# %%
starts = fitted.world.rooms["start_s"] / 3600 % 24
plt.figure(figsize=(6, 2.5))
plt.hist(starts, bins=24, range=(0, 24), color="#4c6fae")
plt.xlabel("hour at which rooms open, in the log and in the world")
plt.show()

# %% [markdown]
# The command line does the same, and sets the statistics of the log, of the world and of the published logs
# beside each other:
#
# ```sh
# python -m scripts.calibrate data/sample_log --world my_world.npz --plots plots --json report.json
# ```
