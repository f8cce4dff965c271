"""What a change takes: each is made in a copy of the package, by inserting lines, and played."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

import livestream_env
from livestream_env import LiveStreamRecEnv, LiveStreamRecVectorEnv
from livestream_env import reward as reward_module

ARGUMENTS = {
    "num_envs": 2,
    "observe": "full",
    "history_length": 3,
    "config": {"num_viewers": 20, "num_streamers": 30, "days": 2, "click_bias": 1.0},
    "reward_weights": {"watch": 2.0},
}
STEPS = 6


class Insertion(NamedTuple):
    """A line inserted after another one, of which the file has one, and as far to the right."""

    path: str
    after: str
    line: str


def trajectory() -> dict[str, np.ndarray]:
    """A short run of two viewers.

    Blocks of the observations (T + 1, 2, rows, columns) by name, and ``names_`` of their columns;
    per step (T, 2): ``reward``, ``of_`` each component, ``click``; and as expected before it (T, 2,
    candidates): ``expected_reward``, ``click_probability``.
    """
    env = LiveStreamRecVectorEnv(**ARGUMENTS)
    observations = [env.reset(seed=3)[0]]
    steps = defaultdict(list)
    for step in range(STEPS):
        for name, value in env.expected_response().items():
            steps[name].append(value)
        observation, reward, _, _, info = env.step(np.full(2, step % 10))
        observations.append(observation)
        steps["reward"].append(reward)
        steps["click"].append(info["click"])
        for name in reward_module.REWARD_COMPONENTS:
            steps[f"of_{name}"].append(info[f"reward_{name}"])
    values = {name: np.array(value) for name, value in steps.items()}
    for block, columns in env.layout.to_dict(np.stack(observations)).items():
        names = env.layout.names[block]
        values[block] = columns.reshape(STEPS + 1, 2, -1, len(names))
        values[f"names_{block}"] = np.array(names)
    one = LiveStreamRecEnv(**{k: v for k, v in ARGUMENTS.items() if k != "num_envs"})
    one.reset(seed=3)
    info = one.step(0)[-1]
    return values | {
        f"of_one_{name}": np.array(info[f"reward_{name}"])
        for name in reward_module.REWARD_COMPONENTS
    }


def trajectory_with(insertions: Iterable[Insertion], folder: Path) -> dict[str, np.ndarray]:
    """The trajectory that a changed package plays, as plain Python, which need not be compiled."""
    package = folder / "livestream_env"
    shutil.copytree(Path(livestream_env.__file__).parent, package)
    for path, after, line in insertions:
        lines = (package / path).read_text().splitlines(keepends=True)
        (place,) = [i for i, text in enumerate(lines) if text.strip().startswith(after)]
        indent = lines[place][: -len(lines[place].lstrip())]
        lines.insert(place + 1, f"{indent}{line}\n")
        (package / path).write_text("".join(lines))
    shutil.copy(__file__, folder / "changes.py")
    code = (
        "import pathlib, numpy as np, changes, livestream_env;"
        "assert pathlib.Path(livestream_env.__file__).parents[1].samefile('.');"
        "np.savez('trajectory.npz', **changes.trajectory())"
    )
    subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"NUMBA_DISABLE_JIT": "1"},
        cwd=folder,
        check=True,
        timeout=120,
    )
    with np.load(folder / "trajectory.npz") as file:
        return dict(file)


# Where a column of each block, "new" and 0.25 for all, is computed.
COMPUTED = {
    "viewer": Insertion(
        "simulator/world_arrays.py",
        "ViewerColumn.AGE:",
        "ViewerColumn.NEW: np.full(len(viewers), 0.25),",
    ),
    "context": Insertion(
        "simulator/encoding.py", "out[ContextColumn.TIME_LEFT] =", "out[ContextColumn.NEW] = 0.25"
    ),
    "history": Insertion(
        "simulator/encoding.py",
        "head[HistoryColumn.COVER_APPEAL] =",
        "head[HistoryColumn.NEW] = 0.25",
    ),
    "candidates": Insertion(
        "simulator/encoding.py",
        "row[CandidateColumn.VIEWERS] =",
        "row[CandidateColumn.NEW] = 0.25",
    ),
    "hidden": Insertion(
        "simulator/encoding.py", "out[HiddenColumn.FATIGUE] =", "out[HiddenColumn.NEW] = 0.25"
    ),
    "hidden_candidates": Insertion(
        "simulator/encoding.py",
        "row[HiddenCandidateColumn.QUALITY] =",
        "row[HiddenCandidateColumn.NEW] = 0.25",
    ),
}
# The column that it is named after, so that it is not the last one.
NAMED_AFTER = {
    "viewer": "AGE",
    "context": "HOUR_SIN",
    "history": "CLICKED",
    "candidates": "VALID",
    "hidden": "SATISFACTION",
    "hidden_candidates": "TRUE_AFFINITY",
}


def test_a_column_of_the_observation_is_a_name_and_the_line_that_computes_it(tmp_path):
    named = [
        Insertion("observation.py", f"{name} = auto()", "NEW = auto()")
        for name in NAMED_AFTER.values()
    ]
    changed = trajectory_with([*named, *COMPUTED.values()], tmp_path / "changed")
    before = trajectory_with([], tmp_path / "before")
    for block in COMPUTED:
        first, *others = before[f"names_{block}"]
        assert changed[f"names_{block}"].tolist() == [first, "new", *others]
        old = np.delete(changed[block], 1, axis=-1)
        np.testing.assert_array_equal(old, before[block])
        # Rows of history and candidates are zeros where there is nothing.
        expected = np.where(old.any(axis=-1), np.float32(0.25), np.float32(0.0))
        np.testing.assert_array_equal(changed[block][..., 1], expected)
        assert np.count_nonzero(expected.any(axis=(1, 2))) >= STEPS


def test_a_component_of_the_reward_is_a_weight_what_it_is_and_what_it_is_in_expectation(tmp_path):
    click = [
        Insertion("reward.py", "DEFAULT_WEIGHTS = {", '"click": 0.25,'),
        Insertion("reward.py", "watch=watch_component(", "click=1.0,"),
        Insertion("simulator/expectation.py", "watch=watch_component(", "click=1.0,"),
    ]
    changed = trajectory_with(click, tmp_path / "changed")
    before = trajectory_with([], tmp_path / "before")
    new = {name for name in changed if name not in before}
    assert new == {"of_click", "of_one_click"}
    np.testing.assert_array_equal(changed["of_click"], before["click"])
    assert changed["of_one_click"] == (changed["of_one_watch"] > 0)
    bonus = {"reward": before["click"], "expected_reward": before["click_probability"]}
    for name, value in before.items():
        if name in bonus:
            np.testing.assert_allclose(changed[name], value + 0.25 * bonus[name], rtol=1e-12)
        else:
            np.testing.assert_array_equal(changed[name], value)
    assert 2 <= before["click"].sum() < before["click"].size


RESTLESSNESS = [  # grows by an impression, drives viewers away, rests between visits
    Insertion(
        "config.py",
        "exit_elapsed_s: float",
        'restless_gain: float = number(0.125, 0, 1, "by an impression; assumed")',
    ),
    Insertion(
        "config.py",
        "exit_elapsed_s: float",
        'exit_restless: float = number(400.0, 0, 1e3, "per unit of restlessness; assumed")',
    ),
    Insertion(
        "arguments.py", "highlights: bool", 'restlessness: bool = flag(True, "whether it grows.")'
    ),
    Insertion("simulator/state.py", '"satiation",', '"restlessness",'),
    Insertion(
        "simulator/state.py",
        'Field("fatigue", "f8",',
        'Field("restlessness", "f8", 0, LARGE),',
    ),
    Insertion("simulator/person.py", "s.visit_impression = 0", "s.restlessness = 0.0"),
    Insertion(
        "simulator/person.py",
        "s.fatigue = max(",
        "s.restlessness += p.restless_gain * p.use_restlessness",
    ),
    Insertion(
        "simulator/person.py", "+ p.exit_fatigue * s.fatigue", "+ p.exit_restless * s.restlessness"
    ),
    Insertion("observation.py", "FATIGUE = auto()", "RESTLESSNESS = auto()"),
    Insertion(
        "simulator/encoding.py",
        "out[HiddenColumn.FATIGUE] =",
        "out[HiddenColumn.RESTLESSNESS] = s.restlessness",
    ),
]


def test_a_mechanism_with_state_that_is_observed_is_an_edit_of_six_files(tmp_path):
    assert len({insertion.path for insertion in RESTLESSNESS}) == 6

    def visits(values: dict[str, np.ndarray]) -> np.ndarray:
        """Scaled index of the visit (T + 1, 2)."""
        return values["context"][:, :, 0, list(values["names_context"]).index("visits")]

    changed = trajectory_with(RESTLESSNESS, tmp_path / "changed")
    assert "restlessness" in changed["names_hidden"]
    assert (np.diff(visits(changed), axis=0) != 0).all()  # a visit of one impression each
    before = trajectory_with([], tmp_path / "before")
    assert not (np.diff(visits(before), axis=0) != 0).all()

    calm = [row._replace(line=row.line.replace("400.0", "0.0")) for row in RESTLESSNESS]
    unmoved = trajectory_with(calm, tmp_path / "calm")
    column = list(unmoved["names_hidden"]).index("restlessness")
    grown = unmoved["hidden"][..., column]
    assert {0.125, 0.25} <= set(grown.flat) <= set(np.arange(STEPS + 1) * 0.125)
    np.testing.assert_array_equal(np.delete(unmoved["hidden"], column, axis=-1), before["hidden"])
