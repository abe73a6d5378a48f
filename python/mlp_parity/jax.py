"""Checks of functions of JAX, trained by an optimizer of optax."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from ._batches import Form, generate
from ._errors import Error
from ._optimizers import Optimizer, Value
from ._parameters import Layers, to_numpy
from ._report import Report
from ._trace import Trace, activations


def check(
    loss_function: Callable[[Any, Any, Any], Any],
    params: Any,
    optimizer: optax.GradientTransformation,
    *,
    rule: Optimizer,
    activation: str | Sequence[str] | None = None,
    loss: str = "cross-entropy",
    apply: Callable[[Any, Any], Any] | None = None,
    train_step: Callable[[Any, Any, Any, Any], Any] | None = None,
    labels: str = "integers",
    pixels: tuple[float, float] = (0.0, 1.0),
    batch_size: int | None = None,
    steps: int = 4,
    seed: int = 0,
    weights: str | None = None,
    accept: Iterable[str] = (),
    **declared: Value,
) -> Report:
    """Check a loss function of a multi-layer perceptron, its gradients, and an optimizer of optax.

    Parameters
    ----------
    loss_function : callable
        `loss_function(params, images, labels)`, compiled or not.
    params : pytree
        Weights and biases: nested dictionaries, lists or tuples.
    optimizer : optax.GradientTransformation
        The optimizer that is checked.
    rule : Optimizer
        What the optimizer is meant to compute, such as `mlp_parity.Adam(1e-3)`, because optax does not tell.
    activation, loss, labels, pixels, batch_size, steps, seed, weights, accept, **declared
        As in `mlp_parity.check_step`.
    apply : callable, optional
        `apply(params, images)`, which returns the sums of the output layer.
    train_step : callable, optional
        Your own `train_step(params, state, images, labels)`, which returns `(params, state, loss)` and is checked in place of
        the usual one.

    Raises
    ------
    Error
        If the parameters are not those of a multi-layer perceptron, or a required argument is missing.
    """
    layers = Layers(params, weights)
    before = layers.named()
    form = Form("rows", labels, pixels, next(iter(before.values())).dtype)
    metadata: dict[str, Any] = {
        "producer": "mlp_parity.jax.check",
        "loss_function": loss,
        "weights": layers.weights,
        **activations(activation),
        **rule.metadata(),
        **declared,
    }
    trace = Trace(metadata)
    trace.record("initial.", before)
    state = optimizer.init(params)
    for number, (images, classes) in enumerate(generate(layers.sizes, steps, batch_size, form, seed)):
        trace[f"batch.{number}.images"], trace[f"batch.{number}.labels"] = images, classes
        x, y = map(jnp.asarray, form.of(images, classes, layers.outputs))
        if number == 0 and apply is not None:
            trace["logits"] = to_numpy(apply(params, x))
        if train_step is None:
            value, gradients = jax.value_and_grad(loss_function)(params, x, y)
            if np.shape(value):
                raise Error(f"the loss has shape {np.shape(value)}; expected one number: return its mean over the batch")
            if number == 0:
                trace.record("gradient.", layers.named(gradients))
            updates, state = optimizer.update(gradients, state, params)
            params = optax.apply_updates(params, updates)
        else:
            result = train_step(params, state, x, y)
            if not isinstance(result, tuple) or len(result) != 3:
                raise Error("train_step must return (params, state, loss)")
            params, state, value = result
        trace[f"step.{number}.loss"] = to_numpy(value).reshape(-1)
        trace.record(f"step.{number}.", layers.named(params))
    return trace.check(accept)
