"""Writes one trace for each concept of docs/trace-format.md, in double and in single precision, into concepts/ beside
this file.

    pip install torch optax scikit-learn safetensors numpy
    python trace_concepts.py

PyTorch computes the losses and gradients. The updates are those of PyTorch's optimizers or, where PyTorch lacks one,
those of optax or scikit-learn.
"""

import contextlib
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
from sklearn.neural_network import _stochastic_optimizers as scikit_learn
from torch.nn import functional as F
from torch.nn.utils import clip_grad_norm_, clip_grad_value_

OUTPUTS = {"softmax": functools.partial(torch.softmax, dim=1), "sigmoid": torch.sigmoid, "linear": torch.nn.Identity()}
OUTPUT_OF_LOSS = {"cross-entropy": "softmax", "binary-cross-entropy": "sigmoid", "squared-error": "linear"}
PRECISIONS = {"f32": torch.float32, "f64": torch.float64}
RATES = [0.1, 0.05, 0.2]  # learning rates of the concepts whose rate changes from step to step
DECAY = 0.05
PLAIN = {"activation": "tanh", "optimizer": "sgd", "learning_rate": 0.1}


class Optax(torch.optim.Optimizer):
    """Updates PyTorch parameters by the optax transformation that `make` returns for a learning rate."""

    producer = f", optax {optax.__version__}"

    def __init__(self, parameters, rate, make, always_64_bit=True):
        super().__init__(parameters, {"lr": rate})
        self.mode = contextlib.nullcontext
        if always_64_bit or self.arrays("data")[0].dtype == "float64":
            self.mode = functools.partial(jax.enable_x64, True)
        with self.mode():
            self.transformation = make(rate)
            self.memory = self.transformation.init(list(map(jnp.array, self.arrays("data"))))

    def arrays(self, attribute):
        return [getattr(parameter, attribute).numpy() for parameter in self.param_groups[0]["params"]]

    def step(self):
        with self.mode():
            values, gradients = (list(map(jnp.array, self.arrays(attribute))) for attribute in ["data", "grad"])
            updates, self.memory = self.transformation.update(gradients, self.memory, values)
            for array, value in zip(self.arrays("data"), optax.apply_updates(values, updates)):
                assert value.dtype == array.dtype
                array[:] = value


class ScikitLearn(torch.optim.Optimizer):
    """Updates PyTorch parameters by an optimizer of scikit-learn's multi-layer perceptron."""

    producer = f", scikit-learn {sklearn.__version__}"

    def __init__(self, parameters, rate, kind, **options):
        super().__init__(parameters, {"lr": rate})
        self.arrays = [parameter.detach().numpy() for parameter in self.param_groups[0]["params"]]
        self.inner = kind(self.arrays, rate, **options)

    def step(self):
        self.inner.learning_rate = self.param_groups[0]["lr"]
        self.inner.update_params(self.arrays, [parameter.grad.numpy() for parameter in self.param_groups[0]["params"]])


@dataclasses.dataclass
class Concept:
    """A network and its training, with the metadata that describes them."""

    metadata: dict  # without the keys of PLAIN whose values are those of PLAIN
    loss: Callable = lambda at: F.cross_entropy(at.logits, at.labels)  # the differentiated loss
    reported: Callable | None = None  # the recorded loss, if it is another one
    activations: list = dataclasses.field(default_factory=lambda: [torch.tanh])  # of all hidden layers, or of each
    optimizer: Callable = torch.optim.SGD
    clip: Callable = lambda parameters: None
    sizes: tuple = (5, 6, 5, 4)
    images: tuple = (5, 5, 5)  # number of images in each batch
    scale: float = 1.0  # largest magnitude of a weight
    bias: bool = True
    dropout: dict = dataclasses.field(default_factory=dict)  # probability of dropping an activation, by layer
    targets: Callable | None = None  # draws targets, which replace labels


class Mlp(torch.nn.Module):
    """A multi-layer perceptron whose layers have the names that traces use."""

    def __init__(self, concept):
        super().__init__()
        inputs, outputs = concept.sizes[:-1], concept.sizes[1:]
        self.names = [f"layer{index + 1}" for index in range(len(outputs) - 1)] + ["output_layer"]
        for name, columns, rows in zip(self.names, inputs, outputs):
            layer = torch.nn.Linear(columns, rows, bias=concept.bias, dtype=torch.float64)
            torch.nn.init.uniform_(layer.weight, -concept.scale, concept.scale)
            if concept.bias:
                torch.nn.init.uniform_(layer.bias, -0.5, 0.5)
            setattr(self, name, layer)
        self.activations = dict(zip(self.names[:-1], itertools.cycle(concept.activations)))

    def forward(self, values, masks):
        for name, activation in self.activations.items():
            values = activation(getattr(self, name)(values))
            values = values * masks[name] if name in masks else values
        return self.output_layer(values)


def draw_batches(concept, precision):
    """Returns random batches. A quarter of the inputs is zero, and the first input is zero in all of the first batch, as
    at the border of MNIST's images."""
    batches, classes = [], concept.sizes[-1]
    for images in concept.images:
        values = torch.rand(images, concept.sizes[0], dtype=torch.float64)
        values[torch.rand(values.shape) < 0.25] = 0.0
        values[:, 0] *= bool(batches)
        labels = torch.randint(0, max(classes, 2), (images,))
        targets = labels[:, None] if classes == 1 else F.one_hot(labels, classes)
        if concept.targets:
            targets = concept.targets(images, classes, dtype=torch.float64)
        masks = {name: F.dropout(torch.ones(images, concept.sizes[index + 1], dtype=torch.float64), probability)
                 for index, (name, probability) in enumerate(concept.dropout.items())}
        masks = {name: mask.to(precision) for name, mask in masks.items()}
        batches.append(types.SimpleNamespace(
            images=values.to(precision), labels=labels, targets=targets.to(precision), masks=masks))
    return batches


def trace(concept, network, batches, precision):
    """Trains one step on each batch. Returns the tensors and the metadata of the trace."""
    metadata = PLAIN | concept.metadata
    output = OUTPUTS[metadata.get("output", OUTPUT_OF_LOSS[metadata.get("loss", "cross-entropy")])]
    rates = [float(rate) for rate in str(metadata["learning_rate"]).split(",")]
    parameters = list(network.parameters())
    optimizer = concept.optimizer(parameters, rates[0])
    record = lambda prefix, values: {f"{prefix}.{name}": value.detach().clone() for name, value in values}
    recorded_gradients = lambda: record("gradient", ((name, value.grad) for name, value in network.named_parameters()))
    tensors = initial = record("initial", network.named_parameters())
    for step, batch in enumerate(batches):
        optimizer.zero_grad()
        logits = network(batch.images, batch.masks)
        at = types.SimpleNamespace(**vars(batch), logits=logits, outputs=output(logits), parameters=parameters)
        loss = concept.loss(at)
        loss.backward()
        reported = (concept.reported or concept.loss)(at)
        gradients = {"raw": recorded_gradients()}
        concept.clip(parameters)
        gradients["clipped"] = recorded_gradients()
        for group in optimizer.param_groups:
            group["lr"] = rates[min(step, len(rates) - 1)]
        optimizer.step()
        gradients["with-weight-decay"] = gradients["raw"]  # the concepts with this key have the penalty in their loss
        gradients["from-step"] = record("gradient", (
            (name, (initial[f"initial.{name}"] - value) / rates[0]) for name, value in network.named_parameters()))
        if step == 0:
            tensors = tensors | {"logits": logits, "outputs": at.outputs, "loss": reported}
            tensors |= gradients[metadata.get("gradients", "raw")]
        tensors |= {f"batch.{step}.images": batch.images, f"step.{step}.loss": reported}
        tensors |= {f"batch.{step}.targets": batch.targets} if concept.targets else {f"batch.{step}.labels": batch.labels}
        tensors |= record(f"batch.{step}.masks", batch.masks.items())
        tensors |= record(f"step.{step}", network.named_parameters())
    if metadata.get("weights") == "inputs-outputs":
        tensors = {name: value.T if name.endswith("weight") else value for name, value in tensors.items()}
    assert all(value.dtype == precision or name.endswith("labels") for name, value in tensors.items())
    producer = f"PyTorch {torch.__version__}{getattr(optimizer, 'producer', '')}"
    metadata = {"format": "mlp-parity-trace/2", "producer": producer} | metadata
    return {name: value.detach().clone(memory_format=torch.contiguous_format) for name, value in tensors.items()}, metadata


def write(name, concept, suffix, folder):
    """Writes the trace of a concept. Its name determines the random numbers, in both precisions."""
    precision = PRECISIONS[suffix]
    torch.manual_seed(zlib.crc32(name.encode()))
    torch.set_default_dtype(precision)  # NAdam keeps the product of its momenta in the default precision
    network = Mlp(concept).to(precision)
    tensors, metadata = trace(concept, network, draw_batches(concept, precision), precision)
    text = lambda value: str(value).lower() if isinstance(value, bool) else str(value)
    save_file(tensors, folder / f"{name}-{suffix}.safetensors", {key: text(value) for key, value in metadata.items()})


def squared_error(factor):
    return lambda at: factor * F.mse_loss(at.outputs, at.targets, reduction="sum") / len(at.images)


def binary_cross_entropy(at):
    return F.binary_cross_entropy_with_logits(at.logits, at.targets, reduction="sum") / len(at.images)


def protected_cross_entropy(protect):
    return lambda at: F.nll_loss(torch.log(protect(at.outputs)), at.labels)


def protected_binary_cross_entropy(protect):
    loss = lambda outputs, targets: targets * torch.log(protect(outputs)) + (1 - targets) * torch.log(protect(1 - outputs))
    return lambda at: -loss(at.outputs, at.targets).sum() / len(at.images)


def add_epsilon(values):
    return values + 1e-3


def clip_outputs(values):
    return torch.clip(values, 0.05, 0.95)


def penalized(decay, weights_only=False, per_image=False):
    """Returns the cross-entropy plus the penalty of weight decay."""
    kept = lambda at: [value for value in at.parameters if value.ndim == 2 or not weights_only]
    penalty = lambda at: 0.5 * decay * sum((value**2).sum() for value in kept(at)) / (len(at.images) if per_image else 1)
    return lambda at: F.cross_entropy(at.logits, at.labels) + penalty(at)


def decay_weights_only(parameters, rate):
    weights, biases = ([value for value in parameters if value.ndim == dimensions] for dimensions in [2, 1])
    return torch.optim.SGD([{"params": weights, "weight_decay": DECAY}, {"params": biases}], rate)


def clip_each(parameters):
    for parameter in parameters:
        clip_grad_norm_([parameter], 0.1)


def by_optax(make, **options):
    return functools.partial(Optax, make=make, **options)


def by_scikit_learn(kind, **options):
    return functools.partial(ScikitLearn, kind=kind, **options)


def concepts():
    """Returns all concepts by name."""
    use, optim, rates = functools.partial, torch.optim, {"learning_rate": ",".join(map(str, RATES))}
    squared, binary = {"loss": "squared-error"}, {"loss": "binary-cross-entropy"}
    epsilon, clipped, in_gradient = {"log_epsilon": 1e-3}, {"log_clip": 0.05}, {"log_in_gradient": True}
    decay, in_loss = {"weight_decay": DECAY}, {"weight_decay_in_loss": True, "gradients": "with-weight-decay"}
    on_weights, decoupled = {"weight_decay_on": "weights"}, {"weight_decay_form": "decoupled"}
    momentum = {"optimizer": "momentum"}
    adaptive = lambda name, rate=0.01, **keys: {"optimizer": name, "learning_rate": rate} | keys
    table = {"cross-entropy": Concept({})}

    # Losses.
    for output, factor in itertools.product(OUTPUTS, [1, 0.5]):
        keys = squared | ({} if output == "linear" else {"output": output}) | ({} if factor == 1 else {"loss_factor": factor})
        table[f"squared-error-{output}{'' if factor == 1 else '-half'}"] = Concept(keys, squared_error(factor))
    table |= {
        "squared-error-mean-over-outputs": Concept(
            squared | {"reduction": "mean-over-outputs"}, lambda at: F.mse_loss(at.outputs, at.targets)),
        "squared-error-sum": Concept(
            squared | {"reduction": "sum"}, lambda at: F.mse_loss(at.outputs, at.targets, reduction="sum")),
        "squared-error-targets": Concept(squared, squared_error(1), targets=torch.randn),
        "binary-cross-entropy": Concept(binary, binary_cross_entropy),
        "binary-cross-entropy-mean-over-outputs": Concept(
            binary | {"reduction": "mean-over-outputs"}, lambda at: F.binary_cross_entropy(at.outputs, at.targets)),
        "binary-cross-entropy-targets": Concept(binary, binary_cross_entropy, targets=torch.rand),
        "binary-cross-entropy-one-output": Concept(binary, binary_cross_entropy, sizes=(5, 6, 1)),
        "binary-cross-entropy-log-epsilon-in-gradient": Concept(
            binary | epsilon | in_gradient, protected_binary_cross_entropy(add_epsilon)),
        "binary-cross-entropy-log-clip-in-gradient": Concept(
            binary | clipped | in_gradient, protected_binary_cross_entropy(clip_outputs), scale=3.0),
        "cross-entropy-sum": Concept(
            {"reduction": "sum"}, lambda at: F.cross_entropy(at.logits, at.labels, reduction="sum")),
        "label-smoothing": Concept(
            {"label_smoothing": 0.1}, lambda at: F.cross_entropy(at.logits, at.labels, label_smoothing=0.1)),
        "log-epsilon": Concept(epsilon, reported=protected_cross_entropy(add_epsilon)),
        "log-epsilon-in-gradient": Concept(epsilon | in_gradient, protected_cross_entropy(add_epsilon)),
        "log-clip": Concept(clipped, reported=protected_cross_entropy(clip_outputs), scale=3.0),
        "log-clip-in-gradient": Concept(clipped | in_gradient, protected_cross_entropy(clip_outputs), scale=3.0),
    }

    # Weight decay, recorded gradients, and forms of the network and its batches.
    table |= {
        "weight-decay": Concept(decay, optimizer=use(optim.SGD, weight_decay=DECAY)),
        "weight-decay-weights-only": Concept(decay | on_weights, optimizer=decay_weights_only),
        "weight-decay-per-image": Concept(
            decay | {"weight_decay_per_image": True}, optimizer=use(optim.SGD, weight_decay=DECAY / 5)),
        "weight-decay-in-loss": Concept(decay | in_loss, penalized(DECAY)),
        "weight-decay-in-reported-loss": Concept(
            decay | {"weight_decay_in_loss": True}, reported=penalized(DECAY), optimizer=use(optim.SGD, weight_decay=DECAY)),
        "weight-decay-on-weights-per-image-in-loss": Concept(
            decay | on_weights | in_loss | {"weight_decay_per_image": True}, penalized(DECAY, True, True)),
        "weight-decay-adam": Concept(adaptive("adam") | decay, optimizer=use(optim.Adam, weight_decay=DECAY)),
        "weight-decay-adamw": Concept(adaptive("adamw") | decay, optimizer=use(optim.AdamW, weight_decay=DECAY)),
        "weight-decay-adamw-weights-only": Concept(adaptive("adamw") | decay | on_weights, optimizer=by_optax(
            lambda rate: optax.adamw(rate, weight_decay=DECAY, mask=lambda values: [value.ndim == 2 for value in values]))),
        "weight-decay-decoupled-nadam": Concept(
            adaptive("nadam") | decay | decoupled,
            optimizer=use(optim.NAdam, weight_decay=DECAY, decoupled_weight_decay=True)),
        "weight-decay-decoupled-momentum": Concept(momentum | decay | decoupled, optimizer=by_optax(
            lambda rate: optax.chain(optax.trace(0.9), optax.add_decayed_weights(DECAY), optax.scale(-rate)))),
        "gradients-from-step": Concept({"gradients": "from-step"}),
        "gradients-from-step-weight-decay": Concept(
            decay | {"gradients": "from-step"}, optimizer=use(optim.SGD, weight_decay=DECAY)),
        "no-biases": Concept({}, bias=False),
        "weights-inputs-outputs": Concept({"weights": "inputs-outputs"}, sizes=(5, 5, 5, 5)),
        "batch-sizes": Concept({}, images=(5, 3, 4)),
        "dropout-half": Concept({}, dropout={"layer1": 0.5, "layer2": 0.5}),
        "dropout-quarter": Concept({}, dropout={"layer1": 0.25, "layer2": 0.25}),
    }

    # Optimizers.
    table |= {
        "momentum": Concept(momentum, optimizer=use(optim.SGD, momentum=0.9)),
        "momentum-dampening": Concept(momentum | {"dampening": 0.3}, optimizer=use(optim.SGD, momentum=0.9, dampening=0.3)),
        "momentum-nesterov": Concept(momentum | {"nesterov": True}, optimizer=use(optim.SGD, momentum=0.9, nesterov=True)),
        "momentum-average": Concept(momentum | {"momentum_form": "average", "momentum": 0.8}, optimizer=by_optax(
            lambda rate: optax.chain(optax.ema(0.8, debias=False), optax.scale(-rate)))),
        "momentum-with-rate": Concept(momentum | rates | {"momentum_form": "with-rate"}, optimizer=by_scikit_learn(
            scikit_learn.SGDOptimizer, nesterov=False)),
        "momentum-with-rate-nesterov": Concept(
            momentum | rates | {"momentum_form": "with-rate", "nesterov": True},
            optimizer=by_scikit_learn(scikit_learn.SGDOptimizer, nesterov=True)),
        "learning-rates-sgd": Concept(rates),
        "learning-rates-momentum": Concept(momentum | rates, optimizer=use(optim.SGD, momentum=0.9)),
        "learning-rates-adam": Concept({"optimizer": "adam"} | rates, optimizer=optim.Adam),
        "adam": Concept(adaptive("adam"), optimizer=optim.Adam),
        "adam-betas-epsilon": Concept(
            adaptive("adam", beta1=0.8, beta2=0.95, epsilon=1e-3), optimizer=use(optim.Adam, betas=(0.8, 0.95), eps=1e-3)),
        "adam-before-correction": Concept(
            adaptive("adam", epsilon=1e-3, epsilon_placement="before-correction"),
            optimizer=by_scikit_learn(scikit_learn.AdamOptimizer, epsilon=1e-3)),
        "adam-inside-root": Concept(
            adaptive("adam", epsilon=1e-3, epsilon_placement="inside-root"),
            optimizer=by_optax(lambda rate: optax.adam(rate, eps=0.0, eps_root=1e-3))),
        "adam-amsgrad": Concept(  # with a small beta2, so that squared gradients do shrink within three steps
            adaptive("adam", amsgrad=True, beta2=0.5), optimizer=use(optim.Adam, amsgrad=True, betas=(0.9, 0.5))),
        "adam-optax": Concept(  # in single precision, JAX's default mode rounds even 1 - beta2 to single precision
            adaptive("adam"), optimizer=by_optax(optax.adam, always_64_bit=False)),
        "adamw": Concept(adaptive("adamw"), optimizer=use(optim.AdamW, weight_decay=0.0)),
        "nadam": Concept(adaptive("nadam"), optimizer=optim.NAdam),
        "nadam-momentum-decay-epsilon": Concept(
            adaptive("nadam", momentum_decay=0.1, epsilon=1e-3), optimizer=use(optim.NAdam, momentum_decay=0.1, eps=1e-3)),
        "adamax": Concept(adaptive("adamax"), optimizer=optim.Adamax),
        "adamax-betas-epsilon": Concept(
            adaptive("adamax", beta1=0.8, beta2=0.7, epsilon=1e-3), optimizer=use(optim.Adamax, betas=(0.8, 0.7), eps=1e-3)),
        "rmsprop": Concept(adaptive("rmsprop"), optimizer=optim.RMSprop),
        "rmsprop-momentum": Concept(
            adaptive("rmsprop", momentum=0.9, alpha=0.9, epsilon=1e-3) | rates,
            optimizer=use(optim.RMSprop, momentum=0.9, alpha=0.9, eps=1e-3)),
        "rmsprop-inside-root": Concept(
            adaptive("rmsprop", alpha=0.9, epsilon=1e-3, epsilon_placement="inside-root"),
            optimizer=by_optax(lambda rate: optax.rmsprop(rate, decay=0.9, eps=1e-3))),
        "rmsprop-inside-root-momentum-with-rate": Concept(
            adaptive("rmsprop", momentum=0.9, momentum_form="with-rate", alpha=0.9, epsilon=1e-3,
                     epsilon_placement="inside-root") | rates,
            optimizer=by_optax(lambda _: optax.rmsprop(
                lambda step: jnp.array(RATES)[step], decay=0.9, eps=1e-3, momentum=0.9))),
        "adagrad": Concept(adaptive("adagrad", 0.1), optimizer=optim.Adagrad),
        "adagrad-decay-accumulator-epsilon": Concept(
            adaptive("adagrad", 0.1, learning_rate_decay=0.2, initial_accumulator=0.01, epsilon=1e-3),
            optimizer=use(optim.Adagrad, lr_decay=0.2, initial_accumulator_value=0.01, eps=1e-3)),
        "adagrad-inside-root": Concept(
            adaptive("adagrad", 0.1, initial_accumulator=0.01, epsilon=1e-3, epsilon_placement="inside-root"),
            optimizer=by_optax(lambda rate: optax.adagrad(rate, initial_accumulator_value=0.01, eps=1e-3))),
    }

    # Clipped gradients.
    clip_norm, clip = {"clip_norm": 0.2}, use(clip_grad_norm_, max_norm=0.2)
    table |= {
        "clip-norm": Concept(clip_norm, clip=clip),
        "clip-norm-clipped-gradients": Concept(clip_norm | {"gradients": "clipped"}, clip=clip),
        "clip-norm-weight-decay": Concept(clip_norm | decay, clip=clip, optimizer=use(optim.SGD, weight_decay=DECAY)),
        "clip-norm-momentum": Concept(clip_norm | momentum, clip=clip, optimizer=use(optim.SGD, momentum=0.9)),
        "clip-norm-optax": Concept(clip_norm | {"clip_epsilon": 0}, optimizer=by_optax(
            lambda rate: optax.chain(optax.clip_by_global_norm(0.2), optax.sgd(rate)))),
        "clip-norm-per-tensor": Concept({"clip_norm_per_tensor": 0.1}, clip=clip_each),
        "clip-value": Concept({"clip_value": 0.03}, clip=use(clip_grad_value_, clip_value=0.03)),
    }

    # Activation functions.
    for name, function in {
        "relu": torch.relu, "sigmoid": torch.sigmoid, "leaky-relu": F.leaky_relu, "elu": F.elu, "selu": F.selu,
        "gelu": F.gelu, "gelu-tanh": use(F.gelu, approximate="tanh"), "silu": F.silu, "softplus": F.softplus,
        "hard-sigmoid": F.hardsigmoid, "identity": torch.nn.Identity(),
    }.items():
        table[f"activation-{name}"] = Concept({"activation": name}, activations=[function], scale=2.0)
    table |= {
        "activation-leaky-relu-slope": Concept(
            {"activation": "leaky-relu", "activation_slope": 0.2}, activations=[use(F.leaky_relu, negative_slope=0.2)]),
        "activation-hard-sigmoid-slope": Concept(
            {"activation": "hard-sigmoid", "activation_slope": 0.2}, scale=2.0,
            activations=[lambda values: torch.clip(0.2 * values + 0.5, 0, 1)]),
        "activation-elu-alpha": Concept(
            {"activation": "elu", "activation_alpha": 1.5}, activations=[use(F.elu, alpha=1.5)]),
        "activation-per-layer": Concept({"activation": "relu, sigmoid"}, activations=[torch.relu, torch.sigmoid]),
    }
    return table


def main():
    torch.set_num_threads(1)
    folder = pathlib.Path(__file__).parent / "concepts"
    folder.mkdir(exist_ok=True)
    for (name, concept), suffix in itertools.product(concepts().items(), PRECISIONS):
        write(name, concept, suffix, folder)


if __name__ == "__main__":
    main()
