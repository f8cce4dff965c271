"""What ``env.spec`` and messages say of an environment's arguments: short, and JSON."""

import dataclasses
import json
import pickle
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec

from livestream_env import SimulatorConfig, World, WorldConfig
from livestream_env.settings import Settings

SMALL = {"num_viewers": 40, "num_streamers": 30, "days": 2}


def synthetic() -> World:
    return World.synthetic(WorldConfig(**SMALL), seed=3)


def loaded(folder: Path) -> World:
    synthetic().save(folder / "world.npz")
    return World.load(folder / "world.npz")


def learnt() -> World:
    """A world without recipe or path."""
    return synthetic().always_live()


def episode(env: gym.Env) -> list[np.ndarray]:
    observations = [env.reset(seed=5)[0]]
    observations += [env.step(np.int64(0))[0] for _ in range(5)]
    return observations


def test_a_world_is_one_line(tmp_path: Path) -> None:
    world = synthetic()
    names = "8 categories: games, music, chat, shop, dance, ...; "
    sizes = f"World(40 viewers, 30 streamers, {len(world.rooms)} rooms, 2 days; {names}"
    which = "synthetic, seed 3, WorldConfig(num_viewers=40, num_streamers=30, days=2))"
    assert repr(world) == sizes + which
    file = loaded(tmp_path)
    assert repr(file) == f"{sizes}path {str(tmp_path / 'world.npz')!r})"
    assert (
        repr(learnt())
        == f"World(40 viewers, 30 streamers, 30 rooms, 2 days; {names}digest {learnt().digest})"
    )
    assert repr(World.synthetic(WorldConfig(days=14))).endswith(
        f"14 days; {names}synthetic, seed 0)"
    )


def test_the_digest_is_of_arrays_and_parameters(tmp_path: Path) -> None:
    assert loaded(tmp_path).digest == synthetic().digest != learnt().digest
    other = World.synthetic(WorldConfig(**SMALL), seed=4)
    assert len({synthetic().digest, other.digest, learnt().digest}) == 3


def test_settings_show_what_is_not_default() -> None:
    assert repr(SimulatorConfig()) == "SimulatorConfig()"
    changed = SimulatorConfig(click_bias=-2, exit_bias=-3)
    assert repr(changed) == "SimulatorConfig(click_bias=-2.0, exit_bias=-3.0)"
    assert eval(repr(changed)) == changed
    from agents.dqn import DQNConfig

    assert all(kind.__repr__ is Settings.__repr__ for kind in (WorldConfig, DQNConfig))


MADE = {
    "dict": lambda folder: {"config": SMALL | {"click_bias": np.float32(-2)}, "world_seed": 3},
    "config": lambda folder: {"config": WorldConfig(**SMALL), "world_seed": 3},
    "synthetic": lambda folder: {"world": synthetic(), "config": {"click_bias": -2.0}},
    "loaded": lambda folder: {"world": loaded(folder)},
    "path": lambda folder: {"world": Path(loaded(folder).path or "")},
    "simulator": lambda folder: {"world": loaded(folder), "config": SimulatorConfig(exit_bias=-3)},
}


@pytest.mark.parametrize("kind", MADE)
def test_the_json_of_a_specification_makes_the_same_environment(kind: str, tmp_path: Path) -> None:
    env = gym.make("LiveStreamRec-v0", **MADE[kind](tmp_path))
    assert env.spec is not None
    assert len(str(env.spec)) < 1500 and len(env.spec.to_json()) < 4000
    again = EnvSpec.from_json(env.spec.to_json())
    for spec in (again, env.spec, pickle.loads(pickle.dumps(env.spec))):
        assert all(map(np.array_equal, episode(gym.make(spec)), episode(env)))


@pytest.mark.parametrize("mode", ["vector_entry_point", "sync"])
@pytest.mark.parametrize("kind", MADE)
def test_so_does_that_of_a_vector_environment(kind: str, mode: str, tmp_path: Path) -> None:
    kwargs = MADE[kind](tmp_path)
    venv = gym.make_vec("LiveStreamRec-v0", 2, vectorization_mode=mode, **kwargs)
    assert venv.spec is not None
    again = EnvSpec.from_json(venv.spec.to_json())
    for spec in (again, venv.spec, pickle.loads(pickle.dumps(venv.spec))):
        other = gym.make_vec(spec)
        assert type(other) is type(venv) and other.num_envs == 2
        assert np.array_equal(other.reset(seed=5)[0], venv.reset(seed=5)[0])


def test_a_world_that_is_an_object_only_is_described_and_refused(tmp_path: Path) -> None:
    env = gym.make("LiveStreamRec-v0", world=learnt())
    assert env.spec is not None
    assert gym.make(env.spec).unwrapped.world == learnt()  # type: ignore[attr-defined]
    text = env.spec.to_json()
    assert json.loads(text)["kwargs"]["world"] == repr(learnt())
    with pytest.raises(ValueError, match=r"only described: World\(40 .* digest .*World\.save"):
        gym.make(EnvSpec.from_json(text))


def test_messages_with_a_world_are_short() -> None:
    with pytest.raises(TypeError, match="did you mean 'num_candidates'") as caught:
        gym.make("LiveStreamRec-v0", world=learnt(), num_candidate=3)
    assert len(str(caught.value)) < 1200


def test_a_copy_with_other_contents_is_not_taken_for_what_it_was_made_of(tmp_path: Path) -> None:
    for world in (synthetic(), loaded(tmp_path)):
        other = dataclasses.replace(world, simulator=SimulatorConfig(click_bias=20.0))
        assert other.recipe is None and other.path is None
        assert pickle.loads(pickle.dumps(other)) == other != world
        env = gym.make("LiveStreamRec-v0", world=other)
        assert env.spec is not None
        with pytest.raises(ValueError, match=f"only described: World.*digest {other.digest}"):
            gym.make(EnvSpec.from_json(env.spec.to_json()))
