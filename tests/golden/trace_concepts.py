"""Writes one trace for each concept of docs/trace-format.md, in double and in single precision, into concepts/ beside
this file.

    pip install torch optax scikit-learn safetensors numpy
    python trace_concepts.py

PyTorch computes the losses and gradients. The updates are those of PyTorch's optimizers or, where PyTorch lacks one,
those of optax or scikit-learn.
"""

import dataclasses
import functools
import itertools
import pathlib
import types
import zlib
from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax
import sklearn
import torch
from safetensors.torch import save_file
from sklearn.neural_network._stochastic_optimizers import AdamOptimizer, SGDOptimizer
from torch import optim
from torch.nn import functional as F
from torch.nn.utils import clip_grad_norm_, clip_grad_value_

OUTPUTS = {"softmax": functools.partial(torch.softmax, dim=1), "sigmoid": torch.sigmoid, "linear": torch.nn.Identity()}
OUTPUT_OF_LOSS = {"cross-entropy": "softmax", "binary-cross-entropy": "sigmoid", "squared-error": "linear"}
PRECISIONS = {"f32": torch.float32, "f64": torch.float64}
DEFAULTS = {"activation": "tanh", "optimizer": "sgd", "learning_rate": 0.1}
RATES = [0.1, 0.05, 0.2]  # learning rates of the concepts whose rate changes from step to step
DECAY = 0.05


@dataclasses.dataclass
class Concept:
    """A network and its training, with the metadata that describes them."""

    metadata: dict  # takes precedence over DEFAULTS
    loss: Callable = lambda at: F.cross_entropy(at.logits, at.labels)  # the differentiated loss
    reported: Callable | None = None  # the recorded loss, if it is another one
    optimizer: Callable = optim.SGD
    activations: tuple = (torch.tanh,)  # one for all hidden layers, or one for each
    clip: Callable = lambda parameters: None  # clips the gradients of the parameters
    sizes: tuple = (5, 6, 5, 4)
    images: tuple = (5, 5, 5)  # number of images in each batch
    scale: float = 1.0  # largest magnitude of a weight
    bias: bool = True
    dropout: float = 0.0  # probability of dropping an activation
    targets: Callable | None = None  # draws targets, which replace labels


class Mlp(torch.nn.Module):
    """A multi-layer perceptron whose layers have the names that traces use."""

    def __init__(self, concept):
        super().__init__()
        self.hidden = [f"layer{index + 1}" for index in range(len(concept.sizes) - 2)]
        for name, inputs, outputs in zip([*self.hidden, "output_layer"], concept.sizes, concept.sizes[1:]):
            layer = torch.nn.Linear(inputs, outputs, bias=concept.bias)
            torch.nn.init.uniform_(layer.weight, -concept.scale, concept.scale)
            if concept.bias:
                torch.nn.init.uniform_(layer.bias, -0.5, 0.5)
            setattr(self, name, layer)
        self.activations = concept.activations

    def forward(self, values, masks):
        for name, activation in zip(self.hidden, itertools.cycle(self.activations)):
            values = activation(getattr(self, name)(values))
            values = values * masks[name] if masks else values
        return self.output_layer(values)


class Optax(optim.Optimizer):
    """Updates PyTorch parameters by the optax transformation that `make` returns for a learning rate. Without
    `always_64_bit`, parameters in single precision are updated in JAX's default mode, which has 32 bits."""

    producer = f", optax {optax.__version__}"

    def __init__(self, parameters, rate, make, always_64_bit=True):
        super().__init__(parameters, {"lr": rate})
        self.mode = lambda: jax.enable_x64(always_64_bit or parameters[0].dtype == torch.float64)
        with self.mode():
            self.transformation = make(rate)
            self.memory = self.transformation.init(self.arrays("data"))

    def arrays(self, attribute):
        return [jnp.array(getattr(value, attribute).numpy()) for value in self.param_groups[0]["params"]]

    @torch.no_grad()
    def step(self):
        with self.mode():
            values = self.arrays("data")
            updates, self.memory = self.transformation.update(self.arrays("grad"), self.memory, values)
            for parameter, value, update in zip(self.param_groups[0]["params"], values, updates):
                assert update.dtype == value.dtype
                parameter.copy_(torch.tensor(jax.device_get(optax.apply_updates(value, update))))


class ScikitLearn(optim.Optimizer):
    """Updates PyTorch parameters by an optimizer of scikit-learn's multi-layer perceptron."""

    producer = f", scikit-learn {sklearn.__version__}"

    def __init__(self, parameters, rate, kind, **options):
        super().__init__(parameters, {"lr": rate})
        self.arrays = [value.detach().numpy() for value in parameters]  # shares memory with the parameters
        self.inner = kind(self.arrays, rate, **options)

    def step(self):
        self.inner.learning_rate = self.param_groups[0]["lr"]
        self.inner.update_params(self.arrays, [value.grad.numpy() for value in self.param_groups[0]["params"]])


def draw_batches(concept):
    """Returns random batches. A quarter of the inputs is zero, and the first input is zero in all of the first batch,
    as are pixels at the border of MNIST's images."""
    batches, classes = [], concept.sizes[-1]
    for count in concept.images:
        images = torch.rand(count, concept.sizes[0])
        images[torch.rand(images.shape) < 0.25] = 0.0
        images[:, 0] *= bool(batches)
        labels = torch.randint(0, max(classes, 2), (count,))
        targets = labels[:, None] if classes == 1 else F.one_hot(labels, classes)
        targets = concept.targets(count, classes) if concept.targets else targets
        widths = concept.sizes[1:-1] if concept.dropout else []
        masks = {f"layer{i + 1}": F.dropout(torch.ones(count, width), concept.dropout) for i, width in enumerate(widths)}
        batches.append({"images": images, "labels": labels, "targets": targets, "masks": masks})
    return batches


def trace(concept, network, batches, metadata):
    """Trains one step on each batch and returns the tensors of the trace. The optimizer's library is added to the
    metadata."""
    output = OUTPUTS[metadata.get("output", OUTPUT_OF_LOSS[metadata.get("loss", "cross-entropy")])]
    rates = [float(rate) for rate in str(metadata["learning_rate"]).split(",")]
    parameters = list(network.parameters())
    optimizer = concept.optimizer(parameters, rates[0])
    metadata["producer"] += getattr(optimizer, "producer", "")
    record = lambda prefix, values: {f"{prefix}.{name}": value.detach().clone() for name, value in values}
    record_gradients = lambda: record("gradient", ((name, value.grad) for name, value in network.named_parameters()))
    tensors = initial = record("initial", network.named_parameters())
    for step, batch in enumerate(batches):
        logits = network(batch["images"], batch["masks"])
        at = types.SimpleNamespace(**batch, logits=logits, outputs=output(logits), parameters=parameters)
        loss = concept.loss(at)
        reported = concept.reported(at) if concept.reported else loss
        optimizer.zero_grad()
        loss.backward()
        gradients = {"raw": record_gradients()}
        gradients["with-weight-decay"] = gradients["raw"]  # the concepts with this key have the penalty in their loss
        concept.clip(parameters)
        gradients["clipped"] = record_gradients()
        for group in optimizer.param_groups:
            group["lr"] = rates[min(step, len(rates) - 1)]
        optimizer.step()
        gradients["from-step"] = record("gradient", (
            (name, (initial[f"initial.{name}"] - value) / rates[0]) for name, value in network.named_parameters()))
        if step == 0:
            tensors = tensors | {"logits": logits, "outputs": at.outputs, "loss": reported}
            tensors |= gradients[metadata.get("gradients", "raw")]
        truth = "targets" if concept.targets else "labels"
        tensors |= {f"batch.{step}.{name}": batch[name] for name in ["images", truth]} | {f"step.{step}.loss": reported}
        tensors |= record(f"batch.{step}.masks", batch["masks"].items()) | record(f"step.{step}", network.named_parameters())
    if metadata.get("weights") == "inputs-outputs":
        tensors = {name: value.T if name.endswith("weight") else value for name, value in tensors.items()}
    return {name: value.detach().clone(memory_format=torch.contiguous_format) for name, value in tensors.items()}


def write(name, concept, suffix, folder):
    """Writes the trace of a concept. Its name determines the random numbers, which are the same in both precisions."""
    torch.manual_seed(zlib.crc32(name.encode()))
    torch.set_default_dtype(torch.float64)
    network, batches, precision = Mlp(concept), draw_batches(concept), PRECISIONS[suffix]
    torch.set_default_dtype(precision)  # NAdam keeps the product of its momenta in the default precision
    cast = lambda value: value.to(precision) if value.is_floating_point() else value
    cast_batch = lambda batch: {"masks": {name: cast(mask) for name, mask in batch.pop("masks").items()}} | {
        name: value if name == "labels" else value.to(precision) for name, value in batch.items()}
    metadata = {"format": "mlp-parity-trace/2", "producer": f"PyTorch {torch.__version__}"} | DEFAULTS | concept.metadata
    tensors = trace(concept, network.to(precision), list(map(cast_batch, batches)), metadata)
    assert all(value.dtype == (torch.int64 if key.endswith("labels") else precision) for key, value in tensors.items())
    text = lambda value: str(value).lower() if isinstance(value, bool) else str(value)
    save_file(tensors, folder / f"{name}-{suffix}.safetensors", {key: text(value) for key, value in metadata.items()})
