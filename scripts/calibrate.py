"""Learn a world from logs and hold it against them; or hold a world that is there against KuaiLive.

    python -m scripts.calibrate LOGS --world my_world.npz --json report.json --plots plots

reads the logs (a folder or a .zip), prints what became of their rows, fits a world and lets its
viewers play through it. Then it prints every statistic of the log with its 95 % interval, of the
world, and as published, and the fitted parameters.

    python -m scripts.calibrate --check

plays the logging policy on single viewer-days (LiveStreamRec-v0) and on a log of 21 days, of which
it describes the viewers who clicked, commented, liked and gave, as KuaiLive's users did, and prints
target, simulated values, and pass or miss. Exits with 1 if a required statistic of the log misses,
or, with --on days, of the viewer-days, which are of all viewers.
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
ENV_ID = "LiveStreamRec-v0"
NUM_ENVS = 512


def simulated_statistics(
    viewer_days: int, seed: int, env_kwargs: dict[str, Any]
) -> dict[str, Statistic]:
    """Statistics of single viewer-days under the logging policy.

    Args:
        viewer_days: how many to play.
        seed: of viewers and policy.
        env_kwargs: arguments of the environment.
    """
    from agents.rules.baselines import LoggingPolicy
    from livestream_env.calibration import simulate_impressions, world_statistics

    venv: Any = gym.make_vec(
        ENV_ID,
        num_envs=min(NUM_ENVS, viewer_days),
        vectorization_mode="vector_entry_point",
        **env_kwargs,
    )
    policy = LoggingPolicy(venv, seed)
    with Progress(viewer_days, ENV_ID, "episodes", leave=False) as progress:
        impressions = simulate_impressions(policy, venv, viewer_days, seed, progress.reach)
    return world_statistics(venv.world, impressions, days=1)


def log_statistics(
    published: Sequence[PublishedStatistic], args: argparse.Namespace
) -> tuple[dict[str, Statistic], str]:
    """Statistics of a log of 21 days, each of the viewers and in the catalogue it is about.

    Returns:
        Them, and a sentence on what they are of.
    """
    from livestream_env.calibration.check import compared, log_samples

    total = args.log_viewers + args.large_viewers
    with Progress(total, "log", "viewers", leave=False) as progress:
        described, facts = log_samples(
            args.log_viewers, args.large_viewers, args.seed, args.env_kwargs, progress.reach
        )
    return compared(published, described), (
        "log: {days} days; active: {active:,} of {viewers:,} viewers; large: {samples} sample(s), "
        "{density:.4f} viewers per streamer, of {large_viewers:,} viewers".format(**facts)
    )


def check_table(
    published: Sequence[PublishedStatistic],
    days: Mapping[str, Statistic] | None,
    log: Mapping[str, Statistic] | None,
) -> str:
    """Target, bounds, simulated values and verdicts, a line each.

    Args:
        published: the targets.
        days: of single viewer-days; None: not played.
        log: of the log; None: not played.
    """
    lines = [f"{'statistic':30s} {'target':>8s} {'within':>19s} {'viewer-days':>15s} "
             f"{'log':>15s}  of"]  # fmt: skip
    for row in published:
        if row.days and log is None:
            continue
        low, high = row.bounds
        values = f"{_verdict(row, None if row.days else days)} {_verdict(row, log)}"
        lines.append(
            f"{row.statistic:30s} {row.value:8.4g} {low:8.4g} .. {high:7.4g} {values}  "
            f"{row.viewers}{', large catalogue' * (row.catalogue == 'large')}"
            f"{'' if row.required else '; informative'}"
        )
    return "\n".join(lines)


def _verdict(row: PublishedStatistic, simulated: Mapping[str, Statistic] | None) -> str:
    if simulated is None:
        return f"{'-':>15s}"
    value = simulated[row.statistic].value
    verdict = "pass" if row.accepts(value) else "MISS"
    return f"{value:10.4g} {verdict if row.required else verdict.lower():4s}"


def check(args: argparse.Namespace) -> int:
    """Hold a world against published statistics; 1 if its log, or else its days, misses any."""
    from livestream_env.calibration import read_published_statistics

    published = read_published_statistics(PUBLISHED)
    days = log = None
    lines = []
    if args.on != "log":
        days = simulated_statistics(args.viewer_days, args.seed, args.env_kwargs)
        lines.append(f"viewer-days: {args.viewer_days:,}")
    if args.on != "days":
        log, facts = log_statistics(published, args)
        lines.append(facts)
    print(check_table(published, days, log))
    print("\n" + "; ".join([*lines, f"seed {args.seed}"]))
    failed = False
    for name, simulated in (("viewer-days", days), ("log", log)):
        if simulated is None:
            continue
        held = [row for row in published if row.required and not (row.days and simulated is days)]
        missed = [row.statistic for row in held if not row.accepts(simulated[row.statistic].value)]
        print(
            f"{name}: {len(held) - len(missed)} of {len(held)} required statistics within tolerance"
            + (f"; missed: {', '.join(missed)}" if missed else "")
        )
        failed |= bool(missed) and (simulated is log or log is None)
    return int(failed)


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
    parser.add_argument("--check", action="store_true", help="a world, without logs")
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
    of_check.add_argument(
        "--on", choices=("days", "log", "both"), default="both", help="default: %(default)s"
    )
    of_check.add_argument(
        "--log-viewers",
        type=positive_int,
        default=5_000,
        help="of the log, of whom KuaiLive's selection is taken; default: %(default)s",
    )
    of_check.add_argument(
        "--large-viewers",
        type=positive_int,
        default=7_000,
        help="of the log with 100,000 streamers, for what depends on how many these are; "
        "default: %(default)s",
    )
    args = parser.parse_args(argv)
    if args.check == (args.logs is not None):
        parser.error("give either LOGS or --check")
    return check(args) if args.check else calibrate(args, parser)


if __name__ == "__main__":
    sys.exit(main())
