"""Arguments that several command lines share."""

from __future__ import annotations

import argparse
import json
from typing import Any

import gymnasium as gym

import livestream_env  # noqa: F401  (registers the ids)


def described_parser(module: str, description: str | None) -> argparse.ArgumentParser:
    """A parser for ``python -m module`` that prints ``description`` as it is written."""
    return argparse.ArgumentParser(
        prog=f"python -m {module}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def positive_int(text: str) -> int:
    """An integer of at least 1; underscores may group digits, as in ``2_000_000``."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {value}")
    return value


def json_object(text: str) -> dict[str, Any]:
    """A JSON object, ``{"name": value, ...}``."""
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise argparse.ArgumentTypeError(f"not JSON: {error}") from None
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError(f"must be an object such as {{}}, got {text}")
    return value


def add_env_arguments(parser: argparse.ArgumentParser) -> None:
    """``--env-id`` and ``--env-kwargs``."""
    parser.add_argument("--env-id", default="LiveStreamRec-v0", help="default: %(default)s")
    parser.add_argument(
        "--env-kwargs",
        type=json_object,
        default={},
        metavar="JSON",
        help="arguments of the environment, for example '{\"num_candidates\": 20}'",
    )


def make_env(parser: argparse.ArgumentParser, args: argparse.Namespace) -> gym.Env:
    """The single environment that the arguments name; ends the program if there is none."""
    try:
        return gym.make(args.env_id, **args.env_kwargs)
    except (gym.error.Error, ValueError, TypeError, OSError) as error:
        parser.error(f"cannot make {args.env_id} with {args.env_kwargs}: {error}")
