"""d3rlpy's DiscreteCQL, from logged decisions alone.

python examples/d3rlpy_cql.py
"""

# /// script
# dependencies = [
#     "click", "colorama", "dataclasses-json", "gym", "h5py", "scikit-learn", "structlog",
# ]
# [tool]
# no-deps = ["d3rlpy==2.8.1"]  # it pins Gymnasium 1.0.0, and works with the project's
# ///

import tempfile
from pathlib import Path

import d3rlpy

from livestream_env.decisions import read_decisions
from livestream_env.decisions.loaders import to_d3rlpy
from scoring import command_line, print_scores
from scripts.log_decisions import main as log_decisions

args = command_line(__doc__, timesteps=30_000).parse_args()
updates = args.timesteps // 8
d3rlpy.seed(0)

with tempfile.TemporaryDirectory() as folder:
    log = Path(folder, "log.parquet")
    # What a platform would log, and a share of uniform decisions for what it never shows.
    options = ["--policy", "logging?uniform_share=0.5", "--steps", str(args.timesteps)]
    log_decisions([*options, "--out", str(log)])
    dataset = to_d3rlpy(read_decisions(log))

cql = d3rlpy.algos.DiscreteCQLConfig(
    gamma=0.95, learning_rate=5e-4, batch_size=128, target_update_interval=250
).create(device="cpu:0")
cql.fit(
    dataset,
    n_steps=updates,
    n_steps_per_epoch=updates,
    logger_adapter=d3rlpy.logging.NoopAdapterFactory(),
    show_progress=False,
)

print_scores(lambda obs, mask: cql.predict(obs), args.episodes)
