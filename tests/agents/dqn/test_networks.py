from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch

from agents.dqn.by_hand import flatten_parameters
from agents.dqn.columns import ColumnLayout, Columns, CrossedColumns, LayoutColumns
from agents.dqn.networks import CandidateQNetwork, MLPQNetwork

SLOTS, FEATURES, SHARED = 6, 4, 7
SIZE = SHARED + SLOTS * FEATURES
ADJACENT = ColumnLayout(
    shared_columns=np.arange(SHARED),
    candidate_columns=np.arange(SHARED, SIZE).reshape(SLOTS, FEATURES),
    valid_columns=np.arange(SHARED, SIZE, FEATURES),
    past_columns=np.array([1, 2]),
    trace_columns=np.array([4, 5, 6]),
)
_shuffled = np.random.default_rng(0).permutation(SIZE)
SCATTERED = ColumnLayout(
    shared_columns=_shuffled[:SHARED],
    candidate_columns=_shuffled[SHARED:].reshape(SLOTS, FEATURES),
    valid_columns=_shuffled[SHARED::FEATURES],
    past_columns=_shuffled[[1, 2]],
    trace_columns=_shuffled[[4, 5, 6]],
)
VARIANTS = pytest.mark.parametrize(
    ("dueling", "summary", "crosses"),
    [(*both, False) for both in product((False, True), repeat=2)]
    + [(False, False, True), (True, True, True)],
)
LAYOUTS = pytest.mark.parametrize("layout", [ADJACENT, SCATTERED], ids=["adjacent", "scattered"])


def observations(batch=16, seed=0):
    return torch.from_numpy(
        np.random.default_rng(seed).uniform(-1, 1, (batch, SIZE)).astype(np.float32)
    )


def masks(batch=16, seed=1):
    mask = np.random.default_rng(seed).random((batch, SLOTS)) < 0.6
    mask[:, 0] |= ~mask.any(axis=1)
    return torch.from_numpy(mask)


@LAYOUTS
@VARIANTS
@torch.no_grad()
def test_candidate_network_is_permutation_equivariant(layout, dueling, summary, crosses):
    network = CandidateQNetwork(layout, (16, 8), dueling, summary, crosses)
    observation, mask = observations(), masks()
    order = np.random.default_rng(2).permutation(SLOTS)
    reordered = observation.clone()
    reordered[:, layout.candidate_columns] = observation[:, layout.candidate_columns[order]]
    torch.testing.assert_close(
        network(reordered, mask[:, order]), network(observation, mask)[:, order]
    )


@LAYOUTS
@VARIANTS
@torch.no_grad()
def test_empty_slots_influence_no_other(layout, dueling, summary, crosses):
    network = CandidateQNetwork(layout, (16, 8), dueling, summary, crosses)
    observation, mask = observations(), masks()
    changed = observation.clone()
    for row, slot in zip(*np.nonzero(~mask.numpy()), strict=True):
        changed[row, layout.candidate_columns[slot]] = 1000.0
    before, after = network(observation, mask), network(changed, mask)
    torch.testing.assert_close(after[mask], before[mask])
    assert not torch.allclose(after[~mask], before[~mask])


@LAYOUTS
@VARIANTS
@torch.no_grad()
def test_every_column_is_used(layout, dueling, summary, crosses):
    network = CandidateQNetwork(layout, (64, 64), dueling, summary, crosses)
    observation = observations(1)
    values = network(observation)
    for column in range(SIZE):
        changed = observation.clone()
        changed[0, column] += 1.0
        assert not torch.equal(network(changed), values), column


def test_both_layouts_read_the_same_features():
    adjacent, scattered = (CandidateQNetwork(lay, (16,)) for lay in (ADJACENT, SCATTERED))
    scattered.load_state_dict(adjacent.state_dict())
    observation = observations()
    moved = torch.empty_like(observation)
    moved[:, SCATTERED.shared_columns] = observation[:, ADJACENT.shared_columns]
    moved[:, SCATTERED.candidate_columns] = observation[:, ADJACENT.candidate_columns]
    torch.testing.assert_close(scattered(moved), adjacent(observation))


@VARIANTS
@torch.no_grad()
def test_chosen_values_are_those_of_the_full_network(dueling, summary, crosses):
    action = torch.from_numpy(np.random.default_rng(3).integers(0, SLOTS, 16))
    for network in (
        CandidateQNetwork(ADJACENT, (16, 8), dueling, summary, crosses),
        MLPQNetwork(SIZE, SLOTS, (16, 8), dueling),
    ):
        every = network(observations(), masks())
        chosen = network.chosen(observations(), action, masks())
        assert chosen.shape == (16,)
        torch.testing.assert_close(chosen, every[torch.arange(16), action])


def test_context_is_computed_once_per_observation_and_only_chosen_slots_are_scored():
    network = CandidateQNetwork(ADJACENT, (16, 8))
    rows = {}
    for name in ("context", "scorer"):
        network.get_submodule(name).register_forward_hook(
            lambda module, inputs, output, name=name: rows.__setitem__(name, len(output))
        )
    network(observations())
    assert rows == {"context": 16, "scorer": 16 * SLOTS}
    network.chosen(observations(), torch.zeros(16, dtype=torch.int64))
    assert rows == {"context": 16, "scorer": 16}


@torch.no_grad()
def test_dueling_centres_the_advantage_over_valid_actions():
    observation, mask = observations(), masks()
    mlp = MLPQNetwork(SIZE, SLOTS, (16,), dueling=True)
    value = mlp.value(mlp.trunk(observation))
    for valid in (mask, torch.ones_like(mask)):
        mean = (mlp(observation, valid) * valid).sum(1, keepdim=True) / valid.sum(1, keepdim=True)
        torch.testing.assert_close(mean, value)
    torch.testing.assert_close(mlp(observation), mlp(observation, torch.ones_like(mask)))


def test_mlp_is_the_plain_one():
    network = MLPQNetwork(5, 3, (24, 24))
    assert [tuple(weight.shape) for weight in network.parameters()] == [
        (24, 5), (24,), (24, 24), (24,), (3, 24), (3,),
    ]  # fmt: skip


@LAYOUTS
def test_crosses_are_products_with_the_columns_of_the_past(layout):
    observation = observations()
    columns, given = CrossedColumns(layout), observation.numpy()
    read = columns(observation).numpy()
    shared, rows = np.split(read, [columns.num_shared], axis=1)
    past, traces = given[:, layout.past_columns], given[:, layout.trace_columns]
    np.testing.assert_array_equal(shared[:, :SHARED], given[:, layout.shared_columns])
    products = [past[:, i] * traces[:, j] for i in range(2) for j in range(3)]
    np.testing.assert_array_equal(shared[:, SHARED:], np.stack(products, axis=1))
    for slot, row in enumerate(np.split(rows, SLOTS, axis=1)):
        features = given[:, layout.candidate_columns[slot]]
        wanted = [features, past[:, :1] * features, past[:, 1:] * features]
        np.testing.assert_array_equal(row, np.concatenate(wanted, axis=1))


def test_without_a_past_there_is_nothing_to_cross():
    layout = ColumnLayout(
        ADJACENT.shared_columns, ADJACENT.candidate_columns, ADJACENT.valid_columns
    )
    torch.testing.assert_close(
        CrossedColumns(layout)(observations()), LayoutColumns(layout)(observations())
    )


def test_columns_are_a_view_where_evenly_spaced():
    observation = observations()
    for columns in ([3, 4, 5], [2, 6, 10], [4]):
        view = Columns(np.array(columns))(observation)
        assert view.data_ptr() == observation[:, columns[0]].data_ptr()
        torch.testing.assert_close(view, observation[:, columns])
    for columns in ([5, 3], [1, 2, 4], [3, 3], []):
        copy = Columns(np.array(columns, dtype=np.int64))(observation)
        torch.testing.assert_close(copy, observation[:, columns])


def test_flattening_keeps_the_function_and_shares_memory():
    network = CandidateQNetwork(ADJACENT, (16, 8), dueling=True)
    before = network(observations()).detach()
    weights, gradient = flatten_parameters(network)
    assert weights.numel() == sum(weight.numel() for weight in network.parameters())
    torch.testing.assert_close(network(observations()), before)

    network(observations()).sum().backward()
    separate = torch.cat([weight.grad.flatten() for weight in network.parameters()])
    assert gradient.abs().sum() > 0
    torch.testing.assert_close(gradient, separate)
    weights.zero_()
    assert all(not weight.any() for weight in network.parameters())


def test_column_layout_round_trip():
    copy = ColumnLayout.from_json(ADJACENT.to_json())
    for name, columns in vars(ADJACENT).items():
        np.testing.assert_array_equal(getattr(copy, name), columns)
    assert copy.to_json() == ADJACENT.to_json()


@LAYOUTS
@VARIANTS
@pytest.mark.parametrize("sizes", [(16,), (16, 8), (16, 8, 4)])
@pytest.mark.parametrize("batch", [1, 3, 50])
def test_values_by_hand_equal_those_of_autograd(layout, dueling, summary, crosses, sizes, batch):
    network = CandidateQNetwork(layout, sizes, dueling, summary, crosses)
    observation, mask = observations(batch), masks(batch)
    action = torch.arange(batch) % SLOTS  # also the last slot, at the end of the memory
    every = network(observation, mask).detach()
    flatten_parameters(network)
    with torch.inference_mode():
        assert network.embed.by_hand
        by_hand = network(observation, mask).clone()
        chosen = network.chosen(observation, action, mask)
        torch.testing.assert_close(by_hand, every, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(chosen, every[torch.arange(batch), action], rtol=1e-5, atol=1e-5)


def test_gradient_by_hand_after_a_pass_over_every_slot():
    network = CandidateQNetwork(ADJACENT, (16,))
    _, gradient = flatten_parameters(network)
    action = torch.zeros(SLOTS, dtype=torch.int64)
    network.chosen(observations(SLOTS), action).sum().backward()
    expected = gradient.clone()
    with torch.inference_mode():
        network(observations(1, seed=5))  # scores as many slots as the next line
        values, backward = network.chosen_with_backward(observations(SLOTS), action)
        backward(torch.ones_like(values))
    torch.testing.assert_close(gradient, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("slot", [-1, SLOTS])
def test_no_slots_but_the_observations_own(slot):
    network = CandidateQNetwork(ADJACENT, (16,))
    flatten_parameters(network)
    with torch.inference_mode(), pytest.raises(IndexError, match="slot"):
        network.chosen(observations(2), torch.tensor([0, slot]))


def test_columns_beyond_the_layout_are_ignored():
    network = CandidateQNetwork(ADJACENT, (16,))
    flatten_parameters(network)
    wider = torch.cat([observations(), torch.ones(16, 3)], dim=1)
    with torch.inference_mode():
        expected = network(observations()).clone()
        torch.testing.assert_close(network(wider), expected)


@LAYOUTS
@VARIANTS
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("sizes", [(16,), (16, 8, 4)])
def test_backward_by_hand_equals_autograd(layout, dueling, summary, crosses, masked, sizes):
    action = torch.from_numpy(np.random.default_rng(3).integers(0, SLOTS, 16))
    upstream = torch.from_numpy(np.random.default_rng(4).normal(size=16).astype(np.float32))
    mask = masks() if masked else None
    for network in (
        CandidateQNetwork(layout, sizes, dueling, summary, crosses),
        MLPQNetwork(SIZE, SLOTS, sizes, dueling),
    ):
        _, gradient = flatten_parameters(network)
        chosen = network.chosen(observations(), action, mask)
        chosen.backward(upstream)
        expected = gradient.clone()
        assert expected.abs().sum() > 1

        gradient.fill_(torch.nan)  # whatever was there is overwritten
        with torch.inference_mode():
            by_hand, backward = network.chosen_with_backward(observations(), action, mask)
            backward(upstream)
        torch.testing.assert_close(by_hand, chosen.detach())
        torch.testing.assert_close(gradient, expected, rtol=1e-5, atol=1e-5)
