"""Stable-Baselines3's DQN.

    python examples/sb3_dqn.py

Its settings are SB3's own but for exploration and the target network, which are made for Atari's
millions of steps.
"""

# /// script
# dependencies = ["stable-baselines3"]
# ///

import gymnasium as gym
from stable_baselines3 import DQN

from scoring import command_line, print_scores

args = command_line(__doc__, timesteps=30_000).parse_args()

env = gym.make("LiveStreamRec-v0")
model = DQN("MlpPolicy", env, exploration_fraction=0.5, target_update_interval=1_000, seed=0)
model.learn(args.timesteps, progress_bar=False)

print_scores(lambda obs, mask: model.predict(obs, deterministic=True)[0], args.episodes)
