"""Checks of a function that trains a network with one batch."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from ._batches import Form, generate
from ._errors import Error
from ._optimizers import Optimizer, Value
from ._parameters import Layers, is_numeric, leaves, read, to_numpy
from ._report import Report
from ._trace import Trace, activations

_LOSSES = ("cross-entropy", "squared-error", "binary-cross-entropy")

_HINT = (
    "If the arguments do not describe the network (labels, pixels, loss, optimizer), or it was trained before the check, this "
    "may be the cause."
)

_RETURNED = ("loss", "logits", "outputs", "gradients", "parameters", "_")


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
    reference in double precision, within the error that rounding explains. The parameters are restored afterwards.

    Parameters
    ----------
    step : callable
        `step(images, labels)`, which changes the parameters; or `step(parameters, images, labels)`, which returns new ones.
    parameters : callable or structure of arrays
        A function that returns the weights and biases in use, such as `lambda: [(net.W1, net.b1), (net.W2, net.b2)]`; or the
        structure itself, if its arrays are changed in place, or `step` takes and returns it. Nested lists, tuples and
        dictionaries are understood.
    optimizer : Optimizer
        The update rule that the function is meant to have, such as `SGD(0.1)`. Its state must be fresh.
    activation : str or sequence of str, optional
        Activation of the hidden layers: "relu", "sigmoid", "tanh", "leaky-relu", "gelu", …; or one for each.
    loss : str
        "cross-entropy" (of softmax), "squared-error" or "binary-cross-entropy".
    images : {"rows", "columns", "single"}
        Form of the images: `[images, inputs]`, `[inputs, images]`, or one image at a time, `[inputs]`.
    labels : {"integers", "onehot"}
        Form of the labels.
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
        Function that takes the parameters back, to restore arrays that cannot be written to.
    accept : iterable of str, optional
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
        If the function cannot be checked as it was given.
    """
    if not isinstance(optimizer, Optimizer):
        raise Error(f"optimizer={optimizer!r} is not an update rule; pass one such as mp.SGD(0.1) or mp.Adam(1e-3)")
    if loss not in _LOSSES:
        raise Error(f"loss={loss!r} is unknown; expected one of {', '.join(map(repr, _LOSSES))}")
    layers = Layers(_read(parameters), weights)
    before = layers.named()
    for name, values in before.items():
        if not np.isfinite(values).all():
            raise Error(f"{name} contains NaN or infinity before the first step; create the network anew")
    if steps < 1:
        raise Error(f"steps={steps} is out of range; expected at least 1")
    form = Form(images, labels, pixels, dtype or next(iter(before.values())).dtype)
    batches = generate(layers.sizes, steps, batch_size, form, seed)
    is_functional = _takes_parameters(step, parameters)
    returned = _names_of_results(returns, is_functional)
    metadata: dict[str, Any] = {
        "producer": "mlp_parity.check_step",
        "loss_function": loss,
        "weights": layers.weights,
        **activations(activation),
        **optimizer.metadata(),
        **{"gradients" if key == "gradient_form" else key: value for key, value in declared.items()},
    }
    trace = Trace(metadata)
    trace.record("initial.", before)

    state = _read(parameters)
    saved = [leaf.copy() for leaf in leaves(state) if leaf.source is not None]
    for number, (batch, classes) in enumerate(batches):
        trace[f"batch.{number}.images"] = batch if scaled is None else scaled(batch)
        trace[f"batch.{number}.labels"] = classes
        given = form.of(batch, classes, layers.outputs)
        if convert is not None:
            given = (convert(given[0]), convert(given[1]))
        if number == 0:
            for name, function in [("logits", logits), ("outputs", outputs)]:
                if function is not None:
                    trace[name] = _rows(name, _call(name, function, given[0]), form)
        result = _call("step", step, *((state, *given) if is_functional else given))
        results = _results(result, returned, number)
        if results.get("parameters") is not None:
            state = results["parameters"]
        elif not is_functional:
            state = _read(parameters)
        if number == 0:
            results.setdefault("gradients", gradients() if callable(gradients) else gradients)
            _record_passes(trace, results, layers, form)
        if "loss" in results:
            trace[f"step.{number}.loss"] = _number(results["loss"])
        after = Layers(state, layers.weights).named()
        trace.record(f"step.{number}.", after)
    _reject_unchanged(before, after, is_functional, len(batches[0][1]))
    report = trace.check(accept)
    report.hint = _HINT
    if not _restore(parameters, saved, set_parameters):
        report.assumptions.append("the parameters could not be restored; pass set_parameters, or create the network anew")
    return report


def _record_passes(trace: Trace, results: dict[str, Any], layers: Layers, form: Form) -> None:
    """Record what the function returned for the first batch."""
    for name in ("logits", "outputs"):
        if name in results:
            trace[name] = _rows(name, results[name], form)
    if results["gradients"] is not None:
        trace.record("gradient.", layers.named(results["gradients"]))


def _number(loss: Any) -> Any:
    value = to_numpy(loss)
    if value.dtype == object or value.size != 1:
        raise Error(f"the function returned {_described(loss)} as its loss; expected one number")
    return value.reshape(-1)


def assert_parity(step: Callable[..., Any], **arguments: Any) -> Report:
    """Assert that a training step is right. The arguments are those of `check_step`.

    Returns
    -------
    Report
        The report of the check.

    Raises
    ------
    ParityError
        If the step does not compute what was declared; the message begins with the diagnosis.
    Error
        If the function cannot be checked as it was given.
    """
    __tracebackhide__ = True
    report = check_step(step, **arguments)
    report.raise_if_wrong()
    return report


def _read(parameters: Callable[[], Any] | Any) -> Any:
    structure = read(parameters)
    if structure is None:
        raise Error("the function `parameters` returns nothing; return the arrays, as in lambda: [(net.W1, net.b1), …]")
    return structure


def _takes_parameters(step: Callable[..., Any], parameters: Any) -> bool:
    """Return true for `step(parameters, images, labels)`."""
    if callable(parameters):
        return False
    try:
        signature = inspect.signature(step)
        signature.bind(None, None)
    except TypeError:
        return True
    except ValueError:
        return False
    return False


def _names_of_results(returns: str | Sequence[str] | None, is_functional: bool) -> list[str]:
    if returns is None:
        return ["parameters"] if is_functional else []
    names = [returns] if isinstance(returns, str) else list(returns)
    unknown = [name for name in names if name not in _RETURNED]
    if unknown:
        raise Error(f"returns={unknown[0]!r} is unknown; expected one of {', '.join(map(repr, _RETURNED))}, or a list of them")
    return names


def _call(name: str, function: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return function(*arguments)
    except Exception as error:
        shapes = ", ".join(_described(argument) for argument in arguments[-2:])
        raise Error(
            f"the function `{name}` raised {type(error).__name__}: {error}; it was called with {shapes}; if it expects another "
            "form, pass images='columns' or 'single', labels='onehot', pixels, dtype or convert, or a lambda that calls it"
        ) from error


def _described(argument: Any) -> str:
    shape = getattr(argument, "shape", None)
    kind = type(argument).__name__
    return f"{kind} of shape {tuple(shape)} and type {argument.dtype}" if shape is not None else kind


def _results(result: Any, names: list[str], number: int) -> dict[str, Any]:
    if not names:
        return {}
    values = [result] if len(names) == 1 else result
    if not isinstance(values, (list, tuple)) or len(values) != len(names):
        raise Error(
            f"the function returned {_described(result)} at call {number}; expected ({', '.join(names)}), as `returns` states"
        )
    results = dict(zip(names, values, strict=True))
    missing = [name for name, value in results.items() if value is None and name not in ("_", "parameters")]
    if missing:
        raise Error(f"the function returned None at call {number}; expected {missing[0]}, as `returns` states")
    return results


def _rows(name: str, values: Any, form: Form) -> Any:
    array = to_numpy(values)
    if array.dtype == object:
        raise Error(f"`{name}` is {_described(values)}; expected an array: pass {name}=lambda x: net.forward(x)[0]")
    if form.images == "columns":
        return array.T
    return array.reshape(1, -1) if form.images == "single" else array


def _reject_unchanged(before: dict[str, Any], after: dict[str, Any], is_functional: bool, images: int) -> None:
    if any(not np.array_equal(before[name], after[name]) for name in before if name in after):
        return
    cure = (
        "return the new parameters, and say so with `returns` if it returns anything beside them"
        if is_functional
        else "pass a function that returns the arrays in use, as in parameters=lambda: [(net.W1, net.b1), (net.W2, net.b2)]"
    )
    raise Error(
        f"the parameters did not change in any step; {cure}; if the function only computes gradients, wrap it in one that "
        f"updates them too, and if it leaves out incomplete batches, pass its batch_size (it was called with {images} images)"
    )


def _restore(parameters: Any, saved: list[Any], set_parameters: Callable[[Any], Any] | None) -> bool:
    found = [leaf for leaf in leaves(_read(parameters)) if leaf.source is not None]
    if set_parameters is not None:
        set_parameters(_rebuilt(_read(parameters), iter(saved)))
    else:
        for leaf, values in zip(found, saved, strict=True):
            leaf.restore(values)
    now = [leaf.copy() for leaf in leaves(_read(parameters)) if leaf.source is not None]
    return all(np.array_equal(one, other, equal_nan=True) for one, other in zip(now, saved, strict=True))


def _rebuilt(structure: Any, saved: Iterator[Any]) -> Any:
    """Return a structure of the same form with other arrays. Single numbers remain."""
    if isinstance(structure, dict):
        return {key: _rebuilt(value, saved) for key, value in structure.items()}
    if isinstance(structure, (list, tuple)) and not is_numeric(structure):
        return type(structure)(_rebuilt(element, saved) for element in structure)
    return structure if structure is None or np.ndim(to_numpy(structure)) == 0 else next(saved)
