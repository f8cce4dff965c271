"""CPU time until the hand-written DQN is as good as Stable-Baselines3's after a whole training.

    python -m scripts.time_to_score

Trains SB3's DQN with its defaults, then ours with the preset ``default`` until its greedy policy
first reaches the same mean reward on the same held-out viewer-days. Takes several minutes.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import gymnasium as gym

from agents.evaluation import evaluate
from scripts.command_line import described_parser, positive_int, whole_number

if TYPE_CHECKING:
    from agents.dqn import DQN

ENV_ID = "LiveStreamRec-v0"


@dataclasses.dataclass(frozen=True)
class TimeToScore:
    """What :func:`time_to_score` measured.

    Attributes:
        score: Mean reward per viewer-day of SB3's greedy policy at the end of its training.
        reference_s: CPU seconds of that training.
        ours_s: CPU seconds until ours was as good, evaluations not counted; nan if it never was.
        steps: Environment steps of ours by then.
        reached: Its mean reward then.
    """

    score: float
    reference_s: float
    ours_s: float
    steps: int
    reached: float

    @property
    def ratio(self) -> float:
        """How many times faster ours is."""
        return self.reference_s / self.ours_s


def time_to_score(
    reference_steps: int = 300_000,
    our_steps: int = 100_000,
    episodes: int = 1_000,
    every: int = 2_500,
    seed: int = 0,
) -> TimeToScore:
    """Train both and compare.

    Args:
        reference_steps: Length of SB3's training.
        our_steps: Length that our schedules are made for; training stops when the score is reached.
        episodes: Viewer-days per evaluation.
        every: Environment steps between two evaluations of ours.
        seed: Of both trainings.
    """
    from stable_baselines3 import DQN as SB3Model

    from agents.dqn import DQN

    model = SB3Model("MlpPolicy", gym.make(ENV_ID), seed=seed, device="cpu")
    start = time.process_time()
    model.learn(reference_steps)
    reference_s = time.process_time() - start
    score = _mean_reward(model, episodes)

    agent = DQN(ENV_ID, "default", seed=seed)
    paused_s, reached, next_look = 0.0, float("nan"), every

    def look(agent: DQN) -> bool:
        nonlocal paused_s, reached, next_look
        if agent.num_timesteps < next_look:
            return True
        pause = time.process_time()
        next_look += every
        reached = _mean_reward(agent, episodes)
        paused_s += time.process_time() - pause
        return reached < score

    start = time.process_time()
    agent.learn(our_steps, callback=look)
    ours_s = time.process_time() - start - paused_s
    return TimeToScore(
        score,
        reference_s,
        ours_s if reached >= score else float("nan"),
        agent.num_timesteps,
        reached,
    )


def _mean_reward(policy: Any, episodes: int) -> float:
    return float(evaluate(policy, ENV_ID, episodes=episodes)["reward"].mean())


def main(argv: Sequence[str] | None = None) -> int:
    """Print the result as JSON; returns the exit status."""
    parser = described_parser("scripts.time_to_score", __doc__)
    parser.add_argument("--reference-steps", type=positive_int, default=300_000)
    parser.add_argument("--seed", type=whole_number, default=0, help="default: %(default)s")
    args = parser.parse_args(argv)
    result = time_to_score(args.reference_steps, seed=args.seed)
    print(json.dumps({**dataclasses.asdict(result), "ratio": result.ratio}, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
