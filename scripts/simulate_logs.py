"""Simulate the logs of a live-stream platform and write them in KuaiLive's files.

    python -m scripts.simulate_logs --viewers 1000 --days 7 --out logs

plays each of the world's first 1,000 viewers once, from 04:00 of 5 May 2025 (Beijing) for seven
days, with the logging policy, and writes

* click, negative, comment, like, gift, room, user, streamer (.csv, or .parquet) and
  title_embeddings.npy, as the KuaiLive data set has them, events in order of time;
* exposure.parquet, with a row for each of click and negative and what no real log has: the
  candidates, the slot shown and its propensity, the session, and the viewer's hidden state;
* simulation.json: how the log was made.

Policies do not learn from what they log here: name with --model what one has learned before.
"""

from __future__ import annotations

import argparse
import platform
import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import livestream_env
from livestream_env import SimulatorConfig, WorldConfig
from livestream_env.progress import Progress
from scripts.command_line import described_parser, json_object, positive_int, whole_number
from scripts.evaluate import add_policy_arguments, load_agent
from scripts.log_decisions import add_minari_argument, check_minari, write_dataset

if TYPE_CHECKING:
    from livestream_env import LiveStreamRecVectorEnv
    from livestream_env.simulated_logs.playing import Moment

FORMATS = ("csv", "parquet")  # of livestream_env.logs.writing, which --help need not import
MAX_ENVS = 1024
_PACKAGES = ("gymnasium", "numba", "numpy", "pyarrow")


def make_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = described_parser("scripts.simulate_logs", __doc__)
    add_policy_arguments(parser)
    parser.add_argument("--viewers", type=positive_int, help="default: all of the world's")
    parser.add_argument("--days", type=positive_int, default=7, help="default: %(default)s")
    parser.add_argument("--out", type=Path, required=True, help="folder, new or empty")
    parser.add_argument(
        "--decisions",
        type=Path,
        metavar="PARQUET",
        help="also write what a learner needs, observations and all candidates' propensities "
        "(see scripts.log_decisions, which draws viewers as the environment does)",
    )
    add_minari_argument(parser)
    parser.add_argument("--overwrite", action="store_true", help="replace an older log there")
    parser.add_argument("--seed", type=whole_number, default=0, help="default: %(default)s")
    parser.add_argument("--format", choices=FORMATS, default="csv", help="default: %(default)s")
    parser.add_argument(
        "--world-seed", type=whole_number, help="of the synthetic world; default: 0"
    )
    parser.add_argument(
        "--env-kwargs",
        type=json_object,
        default={},
        metavar="JSON",
        help='arguments of the environment, for example \'{"config": {"num_viewers": 50000}}\'',
    )
    return parser


def describe(command: str, args: argparse.Namespace, env: LiveStreamRecVectorEnv) -> dict[str, Any]:
    """What simulation.json says besides the numbers of rows; ``config`` is what is not default."""
    config: dict[str, float] = {}
    recipe = env.world.recipe
    for group in (env.simulation.config, *((recipe[0],) if recipe else ())):
        default = (
            SimulatorConfig() if isinstance(group, SimulatorConfig) else WorldConfig()
        ).to_dict()
        config |= {k: v for k, v in group.to_dict().items() if v != default[k]}
    return {
        "command": command,
        "policy": args.agent,
        "viewers": args.viewers,
        "days": args.days,
        "seed": args.seed,
        "env_kwargs": {k: v for k, v in args.env_kwargs.items() if k != "horizon"},
        "config": config,
        "versions": {
            "livestream-env": livestream_env.__version__,
            "python": platform.python_version(),
            **{package: version(package) for package in _PACKAGES},
        },
    }


@contextmanager
def _decisions(
    args: argparse.Namespace, env: LiveStreamRecVectorEnv
) -> Iterator[Callable[[Moment], object] | None]:
    """What takes down every moment for ``--decisions``; None without it."""
    if args.decisions is None:
        yield None
        return
    from livestream_env.decisions import decision_writer
    from livestream_env.simulated_logs import recording

    about = recording.describe(env, args.env_id, args.env_kwargs, args.agent, args.seed)
    recorder = recording.DecisionRecorder(env)
    with decision_writer(args.decisions, about) as writer:

        def on_moment(moment: Moment) -> None:
            recorder.record(moment)
            for part in recorder.ready():
                writer.write(part)

        yield on_moment
        for part in recorder.ready(all_of_it=True):
            writer.write(part)


def main(argv: Sequence[str] | None = None) -> int:
    """Simulate and write; returns the exit status."""
    parser = make_parser()
    args = parser.parse_args(argv)
    from livestream_env import LiveStreamRecVectorEnv
    from livestream_env.simulated_logs.export import export_log
    from livestream_env.simulated_logs.simulation import simulate_logs

    words = sys.argv[1:] if argv is None else argv
    command = shlex.join(["python", "-m", "scripts.simulate_logs", *words])
    if "horizon" in args.env_kwargs:
        parser.error("--env-kwargs must not have a horizon: --days is it")
    if args.seed < 0:
        parser.error(f"--seed must be at least 0, got {args.seed}")
    if args.minari is not None and args.decisions is None:
        parser.error("--minari needs --decisions, from whose file it is written")
    check_minari(parser, args.minari)
    args.env_id = "LiveStreamRec-v0"
    if args.world_seed is not None:
        args.env_kwargs["world_seed"] = args.world_seed
    args.env_kwargs["horizon"] = args.days

    policy = load_agent(parser, args)
    world = LiveStreamRecVectorEnv(1, **args.env_kwargs).world
    if args.viewers is None:
        args.viewers = len(world.viewers)
    if args.viewers > len(world.viewers):
        config = f'\'{{"config": {{"num_viewers": {args.viewers}}}}}\''
        parser.error(
            f"--viewers must be at most {len(world.viewers)}, the world's number of them, got "
            f"{args.viewers}; for a larger synthetic world: --env-kwargs {config}"
        )
    # A twentieth, so that the most active viewers do not play on alone for long.
    env = LiveStreamRecVectorEnv(min(max(args.viewers // 20, 1), MAX_ENVS), **args.env_kwargs)
    viewers = np.arange(args.viewers)
    try:
        with (
            Progress(args.viewers, "simulate", "viewers") as progress,
            _decisions(args, env) as on_moment,
        ):
            rows = export_log(
                args.out,
                simulate_logs(
                    policy,
                    env,
                    viewers,
                    args.seed,
                    on_step=progress.reach,
                    on_moment=on_moment,
                ),
                world,
                viewers,
                args.days,
                file_format=args.format,
                overwrite=args.overwrite,
                about=describe(command, args, env),
            )
    except FileExistsError as error:
        parser.error(f"--out: {error} (--overwrite replaces an older log)")
    except ValueError as error:
        parser.error(str(error))
    print("\n".join(f"{name:10s} {count:12,d}" for name, count in rows.items()))
    write_dataset(parser, args.decisions, args.minari)
    return 0


if __name__ == "__main__":
    sys.exit(main())
