"""Arguments that several command lines share."""

from __future__ import annotations

import argparse
import json
import math
import shlex
from collections.abc import Sequence
from typing import Any

import gymnasium as gym

import livestream_env  # noqa: F401  (registers the ids)
from livestream_env.settings import hint


class Parser(argparse.ArgumentParser):
    """A parser that takes whole names of options only, and suggests one for a mistyped name.

    Beginnings of names would be ambiguous as soon as another option is added.
    """

    def parse_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> argparse.Namespace:
        """The arguments; ends the program if some are not known."""
        parsed, unknown = self.parse_known_args(args, namespace)
        if unknown:
            options = [o for action in self._actions for o in action.option_strings]
            typed = [text.partition("=")[0] for text in unknown if text.startswith("--")]
            near = [hint(name, options) for name in typed]
            self.error(f"unrecognized arguments: {' '.join(unknown)}{''.join(near)}")
        return parsed


def described_parser(module: str, description: str | None) -> argparse.ArgumentParser:
    """A parser for ``python -m module`` that prints ``description`` as it is written."""
    return Parser(
        prog=f"python -m {module}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def whole_number(text: str) -> int:
    """An integer, also written as ``2_000_000`` or ``2e6``."""
    try:
        return int(text)
    except ValueError:
        pass
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not value.is_integer():  # nor is infinity
        raise argparse.ArgumentTypeError(
            f"must be an integer such as 100000, 100_000 or 1e5, got {text!r}"
        )
    return int(value)


def positive_int(text: str) -> int:
    """A :func:`whole_number` of at least 1."""
    value = whole_number(text)
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


def command_of(
    parser: argparse.ArgumentParser, args: argparse.Namespace, names: Sequence[str]
) -> str:
    """The command that was given, with those of the options ``names`` that are not the default."""
    words = [parser.prog]
    for name in names:
        value = getattr(args, name)
        if value == parser.get_default(name):
            continue
        values = value if isinstance(value, list) else [] if value is True else [value]
        words.append(f"--{name.replace('_', '-')}")
        words += [shlex.quote(str(one)) for one in values]
    return " ".join(words)


def add_env_arguments(
    parser: argparse.ArgumentParser,
    env_id: str | None = "LiveStreamRec-v0",
    env_id_help: str = "default: %(default)s",
) -> None:
    """``--env-id``, ``env_id`` unless it is given, and ``--env-kwargs``."""
    parser.add_argument("--env-id", default=env_id, help=env_id_help)
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
