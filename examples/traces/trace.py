"""Writes a small trace of a network in NumPy: one hidden layer, one batch, one step.

    pip install numpy
    python trace.py trace.npz
"""

import sys

import numpy as np

random = np.random.default_rng(0)
images, labels = random.random((4, 3)), np.array([0, 1, 1, 0])
w1, b1, w2, b2 = (random.uniform(-0.5, 0.5, shape) for shape in [(3, 5), (5,), (5, 2), (2,)])
trace = {
    "format": "mlp-parity-trace/2",
    "activation": "tanh",
    "learning_rate": 0.1,
    # Copies, because the step below changes the arrays in place.
    "initial.layer1.weight": w1.copy(),
    "initial.layer1.bias": b1.copy(),
    "initial.output_layer.weight": w2.copy(),
    "initial.output_layer.bias": b2.copy(),
    "batch.0.images": images,
    "batch.0.labels": labels,
}

# From here on, your own network.
hidden = np.tanh(images @ w1 + b1)
logits = hidden @ w2 + b2
probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
trace["logits"] = logits
trace["loss"] = -np.log(probabilities[np.arange(4), labels]).mean()
delta = (probabilities - np.eye(2)[labels]) / 4
dw2, db2 = hidden.T @ delta, delta.sum(axis=0)
delta = (delta @ w2.T) * (1 - hidden**2)
dw1, db1 = images.T @ delta, delta.sum(axis=0)
for layer, w, b, dw, db in [("layer1", w1, b1, dw1, db1), ("output_layer", w2, b2, dw2, db2)]:
    trace[f"gradient.{layer}.weight"], trace[f"gradient.{layer}.bias"] = dw, db
    w -= 0.1 * dw
    b -= 0.1 * db
    trace[f"step.0.{layer}.weight"], trace[f"step.0.{layer}.bias"] = w.copy(), b.copy()

np.savez(sys.argv[1], **trace)
