"""Writes traces from PyTorch, for `compare check --trace FILE`.

    pip install torch safetensors numpy
    python trace_pytorch.py              # writes the golden traces into traces/ beside this file
    python trace_pytorch.py FILE SEED    # writes one trace, of a network with random parameters from SEED

To trace your own code, add the function `trace` to it. It needs a module whose layers are called layer1, layer2, …,
output_layer, an optimizer, and some batches.
"""

import itertools
import pathlib
import sys

import torch
from safetensors.torch import save_file

ACTIVATIONS = {"sigmoid": torch.sigmoid, "relu": torch.relu, "tanh": torch.tanh}


class Mlp(torch.nn.Module):
    """A multi-layer perceptron whose layers have the names that traces use."""

    def __init__(self, sizes, activation):
        super().__init__()
        names = [f"layer{index + 1}" for index in range(len(sizes) - 2)] + ["output_layer"]
        for name, inputs, outputs in zip(names, sizes, sizes[1:]):
            setattr(self, name, torch.nn.Linear(inputs, outputs))
        self.names, self.activation = names, ACTIVATIONS[activation]

    def forward(self, values):
        for name in self.names[:-1]:
            values = self.activation(getattr(self, name)(values))
        return self.output_layer(values)


def trace(network, optimizer, batches, metadata, path):
    """Trains one step on each batch and writes the trace: the batches, the first logits and gradients, and the loss and
    parameters after every step."""
    tensors = {f"initial.{name}": value.detach().clone() for name, value in network.named_parameters()}
    for step, (images, labels) in enumerate(batches):
        optimizer.zero_grad()
        logits = network(images)
        loss = torch.nn.functional.cross_entropy(logits, labels)
        loss.backward()
        if step == 0:
            tensors |= {"logits": logits.detach(), "loss": loss.detach().clone()}
            tensors |= {f"gradient.{name}": value.grad.clone() for name, value in network.named_parameters()}
        optimizer.step()
        tensors |= {f"batch.{step}.images": images, f"batch.{step}.labels": labels, f"step.{step}.loss": loss.detach()}
        tensors |= {f"step.{step}.{name}": value.detach().clone() for name, value in network.named_parameters()}
    metadata = {"format": "mlp-parity-trace/1", "producer": f"PyTorch {torch.__version__}"} | metadata
    save_file(tensors, path, {key: str(value) for key, value in metadata.items()})


def make_optimizer(name, parameters, rate, decay):
    """Returns an optimizer and its metadata in the trace."""
    metadata = {"optimizer": name.removeprefix("nesterov-"), "learning_rate": rate, "weight_decay": decay}
    if name == "sgd":
        return torch.optim.SGD(parameters, rate, weight_decay=decay), metadata
    if name.endswith("momentum"):
        nesterov = name.startswith("nesterov")
        metadata |= {"momentum": 0.9, "nesterov": str(nesterov).lower()}
        return torch.optim.SGD(parameters, rate, 0.9, weight_decay=decay, nesterov=nesterov), metadata
    metadata |= {"beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[name]
    return kind(parameters, rate, weight_decay=decay), metadata


def write(path, seed, sizes, activation, name, decay, precision, images=8, steps=5):
    """Writes a trace of a network with random parameters on random batches, both determined by the seed."""
    torch.manual_seed(seed)
    network = Mlp(sizes, activation).to(precision)
    batch = lambda: (torch.rand(images, sizes[0], dtype=precision), torch.randint(0, sizes[-1], (images,)))
    optimizer, metadata = make_optimizer(name, network.parameters(), 0.01, decay)
    trace(network, optimizer, [batch() for _ in range(steps)], metadata | {"activation": activation}, path)


def main():
    if len(sys.argv) == 3:
        write(sys.argv[1], int(sys.argv[2]), [30, 17, 11, 10], "tanh", "adam", 1e-3, torch.float32, images=13, steps=7)
        return
    folder = pathlib.Path(__file__).parent / "traces"
    folder.mkdir(exist_ok=True)
    optimizers = ["sgd", "momentum", "nesterov-momentum", "adam", "adamw"]
    precisions = {"f32": torch.float32, "f64": torch.float64}
    every = itertools.product(ACTIVATIONS, optimizers, [0.0, 0.01], precisions)
    for seed, (activation, optimizer, decay, precision) in enumerate(every):
        name = f"{activation}-{optimizer}{'-decay' if decay else ''}-{precision}.safetensors"
        write(folder / name, seed, [7, 9, 8, 4], activation, optimizer, decay, precisions[precision])


if __name__ == "__main__":
    main()
