"""How long an exported policy takes to decide: median and 99th percentile, for batches.

    python -m scripts.latency dqn.onnx
    python -m scripts.latency dqn.onnx --url http://localhost:8000
    python -m scripts.latency dqn.onnx --original runs/dqn-0 --agent dqn

The first measures calls of OnnxPolicy, the second also requests to examples/serve.py: one after the
other, over one connection, with observation and mask as JSON. Their time is the client's, from
sending the body to having the answer. The third also measures calls of what was exported. Wants an
idle machine.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

from livestream_env.extras import needs
from scripts.command_line import described_parser, positive_int
from scripts.evaluate import load_agent

WARM_UP = 20


def make_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = described_parser("scripts.latency", __doc__)
    parser.add_argument("model", help="the .onnx file")
    parser.add_argument("--url", help="of a server that has the same model")
    parser.add_argument(
        "--original", type=Path, metavar="MODEL", help="what was exported, or the folder of its run"
    )
    parser.add_argument("--agent", default="dqn", help="whose class that is (%(default)s)")
    parser.add_argument("--trust-pickle", action="store_true", help="as in scripts.export")
    parser.add_argument(
        "--batches", type=positive_int, nargs="+", default=[1, 64], help="their sizes: 1 64"
    )
    parser.add_argument("--calls", type=positive_int, default=2_000, help="of each (%(default)s)")
    return parser


def latencies_ms(call: Callable[[], object], calls: int) -> np.ndarray:
    """Milliseconds of each of so many calls, ``(calls,)``, after a few that do not count."""
    for _ in range(WARM_UP):
        call()
    taken = np.empty(calls)
    for i in range(calls):
        start = time.perf_counter()
        call()
        taken[i] = time.perf_counter() - start
    return taken * 1e3


@contextlib.contextmanager
def requests_to(url: str, body: object) -> Iterator[Callable[[], bytes]]:
    """A function that posts ``body`` as JSON to ``/act`` of a server and returns the answer.

    Raises:
        ValueError: ``url`` is none of HTTP.
        OSError: of the function: the server does not answer, or with an error.
    """
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname:
        raise ValueError(f"--url must be like http://localhost:8000, got {url!r}")
    data = json.dumps(body).encode()
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=10)

    def request() -> bytes:
        connection.request("POST", f"{parts.path.rstrip('/')}/act", data)
        response = connection.getresponse()
        answer = response.read()
        if response.status != 200:
            raise OSError(f"{url} answers {response.status}: {answer[:200].decode()}")
        return answer

    with contextlib.closing(connection):
        yield request


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; returns the exit status."""
    parser = make_parser()
    args = parser.parse_args(argv)
    with needs("export", "scripts.latency"):
        from agents.export import OnnxPolicy
    rng = np.random.default_rng(0)
    print(f"{'':10}{'batch':>6}{'p50 ms':>10}{'p99 ms':>10}")

    def report(name: str, size: int, call: Callable[[], object]) -> None:
        p50, p99 = np.percentile(latencies_ms(call, args.calls), (50, 99))
        print(f"{name:10}{size:6}{p50:10.3f}{p99:10.3f}", flush=True)

    try:
        policy = OnnxPolicy(args.model)
        about = policy.description
        original = None
        if args.original is not None:
            names = {"env_id": about.env_id, "env_kwargs": about.env_kwargs, "model": args.original}
            original = load_agent(parser, argparse.Namespace(**{**vars(args), **names}))
        for size in args.batches:
            # Six digits: what is more would make the JSON longer and tell nothing.
            rows = rng.uniform(-1, 1, (size, about.observation_size)).round(6)
            mask = np.ones((size, about.num_actions), dtype=bool)
            report("in process", size, partial(policy.predict, rows, action_masks=mask))
            if original is not None:
                seen = rows.astype(np.float32)
                report("original", size, partial(original.predict, seen, deterministic=True))
            if args.url is not None:
                body = {"observation": rows.tolist(), "action_mask": mask.tolist()}
                with requests_to(args.url, body) as request:
                    report("by HTTP", size, request)
    except (ValueError, OSError) as error:
        parser.error(str(error))
    return 0


if __name__ == "__main__":
    sys.exit(main())
