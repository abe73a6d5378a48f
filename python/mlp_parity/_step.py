"""Checks of a function that trains a network with one batch."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from ._arguments import reject_misspelt, reject_options_of_optimizers, reject_uncallable, reject_unknown, whole_number
from ._attempt import Attempt
from ._batches import Form, generate
from ._errors import Error
from ._optimizers import Optimizer, Value
from ._parameters import Layers
from ._report import Report
from ._run import Network, names_of_results, read_parameters, takes_parameters
from ._state import State
from ._trace import activations

_ORDERS = ("inputs-outputs", "outputs-inputs")

_LOSSES = ("cross-entropy", "squared-error", "binary-cross-entropy")

_HINT = (
    "If the arguments do not describe the network (labels, pixels, loss, optimizer), or it was trained before the check, this "
    "may be the cause."
)


_HINT_OF_GRADIENTS = "Pass gradients=… too, the gradients of the last batch: they make the diagnosis more precise."


def check_step(
    step: Callable[..., Any],
    *,
    parameters: Callable[[], Any] | Any,
    optimizer: Optimizer,
    activation: str | Sequence[str] | None = None,
    loss: str = "cross-entropy",
    images: str = "rows",
    labels: str = "integers",
    pixels: tuple[float, float] = (0.0, 1.0),
    batch_size: int | None = None,
    steps: int = 4,
    seed: int = 0,
    returns: str | Sequence[str] | None = None,
    gradients: Callable[[], Any] | Any = None,
    logits: Callable[[Any], Any] | None = None,
    outputs: Callable[[Any], Any] | None = None,
    weights: str | None = None,
    dtype: Any = None,
    convert: Callable[[Any], Any] | None = None,
    scaled: Callable[[Any], Any] | None = None,
    set_parameters: Callable[[Any], Any] | None = None,
    accept: Iterable[str] = (),
    **declared: Value,
) -> Report:
    """Check a function that trains a network with one batch.

    The function is called `steps` times with seeded batches. The parameters before and after every call are compared with a
    reference in double precision, within the error that rounding explains.

    Afterwards, also if `step` raises an exception, the parameters and the state that the functions reach are restored: NumPy
    arrays, PyTorch tensors with their gradients, lists, dictionaries, and attributes of objects, which a function refers to
    through its object, its closure, its default values, the arguments of a `functools.partial`, its attributes or the global
    variables that it names. Anything else is not restored, such as slots, attributes of classes, sets, iterators, random
    generators, files, arrays that JAX deletes after donation, global variables of installed packages, and arrays with more than
    four times as many elements as the network has parameters. The first step is repeated at the end; if its results differ,
    `report.notes` says so.

    Parameters
    ----------
    step : callable
        `step(images, labels)`, which changes the parameters; or `step(parameters, images, labels)`, which returns new ones.
    parameters : callable or structure of arrays
        A function that returns the weights and biases in use, such as `lambda: [(net.W1, net.b1), (net.W2, net.b2)]`; or the
        structure itself, if its arrays are changed in place, or `step` takes and returns it. Nested lists, tuples and
        dictionaries are understood.
    optimizer : Optimizer
        The update rule that the function is meant to have, such as `SGD(0.1)`. Its state must be fresh, that is, the network
        was not trained before.
    activation : str or sequence of str, optional
        Activation of the hidden layers: "relu", "sigmoid", "tanh", "leaky-relu", "gelu", …; or one for each.
    loss : str
        "cross-entropy" (of softmax), "squared-error" or "binary-cross-entropy".
    images : {"rows", "columns", "single"}
        Form of the images: `[images, inputs]`, `[inputs, images]`, or one image at a time, `[inputs]`.
    labels : {"integers", "onehot"}
        Form of the labels: `[images]`, or `[images, outputs]` with a 1 at the class. A network with one output takes its
        labels, 0 and 1, as `[images]` or `[images, 1]`. If the check fails or `step` raises an exception, the other form is
        tried; if that explains the failure, the diagnosis or the message says so.
    pixels : (float, float)
        Lowest and highest value of a pixel.
    batch_size : int, optional
        Number of images of a batch; by default one that differs from the sizes of the network.
    steps : int
        Number of calls.
    seed : int
        Seed of the batches.
    returns : str or sequence of str, optional
        What the function returns: "loss", "logits", "outputs", "gradients", "parameters", or several of them; "_" stands for
        anything else. By default, the result is ignored, or is the parameters if `step` takes them.
    gradients : callable or structure of arrays, optional
        The gradients of the last batch, in the structure of the parameters, or a function that returns them.
    logits, outputs : callable, optional
        Function of the images that returns the sums of the output layer, or its outputs (such as softmax).
    weights : {"inputs-outputs", "outputs-inputs"}, optional
        Order of the axes of weights, if the shapes fit both ways.
    dtype : data-type, optional
        Type of the images [default: that of the first weight].
    convert : callable, optional
        Function that is applied to images and labels, such as `numpy.ndarray.tolist` or `jax.numpy.asarray`.
    scaled : callable, optional
        Scaling that the function applies to the pixels itself, such as `lambda x: x / 255` with `pixels=(0, 255)`.
    set_parameters : callable, optional
        Function that takes the parameters back, if they are not restored otherwise.
    accept : str or iterable of str, optional
        Identifiers of explanations that are accepted as conventions.
    **declared : str, float or bool
        Other keys of the trace format: `output`, `reduction`, `loss_factor`, `label_smoothing`, `gradient_form`, …

    Returns
    -------
    Report
        The verdict, the diagnosis, and what was not tested.

    Raises
    ------
    Error
        If an argument is unknown or has a wrong value, or if `step` cannot be checked. Names of arguments are checked before
        `step` is called, and so are values, except those of `activation`, `accept`, the optimizer and the keys of the trace
        format.
    """
    if not isinstance(optimizer, Optimizer):
        raise Error(f"optimizer={optimizer!r} is not an update rule; pass one such as mp.SGD(0.1) or mp.Adam(1e-3)")
    reject_unknown("loss", loss, _LOSSES)
    if weights is not None:
        reject_unknown("weights", weights, _ORDERS)
    if not callable(step):
        raise Error(f"step is of type {type(step).__name__}; expected a function, such as net.train_step")
    reject_uncallable(logits=logits, outputs=outputs, convert=convert, scaled=scaled, set_parameters=set_parameters)
    if isinstance(gradients, str):
        raise Error(
            f"gradients={gradients!r} is a text; expected gradients or a function; their form is declared as gradient_form"
        )
    steps, seed = whole_number("steps", steps, 1), whole_number("seed", seed, 0)
    if batch_size is not None:
        batch_size = whole_number("batch_size", batch_size, 1)
    is_functional = takes_parameters(step, parameters)
    returned = names_of_results(returns, is_functional)
    declared = {"gradients" if name == "gradient_form" else name: value for name, value in declared.items()}
    reject_options_of_optimizers(declared, optimizer)
    reject_misspelt(declared, inspect.signature(check_step).parameters)
    layers = Layers(read_parameters(parameters), weights)
    initial = layers.named()
    for name, values in initial.items():
        if not np.isfinite(values).all():
            raise Error(f"{name} contains NaN or infinity before the first step; create the network anew")
    form = Form(images, labels, pixels, next(iter(initial.values())).dtype if dtype is None else np.dtype(dtype))
    batches = generate(layers.sizes, steps, batch_size, form, seed)
    metadata: dict[str, Any] = {
        "producer": "mlp_parity.check_step",
        "loss_function": loss,
        "weights": layers.weights,
        **activations(activation),
        **optimizer.metadata(),
        **declared,
    }
    network = Network(step, parameters, gradients, logits, outputs, convert, scaled, is_functional, returned, metadata)
    state = State(parameters, set_parameters, step, gradients, logits, outputs, convert, scaled)
    accepted = [accept] if isinstance(accept, str) else list(accept)
    report = Attempt(network, batches, state, accepted).report(form)
    report.hint = _HINT if "gradients" in report.checks["stage"] else f"{_HINT_OF_GRADIENTS} {_HINT}"
    return report


def assert_parity(step: Callable[..., Any], **arguments: Any) -> Report:
    """Assert that a training step is right. The arguments are those of `check_step`.

    Returns
    -------
    Report
        The report of the check.

    Raises
    ------
    ParityError
        If the step does not compute what was declared; the message begins with the verdict and the mistakes.
    Error
        If the function cannot be checked as it was given.
    """
    __tracebackhide__ = True
    report = check_step(step, **arguments)
    report.raise_if_wrong()
    return report
