"""Fitted Q evaluation (Le, Voloshin & Yue 2019): what a decision is worth under a target policy.

From the logged transitions alone,

    Q(s, a)  <-  r + discount * sum over a' of pi(a'|s') Q(s', a')

is repeated until it stands still. Here Q is linear in the last hidden layer of the DQN's candidate
network, which is learned first and for all targets: from the reward that follows, from the rewards
and from the decisions left in the logged episode. In given features the repetition has a fixed
point in closed form, least-squares temporal differences (Duan, Jia & Wang 2020), which is what is
computed: a few dozen equations per target instead of thousands of gradient steps, and it says how
far each episode moved the result.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agents.dqn.by_hand import Adam, flatten_parameters
from agents.dqn.columns import ColumnLayout
from agents.dqn.networks import Backward, CandidateQNetwork
from agents.ope.estimators import Values
from agents.ope.trajectories import Array, Trajectories, decision_rows
from livestream_env.decisions import Decisions
from livestream_env.observation import ObservationLayout

FOLDS = 2
BATCH_SIZE = 512
LEARNING_RATE = 2e-3
EPOCHS = 15  # how often each step is learned from, unless those are too few or too many updates
FEWEST_UPDATES, MOST_UPDATES = 300, 5_000
RIDGE = 0.003  # per decision: what the log hardly tells is taken to be 0
_BLOCK = 2**11  # decisions at once: 10 MB of features


class FeatureNetwork(CandidateQNetwork):
    """A candidate network for the features in its last hidden layer.

    Args:
        layout: See :class:`CandidateQNetwork`.
        outputs: Numbers that it learns to predict for each candidate.
        width: W, of the hidden layers.
    """

    def __init__(self, layout: Any, outputs: int, width: int = 64) -> None:
        self.outputs = outputs
        super().__init__(layout, (width,))

    def features(self, observation: Tensor) -> Tensor:
        """``(B, D)`` to ``(B, N, W + 1)`` of each candidate, the last one constant."""
        shared, candidates = self._split(observation)
        hidden = self.embed(self.context(shared), candidates)
        hidden = hidden.view(*candidates.shape[:2], -1)
        return torch.cat([hidden, torch.ones_like(hidden[..., :1])], dim=2)

    def outputs_with_backward(self, observation: Tensor, action: Tensor) -> tuple[Tensor, Backward]:
        """What it predicts of one action each, ``(B, outputs)``; in inference mode, by hand.

        Returns:
            The predictions, and what sets all gradients from theirs.
        """
        shared, candidates = self._split(observation)
        chosen = candidates[torch.arange(len(action)), action][:, None]
        predicted: Tensor = self.scorer(self.embed(self.context(shared), chosen))

        def backward(gradient: Tensor) -> None:
            to_context = self.embed.backward(self.scorer.backward(gradient))
            self.context.backward(to_context, to_input=False)

        return predicted, backward


class FittedQ:
    """Values of logged decisions under K targets.

    Args:
        decisions: The log.
        log: The same as trajectories: which steps count, and their discounts.
        probabilities: float32 (T, N, K), of each target at the T decisions that count.
        layout: Of the observations.
        horizon: Decisions that count of an episode; None: all.
        seed: Of weights and batches.
    """

    def __init__(
        self,
        decisions: Decisions,
        log: Trajectories,
        probabilities: NDArray[np.float32],
        layout: ObservationLayout,
        horizon: int | None = None,
        seed: int = 0,
    ) -> None:
        self._decisions, self._log, self._seed, self._horizon = decisions, log, seed, horizon
        self._rows = decision_rows(decisions, horizon)
        self._probabilities = probabilities
        self._columns = ColumnLayout.of(layout)
        if horizon is not None:  # how much of it is over is a column, too: see _observe
            shared = np.r_[self._columns.shared_columns, layout.size]
            self._columns = ColumnLayout(
                shared, self._columns.candidate_columns, self._columns.valid_columns
            )
        self._action = decisions.action[self._rows].astype(np.int64)
        self._reward = log.reward[log.running]
        self._discount = log.discount[log.running]
        self._episode = np.repeat(np.arange(log.num_episodes), log.running.sum(axis=1))

    @torch.inference_mode()
    def fit(self) -> list[Values]:
        """Cross-fitted values, one entry per target.

        Viewers are split in :data:`FOLDS`; values of each fold's decisions come from features and
        equations of the others (Chernozhukov et al. 2018; Kallus & Uehara 2020). Then no estimate
        corrects itself by the noise that it has learned.
        """
        log, count = self._log, len(self._rows)
        rng = np.random.default_rng(self._seed)
        fold = (rng.permutation(log.cluster.max() + 1) % FOLDS)[log.cluster][self._episode]
        heads = self._probabilities.shape[2]
        state, chosen = np.zeros((2, count, heads))
        influence = np.zeros((log.num_episodes, heads))
        for held_out in range(FOLDS):
            mine, others = np.flatnonzero(fold == held_out), np.flatnonzero(fold != held_out)
            if not len(mine):
                continue
            if not len(others):  # of a single viewer
                others = mine
            network = self._learn(others, rng)
            matrix, right, start = self._equations(network, others, mine)
            solution = _solve(matrix, np.broadcast_to(right, start.shape))
            # How far an error at a decision with features f moves the sum of V(s_0): pull @ f.
            pull = _solve(matrix.transpose(0, 2, 1), start)
            v, q, weight = self._values(network, solution, pull)
            state[mine], chosen[mine] = v[mine], q[mine]
            errors = weight * self._errors(v, q)
            np.add.at(influence, self._episode[others], errors[others])
        return [
            Values(log.padded(state[:, k], 0.0), log.padded(chosen[:, k], 0.0), influence[:, k])
            for k in range(heads)
        ]

    def _learn(self, rows: NDArray[np.int64], rng: np.random.Generator) -> FeatureNetwork:
        """A network fitted to what followed the decisions of ``rows``."""
        left = np.cumsum(self._log.running[:, ::-1], axis=1)[:, ::-1]
        padded = self._log.running
        aims = np.stack([self._reward, self._log.to_go[padded], left[padded]], axis=1)
        aims = ((aims - aims.mean(axis=0)) / aims.std(axis=0).clip(1e-9)).astype(np.float32)
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(self._seed)
            network = FeatureNetwork(self._columns, aims.shape[1])
        adam = Adam(*flatten_parameters(network))
        updates = int(np.clip(EPOCHS * len(rows) // BATCH_SIZE, FEWEST_UPDATES, MOST_UPDATES))
        for update in range(updates):
            batch = rng.choice(rows, BATCH_SIZE)
            action = torch.from_numpy(self._action[batch])
            predicted, backward = network.outputs_with_backward(self._observe(batch), action)
            backward((predicted - torch.from_numpy(aims[batch])) * (2.0 / BATCH_SIZE))
            adam.step(LEARNING_RATE * (1.0 - update / updates))
        return network

    def _equations(
        self, network: FeatureNetwork, rows: NDArray[np.int64], starting: NDArray[np.int64]
    ) -> tuple[Array, Array, Array]:
        """``A_k w_k = b`` of the fixed points, with F features.

        Args:
            network: The features.
            rows: Decisions that the equations are made of.
            starting: Decisions among which those that begin an episode are summed.

        Returns:
            A (K, F, F), b (F,), and the sum over first decisions of the targets' mean features
            (K, F).
        """
        heads = self._probabilities.shape[2]
        size = network.scorer.sizes[0] + 1
        matrix, right = np.zeros((heads, size, size)), np.zeros(size)
        start = np.zeros((heads, size))
        is_row, is_start = np.zeros((2, len(self._rows)), np.bool_)
        is_row[rows] = True
        is_start[starting] = np.diff(self._episode[starting], prepend=-1) != 0
        for block, features, mean in self._features(network):
            now = is_row[block]
            mine = np.arange(len(now))[now]
            chosen = features[mine, self._action[block][mine]]
            right += chosen.T @ self._reward[block][mine]
            for k in range(heads):
                following = mean[mine + 1, k] * self._discount[block][mine, None]
                matrix[k] += chosen.T @ (chosen - following)
                start[k] += mean[: len(now), k][is_start[block]].sum(axis=0)
        matrix += np.eye(size) * RIDGE * len(rows)
        return matrix, right, start

    def _values(
        self, network: FeatureNetwork, solution: Array, pull: Array
    ) -> tuple[Array, Array, Array]:
        """V (T, K), Q of the logged action (T, K), and ``pull`` times its features (T, K)."""
        v, q, weight = np.zeros((3, len(self._rows), len(solution)))
        for block, features, mean in self._features(network):
            chosen = features[np.arange(len(features)), self._action[block]]
            v[block] = np.einsum("bkf,kf->bk", mean[: len(features)], solution)
            q[block], weight[block] = chosen @ solution.T, chosen @ pull.T
        return v, q, weight

    def _features(self, network: FeatureNetwork) -> Iterator[tuple[slice, Array, Array]]:
        """Block by block of b decisions.

        Yields:
            Which ones, features (b, N, F), and their means over each target's choice at these and
            at the next decision, (b + 1, K, F).
        """
        count = len(self._rows)
        for first in range(0, count, _BLOCK):
            block = slice(first, min(first + _BLOCK, count))
            rows = np.arange(first, block.stop + 1).clip(max=count - 1)
            features = network.features(self._observe(rows)).numpy().astype(np.float64)
            chances = self._probabilities[rows].transpose(0, 2, 1)
            yield block, features[:-1], chances @ features

    def _errors(self, v: Array, q: Array) -> Array:
        """``r + discount V(s') - Q(s, a)``, (T, K)."""
        following = np.roll(v, -1, axis=0)  # the last one's discount is 0
        return self._reward[:, None] + self._discount[:, None] * following - q

    def _observe(self, rows: NDArray[np.int64]) -> Tensor:
        """Observations (B, D), with the share of the horizon that is over if it is a short one."""
        at = self._rows[rows]
        observation = self._decisions.observations[at]
        if self._horizon is not None:
            over = (self._decisions.step[at] / self._horizon).astype(np.float32)
            observation = np.concatenate([observation, over[:, None]], axis=1)
        return torch.from_numpy(observation)


def _solve(matrix: Array, right: Array) -> Array:
    """``x`` (K, F) of ``matrix x = right``, (K, F, F) and (K, F)."""
    return np.linalg.solve(matrix, right[..., None])[..., 0].astype(np.float64)
