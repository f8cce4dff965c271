"""Gradients and Adam written by hand, for networks too small for autograd.

Autograd notes every operation down and makes fresh memory for every result, which in networks as
small as these costs as much as the matrix products. What it would find out is known beforehand:
there are two kinds of layers, one loss, and a slope at one action per row.
``DQNConfig(gradients="autograd")`` takes PyTorch's way instead and gives the same numbers up to
rounding. (Weights that no Q-value depends on may drift apart, such as the candidates' last bias if
dueling: Adam makes steps even of a gradient that is rounding alone.)

**What an update computes, in this order** (:meth:`agents.dqn.learner.QLearner.update`). B rows; y,
the bootstrap targets, are constants; w are the importance weights, or 1.

1. Targets y: forward passes only, of the target network and, if double, of the online one.
2. Forward, keeping what each layer put out. Per layer of :class:`Layers`, X to X'::

       X' = relu(X W^T + b)                      the last layer of a stack mostly without relu

   Candidate network: context C = layers(shared columns); per slot with features F, embedding
   matrix E, :class:`Embed` gives H[i,k] = relu(C[i] + E F[i,k]); Q[i,k] = layers(H[i,k]).
   :class:`SlotScorer` does all three at once, and here for the chosen slots only.
3. The loss's slope at the chosen values, d = Q(s,a) - y::

       squared: mean w d^2                       g = dL/dQ = 2 w d / B
       huber:   mean w (d^2/2, or |d| - 1/2)     g = dL/dQ = w clamp(d, -1, 1) / B

   With ``inverse_variance`` c, w also has the factor 1 / (1 + (q / c)^2), over its mean in the
   batch, a constant; q is the value whose error is weighed.
   All other values have slope 0. Dueling, Q = V + A - mean of A over the n valid actions, m their
   mask: dL/dV = g and dL/dA[j] = g ([j = a] - m[j] / n).
   ``q_form="click"``, Q = V + P (C - V) with P = sigmoid(l), and k = 1 if there was a click, else
   0: the squares are of C - y or V - y, P's log loss has the factor c = ``click_weight``, and ::

       dL/dC = k g          dL/dV = (1 - k) g          dL/dl = c (P - k) / B
4. Backward. Per layer, from G = dL/dX'::

       G = G * [X' > 0]                          if a relu follows
       dL/dW = G^T X        dL/db = sum of G over the rows        dL/dX = G W

   Embed, from G = dL/dH * [H > 0]:  dL/dE = G^T F over all rows and slots; dL/dC[i] = sum over k of
   G[i,k]. Dueling and click: the branches' gradients of what they share are added up.
5. Clipping and Adam, on all P parameters as one vector, at step t (:class:`Adam`)::

       g = g / max(1, |g| / max_norm)
       u += 0.1 (g - u)        v += 0.001 (g^2 - v)
       weights -= rate / (1 - 0.9^t) * u / (sqrt(v / (1 - 0.999^t)) + 1e-8)

6. Target network: its vector is copied from, or drawn towards, the online one's.

**Why nothing else is needed.** Targets are constants, so the target network has no gradient.
Nothing before the first layer is learned (columns are selected, and the summary's mean and maximum
are functions of the observation), so dL/dX stops there.

**In which memory.**

- :func:`flatten_parameters` makes two float32 vectors ``(P,)`` per network, parameters and
  gradients. The parameters, their ``grad`` and the kernels' :class:`BoundArrays` are views of them,
  so nothing is copied between backward pass, Adam and target copy. A backward pass overwrites the
  gradients and never adds to them; it must have reached every layer before Adam reads them.
- Each module has an array per layer for outputs and one for gradients of inputs, made at the first
  batch of a size and used again for every later one; at most eight sizes, then all are dropped.
  :class:`SlotScorer` also keeps the columns that it copies from the observations.
  **The next call with as many rows overwrites a result**, so it is to be used or copied before;
  ``backward`` belongs to the latest call. In an update no call of the online network lies between
  steps 2 and 4, and the targets of step 1 are fresh memory by then.
- The gradient handed to ``backward`` is overwritten if a relu follows the last layer.

**Where.** On a CPU, float32, in inference mode, after :meth:`ByHand.bind`. Elsewhere (GPU, unbound
modules, grad mode) the same modules are ordinary ones: autograd differentiates them and PyTorch's
fused Adam makes the step, on the same vectors.

**What holds it.** ``tests/agents/dqn/``: ``by_hand/test_layers.py`` (each layer against autograd),
``by_hand/test_adam.py`` (against ``torch.optim.Adam``), ``test_networks.py`` and
``test_click_network.py`` (values and gradients of each network), ``test_learner.py`` (updates
against a textbook's in plain PyTorch) and ``test_gradients.py`` (the two settings against each
other, over training).

Files: ``layers`` (modules), ``kernels`` (their arithmetic, compiled), ``parameters``, ``adam``.
"""

from agents.dqn.by_hand import kernels
from agents.dqn.by_hand.adam import Adam
from agents.dqn.by_hand.layers import BoundArrays, ByHand, Embed, Layers, SlotScorer
from agents.dqn.by_hand.parameters import flatten_parameters

__all__ = [
    "Adam",
    "BoundArrays",
    "ByHand",
    "Embed",
    "Layers",
    "SlotScorer",
    "flatten_parameters",
    "kernels",
]
