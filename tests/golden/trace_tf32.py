"""Writes traces of PyTorch and JAX on a graphics card that rounds the factors of matrix products to TF32, into tf32/ beside
this file. It is the default of JAX.

    pip install torch jax[cuda] numpy safetensors
    python trace_tf32.py
"""

import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import torch
from safetensors.numpy import save_file
from torch.nn import functional as F

SIZES, IMAGES, RATE = {"layer1": (32, 48), "layer2": (48, 24), "output_layer": (24, 10)}, 16, 0.1


def logits(library, parameters, values):
    """Returns the logits, with the functions of PyTorch or of jax.numpy. Weights are [inputs, outputs]."""
    for name in SIZES:
        values = values @ parameters[f"{name}.weight"] + parameters[f"{name}.bias"]
        values = values if name == "output_layer" else library.tanh(values)
    return values


def by_torch(parameters, images, labels):
    """Returns logits, loss and gradients."""
    torch.backends.cuda.matmul.allow_tf32 = True
    parameters = {name: torch.tensor(value, device="cuda", requires_grad=True) for name, value in parameters.items()}
    outputs = logits(torch, parameters, torch.tensor(images, device="cuda"))
    loss = F.cross_entropy(outputs, torch.tensor(labels, device="cuda"))
    loss.backward()
    to_numpy = lambda value: value.detach().cpu().numpy()
    return to_numpy(outputs), to_numpy(loss), {name: to_numpy(value.grad) for name, value in parameters.items()}


def by_jax(parameters, images, labels):
    """Returns logits, loss and gradients."""

    def loss(parameters):
        outputs = logits(jnp, parameters, images)
        return -jax.nn.log_softmax(outputs)[jnp.arange(IMAGES), labels].mean(), outputs

    (value, outputs), gradients = jax.jit(jax.value_and_grad(loss, has_aux=True))(parameters)
    return outputs, value, gradients


def main():
    folder = pathlib.Path(__file__).parent / "tf32"
    folder.mkdir(exist_ok=True)
    for producer, compute in [(f"PyTorch {torch.__version__}", by_torch), (f"JAX {jax.__version__}", by_jax)]:
        random = np.random.default_rng(0)
        uniform = lambda shape: random.uniform(-0.3, 0.3, shape).astype(np.float32)
        parameters = {f"{name}.weight": uniform(shape) for name, shape in SIZES.items()}
        parameters |= {f"{name}.bias": uniform(shape[1]) for name, shape in SIZES.items()}
        images, labels = uniform((IMAGES, 32)), random.integers(0, 10, IMAGES)
        outputs, loss, gradients = compute(parameters, images, labels)
        tensors = {f"initial.{name}": value for name, value in parameters.items()}
        tensors |= {"batch.0.images": images, "batch.0.labels": labels, "logits": outputs, "loss": loss}
        for name, value in gradients.items():
            tensors |= {f"gradient.{name}": value, f"step.0.{name}": parameters[name] - np.float32(RATE) * value}
        metadata = {"format": "mlp-parity-trace/2", "producer": producer, "activation": "tanh", "precision": "tf32"}
        metadata |= {"optimizer": "sgd", "learning_rate": str(RATE), "weights": "inputs-outputs"}
        arrays = {name: np.array(value, order="C") for name, value in tensors.items()}
        save_file(arrays, folder / f"{producer.split()[0].lower()}.safetensors", metadata=metadata)


if __name__ == "__main__":
    main()
