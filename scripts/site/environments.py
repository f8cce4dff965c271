"""The registered environments' pages, from their specification, layout, arguments and docstring."""

from __future__ import annotations

import inspect
import re
from dataclasses import fields
from typing import Any

import gymnasium as gym
import numpy as np
from PIL import Image

from agents.policy import agent_spec
from livestream_env import LiveStreamRecEnv
from livestream_env.arguments import EnvArguments
from livestream_env.files import atomic_path
from livestream_env.reward import DEFAULT_WEIGHTS
from scripts.site.markdown import code, plain, table, write_part
from scripts.site.places import GENERATED

# Page → id, seed of the episode shown, and how many of its impressions are.
PAGES = {
    "day": ("LiveStreamRec-v0", 12, 48),
    "session": ("LiveStreamRecSession-v0", 5, 32),
    "week": ("LiveStreamRecWeek-v0", 3, 40),
}
PLAYER = "farsighted"  # a rule on what is observed, so that something happens
_FRAME_MS, _COLOURS = 1_200, 64
_SECTION = re.compile(r"^## (.+)$", re.MULTILINE)


def write_environments() -> None:
    """Write the part and the picture of each page."""
    for page, (env_id, seed, impressions) in PAGES.items():
        write_episode(page, env_id, seed, impressions)
        write_part(f"environments/{page}", environment(page, env_id))


def environment(page: str, env_id: str) -> str:
    """All that there is to know of ``env_id``, in Markdown."""
    env: Any = gym.make(env_id)
    said = sections(LiveStreamRecEnv)
    layout = env.unwrapped.layout
    blocks = [
        (code(name), " × ".join(map(str, shape)), f"{place.start} to {place.stop - 1}")
        for (name, shape), place in zip(layout.shapes.items(), layout.slices.values(), strict=True)
    ]
    facts = [
        ("Made by", code(f'gymnasium.make("{env_id}")')),
        ("Many at once", code(f'gymnasium.make_vec("{env_id}", num_envs=1024, '
                              'vectorization_mode="vector_entry_point")')),
        ("Action space", code(env.action_space)),
        ("Observation space", code(f"Box(-1, 1, {env.observation_space.shape}, float32)")),
        ("Arguments set", ", ".join(code(f"{k}={v!r}") for k, v in env.spec.kwargs.items())),
        ("Time limit", f"{env.spec.max_episode_steps:,} impressions"),
    ]  # fmt: skip
    given = [
        (code(spec.name), code(repr(spec.default)), plain(spec.metadata["doc"]))
        for spec in fields(EnvArguments)
    ]
    weights = [(code(name), weight) for name, weight in DEFAULT_WEIGHTS.items()]
    parts = [
        f"![An episode of {env_id}, played by `{PLAYER}`](../images/episodes/{page}.gif)",
        table(("", env_id), facts),
        "## Description\n\n" + said["Description"],
        "## Actions\n\n" + said["Action Space"],
        "## Observations\n\n" + said["Observation Space"],
        "With the arguments of this id the blocks are:",
        table(("block", "shape", "columns"), blocks),
        "## Rewards\n\n" + said["Rewards"],
        table(("component", "weight"), weights, "lr"),
        "## Starting state\n\n" + said["Starting State"],
        "## Episode end\n\n" + said["Episode End"],
        "## Info\n\n" + said["Info"],
        "## Arguments\n\nOf the keyword arguments of `gymnasium.make` the first column's are the "
        "environment's own:",
        table(("argument", "default", "meaning"), given),
        "## Version history\n\n" + said["Version History"],
    ]
    return "\n\n".join(parts)


def sections(documented: type) -> dict[str, str]:
    """Heading → text of the docstring's sections."""
    _, *rest = _SECTION.split(plain(inspect.getdoc(documented) or ""))
    return {name: text.strip() for name, text in zip(rest[::2], rest[1::2], strict=True)}


def write_episode(page: str, env_id: str, seed: int, impressions: int) -> None:
    """An animated picture of the first ``impressions`` of an episode."""
    env = gym.make(env_id, render_mode="rgb_array")
    policy = agent_spec(PLAYER).make(env, seed=0)
    observation, _ = env.reset(seed=seed)
    frames, done = [Image.fromarray(np.asarray(env.render()))], False
    while not done and len(frames) <= impressions:
        actions, _ = policy.predict(observation[None], deterministic=True)
        observation, _, done, _, _ = env.step(np.int64(actions[0]))
        frames.append(Image.fromarray(np.asarray(env.render())))
    # One palette for all, so that only what changes takes space: of a few frames side by side.
    some = [np.asarray(frame) for frame in frames[:: max(1, len(frames) // 6)]]
    palette = Image.fromarray(np.concatenate(some)).quantize(_COLOURS)
    frames = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    with atomic_path(GENERATED / "site" / "images" / "episodes" / f"{page}.gif") as path:
        first, *others = frames
        first.save(
            path, save_all=True, append_images=others, duration=_FRAME_MS, loop=0, optimize=True
        )
