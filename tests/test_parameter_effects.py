"""Every parameter and every switch changes what happens."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from livestream_env import LiveStreamRecVectorEnv, SimulatorConfig, WorldConfig
from tests.helpers import DEEP, LIVELY

# Everything at work, often.
BASE = {**LIVELY, **DEEP}

# Parameter → another value. What a parameter needs to show an effect beyond LIVELY follows.
CHANGES: dict[str, Any] = {
    "num_viewers": 101, "num_streamers": 121, "num_categories": 7, "embedding_dim": 7, "days": 9,
    "initial_attachments": 6.0, "satisfaction_memory": 0.5, "fatigue_memory": 0.3,
    "gift_price_max": 3.0, "retrieval_attached_share": 0.1, "retrieval_category_share": 0.6,
    "attachment_half_life_days": 0.05, "follow_attachment": 0.95, "satisfaction_decay_days": 0.01,
    "cover_correlation": 0.5, "fan_club_correlation": 0.3, "sensitivity_demographic": 0.2,
    "past_regret_correlation": 0.3, "initial_strength_max": 0.8, "notification": 0.3,
    "gift_price_tier": 0.9, "satisfaction_limit": 0.3, "return_limit": 0.2, "retrieval_memory": 12,
    "sensitivity_min": 0.5, "return_loyalty": 2.0,
}  # fmt: skip


def run_through(config, steps=250):
    """Observations (hidden state included) and rewards of 32 viewers."""
    env = LiveStreamRecVectorEnv(
        32,
        world="plain",
        config=config,
        observe="full",
        traces=True,
        horizon="week",
        autoreset_mode="SameStep",
    )
    results = [env.reset(seed=3)[0]]
    for step in range(steps):
        observation, reward, *_ = env.step(np.full(32, step % 10))
        results += [observation, reward]
    return results


@pytest.fixture(scope="module")
def base():
    return run_through(BASE)


class TestParametersWithoutEffect:
    """One simulator read the wrong name: its leaving probability did nothing."""

    @pytest.mark.parametrize("name", [*SimulatorConfig.names(), *WorldConfig.names()])
    def test_each_changes_what_happens(self, base, name):
        group = SimulatorConfig if name in SimulatorConfig.names() else WorldConfig
        spec = group.__dataclass_fields__[name]
        value = CHANGES.get(name, BASE.get(name, spec.default) * 1.3 + 0.01)
        assert spec.metadata["low"] <= value <= spec.metadata["high"]
        assert value != BASE.get(name, spec.default)
        changed = run_through({**BASE, name: value})
        assert any(a.shape != b.shape or (a != b).any() for a, b in zip(base, changed, strict=True))

    @pytest.mark.parametrize(
        "switch",
        ["satiation", "satisfaction", "attachment", "curiosity", "audience", "highlights",
         "availability"],
    )  # fmt: skip
    def test_each_switch(self, make_venv, switch):
        on, off = (
            make_venv(
                32,
                world="plain",
                config={**BASE, "click_bias": 1.0, "watch_bias": 4.0},
                **{switch: value},
            )
            for value in (True, False)
        )
        on.reset(seed=0)
        off.reset(seed=0)
        actions = [np.full(32, step % 10) for step in range(60)]
        rewards = [sum(env.step(a)[1].sum() for a in actions) for env in (on, off)]
        assert rewards[0] != rewards[1]

    @pytest.mark.parametrize(
        ("name", "low", "high", "statistic"),
        [("click_bias", -3.0, 0.0, "click"), ("watch_bias", -1.0, 2.0, "watch_s"),
         ("like_per_min", 0.01, 1.0, "likes"), ("comment_per_min", 0.01, 1.0, "comments"),
         ("gift_per_min", 0.001, 1.0, "gift_value"), ("follow_per_click", 0.0, 0.5, "follow"),
         ("exit_bias", -4.0, 0.0, "visit_ended")],
    )  # fmt: skip
    def test_probabilities_move_what_they_name(self, make_venv, name, low, high, statistic):
        means = []
        for value in (low, high):
            env = make_venv(64, horizon="week", config={"click_bias": 0.0, name: value})
            env.reset(seed=0)
            infos = [env.step(np.full(64, step % 10))[-1] for step in range(60)]
            means.append(np.mean([info[statistic] for info in infos]))
        assert means[1] > 1.5 * means[0]

    def test_leaving_probability_is_the_one_configured(self, make_venv):
        """No fatigue, no satisfaction, no elapsed time: the bias alone."""
        plain = {"exit_bias": 0.0, "exit_fatigue": 0.0, "exit_satisfaction": 0.0,
                 "exit_elapsed_s": 1e6, "click_bias": -20.0}  # fmt: skip
        env = make_venv(4_000, horizon="visit", config=plain)
        env.reset(seed=0)
        left = env.step(np.zeros(4_000, np.int64))[-1]["visit_ended"].mean()
        assert left == pytest.approx(0.5, abs=0.03)
