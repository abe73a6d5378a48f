"""Checks of scikit-learn's `MLPClassifier` and of classes derived from it."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

import numpy as np
from sklearn.neural_network import MLPClassifier

from ._batches import Form, generate
from ._errors import Error
from ._optimizers import Value
from ._report import Report
from ._trace import Trace, layer_names

_ACTIVATIONS = {"logistic": "sigmoid", "tanh": "tanh", "relu": "relu", "identity": "identity"}


def check(
    estimator: MLPClassifier,
    *,
    inputs: int = 20,
    classes: int = 5,
    pixels: tuple[float, float] = (0.0, 1.0),
    batch_size: int | None = None,
    steps: int = 4,
    seed: int = 0,
    accept: Iterable[str] = (),
    **declared: Value,
) -> Report:
    """Check a copy of an estimator, whose network and update rule are those of its parameters.

    Parameters
    ----------
    estimator : sklearn.neural_network.MLPClassifier
        An estimator with the solver "sgd" or "adam". It is not changed.
    inputs, classes : int
        Sizes of the network, unless the estimator is fitted.
    pixels, batch_size, steps, seed, accept, **declared
        As in `mlp_parity.check_step`.

    Raises
    ------
    Error
        If the solver takes no steps of its own.
    """
    if estimator.solver == "lbfgs":
        raise Error("the solver 'lbfgs' has no training steps; expected 'sgd' or 'adam'")
    if estimator.activation not in _ACTIVATIONS:
        raise Error(f"the activation {estimator.activation!r} is unknown; expected one of {', '.join(_ACTIVATIONS)}")
    network = copy.deepcopy(estimator)
    fitted = hasattr(network, "coefs_")
    if fitted:
        inputs, classes = network.n_features_in_, len(network.classes_)
    hidden = np.atleast_1d(network.hidden_layer_sizes).tolist()
    form = Form("rows", "integers", pixels, np.float64)
    batches = generate([inputs, *hidden, classes], steps, batch_size, form, seed)
    network.set_params(batch_size=len(batches[0][1]), shuffle=False, warm_start=False)
    names = np.arange(classes) if not fitted else network.classes_
    if not fitted:
        # The parameters exist after the first step.
        network.random_state = seed if network.random_state is None else network.random_state
        network.partial_fit(batches[0][0], names[batches[0][1]], classes=names)
    network.__dict__.pop("_optimizer", None)
    network.t_ = 0

    metadata: dict[str, Any] = {
        "producer": "mlp_parity.sklearn.check",
        "activation": _ACTIVATIONS[network.activation],
        "loss_function": "binary-cross-entropy" if classes == 2 else "cross-entropy",
        "weights": "inputs-outputs",
        "learning_rate": network.learning_rate_init,
    }
    if network.alpha:
        metadata |= {
            "weight_decay": network.alpha,
            "weight_decay_on": "weights",
            "weight_decay_per_image": True,
            "weight_decay_in_loss": True,
        }
    if network.solver == "adam":
        metadata |= {
            "optimizer": "adam",
            "beta1": network.beta_1,
            "beta2": network.beta_2,
            "epsilon": network.epsilon,
            "epsilon_placement": "before-correction",
        }
    elif network.momentum:
        metadata |= {
            "optimizer": "momentum",
            "momentum": network.momentum,
            "momentum_form": "with-rate",
            "nesterov": network.nesterovs_momentum,
        }
    trace = Trace({**metadata, **declared})
    trace.record("initial.", _arrays(network))
    for number, (images, labels) in enumerate(batches):
        trace[f"batch.{number}.images"] = images
        trace[f"batch.{number}.labels"] = labels % 2 if classes == 2 else labels
        network.partial_fit(images, names[labels])
        trace[f"step.{number}.loss"] = np.array([network.loss_])
        trace.record(f"step.{number}.", _arrays(network))
    return trace.check(accept)


def _arrays(network: MLPClassifier) -> dict[str, Any]:
    names = layer_names(len(network.coefs_))
    weights = {f"{name}.weight": values for name, values in zip(names, network.coefs_, strict=True)}
    return weights | {f"{name}.bias": values for name, values in zip(names, network.intercepts_, strict=True)}
