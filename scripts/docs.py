"""Write what the site has beyond the pages in docs, into build/docs.

That is: tables of the environments and an animated episode of each, every parameter and what
doubling it does, the help of the command lines, columns of files, and the tutorials, executed.
`make docs` does this and builds the site of it, `python -m mkdocs serve` shows it while pages are
edited.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from importlib import import_module

from scripts.command_line import described_parser

# Part → module and function that write it.
PARTS = {
    "commands": ("scripts.site.command_lines", "write_command_lines"),
    "formats": ("scripts.site.formats", "write_formats"),
    "environments": ("scripts.site.environments", "write_environments"),
    "parameters": ("scripts.site.parameters", "write_parameters"),
    "tutorials": ("scripts.site.tutorials", "write_tutorials"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Write the parts; returns the exit status."""
    parser = described_parser("scripts.docs", __doc__)
    parser.add_argument(
        "--only", nargs="+", choices=PARTS, default=list(PARTS), help="default: all of them"
    )
    args = parser.parse_args(argv)
    for part in args.only:
        module, name = PARTS[part]
        begin = time.perf_counter()
        write: Callable[[], None] = getattr(import_module(module), name)
        write()
        print(f"{part}: {time.perf_counter() - begin:.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
