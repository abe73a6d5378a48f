"""Writes a trace of hand-written backpropagation in NumPy, for `compare check --trace FILE`.

    pip install ./python
    python tests/golden/trace_numpy.py FILE
"""

import sys

import numpy as np

import mlp_parity as mp

SIZES, RATE, STEPS, IMAGES = [20, 12, 8, 10], 0.1, 5, 16


def forward(layers, images):
    """Returns the images, the activations of each hidden layer, and the logits."""
    activations = [images]
    for index, (weight, bias) in enumerate(layers):
        sums = activations[-1] @ weight + bias
        activations.append(sums if index == len(layers) - 1 else np.tanh(sums))
    return activations


def backward(layers, activations, labels):
    """Returns the mean cross-entropy and its gradients with respect to the weight and bias of each layer."""
    logits = activations[-1] - activations[-1].max(axis=1, keepdims=True)
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    rows = np.arange(len(labels))
    loss = -np.log(probabilities[rows, labels]).mean()
    delta = probabilities
    delta[rows, labels] -= 1
    delta /= len(labels)
    gradients = []
    for index in reversed(range(len(layers))):
        gradients.insert(0, (activations[index].T @ delta, delta.sum(axis=0)))
        delta = (delta @ layers[index][0].T) * (1 - activations[index] ** 2)
    return loss, gradients


def named(prefix, layers):
    """Returns the tensors of all layers with their names in a trace."""
    tensors = {}
    for index, (weight, bias) in enumerate(layers):
        name = "output_layer" if index == len(layers) - 1 else f"layer{index + 1}"
        tensors[f"{prefix}{name}.weight"] = weight.copy()
        tensors[f"{prefix}{name}.bias"] = bias.copy()
    return tensors


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    random = np.random.default_rng(0)
    # Biases are random too: with zero biases, an error in their use would not show in the first batch.
    layer = lambda shape: (random.uniform(-0.5, 0.5, shape), random.uniform(-0.5, 0.5, shape[1]))
    layers = [layer(shape) for shape in zip(SIZES, SIZES[1:])]
    tensors = named("initial.", layers)
    for step in range(STEPS):
        images, labels = random.random((IMAGES, SIZES[0])), random.integers(0, SIZES[-1], IMAGES)
        activations = forward(layers, images)
        loss, gradients = backward(layers, activations, labels)
        if step == 0:
            tensors |= {"logits": activations[-1], "loss": np.array([loss])} | named("gradient.", gradients)
        layers = [(w - RATE * gw, b - RATE * gb) for (w, b), (gw, gb) in zip(layers, gradients)]
        tensors |= {f"batch.{step}.images": images, f"batch.{step}.labels": labels, f"step.{step}.loss": np.array([loss])}
        tensors |= named(f"step.{step}.", layers)
    metadata = {
        "producer": f"NumPy {np.__version__}, by hand",
        "activation": "tanh",
        "optimizer": "sgd",
        "learning_rate": str(RATE),
        "weight_decay": "0",
    }
    mp.Trace(metadata, tensors).save(sys.argv[1])


if __name__ == "__main__":
    main()
