"""Learn a world from logs and hold it against them; or hold the default world against KuaiLive.

    python -m scripts.calibrate LOGS --world my_world.npz --json report.json --plots plots

reads the logs (a folder or a .zip), prints what became of their rows, fits a world and lets its
viewers play through it. Then it prints every statistic of the log with its 95 % interval, of the
world, and as published, and the fitted parameters.

    python -m scripts.calibrate --check

plays the logging policy on LiveStreamRec-v0 (and, for what depends on the days watched, on
LiveStreamRecWeek-v0) and prints target, simulated value, and pass or miss. Exits with 1 if a
required statistic misses.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from agents.policy import AGENTS, agent_spec
from livestream_env.files import write_text
from livestream_env.progress import Progress
from scripts.command_line import described_parser, json_object, positive_int, whole_number

if TYPE_CHECKING:
    from livestream_env import World
    from livestream_env.calibration import PublishedStatistic, Statistic
    from livestream_env.calibration.figures import Portrait
    from livestream_env.logs import Logs

READERS = {
    "kuailive": "livestream_env.logs:read_logs",
    "twitch": "livestream_env.logs:read_twitch",
    "kuailive-m3": "livestream_env.logs:read_kuailive_m3",
}

DATA = Path(__file__).parents[1] / "data"
PUBLISHED = DATA / "published_statistics.csv"
PUBLISHED_TWITCH = DATA / "published_twitch.csv"
NUM_ENVS = 512


def _episodes(
    env_id: str, episodes: int, seed: int, env_kwargs: dict[str, Any]
) -> tuple[World, NDArray[Any]]:
    """The world of ``env_id``, and impressions of its logging policy."""
    from agents.rules.baselines import LoggingPolicy
    from livestream_env.calibration import simulate_impressions

    venv: Any = gym.make_vec(
        env_id,
        num_envs=min(NUM_ENVS, episodes),
        vectorization_mode="vector_entry_point",
        **env_kwargs,
    )
    policy = LoggingPolicy(venv, seed)
    with Progress(episodes, env_id, "episodes", leave=False) as progress:
        return venv.world, simulate_impressions(policy, venv, episodes, seed, progress.reach)


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
    from livestream_env.calibration import read_published_statistics, world_statistics

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
    from livestream_env.calibration import read_published_statistics

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


def log_format(path: Path) -> str:
    """Which of ``READERS`` reads the log at ``path``, by the names of its files."""
    from livestream_env.logs.source import LogSource

    source = LogSource(path, single_file=True)
    if path.is_file() and path.suffix != ".zip":
        return "twitch"
    if source.find("live_interaction"):
        return "kuailive-m3"
    return "twitch" if source.find("100k_a", "100k") else "kuailive"


def calibrate(args: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    """Fit a world to logs, hold it against them, and write what was asked for."""
    from livestream_env.calibration import (
        LogIndex,
        days_spanned,
        event_matches,
        fit,
        impressions_of,
        read_published_statistics,
        simulate_world_impressions,
        statistics,
        world_statistics,
    )
    from livestream_env.calibration.figures import draw_plots
    from livestream_env.calibration.fit_report import (
        comparison_json,
        comparison_table,
        matches_table,
        plain,
    )

    try:
        policy = agent_spec(args.policy).make
        name = log_format(args.logs) if args.format == "auto" else args.format
        logs = resolve_name(READERS[name])(
            args.logs, strict=args.strict, progress_bar=True, users=args.users, seed=args.seed
        )
    except (FileNotFoundError, ValueError) as error:
        parser.error(str(error))
    print(f"{logs.report}\n")
    index = LogIndex.of(logs)
    impressions = impressions_of(logs, index)
    matches = event_matches(logs, index)
    if matches:
        print(matches_table(matches) + "\n")
    logged = statistics(logs, seed=args.seed, index=index, impressions=impressions)

    try:
        fitted = fit(
            logs, policy, seed=args.seed, progress_bar=True, index=index, impressions=impressions
        )
    except ValueError as error:
        parser.error(f"no world can be fitted to {args.logs}: {error}")
    world = fitted.world
    if args.world is not None:
        world.save(args.world)
    count = min(args.viewers or len(world.viewers), len(world.viewers))
    viewers = np.random.default_rng(args.seed).permutation(len(world.viewers))[:count]
    with Progress(count, "simulate", "viewers", leave=False) as progress:
        simulated_impressions = simulate_world_impressions(
            world, policy, viewers, seed=args.seed, on_step=progress.reach
        )
    simulated = world_statistics(world, simulated_impressions, world.days, 200, args.seed)

    targets = {row.statistic: row for row in read_published_statistics(PUBLISHED)}
    if name == "twitch":
        published = {row.statistic: row for row in read_published_statistics(PUBLISHED_TWITCH)}
    else:
        published = targets
    everybody = count == len(world.viewers) == len(logs.user)
    days = days_spanned(impressions)
    print(f"log: {len(logs.user):,} viewers, {days} days; ", end="")
    print(f"world: {count:,} viewers, {world.days} days\n")
    print(
        comparison_table(logged, simulated, published, targets | published, days, everybody) + "\n"
    )
    print(fitted)
    if args.json is not None:
        report = {
            "statistics": comparison_json(logged, simulated, published),
            "fit": {name: asdict(estimate) for name, estimate in fitted.parameters.items()},
            "fit_notes": fitted.notes,
            "rows": logs.report.to_dict(),
            "events": matches,
        }
        write_text(args.json, json.dumps(plain(report), indent=2, allow_nan=False) + "\n")
    if args.plots is not None:
        portraits = [
            log_portrait(logs, impressions, logged),
            world_portrait(world, simulated_impressions, simulated),
        ]
        draw_plots(args.plots, portraits, published.values())
    return 0


def log_portrait(
    logs: Logs, impressions: NDArray[Any], described: Mapping[str, Statistic]
) -> Portrait:
    """What is drawn of a log."""
    from livestream_env.calibration.figures import Portrait

    room = logs.room
    minutes = (room["end_timestamp"] - room["start_timestamp"]).to_numpy() / 60_000.0
    return Portrait("log", impressions, described, minutes, room["end_censored"].to_numpy())


def world_portrait(
    world: World, impressions: NDArray[Any], described: Mapping[str, Statistic]
) -> Portrait:
    """What is drawn of a world."""
    from livestream_env.calibration.figures import Portrait

    minutes = (world.rooms["end_s"] - world.rooms["start_s"]) / 60.0
    return Portrait("fitted world", impressions, described, minutes, np.zeros(len(minutes), bool))


def main(argv: Sequence[str] | None = None) -> int:
    """Calibrate or check; returns the exit status."""
    parser = described_parser("scripts.calibrate", __doc__)
    parser.add_argument("logs", type=Path, nargs="?", metavar="LOGS", help="a folder or a .zip")
    parser.add_argument("--check", action="store_true", help="the default world, without logs")
    parser.add_argument("--seed", type=whole_number, default=0, help="default: %(default)s")
    of_logs = parser.add_argument_group("with LOGS")
    of_logs.add_argument("--world", type=Path, metavar="NPZ", help="write the fitted world")
    of_logs.add_argument("--json", type=Path, metavar="FILE", help="write all that is printed")
    of_logs.add_argument("--plots", type=Path, metavar="DIR", help="draw log and world, PNG")
    of_logs.add_argument(
        "--viewers", type=positive_int, help="of the world to simulate (default: all)"
    )
    of_logs.add_argument(
        "--users", type=positive_int, help="of the log to read, drawn at random (default: all)"
    )
    of_logs.add_argument(
        "--strict", action="store_true", help="fail at the first row that cannot be used"
    )
    of_logs.add_argument(
        "--format", choices=("auto", *READERS), default="auto", help="of the logs: %(default)s"
    )
    of_logs.add_argument(
        "--policy",
        default="logging",
        help=f"that chose what the logs show: {', '.join(AGENTS)}, or module:Class; "
        "default: %(default)s",
    )
    of_check = parser.add_argument_group("with --check")
    of_check.add_argument(
        "--viewer-days", type=positive_int, default=50_000, help="default: %(default)s"
    )
    of_check.add_argument(
        "--env-kwargs", type=json_object, default={}, metavar="JSON", help="of the environment"
    )
    args = parser.parse_args(argv)
    if args.check == (args.logs is not None):
        parser.error("give either LOGS or --check")
    return check(args) if args.check else calibrate(args, parser)


if __name__ == "__main__":
    sys.exit(main())
