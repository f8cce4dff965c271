"""Where logged decisions come from: the environment, its world, and who decided."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self

import gymnasium as gym

from livestream_env.settings import check_integer, check_text

FORMAT = "livestream-decisions-1"
_MOST = 10**5  # actions, columns: more than an environment can have


@dataclass(frozen=True)
class Description:
    """What a file of logged decisions says of itself; the environment can be made from it.

    Attributes:
        env_id: a registered environment.
        env_kwargs: its arguments, as JSON has them.
        world_digest: of the world that was played in, see ``World.digest``.
        behaviour: the policy that decided, by its name in the list of agents, settings included.
        seed: of the episodes and of the policy's draws.
        num_actions: N, candidates per decision.
        columns: names of the observation's columns, (D,).
        versions: of the software that wrote it.
    """

    env_id: str
    env_kwargs: Mapping[str, Any]
    world_digest: str
    behaviour: str
    seed: int
    num_actions: int
    columns: tuple[str, ...]
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def observation_size(self) -> int:
        """D."""
        return len(self.columns)

    def make_env(self, **replaced: Any) -> gym.Env:
        """The environment that was played.

        Args:
            **replaced: arguments to make it with instead. A world that was an object when the
                decisions were logged is only described in them: give ``world=`` itself, or its
                path.

        Raises:
            ValueError: the environment cannot be made, or its world is another one.
        """
        # Naming the module registers the ids, and imports the environment only when it is wanted.
        kwargs = {**self.env_kwargs, **replaced}
        env = gym.make(f"livestream_env:{self.env_id}", **kwargs)
        digest = env.get_wrapper_attr("world").digest
        if digest != self.world_digest:
            env.close()
            raise ValueError(
                f"the decisions were logged in a world of digest {self.world_digest}, "
                f"{kwargs.get('world', 'default')!r} is now one of {digest}: give that world as "
                "make_env(world=...), or use the version of livestream-env that logged them, "
                f"{self.versions.get('livestream-env', 'which is not said')}"
            )
        return env

    def to_json(self) -> str:
        """As JSON, with the format's name and version."""
        return json.dumps({"format": FORMAT, **asdict(self)})

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """The inverse of :meth:`to_json`.

        Raises:
            ValueError: it is of another format, or lacks something.
        """
        stored = json.loads(text)
        if not isinstance(stored, dict) or stored.get("format") != FORMAT:
            found = stored.get("format") if isinstance(stored, dict) else stored
            raise ValueError(f"it has format {found!r}, valid is {FORMAT}")
        names = [spec.name for spec in fields(cls)]
        if missing := [name for name in names if name not in stored]:
            raise ValueError(f"its description has no {', '.join(missing)}")
        for name in ("env_kwargs", "versions"):
            if not isinstance(stored[name], dict):
                raise ValueError(f"{name} must be an object, got {stored[name]!r}")
        if not isinstance(stored["columns"], list) or not 0 < len(stored["columns"]) <= _MOST:
            raise ValueError(f"columns must be a list of names, got {stored['columns']!r}")
        return cls(
            **{name: check_text(name, stored[name]) for name in _TEXTS},
            env_kwargs=stored["env_kwargs"],
            versions=stored["versions"],
            seed=check_integer("seed", stored["seed"], 0),
            num_actions=check_integer("num_actions", stored["num_actions"], 1, _MOST),
            columns=tuple(check_text("columns", name) for name in stored["columns"]),
        )


_TEXTS = ("env_id", "world_digest", "behaviour")
