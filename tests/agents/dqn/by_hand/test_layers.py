from __future__ import annotations

import pytest
import torch

from agents.dqn.by_hand import Embed, Layers, flatten_parameters


def compare_with_autograd(module, inputs, differentiable):
    """Results and all gradients, by hand and by autograd, for the same upstream gradient."""
    _, gradient = flatten_parameters(module)
    for tensor in differentiable:
        tensor.requires_grad_()
    result = module(*inputs)
    upstream = torch.randn(result.shape)
    result.backward(upstream)
    expected = gradient.clone()
    plain = [tensor.detach() for tensor in inputs]
    gradient.fill_(torch.nan)  # whatever was there is overwritten
    with torch.inference_mode():
        assert module.by_hand
        torch.testing.assert_close(module(*plain), result.detach(), rtol=1e-5, atol=1e-5)
        to_input = module.backward(upstream.clone())
    torch.testing.assert_close(gradient, expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(to_input, differentiable[0].grad, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("sizes", [(5, 1), (7, 16, 3), (4, 8, 8, 2)])
@pytest.mark.parametrize("relu_last", [False, True])
@pytest.mark.parametrize("rows", [1, 33])
def test_layers(sizes, relu_last, rows):
    torch.manual_seed(0)
    x = torch.randn(rows, sizes[0])
    compare_with_autograd(Layers(sizes, relu_last), [x], [x])


@pytest.mark.parametrize("count", [1, 6])
def test_embed(count):
    torch.manual_seed(0)
    context = torch.randn(9, 8)
    compare_with_autograd(Embed(5, 8), [context, torch.randn(9, count, 5)], [context])


def test_columns_of_a_wider_batch():
    layers, wide = Layers((3, 4)), torch.randn(6, 10)
    flatten_parameters(layers)
    with torch.inference_mode():
        torch.testing.assert_close(layers(wide[:, 2:5]), layers(wide[:, 2:5].clone()))


def test_many_sizes_of_batches_take_no_more_memory():
    layers = Layers((3, 4))
    flatten_parameters(layers)
    with torch.inference_mode():
        for rows in range(1, 100):
            assert layers(torch.zeros(rows, 3)).shape == (rows, 4)
    assert len(layers._memory) <= 8


def test_unbound_or_elsewhere_autograd():
    layers = Layers((3, 4))
    with torch.inference_mode():
        assert not layers.by_hand
    flatten_parameters(layers)
    assert not layers.by_hand
    on_meta = Layers((3, 4)).to("meta")
    flatten_parameters(on_meta)
    with torch.inference_mode():
        assert not on_meta.by_hand
        assert on_meta(torch.zeros(2, 3, device="meta")).shape == (2, 4)
