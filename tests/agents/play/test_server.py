"""The page and its requests, in this process; and in a browser, where there is one."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from agents.play.game import Game
from agents.play.rivals import Rivals
from agents.play.server import MOST_BYTES, Server
from agents.rules.oracles import GreedyOracle
from scripts import play

V0 = "LiveStreamRec-v0"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server(Game(V0, {}, Rivals(V0, {}, {"greedy-oracle": GreedyOracle}), seed=12)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def ask(
    server: Server, method: str, path: str, body: Any = None, **headers: str
) -> tuple[int, dict[str, Any]]:
    """Status and JSON of an answer; ``body`` is JSON, or bytes as they are."""
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=30)
    data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    sent = {"Content-Type": "application/json"} if method == "POST" else {}
    connection.request(method, path, data, {**sent, **headers})
    answer = connection.getresponse()
    assert answer.getheader("Content-Type") == "application/json; charset=utf-8"
    return answer.status, json.loads(answer.read())


def test_a_viewer_day_by_requests(server: Server) -> None:
    status, view = ask(server, "POST", "/api/days", {"seed": 3})
    assert status == 200 and view["seed"] == 3
    day = f"/api/days/{view['id']}"
    assert ask(server, "GET", day) == (200, view)
    assert ask(server, "GET", f"{day}/result")[0] == 400
    while not view["over"]:
        choice = {"impression": view["impression"], "slot": 0}
        status, view = ask(server, "POST", f"{day}/choices", choice)
        assert status == 200
    status, result = ask(server, "GET", f"{day}/result")
    assert status == 200 and "you" in [row["agent"] for row in result["ranking"]]
    status, mine = ask(server, "GET", f"{day}/plays?agent=you")
    assert status == 200 and len(mine["impressions"]) == view["impression"]
    again = {"impression": view["impression"], "slot": 0}
    assert ask(server, "POST", f"{day}/choices", again)[0] == 400


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (b"", "must be JSON"),
        (b"{", "must be JSON"),
        (b"\xff\xfe", "must be JSON"),
        (b"[" * MOST_BYTES, "must be JSON"),
        (b"[1]", "must be a JSON object, got list"),
        (b"null", "must be a JSON object"),
        ({"seed": -1}, "seed must be an integer"),
        ({"seed": {}}, "seed must be an integer"),
        (b'{"seed": NaN}', "seed must be an integer"),
        ({"sed": 1}, "did you mean 'seed'"),
    ],
)
def test_a_bad_request_is_answered(server: Server, body: Any, complaint: str) -> None:
    status, answer = ask(server, "POST", "/api/days", body)
    assert status == 400 and complaint in answer["error"]


def test_other_refusals(server: Server) -> None:
    _, view = ask(server, "POST", "/api/days", {})
    day = f"/api/days/{view['id']}"
    choices = f"{day}/choices"
    for method, path, body, status, complaint in (
        ("POST", choices, {"impression": 0, "slot": 99}, 400, "slot must be"),
        ("POST", choices, {"impression": 7, "slot": 0}, 400, "impression must be 0"),
        ("POST", choices, {}, 400, "impression must be"),
        ("POST", "/api/days/unknown/choices", {"impression": 0, "slot": 0}, 400, "no viewer-day"),
        ("GET", "/api/days/unknown", None, 400, "no viewer-day 'unknown'"),
        ("GET", f"{day}/plays?agent=you", None, 400, "not over"),
        ("GET", "/etc/passwd", None, 404, "nothing at"),
        ("GET", "/../../etc/passwd", None, 404, "nothing at"),
        ("GET", "/api/days", None, 405, "takes POST, not GET"),
        ("POST", "/", {}, 405, "takes GET, not POST"),
        ("POST", "/api/days", b"x" * (MOST_BYTES + 1), 413, "at most"),
    ):
        assert (answer := ask(server, method, path, body))[0] == status, (path, answer)
        assert complaint in answer[1]["error"]
    assert ask(server, "POST", "/api/days", {}, **{"Content-Type": "text/plain"})[0] == 415
    status, answer = ask(server, "POST", "/api/days", b"", **{"Content-Length": "-1"})
    assert status == 400 and "Content-Length" in answer["error"]
    for host in ("evil.example", f"evil.example:{server.server_port}", ""):
        status, answer = ask(server, "GET", "/api/days/x", Host=host)
        assert status == 400 and "Host must be 127.0.0.1:" in answer["error"]
    assert ask(server, "GET", day) == (200, view)


def test_noise_ends_no_game(server: Server) -> None:
    for noise in (
        b"\0\0\0\0\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /api/days HTTP/1.1\r\n\r\n",
    ):
        with socket.create_connection(("127.0.0.1", server.server_port), timeout=30) as connection:
            connection.sendall(noise)
            connection.shutdown(socket.SHUT_WR)
            assert connection.recv(100)
    assert ask(server, "POST", "/api/days", {})[0] == 200


def test_a_fault_of_ours_is_an_answer(
    server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(name: str) -> dict[str, Any]:
        raise KeyError(name)

    monkeypatch.setattr(server.game, "view", broken)
    assert ask(server, "GET", "/api/days/x") == (500, {"error": "KeyError: 'x'"})
    assert "KeyError" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--env-id", "CartPole-v1"], "must be an environment of LiveStreamRec, got CartPole-v1"),
        (["--env-kwargs", '{"num_candidates": 0}'], "num_candidates must be"),
        (["--run", "nowhere"], "no model.safetensors"),
        (["--seed", "-1"], "seed must be an integer"),
        (["--port", "99999"], "--port must be"),
    ],
)
def test_the_command_line_refuses(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        play.main([*arguments, "--no-browser"])
    assert ended.value.code == 2 and complaint in capsys.readouterr().err


def test_a_taken_port_is_said(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        play.main(["--port", str(server.server_port), "--no-browser"])
    assert "cannot serve on --port" in capsys.readouterr().err


@pytest.mark.browser
@pytest.mark.parametrize("width", [1300, 380])
def test_in_a_browser(server: Server, browser: Any, width: int) -> None:
    tab = browser.new_context(viewport={"width": width, "height": 800}).new_page()
    problems, requests = [], []
    tab.on("console", lambda message: problems.append(message.text))
    tab.on("pageerror", lambda error: problems.append(str(error)))
    tab.on("request", lambda request: requests.append(request.url))
    tab.goto(server.address)
    rooms = tab.locator(".room")
    rooms.first.wait_for()
    assert rooms.count() == 10
    assert rooms.nth(3).get_attribute("aria-label").startswith("slot 3: ")
    assert tab.evaluate("document.documentElement.scrollWidth") <= width

    tab.keyboard.press("4")
    tab.locator("#past .when").first.wait_for()
    assert tab.locator("#past li").count() == 1
    tab.reload()  # goes on with the same viewer-day
    tab.locator("#past .when").first.wait_for()
    tab.get_by_role("button", name="slot 2: ").click()
    tab.locator("#past li").nth(1).wait_for()
    for _ in range(2000):
        if tab.locator("#result").is_visible():
            break
        tab.keyboard.press("0")
        tab.wait_for_timeout(20)
    tab.locator("#replay .play").nth(1).wait_for()
    assert tab.locator("#place").inner_text() in ("You are 1st of 2", "You are 2nd of 2")
    assert "you" in tab.locator("#replay .play").first.inner_text()
    assert "greedy-oracle" in tab.locator("#replay .play").nth(1).inner_text()
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    tab.get_by_role("button", name="The same viewer-day again").click()
    tab.locator("#choice").wait_for()
    assert tab.locator("#past .when").count() == 0
    assert problems == [] and all(url.startswith(server.address) for url in requests)
