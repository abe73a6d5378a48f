"""Saves one small network in the ways that people save networks, and its logits for some images.

    pip install numpy safetensors torch keras jax flax scikit-learn
    KERAS_BACKEND=jax python networks.py

writes files of PyTorch, Keras, Flax, scikit-learn and NumPy to `networks/`, and `networks/expected.safetensors` with `images`
and, for each file, the logits that its program computes. The tests of this project read the files and must compute these logits.
"""

import pathlib

import flax.linen
import jax
import keras
import numpy as np
import safetensors.flax
import safetensors.numpy
import safetensors.torch
import sklearn.neural_network
import torch

FOLDER = pathlib.Path(__file__).parent / "networks"
SIZES = (12, 8, 6, 4)


class Attributes(torch.nn.Module):
    """Layers with names of their own, the last of which has no number."""

    def __init__(self):
        super().__init__()
        self.fc1 = torch.nn.Linear(12, 8)
        self.fc2 = torch.nn.Linear(8, 6)
        self.out = torch.nn.Linear(6, 4)

    def forward(self, images):
        return self.out(torch.tanh(self.fc2(torch.tanh(self.fc1(images)))))


def sequential(bias=True):
    linear = [torch.nn.Linear(inputs, outputs, bias=bias) for inputs, outputs in zip(SIZES, SIZES[1:])]
    return torch.nn.Sequential(linear[0], torch.nn.Tanh(), linear[1], torch.nn.Tanh(), linear[2])


def by_pytorch(images):
    """Saves networks of PyTorch, and returns their logits by file name."""
    torch.manual_seed(1)
    attributes, layers, without_bias = Attributes(), sequential(), sequential(bias=False)
    optimizer = torch.optim.Adam(layers.parameters())
    layers(images).sum().backward()
    optimizer.step()
    state = layers.state_dict()
    checkpoint = {"epoch": 3, "model_state_dict": state, "optimizer_state_dict": optimizer.state_dict(), "loss": 0.5}
    torch.save(state, FOLDER / "sequential.pth")
    torch.save(state, FOLDER / "sequential-old-format.pth", _use_new_zipfile_serialization=False)
    torch.save(checkpoint, FOLDER / "checkpoint.pt")
    torch.save(layers, FOLDER / "whole-model.pt")
    torch.save(without_bias.state_dict(), FOLDER / "no-bias.pth")
    safetensors.torch.save_file(attributes.state_dict(), FOLDER / "attributes.safetensors")
    safetensors.torch.save_file(torch.compile(attributes).state_dict(), FOLDER / "compiled.safetensors")
    safetensors.torch.save_file(torch.nn.DataParallel(attributes).state_dict(), FOLDER / "data-parallel.safetensors")
    with torch.no_grad():
        logits = {name: layers(images) for name in ["sequential", "sequential-old-format", "checkpoint", "whole-model"]}
        logits |= {name: attributes(images) for name in ["attributes", "compiled", "data-parallel"]}
        logits["no-bias"] = without_bias(images)
        # Halves last: this rounds the parameters.
        torch.save(layers.half().state_dict(), FOLDER / "half.pth")
        logits["half"] = layers.float()(images)
        safetensors.torch.save_file(attributes.bfloat16().state_dict(), FOLDER / "bfloat16.safetensors")
        logits["bfloat16"] = attributes.float()(images)
        safetensors.torch.save_file(attributes.double().state_dict(), FOLDER / "double.safetensors")
        logits["double"] = attributes(images.double()).float()
    return {name: values.numpy() for name, values in logits.items()}


def by_keras(images):
    """Saves the weights of a Keras network, and returns its logits by file name."""
    keras.utils.set_random_seed(2)
    dense = [keras.layers.Dense(units, activation="tanh", bias_initializer="normal") for units in SIZES[1:3]]
    network = keras.Sequential([keras.Input((12,)), *dense, keras.layers.Dense(4, bias_initializer="normal")])
    np.savez(FOLDER / "keras-get-weights.npz", *network.get_weights())
    np.savez(FOLDER / "keras-paths.npz", **{variable.path: variable.numpy() for variable in network.variables})
    logits = np.asarray(network(images))
    return {"keras-get-weights": logits, "keras-paths": logits}


def by_flax(images):
    """Saves the parameters of a Flax network, and returns its logits by file name."""
    network = flax.linen.Sequential(
        [flax.linen.Dense(8), jax.numpy.tanh, flax.linen.Dense(6), jax.numpy.tanh, flax.linen.Dense(4)]
    )
    variables = network.init(jax.random.key(3), images)
    flat = {".".join(path): values for path, values in flax.traverse_util.flatten_dict(variables).items()}
    safetensors.flax.save_file(flat, FOLDER / "flax.safetensors")
    return {"flax": np.asarray(network.apply(variables, images))}


def by_hand(images):
    """Saves networks of scikit-learn and NumPy, and returns their logits by file name."""
    labels = np.arange(len(images)) % 4
    network = sklearn.neural_network.MLPClassifier(SIZES[1:3], activation="tanh", max_iter=3, random_state=4)
    network.partial_fit(images, labels, classes=range(4))
    layers = {f"coefs_{index}": values for index, values in enumerate(network.coefs_)}
    layers |= {f"intercepts_{index}": values for index, values in enumerate(network.intercepts_)}
    np.savez(FOLDER / "scikit-learn.npz", **layers)
    columns = {f"W{index + 1}": values.T for index, values in enumerate(network.coefs_)}
    columns |= {f"b{index + 1}": values[:, None] for index, values in enumerate(network.intercepts_)}
    # The state of Adam by hand, and the gradients, beside the parameters.
    columns |= {f"m{name}": np.zeros_like(values) for name, values in columns.items()} | {"dW1": columns["W1"] * 0.1}
    np.savez_compressed(FOLDER / "numpy-columns.npz", activation="tanh", **columns)
    values = images
    for index, (weight, bias) in enumerate(zip(network.coefs_, network.intercepts_)):
        values = values @ weight + bias
        values = np.tanh(values) if index < 2 else values
    logits = values.astype(np.float32)
    return {"scikit-learn": logits, "numpy-columns": logits}


def main():
    FOLDER.mkdir(exist_ok=True)
    images = np.random.default_rng(0).random((5, 12), dtype=np.float32)
    logits = by_pytorch(torch.from_numpy(images)) | by_keras(images) | by_flax(images) | by_hand(images)
    safetensors.numpy.save_file({"images": images, **logits}, FOLDER / "expected.safetensors")


if __name__ == "__main__":
    main()
