"""Hold the default world against the published statistics of real logs.

    python -m scripts.calibrate --check

plays the logging policy on LiveStreamRec-v0 (and, for return and loyalty, on LiveStreamRecWeek-v0)
and prints target, simulated value, and pass or miss. Exits with 1 if a required statistic misses.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gymnasium as gym

from agents.baselines import LoggingPolicy
from livestream_env.calibration import (
    PublishedStatistic,
    impression_statistics,
    read_published_statistics,
    room_statistics,
    simulate_impressions,
    weekly_statistics,
)

from .arguments import described_parser, json_object, positive_int

PUBLISHED = Path(__file__).parents[1] / "data" / "published_statistics.csv"
NUM_ENVS = 512


def simulated_statistics(
    viewer_days: int, seed: int, env_kwargs: dict[str, Any]
) -> dict[str, float]:
    """All statistics of ``data/published_statistics.csv`` under the logging policy.

    Args:
        viewer_days: how many to play; a tenth as many viewer-weeks are played besides.
        seed: of viewers and policy.
        env_kwargs: arguments of the environments.
    """
    statistics: dict[str, float] = {}
    for env_id, episodes, describe in (
        ("LiveStreamRec-v0", viewer_days, impression_statistics),
        ("LiveStreamRecWeek-v0", -(-viewer_days // 10), weekly_statistics),
    ):
        venv: Any = gym.make_vec(
            env_id,
            num_envs=min(NUM_ENVS, episodes),
            vectorization_mode="vector_entry_point",
            **env_kwargs,
        )
        impressions = simulate_impressions(LoggingPolicy(venv, seed), venv, episodes, seed)
        statistics |= describe(impressions)
    return statistics | room_statistics(venv.world)


def table(published: list[PublishedStatistic], simulated: dict[str, float]) -> str:
    """Target, bounds, simulated value and verdict, a line each."""
    lines = [f"{'statistic':26s} {'target':>9s} {'within':>19s} {'simulated':>10s}  verdict"]
    for row in published:
        value = simulated[row.statistic]
        low, high = row.bounds
        verdict = "pass" if row.accepts(value) else "MISS"
        lines.append(
            f"{row.statistic:26s} {row.value:9.4g} {low:9.4g} .. {high:7.4g} {value:10.4g}  "
            + (verdict if row.required else f"{verdict.lower()} (informative)")
        )
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table; 1 if a required statistic misses its target."""
    parser = described_parser("scripts.calibrate", __doc__)
    parser.add_argument("--check", action="store_true", required=True, help="what there is to do")
    parser.add_argument("--viewer-days", type=positive_int, default=50_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--env-kwargs", type=json_object, default={}, metavar="JSON", help="of the environment"
    )
    args: argparse.Namespace = parser.parse_args(argv)

    published = read_published_statistics(PUBLISHED)
    simulated = simulated_statistics(args.viewer_days, args.seed, args.env_kwargs)
    print(table(published, simulated))
    required = [row for row in published if row.required]
    missed = [row.statistic for row in required if not row.accepts(simulated[row.statistic])]
    print(
        f"\n{len(required) - len(missed)} of {len(required)} required statistics within tolerance"
        f" ({args.viewer_days} viewer-days, seed {args.seed})"
        + (f"; missed: {', '.join(missed)}" if missed else "")
    )
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
