"""One run of the training step of a network, recorded as a trace."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ._batches import Batch, Form
from ._errors import Error
from ._parameters import Layers, read, to_numpy
from ._trace import Trace

PASS_FUNCTION = "pass a function that returns the arrays in use, as in parameters=lambda: [(net.W1, net.b1), (net.W2, net.b2)]"

# Exceptions that arrays of an unexpected shape or type cause. PyTorch raises RuntimeError.
_ERRORS_OF_FORM = (TypeError, ValueError, IndexError, RuntimeError, AssertionError)

_RETURNED = ("loss", "logits", "outputs", "gradients", "parameters", "_")


@dataclass(frozen=True)
class Network:
    """The functions of a network, and how they are called. The attributes are the arguments of `check_step`, except for these.

    Attributes
    ----------
    is_functional : bool
        True for `step(parameters, images, labels)`, which returns new parameters.
    returned : list of str
        What `step` returns.
    metadata : dict
        What the network is meant to compute, in the metadata of a trace.
    """

    step: Callable[..., Any]
    parameters: Callable[[], Any] | Any
    gradients: Callable[[], Any] | Any
    logits: Callable[[Any], Any] | None
    outputs: Callable[[Any], Any] | None
    convert: Callable[[Any], Any] | None
    scaled: Callable[[Any], Any] | None
    is_functional: bool
    returned: Sequence[str]
    metadata: dict[str, Any]

    @property
    def has_fixed_arrays(self) -> bool:
        """True if the parameters are read from the arrays that were given, and from no function or result."""
        return not (callable(self.parameters) or self.is_functional or "parameters" in self.returned)

    def run(self, batches: Sequence[Batch], form: Form) -> Trace:
        """Train the network with the batches in this form, and return the inputs and results.

        Raises
        ------
        Error
            If a function raises an exception or returns something unexpected, or no parameter changes.
        """
        state = read_parameters(self.parameters)
        layers = Layers(state, self.metadata["weights"])
        before = layers.named()
        trace = Trace(self.metadata)
        trace.record("initial.", before)
        for number, (images, classes) in enumerate(batches):
            trace[f"batch.{number}.images"] = images if self.scaled is None else self.scaled(images)
            trace[f"batch.{number}.labels"] = classes
            given = form.of(images, classes, layers.outputs)
            if self.convert is not None:
                given = (self.convert(given[0]), self.convert(given[1]))
            if number == 0:
                for name, function in [("logits", self.logits), ("outputs", self.outputs)]:
                    if function is not None:
                        trace[name] = _rows(name, _call(name, function, form, self.convert, given[0]), form)
            arguments = (state, *given) if self.is_functional else given
            result = _call("step", self.step, form, self.convert, *arguments)
            results = _results(result, self.returned, number)
            if results.get("parameters") is not None:
                state = results["parameters"]
            elif not self.is_functional:
                state = read_parameters(self.parameters)
            if number == 0:
                results.setdefault("gradients", read(self.gradients))
                _record_passes(trace, results, layers, form)
            if "loss" in results:
                trace[f"step.{number}.loss"] = _number(results["loss"])
            after = Layers(state, layers.weights).named()
            trace.record(f"step.{number}.", after)
        _reject_unchanged(before, after, self.is_functional, len(batches[0][1]))
        return trace


def read_parameters(parameters: Callable[[], Any] | Any) -> Any:
    """Return the parameters.

    Raises
    ------
    Error
        If the function that returns them returns nothing.
    """
    structure = read(parameters)
    if structure is None:
        raise Error("the function `parameters` returns nothing; return the arrays, as in lambda: [(net.W1, net.b1), …]")
    return structure


def takes_parameters(step: Callable[..., Any], parameters: Any) -> bool:
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


def names_of_results(returns: str | Sequence[str] | None, is_functional: bool) -> list[str]:
    """Return what a step returns, in order.

    Raises
    ------
    Error
        If a name is unknown.
    """
    if returns is None:
        return ["parameters"] if is_functional else []
    names = [returns] if isinstance(returns, str) else list(returns)
    unknown = [name for name in names if name not in _RETURNED]
    if unknown:
        raise Error(f"returns={unknown[0]!r} is unknown; expected one of {', '.join(map(repr, _RETURNED))}, or a list of them")
    return names


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


def _call(name: str, function: Callable[..., Any], form: Form, convert: Any, *arguments: Any) -> Any:
    try:
        return function(*arguments)
    except Exception as error:
        shapes = ", ".join(_described(argument) for argument in arguments[-2:])
        text = f"the function `{name}` raised {type(error).__name__}: {error}; it was called with {shapes}"
        if isinstance(error, _ERRORS_OF_FORM):
            options = {
                "images='columns' or 'single'": form.images == "rows",
                "labels='onehot'": form.labels == "integers" and name == "step",
                "convert": convert is None,
            }
            given = "".join(f"{option}, " for option, is_new in options.items() if is_new)
            text += f"; if it expects another form, pass {given}{'or ' if given else ''}a lambda that calls it"
        raise Error(text) from error


def _described(argument: Any) -> str:
    shape = getattr(argument, "shape", None)
    kind = type(argument).__name__
    return f"{kind} of shape {tuple(shape)} and type {argument.dtype}" if shape is not None else kind


def _results(result: Any, names: Sequence[str], number: int) -> dict[str, Any]:
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


def unchanging(trace: Trace) -> dict[str, int]:
    """Return the arrays that the last step does not change, each with the number of steps until its last change, or 0."""
    steps = sum(f"step.{step}.output_layer.weight" in trace.tensors for step in range(len(trace.tensors)))
    prefixes = ["initial.", *(f"step.{step}." for step in range(steps))]
    found = {}
    for name in (name.removeprefix("initial.") for name in trace.tensors if name.startswith("initial.")):
        states = itertools.pairwise(trace[f"{prefix}{name}"] for prefix in prefixes)
        changes = [step for step, (one, other) in enumerate(states, 1) if not np.array_equal(one, other)]
        if steps not in changes:
            found[name] = max(changes, default=0)
    return found


def _reject_unchanged(before: dict[str, Any], after: dict[str, Any], is_functional: bool, images: int) -> None:
    if any(not np.array_equal(before[name], after[name]) for name in before if name in after):
        return
    cure = (
        "return the new parameters, and say so with `returns` if it returns anything beside them"
        if is_functional
        else PASS_FUNCTION
    )
    raise Error(
        f"the parameters did not change in any step; {cure}; if the function only computes gradients, wrap it in one that "
        f"updates them too, and if it leaves out incomplete batches, pass its batch_size (it was called with {images} images)"
    )
