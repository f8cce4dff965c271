"""Search two of our DQN's hyperparameters with Optuna, stopping hopeless trials early.

    python examples/optuna_search.py

``python -m scripts.tune`` is the whole of it: a search space for every agent, storage, workers.
Trials are scored on other viewer-days than the best one at the end.
"""

# /// script
# dependencies = ["optuna"]
# ///

import gymnasium as gym
import optuna

from agents.dqn import DQN
from agents.evaluation import evaluate
from scoring import command_line, print_scores

TRIALS = 4
ROUNDS = 3  # in each trial, after each of which it may be stopped

args = command_line(__doc__, timesteps=60_000).parse_args()
env = gym.make("LiveStreamRec-v0")
agents = {}


def objective(trial):
    agent = DQN(
        env,
        seed=0,
        learning_rate=trial.suggest_float("learning_rate", 1e-4, 1e-2, log=True),
        n_step=trial.suggest_int("n_step", 1, 5),
    )
    for step in range(ROUNDS):
        agent.learn(args.timesteps // (TRIALS * ROUNDS), reset_num_timesteps=False)
        score = evaluate(agent, episodes=args.episodes, seed=1)["reward"].mean()
        trial.report(score, step)
        if trial.should_prune():
            raise optuna.TrialPruned
    agents[trial.number] = agent
    return score


optuna.logging.set_verbosity(optuna.logging.WARNING)
study = optuna.create_study(
    direction="maximize",
    sampler=optuna.samplers.TPESampler(seed=0),
    pruner=optuna.pruners.MedianPruner(n_startup_trials=2),
)
study.optimize(objective, n_trials=TRIALS)
print(study.best_params)

best = agents[study.best_trial.number]
print_scores(lambda obs, mask: best.predict(obs, deterministic=True)[0], args.episodes)
