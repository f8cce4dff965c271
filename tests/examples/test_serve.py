"""The example server, asked in its own process."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest

from agents.dqn import DQN
from scripts import latency

pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")
pytest.importorskip("httpx2")
pytest.importorskip("uvicorn")
pytest.importorskip("starlette")

import uvicorn
from starlette.testclient import TestClient

from agents.export import OnnxPolicy, export_policy

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    env = gym.make("LiveStreamRec-v0")
    return export_policy(DQN(env, seed=0), tmp_path_factory.mktemp("onnx") / "p.onnx", env)


@pytest.fixture(scope="module")
def app(model: Path) -> Iterator[object]:
    sys.path.insert(0, str(EXAMPLES))
    import serve

    yield serve.make_app(OnnxPolicy(model))
    sys.path.remove(str(EXAMPLES))
    del sys.modules["serve"]


def test_it_answers_as_the_policy_does(app: object, model: Path) -> None:
    client, policy = TestClient(app), OnnxPolicy(model)
    about = client.get("/model").json()
    assert about["columns"] == list(policy.description.columns)
    assert about["env_id"] == "LiveStreamRec-v0"

    rows = np.random.default_rng(0).uniform(-1, 1, (5, len(about["columns"]))).astype(np.float32)
    mask = np.eye(5, about["num_actions"], dtype=int)
    answer = client.post("/act", json={"observation": rows.tolist()})
    assert answer.json() == {"action": policy.predict(rows)[0].tolist()}
    answer = client.post("/act", json={"observation": rows.tolist(), "action_mask": mask.tolist()})
    assert answer.json() == {"action": [0, 1, 2, 3, 4]}


@pytest.mark.parametrize(
    "body", ["no JSON", "[]", "{}", '{"observation": [[1.0]]}', '{"observation": [["x"], [1, 2]]}']
)
def test_what_makes_no_sense_is_refused(body: str, app: object) -> None:
    answer = TestClient(app).post("/act", content=body)
    assert answer.status_code == 400 and answer.json()["error"]


def test_latency_of_calls_and_requests(
    app: object, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        url = f"http://127.0.0.1:{port}"
        assert latency.main([str(model), "--url", url, "--calls", "20"]) == 0
        lines = [line.split() for line in capsys.readouterr().out.splitlines()]
        assert [" ".join(line[:3]) for line in lines[1:]] == [
            f"{way} {size}" for size in (1, 64) for way in ("in process", "by HTTP")
        ]
        assert all(0.0 < float(p50) <= float(p99) for *_, p50, p99 in lines[1:])
        with latency.requests_to(url, {}) as request:
            with pytest.raises(OSError, match="answers 400"):
                request()
    finally:
        server.should_exit = True
        thread.join(timeout=10)


def test_latency_of_what_was_exported(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    DQN(gym.make("LiveStreamRec-v0"), seed=0).save(tmp_path / "original")
    arguments = [str(model), "--original", str(tmp_path / "original"), "--calls", "20"]
    assert latency.main(arguments) == 0
    lines = [line.rsplit(maxsplit=3) for line in capsys.readouterr().out.splitlines()[1:]]
    assert [line[:2] for line in lines] == [
        [way, size] for size in ("1", "64") for way in ("in process", "original")
    ]


def test_latency_refuses(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, complaint in (
        ([str(model), "--url", "localhost"], "--url must be like"),
        (["none.onnx"], "there is no ONNX model"),
        ([str(model), "--original", "none"], "none"),
    ):
        with pytest.raises(SystemExit):
            latency.main(arguments)
        assert complaint in capsys.readouterr().err
