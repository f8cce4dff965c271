"""The trajectories of this release: a change of the dynamics that is not meant shows here."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.helpers import IDS
from tests.make_golden import GOLDEN, trajectory


@pytest.mark.parametrize("env_id", IDS)
def test_golden_trajectory(env_id):
    golden = json.loads((GOLDEN / f"{env_id}.json").read_text())
    now = trajectory(env_id)
    assert now.keys() == golden.keys()
    for name, values in golden.items():
        assert len(now[name]) == len(values), name
        # exp and log differ in their last digits from one processor to the next.
        np.testing.assert_allclose(now[name], values, rtol=1e-7, atol=1e-5, err_msg=name)
    assert sum(r > 0 for r in golden["reward"]) > 10, "a trajectory in which something happens"
