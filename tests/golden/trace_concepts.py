"""Writes one trace for each concept of docs/trace-format.md, in double and in single precision, into concepts/ beside
this file.

    pip install torch optax scikit-learn safetensors numpy
    python trace_concepts.py

PyTorch computes the losses and gradients. The updates are those of PyTorch's optimizers or, where PyTorch lacks one,
those of optax or scikit-learn.
"""

import dataclasses
import itertools
import json
import pathlib
import types
import zlib
from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import optax
import safetensors.torch
import sklearn
import torch
from sklearn.neural_network._stochastic_optimizers import AdamOptimizer, SGDOptimizer
from torch import nn, optim
from torch.nn import functional as F
from torch.nn.utils import clip_grad_norm_, clip_grad_value_

OUTPUTS = {
    "softmax": partial(torch.softmax, dim=1), "sigmoid": torch.sigmoid, "tanh": torch.tanh, "linear": nn.Identity()}
OUTPUT_OF_LOSS = {"cross-entropy": "softmax", "binary-cross-entropy": "sigmoid", "squared-error": "linear"}
PRECISIONS = {"f32": torch.float32, "f64": torch.float64}
DEFAULTS = {"format": "mlp-parity-trace/2", "activation": "tanh", "optimizer": "sgd", "learning_rate": 0.1}
DECAY = 0.05
RATES = [0.1, 0.05, 0.2]
CHANGING = {"learning_rate": ",".join(map(str, RATES))}

# PyTorch's optimizers, with the options whose defaults differ from those of traces.
OPTIMIZERS = {
    "sgd": (optim.SGD, {}), "momentum": (optim.SGD, {"momentum": 0.9}), "adam": (optim.Adam, {}),
    "adamw": (optim.AdamW, {"weight_decay": 0.0}), "nadam": (optim.NAdam, {}), "adamax": (optim.Adamax, {}),
    "rmsprop": (optim.RMSprop, {}), "adagrad": (optim.Adagrad, {}),
}
# PyTorch's names of options, by their keys in the metadata.
OPTIONS = {"epsilon": "eps", "initial_accumulator": "initial_accumulator_value", "learning_rate_decay": "lr_decay"} | {
    key: key for key in ["alpha", "amsgrad", "dampening", "momentum", "momentum_decay", "nesterov", "weight_decay"]}


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
    without_bias: tuple = ()  # names of the layers without biases
    dropout: float = 0.0  # probability of dropping an activation
    targets: Callable | None = None  # draws targets, which replace labels


class Mlp(nn.Module):
    """A multi-layer perceptron whose layers have the names that traces use."""

    def __init__(self, concept):
        super().__init__()
        self.hidden = [f"layer{index + 1}" for index in range(len(concept.sizes) - 2)]
        for name, inputs, outputs in zip([*self.hidden, "output_layer"], concept.sizes, concept.sizes[1:]):
            layer = nn.Linear(inputs, outputs, bias=name not in concept.without_bias)
            nn.init.uniform_(layer.weight, -concept.scale, concept.scale)
            if layer.bias is not None:
                nn.init.uniform_(layer.bias, -0.5, 0.5)
            setattr(self, name, layer)
        self.activations = concept.activations

    def forward(self, values, masks):
        for name, activation in zip(self.hidden, itertools.cycle(self.activations)):
            values = activation(getattr(self, name)(values))
            values = values * masks[name] if masks else values
        return self.output_layer(values)


class Optax(optim.Optimizer):
    """Updates PyTorch parameters by the optax transformation that `rule` returns for a learning rate. Without
    `always_64_bit`, parameters in single precision are updated in JAX's default mode, which has 32 bits."""

    producer = f", optax {optax.__version__}"

    def __init__(self, parameters, rate, rule, always_64_bit=True):
        super().__init__(parameters, {"lr": rate})
        self.mode = lambda: jax.enable_x64(always_64_bit or parameters[0].dtype == torch.float64)
        with self.mode():
            self.transformation = rule(rate)
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

    def __init__(self, parameters, rate, rule):
        super().__init__(parameters, {"lr": rate})
        self.arrays = [value.detach().numpy() for value in parameters]  # shares memory with the parameters
        self.inner = rule(self.arrays, rate)

    def step(self):
        self.inner.learning_rate = self.param_groups[0]["lr"]
        self.inner.update_params(self.arrays, [value.grad.numpy() for value in self.param_groups[0]["params"]])


def draw_batches(concept, precision):
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
        batch = {"images": images.to(precision), "labels": labels, "targets": targets.to(precision), "masks": {}}
        for index, width in enumerate(concept.sizes[1:-1] if concept.dropout else []):
            batch["masks"][f"layer{index + 1}"] = F.dropout(torch.ones(count, width), concept.dropout).to(precision)
        batches.append(batch)
    return batches


def trace(concept, network, batches, metadata):
    """Trains one step on each batch and returns the tensors of the trace. The optimizer's library is added to the
    metadata."""
    output = OUTPUTS[metadata.get("output") or OUTPUT_OF_LOSS[metadata.get("loss_function", "cross-entropy")]]
    rates = [float(rate) for rate in str(metadata["learning_rate"]).split(",")]
    parameters = list(network.parameters())
    optimizer = concept.optimizer(parameters, rates[0])
    metadata["producer"] += getattr(optimizer, "producer", "")
    record = lambda prefix, values: {f"{prefix}.{name}": value.detach().clone() for name, value in values.items()}
    named = dict(network.named_parameters())
    record_gradients = lambda: record("gradient", {name: value.grad for name, value in named.items()})
    tensors = initial = record("initial", named)
    for step, batch in enumerate(batches):
        logits = network(batch["images"], batch["masks"])
        at = types.SimpleNamespace(**batch, logits=logits, outputs=output(logits), parameters=parameters)
        loss = concept.loss(at)
        reported = concept.reported(at) if concept.reported else loss
        optimizer.zero_grad()
        loss.backward()
        # The concepts whose gradients are recorded with weight decay have the penalty in their loss.
        gradients = {"raw": record_gradients(), "with-weight-decay": record_gradients()}
        gradients["summed"] = {name: len(batch["images"]) * value for name, value in gradients["raw"].items()}
        concept.clip(parameters)
        gradients["clipped"] = record_gradients()
        for group in optimizer.param_groups:
            group["lr"] = rates[min(step, len(rates) - 1)]
        optimizer.step()
        change = {name: initial[f"initial.{name}"] - value for name, value in named.items()}
        gradients["from-step"] = record("gradient", {name: value / rates[0] for name, value in change.items()})
        if step == 0:
            tensors = tensors | {"logits": logits, "outputs": at.outputs, "loss": reported}
            tensors |= gradients[metadata.get("gradients", "raw")]
        truth = "targets" if concept.targets else "labels"
        tensors |= {f"batch.{step}.{name}": batch[name] for name in ["images", truth]}
        tensors |= record(f"batch.{step}.masks", batch["masks"]) | {f"step.{step}.loss": reported}
        tensors |= record(f"step.{step}", named)
    if metadata.get("weights") == "inputs-outputs":
        tensors = {name: value.T if name.endswith("weight") else value for name, value in tensors.items()}
    return {name: value.detach().clone(memory_format=torch.contiguous_format) for name, value in tensors.items()}


def write(name, concept, suffix, folder):
    """Writes the trace of a concept. Its name determines the random numbers, which are the same in both precisions."""
    torch.manual_seed(zlib.crc32(name.encode()))
    torch.set_default_dtype(torch.float64)
    precision = PRECISIONS[suffix]
    network, batches = Mlp(concept).to(precision), draw_batches(concept, precision)
    torch.set_default_dtype(precision)  # NAdam keeps the product of its momenta in the default precision
    metadata = DEFAULTS | {"producer": f"PyTorch {torch.__version__}"} | concept.metadata
    tensors = trace(concept, network, batches, metadata)
    assert all(value.dtype == (torch.int64 if key.endswith("labels") else precision) for key, value in tensors.items())
    text = {key: str(value).lower() if isinstance(value, bool) else str(value) for key, value in metadata.items()}
    data = safetensors.torch.save(tensors, text)
    end = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:end])
    header["__metadata__"] = text  # in a fixed order, which the library does not keep
    header = json.dumps(header, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    (folder / f"{name}-{suffix}.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + data[end:])


def protected(protect):
    """Returns the cross-entropy of protected probabilities."""
    return lambda at: F.nll_loss(torch.log(protect(at.outputs)), at.labels)


def protected_binary(protect):
    """Returns the binary cross-entropy of protected probabilities."""
    terms = lambda p, y: y * torch.log(protect(p)) + (1 - y) * torch.log(protect(1 - p))
    return lambda at: -terms(at.outputs, at.targets).sum() / len(at.images)


def penalized(weights_only=False, per_image=False):
    """Returns the cross-entropy plus the penalty of weight decay."""
    decayed = lambda at: [value for value in at.parameters if value.ndim == 2 or not weights_only]
    penalty = lambda at: 0.5 * DECAY * sum(value.square().sum() for value in decayed(at))
    return lambda at: F.cross_entropy(at.logits, at.labels) + penalty(at) / (len(at.images) if per_image else 1)


def losses():
    """Returns the concepts about losses by name."""
    squared, half, binary = {"loss_function": "squared-error"}, {"loss_factor": 0.5}, {"loss_function": "binary-cross-entropy"}
    total, mean = {"reduction": "sum"}, {"reduction": "mean-over-outputs"}
    cross_entropy = lambda **options: lambda at: F.cross_entropy(at.logits, at.labels, **options)
    squared_errors = lambda at: F.mse_loss(at.outputs, at.targets, reduction="sum")
    squared_error = lambda at: squared_errors(at) / len(at.images)
    binary_cross_entropies = lambda at: F.binary_cross_entropy_with_logits(at.logits, at.targets, reduction="sum")
    binary_cross_entropy = lambda at: binary_cross_entropies(at) / len(at.images)
    add_epsilon, clip_values = lambda values: values + 1e-3, lambda values: torch.clip(values, 0.05, 0.95)
    epsilon, clip, in_gradient = {"log_epsilon": 1e-3}, {"log_clip": 0.05}, {"log_in_gradient": True}
    table = {"cross-entropy": Concept({})}
    for output in OUTPUTS:
        metadata = squared | ({"output": output} if output != "linear" else {})
        table[f"squared-error-{output}"] = Concept(metadata, squared_error)
        table[f"squared-error-{output}-half"] = Concept(metadata | half, lambda at: 0.5 * squared_error(at))
    return table | {
        "squared-error-mean-over-outputs": Concept(squared | mean, lambda at: F.mse_loss(at.outputs, at.targets)),
        "squared-error-sum": Concept(squared | total, squared_errors),
        "squared-error-targets": Concept(squared, squared_error, targets=torch.randn),
        "binary-cross-entropy": Concept(binary, binary_cross_entropy),
        "binary-mean-over-outputs": Concept(binary | mean, lambda at: F.binary_cross_entropy(at.outputs, at.targets)),
        "binary-targets": Concept(binary, binary_cross_entropy, targets=torch.rand),
        "binary-one-output": Concept(binary, binary_cross_entropy, sizes=(5, 6, 1)),
        "binary-log-epsilon-in-gradient": Concept(binary | epsilon | in_gradient, protected_binary(add_epsilon)),
        "binary-log-clip-in-gradient": Concept(binary | clip | in_gradient, protected_binary(clip_values), scale=3.0),
        "cross-entropy-sum": Concept(total, cross_entropy(reduction="sum")),
        "label-smoothing": Concept({"label_smoothing": 0.1}, cross_entropy(label_smoothing=0.1)),
        "log-epsilon": Concept(epsilon, reported=protected(add_epsilon)),
        "log-epsilon-in-gradient": Concept(epsilon | in_gradient, protected(add_epsilon)),
        "log-clip": Concept(clip, reported=protected(clip_values), scale=3.0),
        "log-clip-in-gradient": Concept(clip | in_gradient, protected(clip_values), scale=3.0),
    }


def by_torch(name, clip=Concept.clip, reported=None, **metadata):
    """Returns a concept with one of PyTorch's optimizers, whose options follow from the metadata."""
    kind, options = OPTIMIZERS[name]
    options = options | {OPTIONS[key]: value for key, value in metadata.items() if key in OPTIONS}
    if "beta2" in metadata:
        options["betas"] = (metadata.get("beta1", 0.9), metadata["beta2"])
    optimizer = partial(kind, **options)
    return Concept({"optimizer": name} | metadata, reported=reported, optimizer=optimizer, clip=clip)


def by(library, name, rule, **metadata):
    """Returns a concept with an update rule of another library."""
    return Concept({"optimizer": name} | metadata, optimizer=partial(library, rule=rule))


def decay_weights_only(parameters, rate):
    weights, biases = ([value for value in parameters if value.ndim == dimensions] for dimensions in [2, 1])
    return optim.SGD([{"params": weights, "weight_decay": DECAY}, {"params": biases}], rate)


def updates():
    """Returns the concepts about weight decay, optimizers and clipped gradients by name."""
    decay, decoupled = {"weight_decay": DECAY}, {"weight_decay_form": "decoupled"}
    on_weights, per_image = {"weight_decay_on": "weights"}, {"weight_decay_per_image": True}
    in_loss = {"weight_decay_in_loss": True}
    differentiated = decay | in_loss | {"gradients": "with-weight-decay"}
    slow, inside_root = {"learning_rate": 0.01}, {"epsilon": 1e-3, "epsilon_placement": "inside-root"}
    with_rate, clip_norm = {"momentum_form": "with-rate"}, partial(clip_grad_norm_, max_norm=0.2)
    clip_each = lambda values: [clip_grad_norm_([value], 0.4) for value in values]
    decay_momentum = lambda rate: optax.chain(optax.trace(0.9), optax.add_decayed_weights(DECAY), optax.scale(-rate))
    rmsprop_with_rate = lambda _: rmsprop_inside(lambda step: jnp.array(RATES)[step], momentum=0.9)
    clip_by_optax = lambda rate: optax.chain(optax.clip_by_global_norm(0.2), optax.sgd(rate))
    average = lambda rate: optax.chain(optax.ema(0.8, debias=False), optax.scale(-rate))
    weights = lambda values: [value.ndim == 2 for value in values]
    adamw_on_weights = partial(optax.adamw, weight_decay=DECAY, mask=weights)
    adam_inside, adagrad_inside = partial(optax.adam, eps=0, eps_root=1e-3), partial(optax.adagrad, eps=1e-3)
    rmsprop_inside = partial(optax.rmsprop, decay=0.9, eps=1e-3)
    plain_momentum, adam_before = partial(SGDOptimizer, nesterov=False), partial(AdamOptimizer, epsilon=1e-3)
    return {
        "weight-decay": by_torch("sgd", **decay),
        "weight-decay-weights-only": Concept(decay | on_weights, optimizer=decay_weights_only),
        "weight-decay-per-image": Concept(decay | per_image, optimizer=partial(optim.SGD, weight_decay=DECAY / 5)),
        "weight-decay-in-loss": Concept(differentiated, penalized()),
        "weight-decay-in-loss-per-image": Concept(differentiated | on_weights | per_image, penalized(True, True)),
        "weight-decay-in-reported-loss": by_torch("sgd", reported=penalized(), **decay, **in_loss),
        "weight-decay-adam": by_torch("adam", **slow, **decay),
        "weight-decay-adamw": by_torch("adamw", **slow, **decay),
        "weight-decay-adamw-weights-only": by(Optax, "adamw", adamw_on_weights, **slow, **decay, **on_weights),
        "weight-decay-decoupled-nadam": Concept(
            {"optimizer": "nadam"} | slow | decay | decoupled,
            optimizer=partial(optim.NAdam, weight_decay=DECAY, decoupled_weight_decay=True)),
        "weight-decay-decoupled-momentum": by(Optax, "momentum", decay_momentum, **decay, **decoupled),
        "gradients-summed": Concept({"gradients": "summed"}),
        "gradients-from-step": by_torch("sgd", gradients="from-step"),
        "gradients-from-step-weight-decay": by_torch("sgd", gradients="from-step", **decay),
        "momentum": by_torch("momentum"),
        "momentum-dampening": by_torch("momentum", dampening=0.3),
        "momentum-nesterov": by_torch("momentum", nesterov=True),
        "momentum-average": by(Optax, "momentum", average, momentum_form="average", momentum=0.8),
        "momentum-with-rate": by(ScikitLearn, "momentum", plain_momentum, **with_rate, **CHANGING),
        "momentum-with-rate-nesterov": by(
            ScikitLearn, "momentum", SGDOptimizer, nesterov=True, **with_rate, **CHANGING),
        "learning-rates-sgd": by_torch("sgd", **CHANGING),
        "learning-rates-momentum": by_torch("momentum", **CHANGING),
        "learning-rates-adam": by_torch("adam", **CHANGING),
        "adam": by_torch("adam", **slow),
        "adam-betas-epsilon": by_torch("adam", **slow, beta1=0.8, beta2=0.95, epsilon=1e-3),
        "adam-before-correction": by(
            ScikitLearn, "adam", adam_before, **slow, epsilon=1e-3, epsilon_placement="before-correction"),
        "adam-inside-root": by(Optax, "adam", adam_inside, **slow, **inside_root),
        # With a small beta2, running averages do shrink within three steps.
        "adam-amsgrad": by_torch("adam", **slow, amsgrad=True, beta2=0.5),
        "adam-optax-32-bit": by(partial(Optax, always_64_bit=False), "adam", optax.adam, **slow),
        "adamw": by_torch("adamw", **slow),
        "nadam": by_torch("nadam", **slow),
        "nadam-momentum-decay-epsilon": by_torch("nadam", **slow, momentum_decay=0.1, epsilon=1e-3),
        "adamax": by_torch("adamax", **slow),
        "adamax-betas-epsilon": by_torch("adamax", **slow, beta1=0.8, beta2=0.7, epsilon=1e-3),
        "rmsprop": by_torch("rmsprop", **slow),
        "rmsprop-momentum": by_torch("rmsprop", **CHANGING, momentum=0.9, alpha=0.9, epsilon=1e-3),
        "rmsprop-inside-root": by(Optax, "rmsprop", rmsprop_inside, **slow, **inside_root, alpha=0.9),
        "rmsprop-inside-root-momentum-with-rate": by(
            Optax, "rmsprop", rmsprop_with_rate, **CHANGING, **inside_root, **with_rate, alpha=0.9, momentum=0.9),
        "adagrad": by_torch("adagrad"),
        "adagrad-decay-accumulator-epsilon": by_torch(
            "adagrad", learning_rate_decay=0.2, initial_accumulator=0.01, epsilon=1e-3),
        "adagrad-inside-root": by(Optax, "adagrad", adagrad_inside, **inside_root, initial_accumulator=0.1),
        "clip-norm": by_torch("sgd", clip_norm, clip_norm=0.2),
        "clip-norm-clipped-gradients": by_torch("sgd", clip_norm, clip_norm=0.2, gradients="clipped"),
        "clip-norm-weight-decay": by_torch("sgd", clip_norm, clip_norm=0.2, **decay),
        "clip-norm-momentum": by_torch("momentum", clip_norm, clip_norm=0.2),
        "clip-norm-optax": by(Optax, "sgd", clip_by_optax, clip_norm=0.2, clip_epsilon=0),
        "clip-norm-per-tensor": by_torch("sgd", clip_each, clip_norm_per_tensor=0.4),
        "clip-value": by_torch("sgd", partial(clip_grad_value_, clip_value=0.1), clip_value=0.1),
    }


def networks():
    """Returns the concepts about activation functions, parameters and batches by name."""
    activation = lambda function, **metadata: Concept(metadata, activations=(function,), scale=2.0)
    # PyTorch's hard sigmoid rounds the 1/6 of its backward pass to single precision even in double precision.
    hard_sigmoid = lambda z: F.hardsigmoid(z) if z.dtype == torch.float32 else torch.clip(z / 6 + 0.5, 0, 1)
    functions = {
        "relu": torch.relu, "sigmoid": torch.sigmoid, "leaky-relu": F.leaky_relu, "elu": F.elu, "selu": F.selu,
        "gelu": F.gelu, "gelu-tanh": partial(F.gelu, approximate="tanh"), "silu": F.silu, "softplus": F.softplus,
        "hard-sigmoid": hard_sigmoid, "identity": nn.Identity(),
    }
    steep_relu, steep_sigmoid = partial(F.leaky_relu, negative_slope=0.2), lambda z: torch.clip(0.2 * z + 0.5, 0, 1)
    return {f"activation-{name}": activation(function, activation=name) for name, function in functions.items()} | {
        "activation-leaky-relu-slope": activation(steep_relu, activation="leaky-relu", activation_slope=0.2),
        "activation-hard-sigmoid-slope": activation(steep_sigmoid, activation="hard-sigmoid", activation_slope=0.2),
        "activation-elu-alpha": activation(partial(F.elu, alpha=1.5), activation="elu", activation_alpha=1.5),
        "activation-per-layer": Concept({"activation": "relu, sigmoid"}, activations=(torch.relu, torch.sigmoid)),
        "no-biases": Concept({}, without_bias=("layer1", "layer2", "output_layer")),
        "no-biases-in-output-layer": Concept(
            {"optimizer": "momentum"}, without_bias=("output_layer",), optimizer=partial(optim.SGD, momentum=0.9)),
        "weights-inputs-outputs": Concept({"weights": "inputs-outputs"}, sizes=(5, 5, 5, 5)),
        "batch-sizes": Concept({}, images=(5, 3, 4)),
        "dropout-half": Concept({}, dropout=0.5),
        "dropout-quarter": Concept({}, dropout=0.25),
    }


def main():
    torch.set_num_threads(1)
    folder = pathlib.Path(__file__).parent / "concepts"
    folder.mkdir(exist_ok=True)
    for (name, concept), suffix in itertools.product((losses() | updates() | networks()).items(), PRECISIONS):
        write(name, concept, suffix, folder)


if __name__ == "__main__":
    main()
