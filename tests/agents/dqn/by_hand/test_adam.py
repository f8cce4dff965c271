import pytest
import torch

from agents.dqn.by_hand.adam import Adam


@pytest.mark.parametrize("on_device", [False, True])
@pytest.mark.parametrize("max_norm", [None, 3.0])
def test_steps_equal_pytorchs(on_device: bool, max_norm: float | None) -> None:
    torch.manual_seed(0)
    weights = torch.randn(101)
    theirs = torch.nn.Parameter(weights.clone())
    gradient = torch.zeros(101)
    ours, reference = Adam(weights, gradient), torch.optim.Adam([theirs])
    step = ours._step_on_device if on_device else ours.step
    for count in range(60):
        gradient.copy_(torch.randn(101) * (1.0 if count % 2 else 0.01))  # clipped, and not
        gradient[0] = 0.0
        theirs.grad = gradient.clone()
        if max_norm is not None:
            torch.nn.utils.clip_grad_norm_(theirs, max_norm)
        rate = reference.param_groups[0]["lr"] = 1e-2 / (1 + count)
        reference.step()
        step(rate, max_norm or torch.inf)
        torch.testing.assert_close(weights, theirs.detach(), rtol=1e-5, atol=1e-6)
