import pytest
import torch

from agents.dqn.by_hand import Adam


@pytest.mark.parametrize("by_hand", [False, True])
@pytest.mark.parametrize("max_norm", [None, 3.0])
def test_steps_equal_pytorchs(by_hand: bool, max_norm: float | None) -> None:
    torch.manual_seed(0)
    weights = torch.randn(101)
    theirs = torch.nn.Parameter(weights.clone())
    gradient = torch.zeros(101)
    ours, reference = Adam(weights, gradient, by_hand), torch.optim.Adam([theirs])
    for count in range(60):
        gradient.copy_(torch.randn(101) * (1.0 if count % 2 else 0.01))  # clipped, and not
        gradient[0] = 0.0
        theirs.grad = gradient.clone()
        if max_norm is not None:
            torch.nn.utils.clip_grad_norm_(theirs, max_norm)
        rate = reference.param_groups[0]["lr"] = 1e-2 / (1 + count)
        reference.step()
        ours.step(rate, max_norm or torch.inf)
        torch.testing.assert_close(weights, theirs.detach(), rtol=1e-5, atol=1e-6)
