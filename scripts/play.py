"""Take the agent's place: choose what a viewer is shown, in a browser, and see who does better.

    python -m scripts.play
    python -m scripts.play --env-id LiveStreamRecSession-v0 --run runs/dqn

The page is served to this machine alone and needs no network. When the viewer-day is over, you are
placed among agents that played the same one: same viewer, same chance. Ctrl-C ends it.
"""

from __future__ import annotations

import argparse
import sys
import webbrowser
from collections.abc import Sequence
from pathlib import Path

from livestream_env.extras import needs
from livestream_env.settings import check_integer
from scripts.command_line import add_env_arguments, described_parser, make_env, whole_number

SEED = 8  # a viewer-day of usual length, on which choices matter


def make_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = described_parser("scripts.play", __doc__)
    add_env_arguments(parser)
    parser.add_argument(
        "--seed",
        type=whole_number,
        default=SEED,
        help="of the first viewer-day; the next ones count on from it (%(default)s)",
    )
    parser.add_argument(
        "--run",
        type=Path,
        action="append",
        default=[],
        metavar="FOLDER",
        help="of scripts.train or scripts.compare, with a model of our DQN that plays, too; may be "
        "given several times",
    )
    parser.add_argument("--port", type=whole_number, default=8765, help="0: any; %(default)s")
    parser.add_argument("--no-browser", action="store_true", help="do not open one")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until it is interrupted; returns the exit status."""
    parser = make_parser()
    args = parser.parse_args(argv)
    env = make_env(parser, args)
    if not hasattr(env.unwrapped, "layout"):
        parser.error(f"--env-id must be an environment of LiveStreamRec, got {args.env_id}")
    kwargs = {**args.env_kwargs, "observation": "flat"}  # the only one that rules read
    with needs("agents", "scripts.play"):
        from agents.experiments.replay import ViewerDay
        from agents.play.game import Game
        from agents.play.rivals import rivals
        from agents.play.server import Server
    try:
        check_integer("--port", args.port, 0, 65535)
        game = Game(args.env_id, kwargs, rivals(args.env_id, kwargs, args.run), args.seed)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    ViewerDay(args.env_id, kwargs).show(0)  # compiles, if need be, before somebody waits for a page
    try:
        server = Server(game, args.port)
    except OSError as error:
        parser.error(f"cannot serve on --port {args.port}: {error}")
    with server:
        print(f"{server.address}: open it in a browser; Ctrl-C ends it", flush=True)
        if not args.no_browser:
            webbrowser.open(server.address)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
