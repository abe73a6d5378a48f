"""The state that functions keep between calls, and its restoration."""

from __future__ import annotations

import contextlib
import copy
import sys
import sysconfig
import types
from collections.abc import Callable, Iterable
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from ._parameters import leaves, read

# An array with more elements, relative to the parameters, is taken for data. The state of Adam has up to three times as many.
_LARGEST = 4

# Modules whose objects, such as threads and locks, stay as they are. Those of the two exceptions only contain other objects.
_STANDARD = sys.stdlib_module_names - {"argparse", "types"}

_FOREIGN = {Path(sysconfig.get_path("stdlib")), Path(__file__).parent}


class State:
    """The parameters and the state that functions reach, as they are now.

    The state consists of NumPy arrays, tensors of PyTorch, lists, dictionaries, and attributes of objects. A function reaches
    it through its object, its closure, its default values, the arguments of a `functools.partial`, and the global variables
    that it names; so do the functions that it calls. Functions, modules and global variables of installed packages are not
    followed, and arrays with more than four times as many elements as the network has parameters are not copied.

    Parameters
    ----------
    parameters, set_parameters
        As in `check_step`.
    *functions : Any
        The other functions of the network.
    """

    def __init__(self, parameters: Any, set_parameters: Callable[[Any], Any] | None, *functions: Any) -> None:
        self._parameters, self._set_parameters = parameters, set_parameters
        structure = read(parameters)
        self._structure = None if set_parameters is None else copy.deepcopy(structure)
        self._saved = _copies(structure)
        self._largest = _LARGEST * sum(values.size for values in self._saved)
        self._undo: list[Callable[[], Any]] = []
        # The objects are kept, so that no new object gets the identity of one of them.
        seen: dict[int, Any] = {}
        pending = [structure, parameters, set_parameters, *functions]
        while pending:
            value = pending.pop()
            if not isinstance(value, (int, float, str)) and id(value) not in seen:
                seen[id(value)] = value
                pending += self._save(value)

    def restore(self) -> None:
        """Restore the state, in the same objects. An object that cannot be written to stays as it is."""
        for undo in self._undo:
            with contextlib.suppress(Exception):  # Any class may refuse a write in its own way.
                undo()
        if self._set_parameters is not None and not self.is_restored():
            self._set_parameters(copy.deepcopy(self._structure))

    def is_restored(self) -> bool:
        """Return true if the parameters are what they were."""
        with contextlib.suppress(RuntimeError):  # JAX has deleted arrays that were donated to a compiled function.
            return all(map(np.array_equal, _copies(read(self._parameters)), self._saved))
        return False

    def _save(self, value: Any) -> Iterable[Any]:
        """Record the state of one object, and return the objects that it refers to."""
        if isinstance(value, np.ndarray):
            if value.flags.writeable and value.size <= self._largest:
                self._undo.append(partial(np.copyto, value, value.copy()))
        elif _is_tensor(value):
            gradient = value.grad if value.is_leaf else None
            if value.numel() <= self._largest:
                self._undo.append(partial(_restore_tensor, value, value.detach().clone(), gradient))
            return (gradient,)
        elif isinstance(value, (list, tuple)):
            if isinstance(value, list):
                self._undo.append(partial(value.__setitem__, slice(None), value.copy()))
            return value
        elif isinstance(value, dict):
            self._undo.append(partial(_restore_dictionary, value, dict(value)))
            return list(value.values())
        elif isinstance(value, types.FunctionType):
            return self._function(value)
        elif isinstance(value, types.MethodType):
            return (value.__self__, value.__func__)
        elif isinstance(value, partial):
            return (value.func, value.args, value.keywords)
        elif isinstance(value, types.CellType):
            with contextlib.suppress(ValueError):  # The cell is empty.
                self._undo.append(partial(setattr, value, "cell_contents", value.cell_contents))
                return (value.cell_contents,)
        elif isinstance(value, type):
            members = [getattr(member, "__func__", member) for owner in value.__mro__ for member in vars(owner).values()]
            return [member for member in members if isinstance(member, types.FunctionType)]
        elif not isinstance(value, types.ModuleType) and type(value).__module__.split(".")[0] not in _STANDARD:
            return (type(value), getattr(value, "__dict__", None))
        return ()

    def _function(self, function: types.FunctionType) -> Iterable[Any]:
        """Record the variables of a function, and return the objects in them."""
        found: list[Any] = [function.__dict__]
        if _is_own(function.__code__.co_filename):
            found += [function.__closure__, function.__defaults__, function.__kwdefaults__]
            spaces = [function.__globals__]
            for space in spaces:
                saved = {name: space[name] for name in _names(function.__code__) if name in space}
                self._undo.append(partial(space.update, saved))
                found += saved.values()
                # The names of `module.variable` are both in the code of the function.
                modules = [vars(value) for value in saved.values() if isinstance(value, types.ModuleType)]
                new = [module for module in modules if all(module is not other for other in spaces)]
                spaces += [module for module in new if _is_own(module.get("__file__"))]
        return found


def _copies(structure: Any) -> list[Any]:
    return [leaf.copy() for leaf in leaves(structure) if leaf.source is not None]


def _is_tensor(value: Any) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def _restore_tensor(tensor: Any, saved: Any, gradient: Any) -> None:
    tensor.data.copy_(saved)
    if tensor.is_leaf:
        tensor.grad = gradient


def _restore_dictionary(value: dict[Any, Any], saved: dict[Any, Any]) -> None:
    # Values may be arrays, whose comparison with == is not a boolean.
    if [*map(id, value), *map(id, value.values())] != [*map(id, saved), *map(id, saved.values())]:
        value.clear()
        value.update(saved)


def _names(code: types.CodeType) -> set[str]:
    """Return the names of global variables and attributes in the code of a function, and of the functions inside it."""
    inner = (_names(constant) for constant in code.co_consts if isinstance(constant, types.CodeType))
    return set(code.co_names).union(*inner)


@cache
def _is_own(file: str | None) -> bool:
    """Return false for files of the standard library, of installed packages, and of this package."""
    path = Path(file or "")
    return file is not None and _FOREIGN.isdisjoint(path.parents) and not {"site-packages", "dist-packages"} & {*path.parts}
