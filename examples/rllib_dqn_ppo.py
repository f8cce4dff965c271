"""RLlib's DQN, PPO, and PPO with its module for action masks, on a Ray cluster here or elsewhere.

    python examples/rllib_dqn_ppo.py
    python examples/rllib_dqn_ppo.py --algorithms dqn masked-ppo
    python examples/rllib_dqn_ppo.py --address HOST:6379    # or RAY_ADDRESS=HOST:6379

RLlib's workers have imported nothing, so that the id has the package before a colon; each machine
of a cluster needs the package installed. Where ``~/.ray/auth_token`` exists, as after any
``ray.init()``, ``ray start --head`` makes a cluster that asks for it: clients need a copy, and
``export RAY_AUTH_MODE=token``, without which they find no cluster (``ray get-auth-token``).
"""

# /// script
# dependencies = [
#     "ray[rllib]==2.60.0",
#     "gymnasium==1.2.2",  # RLlib's own pin
# ]
# ///

import gymnasium as gym
import ray
import torch
from ray.rllib.algorithms.dqn import DQNConfig
from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.core.columns import Columns
from ray.rllib.core.rl_module.rl_module import RLModuleSpec
from ray.rllib.examples.rl_modules.classes.action_masking_rlm import ActionMaskingTorchRLModule
from ray.tune.registry import register_env

from livestream_env.wrappers import MaskObservation
from scoring import command_line, print_scores

ENV_ID = "livestream_env:LiveStreamRec-v0"
SMALL_WORLD = {"num_streamers": 80}  # in which slots are empty in most states


def make_masked(config):
    env = gym.make(ENV_ID, **config)
    return MaskObservation(env, observation="observations", mask="action_mask")


register_env("masked", make_masked)
ppo = PPOConfig().training(
    lr=1e-3, train_batch_size_per_learner=1_024, minibatch_size=128, num_epochs=5
)
masking = RLModuleSpec(module_class=ActionMaskingTorchRLModule)
CONFIGS = {
    "dqn": DQNConfig().environment(ENV_ID),
    "ppo": ppo.copy().environment(ENV_ID),
    "masked-ppo": ppo.copy()
    .environment("masked", env_config={"config": SMALL_WORLD})
    .rl_module(rl_module_spec=masking),
}


def train(name, timesteps):
    algorithm = CONFIGS[name].env_runners(num_env_runners=1, num_envs_per_env_runner=8).build_algo()
    steps = 0
    while steps < timesteps:
        runners = algorithm.train()["env_runners"]
        steps = runners["num_env_steps_sampled_lifetime"]
    module = algorithm.get_module()
    algorithm.stop()
    return module


def acting(module, masked):
    @torch.no_grad()
    def act(obs, mask):
        obs = torch.as_tensor(obs)
        if masked:
            obs = {"observations": obs, "action_mask": torch.as_tensor(mask).float()}
        out = module.forward_inference({Columns.OBS: obs})
        if Columns.ACTIONS in out:
            return out[Columns.ACTIONS].numpy()
        return out[Columns.ACTION_DIST_INPUTS].argmax(1).numpy()

    return act


if __name__ == "__main__":
    parser = command_line(__doc__, timesteps=10_000)
    parser.add_argument(
        "--address", help="of a running cluster; default: RAY_ADDRESS, or one is started"
    )
    parser.add_argument("--algorithms", nargs="+", choices=CONFIGS, default=list(CONFIGS))
    args = parser.parse_args()

    ray.init(args.address, logging_level="ERROR")
    for name in args.algorithms:
        masked = name == "masked-ppo"
        act = acting(train(name, args.timesteps), masked)
        world = {"config": SMALL_WORLD} if masked else {}
        print_scores(act, args.episodes, name=name, **world)
    ray.shutdown()
