from __future__ import annotations

import dataclasses
import json
import re

import numpy as np
import pytest

from agents.dqn.config import PRESETS, DQNConfig


def test_every_field_is_explained():
    for field in dataclasses.fields(DQNConfig):
        assert len(field.metadata["doc"]) > 15, field.name


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_survive_json(preset):
    config = DQNConfig.preset(preset, seed=3)
    assert DQNConfig(**json.loads(json.dumps(dataclasses.asdict(config)))) == config


def test_the_article_is_plain():
    article = DQNConfig.preset("article")
    assert article.hidden_sizes == (24, 24)
    assert article.network == "mlp"
    assert article.loss == "squared"
    assert article.discount == "step"
    assert article.target_update == "hard"
    assert article.n_step == 1
    assert article.max_grad_norm is None
    switches = (article.double, article.dueling, article.prioritized, article.mask_actions)
    assert switches == (False, False, False, False)


@pytest.mark.parametrize(
    ("name", "value", "valid"),
    [
        ("network", "transformer", "['mlp', 'candidate']"),
        ("loss", None, "['squared', 'huber']"),
        ("hidden_sizes", (), "one or more integers"),
        ("hidden_sizes", (64, 0), "one or more integers"),
        ("hidden_sizes", 64, "one or more integers"),
        ("double", 1, "True or False"),
        ("gamma", 1.01, "a number in [0, 1]"),
        ("gamma", float("nan"), "a number in [0, 1]"),
        ("gamma", "0.9", "a number in [0, 1]"),
        ("learning_rate", 0.0, "a number in [1e-08, 1]"),
        ("n_step", 0, "an integer in [1, 100]"),
        ("n_step", 1.5, "an integer in [1, 100]"),
        ("n_step", True, "an integer in [1, 100]"),
        ("batch_size", None, "an integer in [1, 65536]"),
        ("max_grad_norm", -1.0, "or None"),
        ("tau_s", 0.0, "a number in [0.001, 1e+07]"),
        ("epsilon_end", -0.1, "a number in [0, 1]"),
        ("train_interval", 0, "an integer in [1, 1e+06]"),
        ("device", 3, "a string"),
        ("seed", -1, "an integer"),
    ],
)
def test_bad_values_are_named(name, value, valid):
    with pytest.raises(ValueError, match=re.escape(valid)) as caught:
        DQNConfig(**{name: value})
    assert str(caught.value).startswith(f"{name} must be ")
    assert repr(value) in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"), [("network", "mlp"), ("dueling", True), ("cql_weight", 1.0)]
)
def test_what_the_click_form_does_not_go_with_is_refused(name, value):
    with pytest.raises(
        ValueError, match=f"{name} must be .* with q_form='click' .*, got {value!r}"
    ):
        DQNConfig(q_form="click", **{name: value})


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="preset must be one of"):
        DQNConfig.preset("rainbow")
    with pytest.raises(ValueError, match="unknown field 'lr'"):
        DQNConfig.preset("default", lr=1e-3)


def test_numpy_numbers_become_plain_ones():
    config = DQNConfig(gamma=np.float32(0.5), n_step=np.int64(3), double=np.bool_(True), seed=2.0)
    assert (type(config.gamma), type(config.n_step), type(config.double)) == (float, int, bool)
    assert type(config.seed) is int


def test_epsilon_schedule():
    config = DQNConfig(epsilon_start=1.0, epsilon_end=0.1, epsilon_fraction=0.4)
    assert [config.epsilon(p) for p in (0.0, 0.2, 0.4, 0.7, 1.0)] == pytest.approx(
        [1.0, 0.55, 0.1, 0.1, 0.1]
    )
    assert DQNConfig(epsilon_fraction=0.0, epsilon_end=0.3).epsilon(0.0) == pytest.approx(0.3)


def test_learning_rate_and_beta_schedules():
    linear = DQNConfig(learning_rate=0.01, priority_beta_start=0.4, priority_beta_end=1.0)
    assert [linear.learning_rate_at(p) for p in (0.0, 0.5, 1.0)] == pytest.approx([0.01, 0.005, 0])
    assert [linear.priority_beta(p) for p in (0.0, 0.5, 1.0)] == pytest.approx([0.4, 0.7, 1.0])
    constant = DQNConfig(learning_rate=0.01, learning_rate_schedule="constant")
    assert constant.learning_rate_at(1.0) == 0.01


def test_updates_due():
    config = DQNConfig(learning_starts=100, train_interval=16)
    assert [config.updates_due(n) for n in (0, 99, 115, 116, 131, 132, 1700)] == [
        *(0, 0, 0, 1, 1, 2, 100)
    ]
