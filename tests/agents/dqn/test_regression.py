import numpy as np
import torch

from agents.dqn.networks import MLPQNetwork
from agents.dqn.regression import fit_values


def test_learns_the_mean_of_each_action_and_repeats_itself() -> None:
    rng = np.random.default_rng(0)
    observations = rng.uniform(-1, 1, (4_000, 2)).astype(np.float32)
    actions = rng.integers(2, size=4_000)
    means = np.where(actions == 0, observations[:, 0], 1.0 - observations[:, 1])
    targets = means + rng.exponential(1.0, 4_000) - 1.0

    def fitted(count: int) -> np.ndarray:
        torch.manual_seed(0)
        network = MLPQNetwork(2, 2, (16,))
        rows = observations[:count], actions[:count], targets[:count]
        fit_values(network, *rows, epochs=30, seed=1, batch_size=100)
        with torch.inference_mode():
            return network(torch.from_numpy(observations)).numpy().copy()

    values = fitted(4_000)
    error = values[np.arange(4_000), actions] - means
    assert np.sqrt(np.mean(error**2)) < 0.15
    assert np.array_equal(values, fitted(4_000))
    assert np.isfinite(fitted(7)).all()  # fewer rows than a batch
