"""How fast is it? The environment against CartPole-v1, the DQN against Stable-Baselines3's.

    python -m scripts.speed

prints how many times faster each line is than its reference, in one run on one core; of the
environment also where the time of a step goes, how long the start takes, and what a viewer takes
of memory. With ``--only large-world`` the reference is the default world, and the other one is of
KuaiLive's size, of which it says what it takes to draw it: some minutes and 7 GiB. Times of a
shared machine say little, so ratios are what is compared with ``data/speed_reference.json``: the
exit status is 1 if one of them fell by more than a quarter.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from livestream_env.files import write_text
from scripts.command_line import described_parser, positive_int
from scripts.measuring import fallen, pin_to_one_core, table

# Group of lines → the module whose `results(rounds)` measures them.
GROUPS = {
    "environment": "scripts.speed_env",
    "agents": "scripts.speed_agents",
    "large-world": "scripts.speed_world",
}
_BY_DEFAULT = ("environment", "agents")
REFERENCE = Path(__file__).resolve().parents[1] / "data" / "speed_reference.json"
_LIMITS = {"cold": 10.0, "warm": 2.0}  # seconds
_MOST_BYTES = 16 * 1024


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, compare."""
    parser = described_parser("scripts.speed", __doc__)
    parser.add_argument("--rounds", type=positive_int, default=15, help="default: %(default)s")
    parser.add_argument(
        "--only",
        choices=GROUPS,
        action="append",
        help=f"a group of lines; may be repeated (default: {', '.join(_BY_DEFAULT)})",
    )
    parser.add_argument("--lines-only", action="store_true", help="no profile, start or memory")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to FILE")
    parser.add_argument("--reference", type=Path, default=REFERENCE, metavar="FILE")
    parser.add_argument(
        "--update-reference", action="store_true", help="keep the ratios of this run"
    )
    args = parser.parse_args(argv)
    pin_to_one_core()

    groups = args.only or _BY_DEFAULT
    results = [
        result for g in groups for result in importlib.import_module(GROUPS[g]).results(args.rounds)
    ]
    print(table(results), flush=True)
    figures: dict[str, Any] = {"lines": [result.to_dict() for result in results]}
    if "environment" in groups and not args.lines_only:
        figures |= _print_environment(args.rounds)
    if "large-world" in groups:
        from scripts.speed_world import drawing

        print(f"\n{drawing()}")
        figures |= drawing().to_dict()
    if args.json:
        _write(args.json, figures)

    known = json.loads(args.reference.read_text()) if args.reference.is_file() else {}
    if args.update_reference:
        _write(args.reference, known | {r.name: round(r.ratio, 3) for r in results})
        return 0
    fell = fallen(results, known)
    for line in fell:
        print(f"fell by more than a quarter: {line}")
    return 1 if fell else 0


def _print_environment(rounds: int) -> dict[str, Any]:
    """Profile, start and memory of the environment, printed and returned."""
    from scripts import speed_env

    profiles = {str(n): speed_env.profile(n, rounds) for n in (64, 1024)}
    parts = list(profiles["64"])
    print(f"\n| ns of a step | {' | '.join(parts)} |\n|---|{'---:|' * len(parts)}")
    for n, profile in profiles.items():
        print(f"| {n} viewers | {' | '.join(f'{profile[part]:.0f}' for part in parts)} |")
    start = speed_env.start_up()
    for name, limit in _LIMITS.items():
        print(f"\nstart-up, {name} compile cache: {start[name]:.1f} s (at most {limit:g})", end="")
    memory = speed_env.bytes_per_viewer()
    print(
        f"\n\nmemory of a viewer beside the observation: {memory:,} bytes (at most {_MOST_BYTES:,})"
    )
    return {"profile_ns": profiles, "start_up_s": start, "bytes_per_viewer": memory}


def _write(path: Path, figures: Any) -> None:
    write_text(path, json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main())
