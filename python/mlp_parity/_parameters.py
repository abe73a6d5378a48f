"""The weights and biases of a network, in whatever structure it has them."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ._errors import Error
from ._trace import layer_names

Array = npt.NDArray[Any]

_WEIGHTS = {"w", "weight", "weights", "kernel", "coefs", "coef", "theta", "matrix"}
_BIASES = {"b", "bias", "biases", "intercepts", "intercept", "offset"}

EXPECTED = "expected [(W1, b1), (W2, b2), …], [W1, b1, W2, b2, …], or a dictionary of arrays"


class Leaf:
    """One array in a structure.

    Parameters
    ----------
    path : str
        Its place, such as `[0][1]` or `fc1.bias`.
    source : Any
        The array itself, or `None` for a bias that a layer does not have.
    argument : str
        Name of the structure in messages.
    """

    def __init__(self, path: str, source: Any, argument: str) -> None:
        self.path = path
        self.source = source
        self.argument = argument

    def copy(self) -> Array:
        """Return a copy of the values."""
        values = to_numpy(self.source)
        if values.dtype == object:
            raise Error(
                f"{self.argument}{self.path} has elements of different shapes or of other types than numbers; {EXPECTED}"
            )
        if not np.issubdtype(values.dtype, np.floating):
            values = values.astype(np.float64)
        return values


def to_numpy(values: Any) -> Array:
    """Return a copy of an array of any library, or of nested lists."""
    if hasattr(values, "detach"):
        values = values.detach().cpu().numpy()
    try:
        return np.array(values)
    except (TypeError, ValueError):
        return np.array(None, dtype=object)


def leaves(structure: Any, by_name: bool = False, argument: str = "parameters") -> list[Leaf]:
    """Return the arrays of a structure in order: that of sequences and mappings, or of the numbers in names.

    Numbers beside the arrays, such as a learning rate, are left out.

    Raises
    ------
    Error
        If the structure contains other things than arrays.
    """
    found: list[Leaf] = []
    _collect(structure, "", found, by_name, argument)
    found = [leaf for leaf in found if leaf.source is None or np.ndim(to_numpy(leaf.source)) > 0 or not leaf.path]
    if not any(leaf.source is not None for leaf in found):
        raise Error(f"the {argument} contain no arrays; {EXPECTED}")
    return found


def _collect(structure: Any, path: str, found: list[Leaf], by_name: bool, argument: str) -> None:
    if isinstance(structure, Mapping):
        for key in sorted(structure, key=_natural) if by_name else structure:
            _collect(structure[key], f"{path}.{key}" if path else str(key), found, by_name, argument)
    elif isinstance(structure, (list, tuple)) and not is_numeric(structure):
        for index, element in enumerate(structure):
            _collect(element, f"{path}[{index}]", found, by_name, argument)
    elif structure is None or is_numeric(structure) or hasattr(structure, "__array__") or hasattr(structure, "detach"):
        found.append(Leaf(path, structure, argument))
    else:
        raise Error(f"{argument}{path} is of type {type(structure).__name__}; {EXPECTED}")


def is_numeric(value: Any) -> bool:
    """Return true for a number, a list of numbers, or a list of rows of equal length."""
    first = value
    while isinstance(first, (list, tuple)) and len(first):
        first = first[0]
    if not isinstance(first, (int, float, np.number)) or isinstance(first, bool):
        return False
    array = to_numpy(value)
    return array.dtype != object and array.ndim <= 2


def _natural(key: Any) -> list[tuple[int, str]]:
    """Return the key by which names are sorted: digits count as numbers, and a name without any comes last."""
    parts = re.findall(r"(\D*)(\d*)", str(key))
    return [(int(digits) if digits else 1 << 62, text) for text, digits in parts if text or digits]


class Layers:
    """The layers that the arrays of a structure form.

    Parameters
    ----------
    structure : Any
        The parameters.
    weights : {"inputs-outputs", "outputs-inputs"}, optional
        Order of the axes of weights; required if the shapes fit both ways.
    """

    def __init__(self, structure: Any, weights: str | None = None) -> None:
        self._by_name = False
        try:
            self._arrange(structure, weights)
        except Error as error:
            # The entries of a dictionary may be in another order than the layers.
            self._by_name = True
            try:
                self._arrange(structure, weights)
            except Error:
                raise error from None

    def _arrange(self, structure: Any, weights: str | None) -> None:
        self.pairs = _pairs(leaves(structure, self._by_name))
        shapes = [leaf.copy().shape for leaf, _ in self.pairs]
        for (leaf, _), shape in zip(self.pairs, shapes, strict=True):
            if len(shape) != 2:
                raise Error(f"the weight parameters{leaf.path} has shape {shape}; expected two dimensions: {EXPECTED}")
        sizes = [0 if bias is None else bias.copy().size for _, bias in self.pairs]
        fitting = [order for order in ("inputs-outputs", "outputs-inputs") if _fits(shapes, sizes, order)]
        described = ", ".join(
            f"{shape}" + (f" with bias ({size},)" if size else "") for shape, size in zip(shapes, sizes, strict=True)
        )
        if not fitting or (weights and weights not in fitting):
            raise Error(
                f"the weights {described} do not form a network{f' with weights={weights!r}' if weights else ''}: each layer "
                "must have as many inputs as the one before it has outputs, and one bias for each output; pass pairs in order, "
                "as in [(W1, b1), (W2, b2)]; if a row of W is the bias, pass (W[:-1], W[-1])"
            )
        if len(fitting) == 2 and weights is None:
            raise Error(
                f"the weights {described} fit in either order of axes; pass weights='inputs-outputs' if a layer computes "
                "x @ W, or weights='outputs-inputs' if it computes W @ x or x @ W.T"
            )
        self.weights = weights or fitting[0]
        first, last = shapes[0], shapes[-1]
        self.inputs, self.outputs = (first[0], last[1]) if self.weights == "inputs-outputs" else (first[1], last[0])
        self.sizes = [self.inputs, *(shape[1 if self.weights == "inputs-outputs" else 0] for shape in shapes)]

    def named(self, structure: Any | None = None) -> dict[str, Array]:
        """Return copies of the arrays by the names of the trace format.

        Parameters
        ----------
        structure : Any, optional
            Arrays in the same structure, such as gradients; by default the parameters themselves.
        """
        pairs = self.pairs if structure is None else _pairs(leaves(structure, self._by_name, "gradients"))
        if len(pairs) != len(self.pairs):
            raise Error(f"there are {len(self.pairs)} layers, but {len(pairs)} in the structure of the gradients")
        arrays = {}
        for name, (weight, bias) in zip(layer_names(len(pairs)), pairs, strict=True):
            arrays[f"{name}.weight"] = weight.copy()
            if bias is not None:
                arrays[f"{name}.bias"] = bias.copy()
        return arrays


def _fits(shapes: Sequence[tuple[int, ...]], sizes: Sequence[int], order: str) -> bool:
    inputs, outputs = (0, 1) if order == "inputs-outputs" else (1, 0)
    chains = all(one[outputs] == other[inputs] for one, other in itertools.pairwise(shapes))
    return chains and all(size in (0, shape[outputs]) for shape, size in zip(shapes, sizes, strict=True))


def _pairs(found: list[Leaf]) -> list[tuple[Leaf, Leaf | None]]:
    """Return weights with their biases: by name, in turn, or first all weights and then all biases."""
    roles = [_role(leaf.path) for leaf in found]
    if all(roles):
        weights = [leaf for leaf, role in zip(found, roles, strict=True) if role == "weight"]
        biases = [leaf for leaf, role in zip(found, roles, strict=True) if role == "bias"]
        if len(biases) == len(weights):
            return list(zip(weights, biases, strict=True))
        by_layer = {_layer(bias.path): bias for bias in biases}
        return [(weight, by_layer.get(_layer(weight.path))) for weight in weights]
    evens, odds = found[::2], found[1::2]
    if len(evens) == len(odds) and all(_is_vector(leaf) for leaf in odds) and not any(_is_vector(leaf) for leaf in evens[:-1]):
        return [(weight, None if bias.source is None else bias) for weight, bias in zip(evens, odds, strict=True)]
    half = len(found) // 2
    first, second = found[:half], found[half:]
    if len(first) == len(second) and all(_is_vector(leaf) for leaf in second):
        return [(weight, None if bias.source is None else bias) for weight, bias in zip(first, second, strict=True)]
    if all(leaf.source is not None and leaf.copy().ndim == 2 for leaf in found):
        return [(leaf, None) for leaf in found]
    shapes = ", ".join(f"{leaf.path} {None if leaf.source is None else leaf.copy().shape}" for leaf in found[:10])
    raise Error(
        f"cannot tell weights from biases in {shapes}; pass pairs in order, as in [(W1, b1), (W2, None)], and nothing else"
    )


def _is_vector(leaf: Leaf) -> bool:
    if leaf.source is None:
        return True
    shape = leaf.copy().shape
    return len(shape) < 2 or (len(shape) == 2 and 1 in shape)


def _role(path: str) -> str | None:
    word = re.sub(r"\[\d+\]$", "", path).rsplit(".", 1)[-1].strip("_").lower()
    for part in (re.sub(r"[\d_]+$", "", word), word.split("_")[0], word.split("_")[-1]):
        if part in _WEIGHTS:
            return "weight"
        if part in _BIASES:
            return "bias"
    return None


def _layer(path: str) -> str:
    """Return what the names of a weight and its bias have in common."""
    numbers = re.findall(r"\d+", path)
    parent = path.rsplit(".", 1)[0] if "." in path else ""
    return f"{parent}:{numbers[-1] if numbers else ''}"


def read(parameters: Callable[[], Any] | Any) -> Any:
    """Return the parameters themselves: what a function returns, or the structure that was given."""
    return parameters() if callable(parameters) else parameters
