"""What is written for vector registers does what its plain form says."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit

from livestream_env.simulator.compiling import dot, lanes, move, position

DTYPE = np.dtype([("x", "f4", (8,)), ("y", "f4", (8,)), ("ids", "i4", (10,))])


def record(seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    records = np.zeros(1, DTYPE)
    records["x"], records["y"] = rng.normal(size=(2, 1, 8))
    records["ids"] = rng.permutation(10)
    return records


def test_dot_sums_in_fours():
    got = njit(lambda records: dot(records[0].x, records[0].y))(record())
    a, b, c, d = (record()["x"] * record()["y"]).reshape(2, 4).sum(0)
    assert got == (a + c) + (b + d)


@pytest.mark.parametrize("length", [1, 10, 63, 64, 65, 200])
def test_position(length):
    find = njit(lambda records, value: position(records[0].ids, np.int32(value)))
    records = np.zeros(1, [("before", "i4"), ("ids", "i4", (length,)), ("after", "i4")])
    ids = records["ids"][0]
    ids[:] = np.arange(length) - 1
    assert [find(records, value) for value in ids] == list(range(length))
    assert find(records, -2) == find(records, length) == -1
    ids[:] = 7
    assert find(records, 7) == 0


def test_move_may_overlap():
    history = np.arange(20.0)

    @njit
    def shift(array):
        move(array, 5, array, 15)

    shift(history)
    np.testing.assert_array_equal(history, [*range(5), *range(15)])


def test_lanes_come_in_sixteens():
    @njit
    def lengths(records):
        few = lanes(np.float32, records[0].ids, 0)
        more = lanes(np.int64, records[0].ids, 7)
        for i in range(more.shape[0]):
            more[i] = i
        return few.shape[0], more.shape[0], more.sum()

    assert lengths(record()) == (16, 32, 31 * 16)
