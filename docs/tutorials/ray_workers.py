# ---
# jupyter:
#   kernelspec: {display_name: Python 3, language: python, name: python3}
# ---

# %% [markdown]
# # Many machines with Ray
#
# A benchmark is many runs: agents times seeds. They are jobs that know nothing of each other, and whoever plays
# them, processes or Ray's tasks, the scores are the same to the bit. Needs the extras `agents` and `ray`.

# %%
from collections import Counter
from pathlib import Path

from agents.experiments.ray_workers import play_all
from agents.experiments.runs import Result, Settings
from agents.experiments.suites import Suite

settings = Settings(
    "LiveStreamRec-v0", timesteps=2_000, eval_episodes=64, curve_points=2, curve_episodes=16
)
suite = Suite("mine", settings, Counter({"random": 1, "linucb": 2}), ladder="mine")
jobs = suite.jobs(Path("results"))
for job in jobs:
    print(job, f"- about {job.estimated_cpu_s:.0f} s")

# %% [markdown]
# ## Playing
#
# `address="local"` starts Ray on this machine; the address of a cluster, as `ray.init` takes it, spreads the jobs
# over its processors. Its machines need this project's dependencies; the code is sent to them, and results come
# back as files, so that no disk is shared. A cluster that asks for a token wants `RAY_AUTH_MODE=token` in the
# environment here, too, and the token (`ray get-auth-token`).

# %%
failed = play_all(jobs, workers=2, quiet=True)
print("failed:", failed)
for job in jobs:
    rewards = Result.load(job.result_path).episodes["reward"]
    print(f"{job.run.agent:8} seed {job.run.seed}: {rewards.mean():.2f}")

# %% [markdown]
# What is finished is not played again: a run that was cut off goes on where it was, with other workers if need
# be. The whole benchmark on a cluster is
#
# ```sh
# python -m scripts.benchmark --ray auto
# ```
#
# and with `--ray local` on one machine. In-process workers, without Ray, are the default.
