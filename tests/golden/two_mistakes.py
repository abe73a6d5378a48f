"""Writes the trace of a NumPy network with two mistakes in its gradients, which contains nothing but parameters.

    pip install ./python
    python tests/golden/two_mistakes.py tests/golden/two-mistakes.safetensors
"""

import sys

import numpy as np

import mlp_parity as mp

random = np.random.default_rng(0)
W1, b1, W2, b2 = (random.normal(0, 0.4, shape) for shape in [(20, 9), (9,), (9, 5), (5,)])


def train_step(x, y):
    h = np.tanh(x @ W1 + b1)
    z = h @ W2 + b2
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    d2 = (p - np.eye(5)[y]) / len(x)
    d1 = d2 @ W2.T * (1 - np.tanh(h) ** 2)  # The derivative is taken at h in place of its argument,
    W1[:] -= 0.1 * x.T @ d1
    W2[:] -= 0.1 * h.T @ d2
    b1[:] -= 0.1 * d1.mean(axis=0)  # and the gradients of the biases are divided by the number of images twice.
    b2[:] -= 0.1 * d2.mean(axis=0)


report = mp.check_step(train_step, parameters=[(W1, b1), (W2, b2)], activation="tanh", optimizer=mp.SGD(0.1))
report.save_trace(sys.argv[1])
