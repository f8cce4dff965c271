"""Log decisions as a Minari dataset, load it, recover its environment, clone its actions.

    python examples/minari_cloning.py

The dataset is made anew in every run, where Minari keeps its datasets
(``MINARI_DATASETS_PATH``). Its infos have propensities and masks; ``minari.DataCollector(env)``
records plain ones.
"""

# /// script
# dependencies = ["minari", "h5py"]
# ///

import tempfile
from pathlib import Path

import minari
import torch
from torch import nn

from scoring import command_line, print_scores
from scripts.log_decisions import main as log_decisions

DATASET = "livestream/example-v0"

args = command_line(__doc__, timesteps=30_000).parse_args()
torch.manual_seed(0)

if DATASET in minari.list_local_datasets():
    minari.delete_dataset(DATASET)
with tempfile.TemporaryDirectory() as folder:
    log = Path(folder, "log.parquet")
    options = ["--policy", "logging", "--steps", str(args.timesteps), "--minari", DATASET]
    log_decisions([*options, "--out", str(log)])

dataset = minari.load_dataset(DATASET)
env = dataset.recover_environment()
print(f"{dataset.total_episodes} episodes, {dataset.total_steps} steps of {env.spec.id}")
observations = torch.cat([torch.as_tensor(e.observations[:-1]) for e in dataset])
actions = torch.cat([torch.as_tensor(e.actions) for e in dataset])

network = nn.Sequential(
    nn.Linear(env.observation_space.shape[0], 64), nn.ReLU(), nn.Linear(64, env.action_space.n)
)
optimizer = torch.optim.Adam(network.parameters())
for _ in range(10):
    for rows in torch.randperm(len(actions)).split(256):
        loss = nn.functional.cross_entropy(network(observations[rows]), actions[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


@torch.no_grad()
def act(obs, mask):
    logits = network(torch.as_tensor(obs))
    return logits.masked_fill(~torch.as_tensor(mask), -torch.inf).argmax(1).numpy()


print_scores(act, args.episodes)
