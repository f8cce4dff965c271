"""What a stored agent must fulfil before it is built: a file is edited as easily as it is written.

Compiled code and PyTorch index with what these arrays hold. All functions raise ``ValueError``, or
what Python raises for JSON of another shape; :func:`livestream_env.files.reading` adds the path.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch

from agents.dqn.columns import ColumnLayout
from agents.dqn.config import DQNConfig
from agents.dqn.learner import build_network
from livestream_env.settings import check_integer

_MOST = 10**15  # steps, updates, columns: more than there are, and far from overflowing
_MOST_LAYERS = 1_000
Shapes = dict[str, tuple[type, tuple[int, ...]]]  # array → its type and shape


@dataclass(frozen=True)
class Description:
    """What an agent is and how far it has come: the JSON of its files."""

    config: DQNConfig
    observation_size: int
    num_actions: int
    layout: ColumnLayout | None
    num_timesteps: int
    num_updates: int
    horizon: int
    began: tuple[int, int]  # num_timesteps and num_updates when the replay memory was empty

    @classmethod
    def from_json(cls, header: Mapping[str, Any]) -> Self:
        """Read and check it."""
        config = DQNConfig().replace(dict(header["config"]))
        if len(config.hidden_sizes) > _MOST_LAYERS:
            raise ValueError(f"hidden_sizes must be at most {_MOST_LAYERS} layers")
        sizes = {
            name: check_integer(name, header[name], 1, _MOST)
            for name in ("observation_size", "num_actions")
        }
        clocks = {
            name: check_integer(name, header[name], 0, _MOST)
            for name in ("num_timesteps", "num_updates", "horizon")
        }
        layout = None if header["layout"] is None else _layout(header["layout"], **sizes)
        steps, updates = header["began"]
        began = (
            check_integer("began", steps, 0, clocks["num_timesteps"]),
            check_integer("began", updates, 0, clocks["num_updates"]),
        )
        return cls(config, layout=layout, began=began, **sizes, **clocks)

    def to_json(self) -> dict[str, Any]:
        """The inverse of :meth:`from_json`."""
        layout = None if self.layout is None else self.layout.to_json()
        fields = {spec.name: getattr(self, spec.name) for spec in dataclasses.fields(self)}
        return {**fields, "config": dataclasses.asdict(self.config), "layout": layout}

    def network_shapes(self) -> Shapes:
        """The arrays of the network, found without making them."""
        return self._shapes(self.config)

    def behaviour_shapes(self) -> Shapes:
        """The same of the network that estimates a behaviour policy."""
        return self._shapes(self.config.of_behaviour)

    def _shapes(self, config: DQNConfig) -> Shapes:
        # On this device tensors have shapes only, however large the settings ask them to be.
        with torch.random.fork_rng(devices=[]), torch.device("meta"):
            network = build_network(config, self.observation_size, self.num_actions, self.layout)
        state = network.state_dict().items()
        return {name: (np.float32, tuple(value.shape)) for name, value in state}

    def learner_shapes(self) -> Shapes:
        """The arrays of the learner: each network and each moment as one vector."""
        size = sum(int(np.prod(shape)) for _, shape in self.network_shapes().values())
        vectors = dict.fromkeys(("weights", "target_weights", "mean", "square"), (size,))
        return {name: (np.float32, shape) for name, shape in {**vectors, "steps": ()}.items()}


def _layout(columns: Any, observation_size: int, num_actions: int) -> ColumnLayout:
    layout = ColumnLayout.from_json(columns)
    if layout.to_json() != columns:
        raise ValueError("layout must hold integers only")
    features = max(layout.candidate_columns.shape[1], 1)
    expected = {
        "shared_columns": (layout.shared_columns.size,),
        "candidate_columns": (num_actions, features),
        "valid_columns": (num_actions,),
        "past_columns": (layout.past_columns.size,),
        "trace_columns": (layout.trace_columns.size,),
    }
    for name, shape in expected.items():
        array = getattr(layout, name)
        if array.shape != shape:
            raise ValueError(f"layout: {name} must have the shape {shape}, got {array.shape}")
        check_within(f"layout: {name}", array, 0, observation_size - 1)
    return layout


def check_arrays(arrays: Mapping[str, np.ndarray], expected: Shapes) -> None:
    """Check that these arrays are there, of these types and shapes, and no others."""
    for name, (dtype, shape) in expected.items():
        if name not in arrays:
            raise ValueError(f"it has no array {name}")
        array = arrays[name]
        if array.dtype != dtype or array.shape != shape:
            wanted = f"{np.dtype(dtype)} {shape}"
            raise ValueError(f"{name} must be {wanted}, got {array.dtype} {array.shape}")
    if foreign := arrays.keys() - expected.keys():
        raise ValueError(f"it has arrays of something else: {', '.join(sorted(foreign)[:5])}")


def check_within(name: str, array: np.ndarray, low: float, high: float) -> None:
    """Check that every element is finite and in [low, high]."""
    # NaN is neither less nor more than anything.
    if array.size and not (array.min() >= low and array.max() <= high):
        wrong = array[~((array >= low) & (array <= high))][0]
        raise ValueError(f"{name} must be in [{low:g}, {high:g}], got {wrong:g}")


_FINITE = float(np.finfo(np.float32).max)


def check_updates(description: Description, num_envs: int) -> None:
    """Check that training owes no more updates than steps that were broken off can leave."""
    steps, updates = description.began
    due = updates + description.config.updates_due(description.num_timesteps - steps)
    least = due - 10 * num_envs - 1_000
    if description.num_updates < least:
        raise ValueError(
            f"num_updates must be at least {least} after {description.num_timesteps} steps, "
            f"got {description.num_updates}"
        )


def check_learner(arrays: Mapping[str, np.ndarray], description: Description) -> None:
    """Check the arrays of ``QLearner.state_dict``."""
    check_arrays(arrays, description.learner_shapes())
    check_within("square", arrays["square"], 0.0, _FINITE)
    check_within("steps", arrays["steps"], 0.0, _MOST)


def check_replay(
    arrays: Mapping[str, np.ndarray],
    num_rows: int,
    num_envs: int,
    observation_size: int,
    num_actions: int,
    config: DQNConfig,
) -> None:
    """Check the arrays of ``ReplayBuffer.state_dict`` for a memory of so many rows."""
    used = arrays["stored"].size
    if used % num_envs or used > num_rows * num_envs:
        raise ValueError(
            f"stored must be at most {num_rows} rows of {num_envs} cells, got {used} cells"
        )
    cells: dict[str, type] = {
        "action": np.int64, "reward": np.float32, "discount": np.float32, "stored": np.bool_,
    }  # fmt: skip
    if config.q_form == "click":
        cells["click"] = np.bool_
    if config.prioritized:
        cells["priority"] = np.float64
    expected: Shapes = {name: (dtype, (used,)) for name, dtype in cells.items()}
    expected["observation"] = (np.float32, (used, observation_size))
    expected["head"] = (np.int64, (num_envs,))
    if config.prioritized:
        expected["max_priority"] = (np.float64, (1,))
    check_arrays(arrays, expected)

    stored, head = arrays["stored"], arrays["head"]
    check_within("action", arrays["action"], 0, num_actions - 1)
    check_within("reward", arrays["reward"], -_FINITE, _FINITE)
    check_within("discount", arrays["discount"], 0.0, _FINITE)
    check_within("observation", arrays["observation"], -_FINITE, _FINITE)
    if not used:
        check_within("head", head, -1, -1)
        return
    check_within("head", head, 0, used // num_envs - 1)
    if stored[head * num_envs + np.arange(num_envs)].any():
        raise ValueError("stored must be False where an environment stands now: at head")
    if config.prioritized:
        priority = arrays["priority"]
        check_within("priority", priority, 0.0, np.finfo(np.float64).max)
        check_within("max_priority", arrays["max_priority"], 0.0, np.finfo(np.float64).max)
        if ((priority > 0.0) != stored).any() or not np.isfinite(priority.sum()):
            raise ValueError("priority must be positive where a transition is stored, else zero")


def check_env_arrays(
    arrays: Mapping[str, np.ndarray], num_envs: int, observation_size: int
) -> None:
    """Check where the environments stand: ``observation`` and ``ended``."""
    expected: Shapes = {
        "observation": (np.float32, (num_envs, observation_size)),
        "ended": (np.bool_, (num_envs,)),
    }
    check_arrays(arrays, expected)
    check_within("observation", arrays["observation"], -_FINITE, _FINITE)


def check_episodes(arrays: Mapping[str, np.ndarray], num_envs: int) -> None:
    """Check the arrays of ``EpisodeStatistics.state_dict``."""
    expected: Shapes = {
        "reward": (np.float64, (num_envs,)),
        "length": (np.int64, (num_envs,)),
        "latest": (np.float64, (min(len(arrays["latest"]), 100), 2)),
    }
    check_arrays(arrays, expected)
    check_within("length", arrays["length"], 0, _MOST)
    check_within("latest", arrays["latest"][:, 1], 0, _MOST)
