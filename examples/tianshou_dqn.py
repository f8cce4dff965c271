"""Tianshou's DQN, which finds the mask in the observation, in a world in which slots are empty.

python examples/tianshou_dqn.py
"""

# /// script
# dependencies = [
#     "tianshou==2.0.1",
#     "filelock<4",  # virtualenv, which it needs, has no release for 4
# ]
# ///

import gymnasium as gym
import numpy as np
import torch
from tianshou.algorithm.modelfree.dqn import DQN, DiscreteQLearningPolicy
from tianshou.algorithm.optim import AdamOptimizerFactory
from tianshou.data import Batch, Collector, VectorReplayBuffer
from tianshou.env import DummyVectorEnv
from tianshou.trainer import OffPolicyTrainerParams
from tianshou.utils.net.common import Net

from livestream_env.wrappers import MaskObservation
from scoring import command_line, print_scores

WORLD = {"num_streamers": 80}
NUM_ENVS = 8

args = command_line(__doc__, timesteps=20_000).parse_args()
torch.manual_seed(0)
np.random.seed(0)  # noqa: NPY002  (what Tianshou explores with)


def make_env():
    return MaskObservation(gym.make("livestream_env:LiveStreamRec-v0", config=WORLD))


env = make_env()
policy = DiscreteQLearningPolicy(
    model=Net(
        state_shape=env.observation_space["obs"].shape,
        action_shape=env.action_space.n,
        hidden_sizes=[64, 64],
    ),
    action_space=env.action_space,
    observation_space=env.observation_space,
)
algorithm = DQN(
    policy=policy,
    optim=AdamOptimizerFactory(lr=5e-4),
    gamma=0.95,
    target_update_freq=250,
)
collector = Collector(
    algorithm,
    DummyVectorEnv([make_env] * NUM_ENVS),
    VectorReplayBuffer(50_000, NUM_ENVS),
    exploration_noise=True,
)
collector.reset()
collector.collect(n_step=1_000, random=True)


def explore(epoch, step):
    policy.set_eps_training(np.interp(step, [0, args.timesteps / 2], [1.0, 0.05]))


algorithm.run_training(
    OffPolicyTrainerParams(
        training_collector=collector,
        training_fn=explore,
        max_epochs=1,
        epoch_num_steps=args.timesteps,
        collection_step_num_env_steps=64,
        update_step_num_gradient_steps_per_sample=0.25,
        batch_size=128,
        show_progress=False,
    )
)


@torch.no_grad()
def act(obs, mask):
    return policy(Batch(obs=Batch(obs=obs, mask=mask), info=Batch())).act


print_scores(act, args.episodes, config=WORLD)
