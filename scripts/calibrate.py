"""Learn a world from logs and hold it against them; or hold the default world against KuaiLive.

    python -m scripts.calibrate LOGS --world my_world.npz --json report.json --plots plots

reads the logs (a folder or a .zip), prints what became of their rows, fits a world, simulates as
many days in it, and prints every statistic of the log, of the world and as published for KuaiLive,
and the fitted parameters.

    python -m scripts.calibrate --check

plays the logging policy on LiveStreamRec-v0 (and, for what depends on the days watched, on
LiveStreamRecWeek-v0) and prints target, simulated value, and pass or miss. Exits with 1 if a
required statistic misses.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gymnasium as gym
from numpy.typing import NDArray

from agents.baselines import LoggingPolicy
from livestream_env import World
from livestream_env.calibration import (
    PublishedStatistic,
    Statistic,
    read_published_statistics,
    simulate_impressions,
    world_statistics,
)

from .arguments import described_parser, json_object, positive_int

DATA = Path(__file__).parents[1] / "data"
PUBLISHED = DATA / "published_statistics.csv"
NUM_ENVS = 512


def _episodes(
    env_id: str, episodes: int, seed: int, env_kwargs: dict[str, Any]
) -> tuple[World, NDArray[Any]]:
    """The world of ``env_id``, and impressions of its logging policy."""
    venv: Any = gym.make_vec(
        env_id,
        num_envs=min(NUM_ENVS, episodes),
        vectorization_mode="vector_entry_point",
        **env_kwargs,
    )
    return venv.world, simulate_impressions(LoggingPolicy(venv, seed), venv, episodes, seed)


def simulated_statistics(
    viewer_days: int, seed: int, env_kwargs: dict[str, Any]
) -> dict[str, Statistic]:
    """Statistics of the default world under the logging policy.

    Args:
        viewer_days: how many to play; a tenth as many viewer-weeks are played besides, for the
            statistics that a single day does not have or that depend on the days watched.
        seed: of viewers and policy.
        env_kwargs: arguments of the environments.
    """
    world, impressions = _episodes("LiveStreamRec-v0", viewer_days, seed, env_kwargs)
    daily = world_statistics(world, impressions, days=1)
    world, impressions = _episodes("LiveStreamRecWeek-v0", -(-viewer_days // 10), seed, env_kwargs)
    weekly = world_statistics(world, impressions, days=7)
    of_weeks = {row.statistic for row in read_published_statistics(PUBLISHED) if row.days}
    return weekly | {
        name: found for name, found in daily.items() if not found.reason and name not in of_weeks
    }


def check_table(published: Sequence[PublishedStatistic], simulated: Mapping[str, Statistic]) -> str:
    """Target, bounds, simulated value and verdict, a line each."""
    lines = [f"{'statistic':26s} {'target':>9s} {'within':>19s} {'simulated':>10s}  verdict"]
    for row in published:
        value = simulated[row.statistic].value
        low, high = row.bounds
        verdict = "pass" if row.accepts(value) else "MISS"
        if row.days:
            verdict = f"not compared: 7 days against {row.days}"
        elif not row.required:
            verdict = f"{verdict.lower()} (informative)"
        lines.append(
            f"{row.statistic:26s} {row.value:9.4g} {low:9.4g} .. {high:7.4g} {value:10.4g}  "
            + verdict
        )
    return "\n".join(lines)


def check(args: argparse.Namespace) -> int:
    """Hold the default world against published statistics; 1 if a required one misses."""
    published = read_published_statistics(PUBLISHED)
    simulated = simulated_statistics(args.viewer_days, args.seed, args.env_kwargs)
    print(check_table(published, simulated))
    required = [row for row in published if row.required]
    missed = [row.statistic for row in required if not row.accepts(simulated[row.statistic].value)]
    print(
        f"\n{len(required) - len(missed)} of {len(required)} required statistics within tolerance"
        f" ({args.viewer_days} viewer-days, seed {args.seed})"
        + (f"; missed: {', '.join(missed)}" if missed else "")
    )
    return 1 if missed else 0


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table; 1 if a required statistic misses its target."""
    parser = described_parser("scripts.calibrate", __doc__)
    parser.add_argument("--check", action="store_true", required=True, help="what there is to do")
    parser.add_argument("--viewer-days", type=positive_int, default=50_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--env-kwargs", type=json_object, default={}, metavar="JSON", help="of the environment"
    )
    return check(parser.parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())
