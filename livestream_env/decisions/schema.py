"""The columns of logged decisions, in memory and in a file; what must hold between rows.

Rows are observations, in the order of the episode, and episodes follow each other whole. So the
next observation of a decision is the row after it, and each is there once. The last observation of
an episode has a row of its own, on which nobody decides: its action is -1, its reward and
probabilities are nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from livestream_env.reward import REWARD_FIELDS

Rows = Mapping[str, NDArray[Any]]  # column → (n,), or (n, size) for those of several numbers
NO_ACTION = -1
OBSERVATION = "observation"
_TOLERANCE = 1e-4  # of a sum of probabilities, which are kept in single precision

# Column → its type, and whether it has a number per candidate.
COLUMNS: dict[str, tuple[type, bool]] = {
    "episode": (np.int64, False),  # of the log, from 0
    "step": (np.int32, False),  # of the episode, from 0: empty screens count
    "viewer": (np.int64, False),  # id, as in the environment's info
    "visit": (np.int32, False),  # of the episode, from 0
    "clock_s": (np.float64, False),  # of the observation, from midnight of day 0
    "action_mask": (np.bool_, True),  # slots that may be chosen
    "propensity": (np.float32, True),  # of showing each slot; NaN: the policy does not say
    "action": (np.int16, False),  # the slot shown; -1: the episode is over
    "reward": (np.float64, False),  # of the action
    **{name: (np.float32, False) for name in REWARD_FIELDS},  # weighted they sum to the reward
    "elapsed_s": (np.float64, False),  # from this observation to the next
    "terminated": (np.bool_, False),  # by this action, by the end of the horizon
    "truncated": (np.bool_, False),  # by a limit of steps
}


def shape_of(name: str, rows: int, num_actions: int) -> tuple[int, ...]:
    """The shape of a column of so many rows."""
    return (rows, num_actions) if COLUMNS[name][1] else (rows,)


def row_bytes(num_actions: int) -> int:
    """Memory of a row but for its observation."""
    return sum(
        np.dtype(dtype).itemsize * (num_actions if many else 1) for dtype, many in COLUMNS.values()
    )


def arrow_schema(num_actions: int, observation_size: int) -> pa.Schema:
    """The columns of a file."""
    schema = [
        (
            name,
            pa.list_(pa.from_numpy_dtype(dtype), num_actions)
            if many
            else pa.from_numpy_dtype(dtype),
        )
        for name, (dtype, many) in COLUMNS.items()
    ]
    return pa.schema([*schema, (OBSERVATION, pa.list_(pa.float32(), observation_size))])


def to_arrow(rows: Rows, schema: pa.Schema) -> pa.RecordBatch:
    """Rows as Arrow has them."""
    return pa.record_batch([_arrow_array(rows[f.name], f.type) for f in schema], schema=schema)


def _arrow_array(values: NDArray[Any], kind: pa.DataType) -> pa.Array:
    if not pa.types.is_fixed_size_list(kind):
        return pa.array(np.ascontiguousarray(values), kind)
    flat = pa.array(np.ascontiguousarray(values).ravel(), kind.value_type)
    return pa.FixedSizeListArray.from_arrays(flat, type=kind)


def from_arrow(column: pa.Array, dtype: type, size: int | None) -> NDArray[Any]:
    """A column of a batch; ``size`` is that of its lists, None if it has none.

    Raises:
        ValueError: it holds nulls.
    """
    values = column if size is None else column.flatten()
    if column.null_count or values.null_count:
        raise ValueError("it holds nulls")
    array = values.to_numpy(zero_copy_only=False).astype(dtype, copy=False)
    return array if size is None else array.reshape(-1, size)


def check_rows(rows: Rows, num_actions: int, follows: Rows | None = None) -> None:
    """Raise ``ValueError`` unless rows are as the module says.

    Args:
        rows: some, in order, with or without observations.
        num_actions: N.
        follows: the row before, as arrays of one; None: they begin a file.
    """
    if not len(rows["action"]):
        return
    action = rows["action"]
    acts = action != NO_ACTION
    decides = np.flatnonzero(acts)
    _require(((action >= 0) & (action < num_actions)) | ~acts, "action", action, rows)
    for name in ("reward", "elapsed_s", "clock_s", *REWARD_FIELDS):
        _require(np.isfinite(rows[name]), name, rows[name], rows)
    _require(rows["elapsed_s"] >= 0, "elapsed_s", rows["elapsed_s"], rows)
    if OBSERVATION in rows:
        finite = np.asarray(np.isfinite(rows[OBSERVATION]).all(axis=1))
        _require(finite, OBSERVATION, rows[OBSERVATION], rows)
    chances = rows["propensity"]
    is_said = ~np.isnan(chances).any(axis=1) & acts
    possible = (chances >= 0).all(axis=1) & (abs(chances.sum(axis=1) - 1) < _TOLERANCE)
    taken = np.ones(len(action), np.bool_)
    taken[decides] = chances[decides, action[decides]] > 0
    _require(possible & taken | ~is_said, "propensity", chances, rows)
    _check_order(rows, acts, follows)


def _check_order(rows: Rows, acts: NDArray[np.bool_], follows: Rows | None) -> None:
    """Check that episodes are whole, and end where they say."""
    # Of the row before each; nothing is before the first of a file, as after an episode's last.
    before = (
        {"episode": -1, "step": -1} if follows is None else {k: v[-1] for k, v in follows.items()}
    )
    goes_on = np.r_[follows is not None and before["action"] != NO_ACTION, acts[:-1]]
    episode = np.r_[before["episode"], rows["episode"][:-1]]
    step = np.r_[before["step"], rows["step"][:-1]]
    same = rows["episode"] == episode
    _require(same == goes_on, "episode", rows["episode"], rows)
    _require(rows["step"] == np.where(goes_on, step + 1, 0), "step", rows["step"], rows)
    ends = rows["terminated"] | rows["truncated"]
    ended = np.r_[
        follows is not None and bool(before["terminated"] | before["truncated"]), ends[:-1]
    ]
    _require(np.asarray(~goes_on | (ended == ~acts)), "terminated", rows["terminated"], rows)
    _require(acts | ~ends, "terminated", rows["terminated"], rows)
    # An episode begins with a decision.
    _require(np.asarray(acts | goes_on), "action", rows["action"], rows)


def _require(fine: NDArray[np.bool_], name: str, values: NDArray[Any], rows: Rows) -> None:
    if not fine.all():
        at = int(np.argmin(fine))
        place = f"episode {rows['episode'][at]}, step {rows['step'][at]}"
        raise ValueError(f"{name} is {values[at]} at {place}, which cannot be")
