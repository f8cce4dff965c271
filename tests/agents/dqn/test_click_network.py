from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from agents.dqn.by_hand import flatten_parameters
from agents.dqn.click_network import ClickQNetwork
from tests.agents.dqn.test_networks import (
    ADJACENT,
    LAYOUTS,
    SLOTS,
    masks,
    observations,
)

SUMMARY = pytest.mark.parametrize("summary", [False, True])


def actions(batch=16):
    return torch.from_numpy(np.random.default_rng(3).integers(0, SLOTS, batch))


def clicks(batch=16):
    return torch.from_numpy(np.random.default_rng(4).random(batch) < 0.4)


@LAYOUTS
@SUMMARY
@torch.no_grad()
def test_reordered_candidates_reorder_the_values(layout, summary):
    network = ClickQNetwork(layout, (16, 8), summary)
    observation, mask = observations(), masks()
    order = np.random.default_rng(2).permutation(SLOTS)
    reordered = observation.clone()
    reordered[:, layout.candidate_columns] = observation[:, layout.candidate_columns[order]]
    torch.testing.assert_close(
        network(reordered, mask[:, order]), network(observation, mask)[:, order]
    )


@SUMMARY
@torch.no_grad()
def test_a_value_is_the_mean_over_both_outcomes(summary):
    network = ClickQNetwork(ADJACENT, (16, 8), summary)
    observation, action, mask = observations(), actions(), masks()
    rows = observation, action
    with torch.inference_mode():
        without, with_click = (
            network.given_click_with_backward(*rows, torch.full((16,), click), 1.0, mask)[0]
            for click in (False, True)
        )
    logit, clicked, value = network._chosen_parts(*rows, mask)
    torch.testing.assert_close(without, value)
    torch.testing.assert_close(with_click, clicked)
    chosen = network.chosen(*rows, mask)
    torch.testing.assert_close(chosen, without.lerp(with_click, logit.sigmoid()))
    torch.testing.assert_close(chosen, network(observation, mask)[torch.arange(16), action])


@LAYOUTS
@SUMMARY
@pytest.mark.parametrize("sizes", [(16,), (16, 8, 4)])
def test_values_and_gradients_by_hand_equal_autograds(layout, summary, sizes):
    network = ClickQNetwork(layout, sizes, summary)
    _, gradient = flatten_parameters(network)
    observation, mask, action, click = observations(), masks(), actions(), clicks()
    upstream = torch.from_numpy(np.random.default_rng(5).normal(size=16).astype(np.float32))

    logit, clicked, value = network._chosen_parts(observation, action, mask)
    expected = torch.where(click, clicked, value)
    log_loss = binary_cross_entropy_with_logits(logit, click.float())
    (0.7 * log_loss + (expected * upstream).sum()).backward()
    wanted = gradient.clone()
    assert wanted.abs().sum() > 1

    gradient.fill_(torch.nan)  # whatever was there is overwritten
    with torch.inference_mode():
        assert network.embed.by_hand
        torch.testing.assert_close(network(observation, mask), network(observation.clone(), mask))
        network(observations(seed=6), mask)  # other values in the same memory
        found, backward = network.given_click_with_backward(observation, action, click, 0.7, mask)
        backward(upstream)
    torch.testing.assert_close(found, expected.detach())
    torch.testing.assert_close(gradient, wanted, rtol=1e-5, atol=1e-5)


def test_values_by_hand_equal_those_of_autograd():
    network = ClickQNetwork(ADJACENT, (16, 8))
    every = network(observations()).detach()
    flatten_parameters(network)
    with torch.inference_mode():
        torch.testing.assert_close(network(observations()), every, rtol=1e-5, atol=1e-5)
