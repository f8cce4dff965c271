"""What an exported model says of itself, in its metadata."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from livestream_env.settings import check_choice, check_integer, check_text

FORMAT = "livestream-onnx-1"
# Whether the policy masks, and by what: by nothing; by the observation's columns; by a function of
# its user's, so that whoever plays the model must give the mask.
MASKS = ("none", "columns", "given")


@dataclass(frozen=True)
class ModelDescription:
    """The metadata of a model; any viewer of ONNX files shows them.

    Attributes:
        policy: class of what was exported.
        env_id: the environment that it is for.
        env_kwargs: its arguments, as JSON has them.
        world_digest: of its world, see ``World.digest``.
        num_actions: N, candidate slots.
        columns: names of the observation's columns, (D,).
        valid_columns: those that are 1 where a slot is filled, else 0, (N,).
        mask: ``"none"``: the policy takes any slot for valid; ``"columns"``: those that the columns
            say; ``"given"``: those that a function said, which is not in the model.
        versions: of the software that wrote it.
    """

    policy: str
    env_id: str
    env_kwargs: Mapping[str, Any]
    world_digest: str
    num_actions: int
    columns: tuple[str, ...]
    valid_columns: tuple[int, ...]
    mask: str
    versions: Mapping[str, str]

    @property
    def observation_size(self) -> int:
        """D."""
        return len(self.columns)

    def to_metadata(self) -> dict[str, str]:
        """Texts by name: strings as they are, everything else as JSON."""
        values = {name: _as_text(value) for name, value in asdict(self).items()}
        return {"format": FORMAT, **values}

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> Self:
        """The inverse of :meth:`to_metadata`.

        Raises:
            ValueError: it is of another format, lacks something, or does not fit together.
        """
        if metadata.get("format") != FORMAT:
            raise ValueError(f"its metadata have format {metadata.get('format')!r}, not {FORMAT!r}")
        if missing := [spec.name for spec in fields(cls) if spec.name not in metadata]:
            raise ValueError(f"its metadata have no {', '.join(missing)}")
        names = ("env_kwargs", "num_actions", "columns", "valid_columns", "versions")
        known = {name: json.loads(metadata[name]) for name in names}
        for name, kind in zip(names, (dict, int, list, list, dict), strict=True):
            if not isinstance(known[name], kind):
                raise ValueError(f"{name} must be a JSON {kind.__name__}, got {known[name]!r}")
        count, columns = known["num_actions"], known["columns"]
        description = cls(
            policy=metadata["policy"],
            env_id=metadata["env_id"],
            env_kwargs=known["env_kwargs"],
            world_digest=metadata["world_digest"],
            num_actions=check_integer("num_actions", count, 1),
            columns=tuple(check_text("columns", name) for name in columns),
            valid_columns=tuple(
                check_integer("valid_columns", column, 0, len(columns) - 1)
                for column in known["valid_columns"]
            ),
            mask=check_choice("mask", metadata["mask"], MASKS),
            versions=known["versions"],
        )
        if len(description.valid_columns) != count:
            found = len(description.valid_columns)
            raise ValueError(f"it has {count} actions, and {found} columns to say which are valid")
        return description


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
