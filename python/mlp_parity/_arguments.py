"""Validation of arguments, before any function of the network is called, and the words of messages about them."""

from __future__ import annotations

import dataclasses
import difflib
import operator
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ._errors import Error
from ._optimizers import Optimizer
from ._trace import Trace

# Words of the checker about trace files, each with the words for a user of `check_step`, who has arguments instead.
_WORDS = (
    ("metadata key 'activation' is missing; the", "pass the argument activation, as in activation='relu': the"),
    ("(with gradient.* in the trace, it would be)", "(with gradients=… it would be)"),
    (
        "that the trace's metadata state the optimizer that was used",
        "that the argument optimizer states what the function does",
    ),
    ("the tensors gradient.*; this trace has none", "the argument gradients, which was not given"),
    ("is missing from the trace and was", "was not given and was"),
    ("are missing from the trace and were", "were not given and were"),
    ("the trace has", "the check has"),
    ("this trace has", "this check has"),
    ("'gradients'", "'gradient_form'"),
    ("'loss_function'", "'loss'"),
    ("metadata entries", "arguments"),
    ("metadata entry", "argument"),
    ("metadata key", "argument"),
    ("metadata: ", ""),
    ("metadata ", ""),
)


def in_words_of_arguments(text: str) -> str:
    """Return a message about a trace as one about the arguments of `check_step`."""
    for words, replacement in _WORDS:
        text = text.replace(words, replacement)
    return text


def reject_unknown(name: str, value: Any, allowed: Sequence[str]) -> None:
    """Reject an argument that is none of the allowed texts.

    Raises
    ------
    Error
        If it is something else.
    """
    if not isinstance(value, str):
        raise Error(f"{name} is of type {type(value).__name__}; expected one of {', '.join(map(repr, allowed))}")
    if value not in allowed:
        raise Error(f"{name}={value!r} is unknown; expected one of {', '.join(map(repr, allowed))}")


def reject_uncallable(**functions: Any) -> None:
    """Reject arguments that are neither functions nor `None`.

    Raises
    ------
    Error
        If there is one.
    """
    for name, function in functions.items():
        if function is not None and not callable(function):
            raise Error(f"{name}={function!r} is of type {type(function).__name__}; expected a function")


def whole_number(name: str, value: Any, least: int) -> int:
    """Return an argument that is an integer.

    Raises
    ------
    Error
        If it is not an integer, or smaller than `least`.
    """
    try:
        number = operator.index(value)
    except TypeError:
        raise Error(f"{name}={value!r} is of type {type(value).__name__}; expected an integer") from None
    if number < least:
        raise Error(f"{name}={number} is out of range; expected at least {least}")
    return number


def reject_options_of_optimizers(declared: Mapping[str, Any], optimizer: Optimizer) -> None:
    """Reject metadata that would replace an option of the optimizer.

    Raises
    ------
    Error
        If there is such an entry.
    """
    rules: list[type[Optimizer]] = [Optimizer, *Optimizer.__subclasses__()]
    options = {field.name for rule in rules for field in dataclasses.fields(rule)}
    for name, value in declared.items():
        if name in options:
            own = type(optimizer).__name__
            cure = (
                f"pass it there, as in optimizer=mp.{own}(…, {name}={value!r})"
                if hasattr(optimizer, name)
                else f"{own} has none"
            )
            raise Error(f"{name}={value!r} is an option of optimizers; {cure}")


def reject_misspelt(declared: Mapping[str, Any], names: Iterable[str]) -> None:
    """Reject metadata with a key that the trace format does not have.

    Parameters
    ----------
    declared : mapping
        The metadata.
    names : iterable of str
        Names of other arguments, one of which is suggested in place of a misspelt one.

    Raises
    ------
    Error
        If there is an unknown key.
    """
    for name, value in declared.items():
        try:
            Trace({name: value}).check()
        except Error as error:
            # The trace is incomplete, so that other errors are to be expected.
            key, is_unknown, rest = str(error).partition(" is neither a tensor nor a metadata key")
            if is_unknown:
                meant = rest.split("'")[1:2] if "did you mean" in rest else []
                similar = difflib.get_close_matches(name, [*names, *meant], 1) or meant
                cure = f"; did you mean {similar[0]!r}?" if similar else ""
                raise Error(f"unknown argument {key}{cure}") from None
