"""Rewards as vectors: a linear scalarisation for one learner, and one learner for all of them.

    python examples/morl_envelope.py

MO-Gymnasium's ``LinearReward`` weighs the components for our DQN, which knows one weighting only.
Envelope Q-learning of morl-baselines learns for all weightings at once, of which two are scored:
that of the environment, and one for which only likes count.
"""

# /// script
# dependencies = ["morl-baselines==1.3.0", "mo-gymnasium==1.3.2"]
# ///

import mo_gymnasium as mo
import numpy as np
import torch
from mo_gymnasium.wrappers import LinearReward
from morl_baselines.multi_policy.envelope.envelope import Envelope

from agents.dqn import DQN
from livestream_env.reward import DEFAULT_WEIGHTS, REWARD_COMPONENTS
from scoring import command_line, print_scores

ENV_ID = "livestream_env:mo-LiveStreamRec-v0"
WEIGHTINGS = {
    "default": DEFAULT_WEIGHTS,
    "likes": dict.fromkeys(REWARD_COMPONENTS, 0.0) | {"like": 1.0},
}

args = command_line(__doc__, timesteps=10_000).parse_args()

linear = LinearReward(mo.make(ENV_ID), np.array(list(DEFAULT_WEIGHTS.values())))
# Five times the steps in less time than Envelope takes.
dqn = DQN(linear, seed=0).learn(5 * args.timesteps)
print_scores(
    lambda obs, mask: dqn.predict(obs, deterministic=True)[0], args.episodes, name="linear"
)

envelope = Envelope(
    mo.make(ENV_ID),
    learning_rate=5e-4,
    initial_epsilon=1.0,
    final_epsilon=0.05,
    epsilon_decay_steps=args.timesteps // 2,
    target_net_update_freq=250,
    buffer_size=50_000,
    net_arch=[64, 64],
    batch_size=64,
    gamma=0.95,
    log=False,
    seed=0,
    device="cpu",
)
envelope.train(args.timesteps)


def acting(weights):
    # Learned for weights that sum to 1; scaling them changes no choice.
    weights = torch.tensor(list(weights.values())) / sum(weights.values())

    @torch.no_grad()
    def act(obs, mask):
        values = envelope.q_net(torch.as_tensor(obs), weights.expand(len(obs), -1)) @ weights
        return values.masked_fill(~torch.as_tensor(mask), -torch.inf).argmax(1).numpy()

    return act


for name, weights in WEIGHTINGS.items():
    print_scores(acting(weights), args.episodes, name=name, reward_weights=weights)
