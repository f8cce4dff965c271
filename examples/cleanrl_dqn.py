"""DQN in one file, in the manner of CleanRL's ``dqn.py``: no library but PyTorch.

    python examples/cleanrl_dqn.py

CleanRL's own scripts run unchanged, with ``--env-id livestream_env:LiveStreamRec-v0``. What differs
here is that many viewers are played at once, and that masks are heeded.
"""

# /// script
# dependencies = ["torch"]
# ///

import gymnasium as gym
import numpy as np
import torch
from gymnasium.vector import AutoresetMode
from torch import nn

from scoring import command_line, print_scores

NUM_ENVS = 16
LEARNING_RATE = 5e-4
BUFFER_SIZE = 50_000
GAMMA = 0.95
BATCH_SIZE = 128
LEARNING_STARTS = 1_000
TARGET_UPDATES = 250  # gradient steps between copies
START_E, END_E, EXPLORATION = 1.0, 0.05, 0.5

args = command_line(__doc__, timesteps=60_000).parse_args()
rng = np.random.default_rng(0)
torch.manual_seed(0)

# SAME_STEP: an episode that ends is followed by the next one's first observation, and its own last
# one is in infos["final_obs"].
envs = gym.make_vec(
    "LiveStreamRec-v0",
    NUM_ENVS,
    vectorization_mode="vector_entry_point",
    autoreset_mode=AutoresetMode.SAME_STEP,
)
obs_size, num_actions = envs.single_observation_space.shape[0], envs.single_action_space.n


def make_network():
    return nn.Sequential(
        nn.Linear(obs_size, 120),
        nn.ReLU(),
        nn.Linear(120, 84),
        nn.ReLU(),
        nn.Linear(84, num_actions),
    )


q_network, target_network = make_network(), make_network()
target_network.load_state_dict(q_network.state_dict())
optimizer = torch.optim.Adam(q_network.parameters(), lr=LEARNING_RATE)


@torch.no_grad()
def act(obs, mask):
    q_values = q_network(torch.as_tensor(obs))
    return q_values.masked_fill(~torch.as_tensor(mask), -torch.inf).argmax(1).numpy()


buffer = {
    "obs": np.zeros((BUFFER_SIZE, obs_size), np.float32),
    "next_obs": np.zeros((BUFFER_SIZE, obs_size), np.float32),
    "next_mask": np.zeros((BUFFER_SIZE, num_actions), bool),
    "action": np.zeros(BUFFER_SIZE, np.int64),
    "reward": np.zeros(BUFFER_SIZE, np.float32),
    "terminated": np.zeros(BUFFER_SIZE, np.float32),
}

obs, infos = envs.reset(seed=0)
for global_step in range(0, args.timesteps, NUM_ENVS):
    mask = infos["action_mask"].astype(bool)
    epsilon = np.interp(global_step, [0, EXPLORATION * args.timesteps], [START_E, END_E])
    explored = (rng.random(mask.shape) * mask).argmax(1)  # one of the valid ones
    actions = np.where(rng.random(NUM_ENVS) < epsilon, explored, act(obs, mask))

    following, rewards, terminated, truncated, infos = envs.step(actions)
    next_obs, next_mask = following.copy(), infos["action_mask"].astype(bool)
    for i in np.flatnonzero(terminated | truncated):
        next_obs[i] = infos["final_obs"][i]
        next_mask[i] = infos["final_info"]["action_mask"][i]
    at = (global_step + np.arange(NUM_ENVS)) % BUFFER_SIZE
    made = (obs, next_obs, next_mask, actions, rewards, terminated)
    for column, values in zip(buffer.values(), made, strict=True):
        column[at] = values
    obs = following

    if global_step < LEARNING_STARTS:
        continue
    for _ in range(NUM_ENVS // 8):  # a gradient step for every eight of the environment
        rows = rng.integers(min(global_step + NUM_ENVS, BUFFER_SIZE), size=BATCH_SIZE)
        batch = {name: torch.as_tensor(column[rows]) for name, column in buffer.items()}
        with torch.no_grad():
            next_q = target_network(batch["next_obs"])
            best = next_q.masked_fill(~batch["next_mask"], -torch.inf).max(1).values
            target = batch["reward"] + GAMMA * best * (1 - batch["terminated"])
        q = q_network(batch["obs"]).gather(1, batch["action"][:, None]).squeeze(1)
        loss = nn.functional.mse_loss(q, target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if global_step // NUM_ENVS % (TARGET_UPDATES // 2) == 0:
        target_network.load_state_dict(q_network.state_dict())

print_scores(act, args.episodes)
