"""Checks of PyTorch modules."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import nn

from ._batches import Form, generate
from ._errors import Error
from ._optimizers import Value
from ._parameters import to_numpy
from ._report import Report
from ._trace import Trace, activations, layer_names

_ACTIVATIONS: dict[type[nn.Module], Callable[[Any], dict[str, Value]]] = {
    nn.ReLU: lambda module: {"activation": "relu"},
    nn.Sigmoid: lambda module: {"activation": "sigmoid"},
    nn.Tanh: lambda module: {"activation": "tanh"},
    nn.LeakyReLU: lambda module: {"activation": "leaky-relu", "activation_slope": module.negative_slope},
    nn.ELU: lambda module: {"activation": "elu", "activation_alpha": module.alpha},
    nn.SELU: lambda module: {"activation": "selu"},
    nn.GELU: lambda module: {"activation": "gelu" if module.approximate == "none" else "gelu-tanh"},
    nn.SiLU: lambda module: {"activation": "silu"},
    nn.Softplus: lambda module: {"activation": "softplus"},
    nn.Hardsigmoid: lambda module: {"activation": "hard-sigmoid"},
}

# Modules that change nothing here, or whose effect is part of the loss.
_TRANSPARENT = (nn.Identity, nn.Flatten)


def check(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    *,
    loss: nn.Module | Callable[[Any, Any], Any] | None = None,
    train_step: Callable[[Any, Any], Any] | None = None,
    activation: str | Sequence[str] | None = None,
    pixels: tuple[float, float] = (0.0, 1.0),
    batch_size: int | None = None,
    steps: int = 4,
    seed: int = 0,
    accept: Iterable[str] = (),
    **declared: Value,
) -> Report:
    """Check a module that is a multi-layer perceptron, and the optimizer that trains it.

    What the module and the optimizer state is derived from them: layers, activations, update rule, rates. The parameters and
    the state of the optimizer are restored afterwards.

    Parameters
    ----------
    model : torch.nn.Module
        A module of `Linear` layers, compiled or not, whose output is that of the last one.
    optimizer : torch.optim.Optimizer
        The optimizer of its parameters.
    loss : module or callable, optional
        The loss function [default: `CrossEntropyLoss()`].
    train_step : callable, optional
        Your own `train_step(images, labels)`, which is checked in place of the usual one; it may return the loss.
    activation : str or sequence of str, optional
        Activation of the hidden layers, if it is not a module, such as `torch.relu` in `forward`.
    pixels, batch_size, steps, seed, accept, **declared
        As in `mlp_parity.check_step`.

    Raises
    ------
    Error
        If the module is not a multi-layer perceptron, or a required argument is missing.
    """
    loss = nn.CrossEntropyLoss() if loss is None else loss
    linear, found = _layers(model, activation)
    metadata: dict[str, Any] = {
        "producer": "mlp_parity.torch.check",
        "weights": "outputs-inputs",
        **found,
        **_loss(loss),
        **_optimizer(optimizer),
        **declared,
    }
    first = linear[0].weight
    form = Form("rows", "integers", pixels, to_numpy(first).dtype)
    sizes = [linear[0].in_features, *(layer.out_features for layer in linear)]
    saved = copy.deepcopy((model.state_dict(), optimizer.state_dict()))
    gradients = [parameter.grad for parameter in model.parameters()]
    was_training = model.training
    accepted = inspect.signature(type(optimizer)).parameters
    options = {name: value for name, value in optimizer.defaults.items() if name in accepted}
    fresh = type(optimizer)(model.parameters(), **options)
    optimizer.load_state_dict({**optimizer.state_dict(), "state": fresh.state_dict()["state"]})

    def arrays(values: Callable[[Any], Any]) -> dict[str, Any]:
        tensors = {
            f"{name}.{part}": getattr(layer, part)
            for name, layer in zip(layer_names(len(linear)), linear, strict=True)
            for part in ("weight", "bias")
        }
        return {name: to_numpy(values(tensor)) for name, tensor in tensors.items() if tensor is not None}

    try:
        model.train()
        trace = Trace(metadata)
        trace.record("initial.", arrays(lambda tensor: tensor))
        for number, (images, labels) in enumerate(generate(sizes, steps, batch_size, form, seed)):
            trace[f"batch.{number}.images"], trace[f"batch.{number}.labels"] = images, labels
            x, y = torch.as_tensor(images, device=first.device), torch.as_tensor(labels, device=first.device)
            if number == 0:
                with torch.no_grad():
                    trace["logits"] = to_numpy(model(x))
            if train_step is None:
                optimizer.zero_grad()
                result = loss(model(x), _targets(loss, y, sizes[-1], x.dtype))
                result.backward()
                if number == 0:
                    trace.record("gradient.", arrays(lambda tensor: tensor.grad))
                optimizer.step()
            else:
                result = train_step(x, y)
            if result is not None:
                trace[f"step.{number}.loss"] = to_numpy(result).reshape(-1)
            trace.record(f"step.{number}.", arrays(lambda tensor: tensor))
    finally:
        model.load_state_dict(saved[0])
        optimizer.load_state_dict(saved[1])
        model.train(was_training)
        for parameter, gradient in zip(model.parameters(), gradients, strict=True):
            parameter.grad = gradient
    return trace.check(accept)


def _layers(model: nn.Module, activation: str | Sequence[str] | None) -> tuple[list[nn.Linear], dict[str, Value]]:
    """Return the linear layers in the order in which the model calls them, and the activations between them."""
    called: list[nn.Module] = []
    plain = getattr(model, "_orig_mod", model)
    leaves = [module for module in plain.modules() if not list(module.children())]
    hooks = [module.register_forward_hook(lambda module, *_: called.append(module)) for module in leaves]
    linear = [module for module in leaves if isinstance(module, nn.Linear)]
    if not linear:
        raise Error(f"{type(plain).__name__} has no Linear layers; mlp_parity.check_step checks networks of any kind")
    try:
        for inputs in dict.fromkeys(layer.in_features for layer in linear):
            called.clear()
            try:
                with torch.no_grad():
                    plain(torch.zeros(1, inputs, dtype=linear[0].weight.dtype, device=linear[0].weight.device))
                break
            except (RuntimeError, ValueError) as error:
                failure = error
        else:
            raise Error(f"the model raised {type(failure).__name__} for a batch of one image as a row: {failure}")
    finally:
        for hook in hooks:
            hook.remove()
    ordered = [module for module in called if isinstance(module, nn.Linear)]
    other = [
        module
        for module in called
        if not isinstance(module, (nn.Linear, *_TRANSPARENT, *_ACTIVATIONS)) and not _is_idle_dropout(module)
    ]
    if other:
        cure = "set its p to 0 for the check" if isinstance(other[0], nn.Dropout) else "leave it out for the check"
        raise Error(
            f"the model has a {type(other[0]).__name__} layer; only Linear layers with activations between them can be "
            f"checked: {cure}"
        )
    if len(ordered) != len(set(map(id, ordered))):
        raise Error("the model calls a Linear layer twice; shared layers cannot be checked")
    return ordered, activations(activation) or _activations(called, len(ordered))


def _activations(called: list[nn.Module], layers: int) -> dict[str, Value]:
    """Return the declaration of the activations between the linear layers."""
    between: list[list[nn.Module]] = [[] for _ in range(layers + 1)]
    place = 0
    for module in called:
        if isinstance(module, nn.Linear):
            place += 1
        elif type(module) in _ACTIVATIONS:
            between[place].append(module)
    hidden, last = between[1:-1], between[-1]
    if last:
        raise Error(f"{type(last[0]).__name__} follows the last layer; the output must be that of the last Linear layer")
    if any(len(modules) != 1 for modules in hidden):
        raise Error(
            "the activation of the hidden layers is not a module of the model; name it with activation='relu', or one for each"
        )
    declarations = [_ACTIVATIONS[type(modules[0])](modules[0]) for modules in hidden]
    options = [{key: value for key, value in one.items() if key != "activation"} for one in declarations]
    if any(one != options[0] for one in options[1:] if one):
        raise Error("the hidden layers have activations with different constants, which a trace cannot declare")
    merged = {key: value for one in options for key, value in one.items()}
    names = [str(one["activation"]) for one in declarations]
    return {"activation": ",".join(names), **merged} if names else {}


def _is_idle_dropout(module: nn.Module) -> bool:
    return isinstance(module, nn.Dropout) and module.p == 0


def _loss(loss: Any) -> dict[str, Value]:
    """Return the declaration of a loss function."""
    reduction = getattr(loss, "reduction", "mean")
    if getattr(loss, "weight", None) is not None:
        raise Error(f"{type(loss).__name__} weights the classes, which cannot be checked; remove `weight`")
    if isinstance(loss, nn.CrossEntropyLoss):
        smoothing: dict[str, Value] = {"label_smoothing": loss.label_smoothing} if loss.label_smoothing else {}
        return {"loss_function": "cross-entropy", "reduction": reduction, **smoothing}
    if isinstance(loss, nn.MSELoss):
        means: dict[str, Value] = {"reduction": "mean-over-outputs" if reduction == "mean" else reduction}
        return {"loss_function": "squared-error", **means}
    if isinstance(loss, nn.BCEWithLogitsLoss):
        return {
            "loss_function": "binary-cross-entropy",
            "reduction": "mean-over-outputs" if reduction == "mean" else reduction,
        }
    # A function: what it should compute is declared, or cross-entropy.
    return {}


def _targets(loss: Any, labels: torch.Tensor, outputs: int, dtype: torch.dtype) -> torch.Tensor:
    if isinstance(loss, (nn.MSELoss, nn.BCEWithLogitsLoss)):
        return nn.functional.one_hot(labels, outputs).to(dtype)
    return labels


def _optimizer(optimizer: torch.optim.Optimizer) -> dict[str, Value]:
    """Return the declaration of an optimizer."""
    groups = optimizer.param_groups
    first = {key: value for key, value in groups[0].items() if key != "params"}
    if any({key: value for key, value in group.items() if key != "params"} != first for group in groups[1:]):
        raise Error("the parameter groups of the optimizer have different options, which cannot be checked together")
    if first.get("maximize"):
        raise Error("the optimizer maximizes the loss; pass maximize=False")
    name = type(optimizer).__name__
    options = {"weight_decay": "weight_decay"}
    betas: dict[str, Value] = {}
    if "betas" in first:
        betas = {"beta1": first["betas"][0], "beta2": first["betas"][1]}
    match name:
        case "SGD":
            rule = "momentum" if first["momentum"] else "sgd"
            if rule == "momentum":
                options |= {"momentum": "momentum", "dampening": "dampening", "nesterov": "nesterov"}
        case "Adam" | "AdamW":
            rule = "adamw" if name == "AdamW" or first.get("decoupled_weight_decay") else "adam"
            options |= {"eps": "epsilon", "amsgrad": "amsgrad"}
        case "NAdam":
            rule = "nadam"
            options |= {"eps": "epsilon", "momentum_decay": "momentum_decay"}
        case "Adamax":
            rule, options = "adamax", {**options, "eps": "epsilon"}
        case "RMSprop":
            rule = "rmsprop"
            options |= {"alpha": "alpha", "eps": "epsilon"}
            if first["momentum"]:
                options["momentum"] = "momentum"
            if first.get("centered"):
                raise Error("centered RMSprop cannot be checked; pass centered=False")
        case "Adagrad":
            rule = "adagrad"
            options |= {
                "eps": "epsilon",
                "lr_decay": "learning_rate_decay",
                "initial_accumulator_value": "initial_accumulator",
            }
        case _:
            raise Error(f"the optimizer {name} cannot be checked; expected SGD, Adam, AdamW, NAdam, Adamax, RMSprop or Adagrad")
    return {
        "optimizer": rule,
        "learning_rate": float(first["lr"]),
        **betas,
        **{key: first[name] for name, key in options.items()},
    }
