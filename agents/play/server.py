"""The page and its requests, for this machine alone.

    GET  /                             the page
    POST /api/days                     {"seed": 5} or {}: begin a viewer-day
    GET  /api/days/ID                  what the agent may see of it
    POST /api/days/ID/choices          {"impression": 0, "slot": 3}: show a candidate
    GET  /api/days/ID/result           who did how well, when it is over
    GET  /api/days/ID/plays?agent=you  what one of them did

Answers are JSON (:class:`agents.play.game.Game` says of what); what is wrong with a request is
``{"error": text}`` with status 400, or 404, 405, 413 and 415 as usual.
"""

from __future__ import annotations

import json
import re
import sys
import traceback
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from agents.play.game import Game
from agents.reports.html import page
from livestream_env.settings import check_names

TEMPLATES = Path(__file__).with_name("templates")
MOST_BYTES = 4096  # of a request's body
DAY = r"/api/days/([\w-]{1,64})"


class Server(ThreadingHTTPServer):
    """Serves a game on 127.0.0.1.

    Args:
        game: What is played.
        port: 0: any that is free.

    Raises:
        OSError: The port is taken or not allowed.
    """

    daemon_threads = True

    def __init__(self, game: Game, port: int = 0) -> None:
        self.game = game
        self.page = page(
            "You are the agent",
            (TEMPLATES / "body.html").read_text(encoding="utf-8"),
            f"{game.env_id}: which live room is the viewer shown next?",
            more=TEMPLATES,
            connect="'self'",
        )
        super().__init__(("127.0.0.1", port), _Handler)
        self.hosts = {f"{name}:{self.server_port}" for name in ("127.0.0.1", "localhost")}

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say what went wrong, unless it is a browser that has left."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    @property
    def address(self) -> str:
        """Where the page is."""
        return f"http://127.0.0.1:{self.server_port}/"


class _Refusal(Exception):
    """A request that is not answered, with its status and why."""


class _Handler(BaseHTTPRequestHandler):
    server: Server
    server_version, sys_version = "LiveStreamRec", ""
    protocol_version = "HTTP/1.1"
    timeout = 30  # s, of a connection that says nothing

    def do_GET(self) -> None:
        self._answer()

    do_POST = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are not worth a line."""

    def _answer(self) -> None:
        kind = "application/json"
        try:
            try:
                body, status = self._respond(), HTTPStatus.OK
                if isinstance(body, str):
                    kind = "text/html"
            except _Refusal as refusal:
                status, text = refusal.args
                body = {"error": text}
            except ValueError as error:
                status, body = HTTPStatus.BAD_REQUEST, {"error": str(error)}
        except Exception as error:  # a fault of ours ends this request, not the game
            traceback.print_exc()
            status = HTTPStatus.INTERNAL_SERVER_ERROR
            body = {"error": f"{type(error).__name__}: {error}"}
        text = body if isinstance(body, str) else json.dumps(body, allow_nan=False)
        data = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("X-Frame-Options", "DENY")
        if status != HTTPStatus.OK:  # what is left of the request is not read
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(data)

    def _respond(self) -> str | dict[str, Any]:
        # Another site's name that leads here would make its pages ours, for a browser.
        if self.headers.get("Host") not in self.server.hosts:
            valid = " or ".join(sorted(self.server.hosts))
            raise ValueError(f"Host must be {valid}, got {self.headers.get('Host')!r}")
        path = urlsplit(self.path).path
        found = [(method, match, answer) for method, pattern, answer in _ROUTES
                 if (match := re.fullmatch(pattern, path))]  # fmt: skip
        if not found:
            raise _Refusal(HTTPStatus.NOT_FOUND, f"there is nothing at {path!r}")
        method, match, answer = found[0]
        if method != self.command:
            raise _Refusal(
                HTTPStatus.METHOD_NOT_ALLOWED, f"{path} takes {method}, not {self.command}"
            )
        given = self._body() if method == "POST" else self._query()
        return answer(self.server, *match.groups(), given)

    def _query(self) -> dict[str, Any]:
        return {name: values[-1] for name, values in parse_qs(urlsplit(self.path).query).items()}

    def _body(self) -> dict[str, Any]:
        # Other sites' pages may not send this type unasked.
        if self.headers.get_content_type() != "application/json":
            raise _Refusal(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Content-Type must be application/json"
            )
        length = self.headers.get("Content-Length", "")
        if not re.fullmatch(r"[0-9]{1,12}", length):
            raise ValueError(f"Content-Length must be a number, got {length!r}")
        if int(length) > MOST_BYTES:
            raise _Refusal(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a request has at most {MOST_BYTES} bytes"
            )
        data = self.rfile.read(int(length))
        try:
            value = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"a request must be JSON: {error}") from error
        if not isinstance(value, dict):
            raise ValueError(f"a request must be a JSON object, got {type(value).__name__}")
        return value


def _only(given: dict[str, Any], *names: str) -> list[Any]:
    """Of a request the values of ``names``; None for those that it lacks."""
    check_names(given, names, "a request has no")
    return [given.get(name) for name in names]


_ROUTES: tuple[tuple[str, str, Callable[..., str | dict[str, Any]]], ...] = (
    ("GET", "/", lambda server, given: server.page),
    ("POST", "/api/days", lambda server, given: server.game.begin(*_only(given, "seed"))),
    ("GET", DAY, lambda server, day, given: server.game.view(day)),
    ("POST", f"{DAY}/choices",
     lambda server, day, given: server.game.choose(day, *_only(given, "impression", "slot"))),
    ("GET", f"{DAY}/result", lambda server, day, given: server.game.result(day)),
    ("GET", f"{DAY}/plays",
     lambda server, day, given: server.game.play(day, *_only(given, "agent"))),
)  # fmt: skip
