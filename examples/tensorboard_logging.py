"""Write what happens in training, and how viewers fare, for TensorBoard.

python examples/tensorboard_logging.py
tensorboard --logdir runs/tensorboard
"""

# /// script
# dependencies = ["tensorboard"]
# ///

import gymnasium as gym
from torch.utils.tensorboard import SummaryWriter

from agents.dqn import DQN
from agents.evaluation import evaluate
from scoring import command_line, print_scores

LOG_DIR = "runs/tensorboard"
ROUNDS = 5

args = command_line(__doc__, timesteps=30_000).parse_args()

agent = DQN(gym.make("LiveStreamRec-v0"), seed=0)
with SummaryWriter(f"{LOG_DIR}/viewers") as writer:
    for _ in range(ROUNDS):
        # The agent's own curves: loss, Q, exploration, reward per episode.
        log_dir = f"{LOG_DIR}/agent"
        agent.learn(args.timesteps // ROUNDS, log_dir=log_dir, reset_num_timesteps=False)
        outcomes = evaluate(agent, episodes=args.episodes, seed=1)
        for name in ("reward", "watch_s", "likes", "gift_value", "visits"):
            writer.add_scalar(f"viewer_day/{name}", outcomes[name].mean(), agent.num_timesteps)
            writer.add_histogram(f"viewer_days/{name}", outcomes[name], agent.num_timesteps)

print_scores(lambda obs, mask: agent.predict(obs, deterministic=True)[0], args.episodes)
