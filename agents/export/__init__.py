"""Trained policies as ONNX models, for serving without PyTorch.

``from agents.export import export_policy, OnnxPolicy``. They are imported when asked for: running a
model needs ONNX Runtime only, exporting it PyTorch and onnxscript.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from livestream_env.extras import needs

if TYPE_CHECKING:
    from agents.export.exporting import export_policy
    from agents.export.runtime import OnnxPolicy

__all__ = ["OnnxPolicy", "export_policy"]

_MODULES = {
    "OnnxPolicy": "agents.export.runtime",
    "export_policy": "agents.export.exporting",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    with needs("export", __name__):
        return getattr(import_module(_MODULES[name]), name)
