"""Checks of Keras models."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import keras
import numpy as np

from ._batches import Form, generate
from ._errors import Error
from ._optimizers import Value
from ._report import Report
from ._trace import Trace, layer_names

_ACTIVATIONS: dict[str, dict[str, Value]] = {
    "relu": {"activation": "relu"},
    "sigmoid": {"activation": "sigmoid"},
    "tanh": {"activation": "tanh"},
    "elu": {"activation": "elu"},
    "selu": {"activation": "selu"},
    "gelu": {"activation": "gelu"},
    "silu": {"activation": "silu"},
    "softplus": {"activation": "softplus"},
    "hard_sigmoid": {"activation": "hard-sigmoid"},
    "linear": {"activation": "identity"},
}

_TRANSPARENT = (keras.layers.InputLayer, keras.layers.Flatten, keras.layers.Reshape)

# The smallest probability in Keras' cross-entropy of probabilities.
_EPSILON = 1e-7


def check(
    model: keras.Model,
    *,
    pixels: tuple[float, float] = (0.0, 1.0),
    batch_size: int | None = None,
    steps: int = 4,
    seed: int = 0,
    accept: Iterable[str] = (),
    **declared: Value,
) -> Report:
    """Check a compiled model of `Dense` layers: its training step, `model.train_on_batch`.

    Layers, activations, loss and update rule are derived from the model. Its parameters and the state of its optimizer are
    restored afterwards.

    Parameters
    ----------
    model : keras.Model
        A model that is built and compiled.
    pixels, batch_size, steps, seed, accept, **declared
        As in `mlp_parity.check_step`.

    Raises
    ------
    Error
        If the model is not a multi-layer perceptron, or a required argument is missing.
    """
    optimizer = getattr(model, "optimizer", None)
    if optimizer is None:
        raise Error("the model is not compiled; call model.compile(optimizer=…, loss=…)")
    dense = _dense(model)
    metadata: dict[str, Any] = {
        "producer": "mlp_parity.keras.check",
        "weights": "inputs-outputs",
        **_activations(dense),
        **_loss(model, dense[-1].activation.__name__),
        **_optimizer(optimizer),
        **_penalty(dense),
        **declared,
    }
    targets = model.loss if isinstance(model.loss, str) else type(model.loss).__name__
    form = Form("rows", "integers" if "parse" in targets else "onehot", pixels, dense[0].kernel.dtype)
    sizes = [dense[0].kernel.shape[0], *(layer.units for layer in dense)]
    optimizer.build(model.trainable_variables)
    variables = [*model.variables, *optimizer.variables]
    saved = [_values(variable) for variable in variables]
    fresh = type(optimizer).from_config(optimizer.get_config())
    fresh.build(model.trainable_variables)
    shape = (-1, *model.input_shape[1:])

    def arrays() -> dict[str, Any]:
        found = {}
        for name, layer in zip(layer_names(len(dense)), dense, strict=True):
            found[f"{name}.weight"] = _values(layer.kernel)
            if layer.use_bias:
                found[f"{name}.bias"] = _values(layer.bias)
        return found

    try:
        for variable, initial in zip(optimizer.variables, fresh.variables, strict=True):
            variable.assign(initial)
        trace = Trace(metadata)
        trace.record("initial.", arrays())
        for number, (images, labels) in enumerate(generate(sizes, steps, batch_size, form, seed)):
            trace[f"batch.{number}.images"], trace[f"batch.{number}.labels"] = images, labels
            x, y = form.of(images, labels, sizes[-1])
            loss = model.train_on_batch(x.reshape(shape), y, return_dict=True)["loss"]
            # The loss is a running mean, which this resets.
            model.reset_metrics()
            trace[f"step.{number}.loss"] = np.array([loss], dtype=form.dtype)
            trace.record(f"step.{number}.", arrays())
    finally:
        for variable, values in zip(variables, saved, strict=True):
            variable.assign(values)
    return trace.check(accept)


def _values(variable: Any) -> Any:
    """Return a copy of the values of a variable."""
    return np.array(keras.ops.convert_to_numpy(variable))


def _dense(model: keras.Model) -> list[Any]:
    """Return the dense layers of a model."""
    layers = [layer for layer in model.layers if not isinstance(layer, _TRANSPARENT)]
    idle = [layer for layer in layers if isinstance(layer, keras.layers.Dropout) and not layer.rate]
    rest = [layer for layer in layers if layer not in idle]
    other = [layer for layer in rest if not isinstance(layer, (keras.layers.Dense, keras.layers.Activation, keras.layers.ReLU))]
    if other:
        name = type(other[0]).__name__
        raise Error(f"the model has a {name} layer; only Dense layers with activations between them can be checked")
    dense = [layer for layer in rest if isinstance(layer, keras.layers.Dense)]
    if not dense or not dense[0].built:
        raise Error("the model is not built; pass an Input layer first, or call model.build((None, inputs))")
    separate = [layer for layer in rest if not isinstance(layer, keras.layers.Dense)]
    if separate:
        raise Error("an activation is a layer of its own; pass it to the Dense layer before it, as Dense(…, activation='relu')")
    return dense


def _activations(dense: list[Any]) -> dict[str, Value]:
    names = [layer.activation.__name__ for layer in dense[:-1]]
    unknown = [name for name in names if name not in _ACTIVATIONS]
    if unknown:
        raise Error(f"the activation {unknown[0]!r} cannot be checked; expected one of {', '.join(_ACTIVATIONS)}")
    return {"activation": ",".join(str(_ACTIVATIONS[name]["activation"]) for name in names)} if names else {}


def _loss(model: keras.Model, output: str) -> dict[str, Value]:
    """Return the declaration of the loss and of the output layer."""
    loss = keras.losses.get(model.loss) if isinstance(model.loss, str) else model.loss
    name = loss.__name__ if callable(loss) and hasattr(loss, "__name__") else type(loss).__name__
    name = name.replace("_", "").lower()
    config = loss.get_config() if hasattr(loss, "get_config") else {}
    if config.get("reduction", "sum_over_batch_size") not in ("sum_over_batch_size", "sum"):
        raise Error(f"the reduction {config['reduction']!r} of the loss cannot be checked")
    total = config.get("reduction") == "sum"
    smoothing: dict[str, Value] = {"label_smoothing": config["label_smoothing"]} if config.get("label_smoothing") else {}
    if name in ("categoricalcrossentropy", "sparsecategoricalcrossentropy"):
        reduction: dict[str, Value] = {"reduction": "sum" if total else "mean"}
        if config.get("from_logits"):
            if output != "linear":
                raise Error(f"the loss expects logits, but the output layer has {output}; pass from_logits=False")
            return {"loss_function": "cross-entropy", **reduction, **smoothing}
        if output != "softmax":
            raise Error(f"the loss expects probabilities, but the output layer has {output}; pass from_logits=True")
        return {
            "loss_function": "cross-entropy",
            "log_clip": _EPSILON,
            "log_in_gradient": True,
            **reduction,
            **smoothing,
        }
    if name == "meansquarederror" and output in ("linear", "sigmoid", "tanh", "softmax"):
        return {
            "loss_function": "squared-error",
            "output": output,
            "reduction": "sum" if total else "mean-over-outputs",
        }
    if name == "binarycrossentropy":
        means: dict[str, Value] = {"reduction": "sum" if total else "mean-over-outputs"}
        clip: dict[str, Value] = {} if config.get("from_logits") else {"log_clip": _EPSILON, "log_in_gradient": True}
        return {"loss_function": "binary-cross-entropy", **means, **clip, **smoothing}
    raise Error(f"the loss {name!r} cannot be checked; expected cross-entropy, squared error or binary cross-entropy")


def _penalty(dense: list[Any]) -> dict[str, Value]:
    """Return the declaration of the penalty l2 of the kernels, the same for all."""
    factors = {float(getattr(layer.kernel_regularizer, "l2", 0) or 0) for layer in dense}
    other = [layer for layer in dense if layer.bias_regularizer or getattr(layer.kernel_regularizer, "l1", 0)]
    if other or len(factors) > 1:
        raise Error("only the same kernel_regularizer=l2(…) of all layers can be checked")
    factor = factors.pop()
    if not factor:
        return {}
    return {
        "weight_decay": 2 * factor,
        "weight_decay_on": "weights",
        "weight_decay_in_loss": True,
        "weight_decay_form": "coupled",
    }


def _optimizer(optimizer: Any) -> dict[str, Value]:
    """Return the declaration of an optimizer."""
    config = optimizer.get_config()
    if not isinstance(config["learning_rate"], (int, float)):
        raise Error("the learning rate follows a schedule; compile the model with a number for the check")
    if config.get("use_ema") or config.get("gradient_accumulation_steps"):
        raise Error("moving averages of the parameters and accumulated gradients cannot be checked")
    options: dict[str, str] = {}
    fixed: dict[str, Value] = {}
    match type(optimizer).__name__:
        case "SGD":
            rule = "momentum" if config["momentum"] else "sgd"
            if config["momentum"]:
                options, fixed = {"momentum": "momentum", "nesterov": "nesterov"}, {"momentum_form": "with-rate"}
        case "Adam" | "AdamW" as name:
            rule, fixed = name.lower(), {"epsilon_placement": "before-correction"}
            options = {"beta_1": "beta1", "beta_2": "beta2", "epsilon": "epsilon", "amsgrad": "amsgrad"}
        case "Adamax":
            rule, options = "adamax", {"beta_1": "beta1", "beta_2": "beta2", "epsilon": "epsilon"}
        case "RMSprop":
            rule, fixed = "rmsprop", {"epsilon_placement": "inside-root"}
            options = {"rho": "alpha", "epsilon": "epsilon"}
            if config["momentum"]:
                options["momentum"], fixed["momentum_form"] = "momentum", "with-rate"
            if config["centered"]:
                raise Error("centered RMSprop cannot be checked; pass centered=False")
        case "Adagrad":
            rule, fixed = "adagrad", {"epsilon_placement": "inside-root"}
            options = {"epsilon": "epsilon", "initial_accumulator_value": "initial_accumulator"}
        case name:
            raise Error(f"the optimizer {name} cannot be checked; expected SGD, Adam, AdamW, Adamax, RMSprop or Adagrad")
    declared: dict[str, Value] = {"optimizer": rule, "learning_rate": float(config["learning_rate"]), **fixed}
    declared |= {key: config[name] for name, key in options.items()}
    if config.get("weight_decay"):
        declared |= {"weight_decay": config["weight_decay"], "weight_decay_form": "decoupled"}
    for name, key in [
        ("clipnorm", "clip_norm_per_tensor"),
        ("global_clipnorm", "clip_norm"),
        ("clipvalue", "clip_value"),
    ]:
        if config.get(name):
            declared[key] = config[name]
            if "norm" in name:
                declared["clip_epsilon"] = 0.0
    return declared
