"""The README for PyPI, where relative links lead nowhere: there they lead to the repository."""

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_LINK = re.compile(r"(!?)(\[[^\]]*\])\((?![a-z]+:|#)([^)\s]+)\)")


class ReadmeHook(MetadataHookInterface):
    """Gives ``readme``, which pyproject.toml says is dynamic."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Add it to the project's other metadata."""

        def of_repository(match: re.Match[str]) -> str:
            picture, text, path = match.groups()
            kind = "raw" if picture else "blob"
            return f"{picture}{text}({repository}/{kind}/v{metadata['version']}/{path})"

        repository = metadata["urls"]["Repository"]
        readme = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        metadata["readme"] = {
            "content-type": "text/markdown",
            "text": _LINK.sub(of_repository, readme),
        }
