"""TorchRL's DQN with its ActionMask, in a world so small that slots are empty in most states.

python examples/torchrl_dqn.py
"""

# /// script
# dependencies = ["torchrl==0.14.1"]
# ///

import gymnasium as gym
import torch
from tensordict import TensorDict
from tensordict.nn import TensorDictSequential
from torchrl.collectors import Collector
from torchrl.data import LazyTensorStorage, TensorDictReplayBuffer
from torchrl.envs import ActionMask, GymWrapper, TransformedEnv
from torchrl.modules import MLP, EGreedyModule, QValueActor
from torchrl.objectives import DQNLoss, HardUpdate

from livestream_env.wrappers import MaskObservation
from scoring import command_line, print_scores

WORLD = {"num_streamers": 80}
FRAMES_PER_BATCH = 100
UPDATES_PER_BATCH = 25

args = command_line(__doc__, timesteps=20_000).parse_args()
torch.manual_seed(0)

env = gym.make("livestream_env:LiveStreamRec-v0", config=WORLD)
env = MaskObservation(env, observation="observation", mask="action_mask")
env = TransformedEnv(GymWrapper(env, categorical_action_encoding=True), ActionMask())
env.set_seed(0)

num_actions = env.action_spec.n
network = MLP(
    in_features=env.observation_spec["observation"].shape[-1],
    out_features=num_actions,
    num_cells=[64, 64],
)
actor = QValueActor(
    network,
    in_keys=["observation"],
    spec=env.action_spec,
    action_mask_key="action_mask",
    action_space="categorical",
)
exploration = EGreedyModule(
    env.action_spec,
    annealing_num_steps=args.timesteps // 2,
    eps_init=1.0,
    eps_end=0.05,
    action_mask_key="action_mask",
)
collector = Collector(
    env,
    TensorDictSequential(actor, exploration),
    frames_per_batch=FRAMES_PER_BATCH,
    total_frames=args.timesteps,
)
buffer = TensorDictReplayBuffer(storage=LazyTensorStorage(50_000), batch_size=128)
loss = DQNLoss(actor, action_space="categorical", delay_value=True, double_dqn=True)
loss.make_value_estimator(gamma=0.95)
target_updater = HardUpdate(loss, value_network_update_interval=250)
optimizer = torch.optim.Adam(loss.parameters(), lr=5e-4)

for batch in collector:
    exploration.step(batch.numel())
    buffer.extend(batch.reshape(-1))
    if len(buffer) < 1_000:
        continue
    for _ in range(UPDATES_PER_BATCH):
        value = loss(buffer.sample())["loss"]
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        target_updater.step()
collector.shutdown()


@torch.no_grad()
def act(obs, mask):
    seen = {"observation": torch.as_tensor(obs), "action_mask": torch.as_tensor(mask)}
    return actor(TensorDict(seen, batch_size=len(obs)))["action"].numpy()


print_scores(act, args.episodes, config=WORLD)
