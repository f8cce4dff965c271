"""Serve an exported policy over HTTP, with Starlette.

    python -m scripts.export --agent dqn --model runs/dqn-0 --out dqn.onnx
    python examples/serve.py dqn.onnx
    curl localhost:8000/model   # columns of an observation, slots, environment, world
    curl localhost:8000/act -d '{"observation": [[0.3, ...], ...], "action_mask": [[1, ...], ...]}'

The mask may be left out: then the policy masks as it was trained to.
"""

import argparse
import dataclasses

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from agents.export import OnnxPolicy


def make_app(policy: OnnxPolicy) -> Starlette:
    """What answers requests."""

    async def model(request: Request) -> JSONResponse:
        return JSONResponse(dataclasses.asdict(policy.description))

    async def act(request: Request) -> JSONResponse:
        try:
            body = await request.json()
            action, _ = policy.predict(body["observation"], action_masks=body.get("action_mask"))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            return JSONResponse({"error": f"{type(error).__name__}: {error}"}, status_code=400)
        return JSONResponse({"action": action.tolist()})

    return Starlette(routes=[Route("/model", model), Route("/act", act, methods=["POST"])])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", help="the .onnx file")
    parser.add_argument("--port", type=int, default=8000)
    args = parser.parse_args()
    uvicorn.run(make_app(OnnxPolicy(args.model)), port=args.port, log_level="warning")
