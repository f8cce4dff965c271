"""Trained policies as ONNX models, for serving without PyTorch.

``from agents.export import export_policy, OnnxPolicy``. They are imported when asked for: running a
model needs ONNX Runtime only, exporting it PyTorch and onnxscript.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from livestream_env.extras import lazy_names

if TYPE_CHECKING:
    from agents.export.exporting import export_policy
    from agents.export.runtime import OnnxPolicy

__all__ = ["OnnxPolicy", "export_policy"]

__getattr__, __dir__ = lazy_names(
    __name__, {"OnnxPolicy": "runtime", "export_policy": "exporting"}, extra="export"
)
