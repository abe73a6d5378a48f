"""Checks trace files: `python -m mlp_parity FILE…`. Without files, shows a check of a small network whose gradient is wrong."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
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


def demonstrate() -> None:
    """Check the network, and print the report."""
    net = Network()
    parameters = lambda: [(net.W1, net.b1), (net.W2, net.b2)]  # noqa: E731
    report = mp.check_step(net.train_step, parameters=parameters, activation="relu", optimizer=mp.SGD(0.1))
    print("A network whose backward pass lacks the derivative of ReLU, d1 = d2 @ W2.T:\n")
    print(report)


def main(arguments: Sequence[str]) -> int:
    """Check the traces that the arguments name, or show the demonstration. Return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m mlp_parity",
        description="Checks trace files. Without files, checks a network with a mistake, as a demonstration.",
        epilog="Exit code: 0 if all traces agree, 1 if one does not, 2 if one cannot be read.",
    )
    parser.add_argument("files", nargs="*", metavar="FILE", help="trace in safetensors, .npz or JSON format")
    files: list[str] = parser.parse_args(arguments).files
    if not files:
        demonstrate()
    code = 0
    for file in files:
        try:
            report = mp.check_trace(file)
        except (mp.Error, OSError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            print(f"{file}: {reason}", file=sys.stderr)
            code = 2
            continue
        print(f"{file}:\n{report}" if len(files) > 1 else report)
        code = code or int(not report)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
