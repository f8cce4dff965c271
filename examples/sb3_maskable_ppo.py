"""sb3-contrib's MaskablePPO, in a world so small that slots are empty in most states.

    python examples/sb3_maskable_ppo.py

It asks the environment for the masks, through all wrappers: no ``ActionMasker`` is needed.
"""

# /// script
# dependencies = ["sb3-contrib"]
# ///

import gymnasium as gym
from gymnasium.vector import AutoresetMode
from sb3_contrib import MaskablePPO
from stable_baselines3.common.vec_env import VecMonitor

from livestream_env.sb3_vec_env import LiveStreamRecVecEnv
from scoring import command_line, print_scores

WORLD = {"num_streamers": 80}

args = command_line(__doc__, timesteps=60_000).parse_args()

# Many viewers at once, in one compiled loop; a single environment does as well.
viewers = gym.make_vec(
    "LiveStreamRec-v0",
    16,
    vectorization_mode="vector_entry_point",
    autoreset_mode=AutoresetMode.SAME_STEP,
    config=WORLD,
)
model = MaskablePPO("MlpPolicy", VecMonitor(LiveStreamRecVecEnv(viewers)), n_steps=128, seed=0)
model.learn(args.timesteps)


def act(obs, mask):
    return model.predict(obs, action_masks=mask, deterministic=True)[0]


print_scores(act, args.episodes, config=WORLD)
