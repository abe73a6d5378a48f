"""Shows a check of a small network in NumPy whose gradient is wrong: `python -m mlp_parity`."""

from __future__ import annotations

from typing import Any

import numpy as np

import mlp_parity as mp


class Network:
    """A network with one hidden layer. Its `train_step` has a mistake."""

    def __init__(self) -> None:
        random = np.random.default_rng(0)
        self.W1, self.b1 = random.normal(0, 0.1, (784, 32)), np.zeros(32)
        self.W2, self.b2 = random.normal(0, 0.1, (32, 10)), np.zeros(10)

    def train_step(self, x: Any, y: Any) -> None:
        """Train with images `[images, 784]` and labels `[images]`."""
        z1 = x @ self.W1 + self.b1
        h = np.maximum(z1, 0)
        z2 = h @ self.W2 + self.b2
        p = np.exp(z2 - z2.max(1, keepdims=True))
        d2 = (p / p.sum(1, keepdims=True) - np.eye(10)[y]) / len(x)
        d1 = d2 @ self.W2.T  # The factor (z1 > 0) is missing.
        self.W2 -= 0.1 * h.T @ d2
        self.b2 -= 0.1 * d2.sum(0)
        self.W1 -= 0.1 * x.T @ d1
        self.b1 -= 0.1 * d1.sum(0)


def main() -> None:
    """Check the network, and print the report."""
    net = Network()
    parameters = lambda: [(net.W1, net.b1), (net.W2, net.b2)]  # noqa: E731
    report = mp.check_step(net.train_step, parameters=parameters, activation="relu", optimizer=mp.SGD(0.1))
    print("A network whose backward pass lacks the derivative of ReLU, d1 = d2 @ W2.T:\n")
    print(report)


if __name__ == "__main__":
    main()
