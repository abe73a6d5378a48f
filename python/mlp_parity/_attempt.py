"""Checks of a network with batches in one form, or in another form of labels if the check fails."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ._arguments import in_words_of_arguments
from ._batches import Batch, Form
from ._errors import Error
from ._report import Explanation, Report
from ._run import PASS_FUNCTION, Network, unchanging
from ._state import State
from ._trace import Trace

_NOT_RESTORED = "the parameters could not be restored; pass set_parameters, or create the network anew"

_NOT_REPEATED = (
    "the first step has other results when it is repeated: the function keeps state that could not be restored, such as that "
    "of its optimizer or of a random generator; create the network anew before another check"
)

# Largest difference between two runs of the first step, relative to the change of the parameters in it.
_REPEATED = 1e-3

_LABELS = {"integers": "integer labels", "onehot": "one-hot labels"}


@dataclass(frozen=True)
class Attempt:
    """A check of a network that can be repeated, because the state is restored after it.

    Attributes
    ----------
    network : Network
        The network.
    batches : sequence of (array, array)
        Images and labels of each step.
    state : State
        The state of the network before the check.
    accept : sequence of str
        Identifiers of accepted explanations.
    """

    network: Network
    batches: Sequence[Batch]
    state: State
    accept: Sequence[str]

    def report(self, form: Form) -> Report:
        """Check the network with batches in this form. If the check fails, try the other form of labels too.

        Raises
        ------
        Error
            If the network cannot be checked in this form.
        """
        result = self._result(form)
        if isinstance(result, Error) or (result.verdict == "disagree" and result.warning is None):
            result = self._with_other_labels(result, form)
        if isinstance(result, Error):
            raise result
        if not self.state.is_restored():
            result.notes.append(_NOT_RESTORED)
        elif not self._is_repeated(result.trace, form):
            result.notes.append(_NOT_REPEATED)
        return result

    def _result(self, form: Form) -> Report | Error:
        try:
            trace = self.network.run(self.batches, form)
        except Error as error:
            return error
        finally:
            self.state.restore()
        try:
            result = trace.check(self.accept)
        except Error as error:
            return Error(in_words_of_arguments(str(error)))
        result.reason = in_words_of_arguments(result.reason)
        return self._with_unchanging_arrays(result) if self.network.has_fixed_arrays else result

    def _with_unchanging_arrays(self, result: Report) -> Report | Error:
        """Return the result, with a warning if a check failed because the function may have replaced some of the arrays."""
        last_changes = unchanging(result.trace)
        if result.verdict != "disagree" or not last_changes:
            return result
        count = sum(name.startswith("initial.") for name in result.trace.tensors)
        if len(last_changes) == count:
            steps = max(last_changes.values())
            last = "the first step" if steps == 1 else f"the first {steps} steps"
            return Error(
                f"the parameters did not change after {last}; {PASS_FUNCTION}; if the function replaces "
                "no array, its later updates are zero: check the learning rate, and whether the outputs saturate"
            )
        groups = {
            "arrays that never change": [name for name, step in last_changes.items() if step == 0],
            "arrays that stop changing": [name for name, step in last_changes.items() if step > 0],
        }
        described = "; ".join(f"{title}: {', '.join(names)}" for title, names in groups.items() if names)
        result.warning = (
            f"{described}; if the function replaces them, pass a function that returns the arrays in use, parameters=lambda: …"
        )
        return result

    def _with_other_labels(self, result: Report | Error, form: Form) -> Report | Error:
        """Return the result, with the other form of labels as its explanation if the network does better with it."""
        labels = "integers" if form.labels == "onehot" else "onehot"
        given, expected = _LABELS[form.labels], _LABELS[labels]
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                other = self._result(dataclasses.replace(form, labels=labels))
        except Exception:  # The functions of the network may raise anything if they get what they do not expect.
            return result
        if isinstance(other, Error) or _rank(other) >= _rank(result):
            return result
        advice = f"pass labels={labels!r}, with which {_outcome(other)}"
        if isinstance(result, Error):
            error = Error(f"the function seems to expect {expected}: {advice}; with {given}, {result}")
            error.__cause__ = result.__cause__
            return error
        advice += f"; if the function is meant to take {given}, it does not convert them to {expected}"
        failed = dict.fromkeys(str(name) for name in result.checks["tensor"][~result.checks["passed"]])
        identifier, sentence = f"expects-{expected.replace(' ', '-')}", f"expects {expected}, but gets {given}"
        result.diagnosis = [Explanation(identifier, "data", sentence, advice, tuple(failed)), *other.diagnosis]
        result.unexplained = None
        return result

    def _is_repeated(self, trace: Trace, form: Form) -> bool:
        """Return true if the first step has the same results again, so that nothing is left of the steps before."""
        try:
            again = self.network.run(self.batches[:1], form)
        except Error:
            return False
        finally:
            self.state.restore()
        names = [name.removeprefix("initial.") for name in trace.tensors if name.startswith("initial.")]
        initial, first, second = (
            np.concatenate([source[f"{prefix}{name}"].ravel() for name in names], dtype=np.float64)
            for source, prefix in [(trace, "initial."), (trace, "step.0."), (again, "step.0.")]
        )
        if not np.isfinite(first).all():
            return True
        # The order of a sum may differ between calls, for example on a GPU.
        rounding = 4 * np.finfo(trace[f"initial.{names[0]}"].dtype).eps * np.linalg.norm(first)
        return bool(np.linalg.norm(second - first) <= _REPEATED * np.linalg.norm(first - initial) + rounding)


def _rank(result: Report | Error) -> int:
    """Return 0 if no check fails, 1 if the diagnosis explains all results, and 2 otherwise."""
    if isinstance(result, Error):
        return 2
    if result.verdict != "disagree":
        return 0
    return 1 if result.diagnosis and not result.unexplained else 2


def _outcome(report: Report) -> str:
    """Return what a check found, as a clause."""
    if report.verdict != "disagree":
        return "no check fails"
    return "the results are those of a program that " + " and that ".join(found.sentence for found in report.diagnosis)
