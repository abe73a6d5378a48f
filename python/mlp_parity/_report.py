"""The result of a check."""

from __future__ import annotations

import html
import os
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ._errors import Error, ParityError

if TYPE_CHECKING:
    from ._trace import Trace

_WIDTH = 100

_CHECK = np.dtype(
    [
        ("stage", "U16"),
        ("step", "i8"),
        ("tensor", "U64"),
        ("element", "U32"),
        ("expected", "f8"),
        ("actual", "f8"),
        ("error", "f8"),
        ("bound", "f8"),
        ("error_ratio", "f8"),
        ("passed", "?"),
    ]
)


@dataclass(frozen=True)
class Explanation:
    """Another computation than the declared one, which explains the results.

    Attributes
    ----------
    id : str
        Identifier in the catalogue.
    kind : str
        "fault", "convention", "data" or "precision".
    sentence : str
        Behaviour; continues "the results are those of a program that".
    advice : str
        The code to look at, or the declaration to add.
    tensors : tuple of str
        The arrays that it explains.
    equivalent : tuple of str
        Behaviours that give the same results on these data.
    """

    id: str
    kind: str
    sentence: str
    advice: str
    tensors: tuple[str, ...] = ()
    equivalent: tuple[str, ...] = ()


class Report:
    """The result of a check; `print(report)` shows it.

    Attributes
    ----------
    verdict : str
        "agree", "disagree", or "inconclusive" if nothing failed, but some results could not be compared.
    diagnosis : list of Explanation
        What explains results that disagree, from the forward pass to the update.
    unexplained : str or None
        What the diagnosis does not explain.
    reason : str
        The first check that failed, or the number of checks that passed.
    checks : structured array
        One row for each array that was compared, with the element that is worst: `stage`, `step` (−1 for the first batch),
        `tensor`, `element`, `expected`, `actual`, `error`, `bound`, `error_ratio`, `passed`.
    not_excluded : list of str
        Mistakes that these data could not have shown.
    missing : list of str
        Results that were not given, and therefore not compared.
    assumptions : list of str
        What had to be assumed.
    warning : str or None
        Why the results may not be those of the network, such as arrays that the function may have replaced.
    notes : list of str
        What the check could not restore, and what to do about it.
    document : dict
        The document that `compare check --json` prints.
    trace : Trace
        The inputs and results that were compared.
    """

    def __init__(self, document: dict[str, Any], trace: Trace) -> None:
        self.document = document
        self.trace = trace
        self.hint: str | None = None
        self.warning: str | None = None
        self.notes: list[str] = []
        self.verdict: str = document["verdict"]
        self.reason: str = document["reason"]
        self.diagnosis = [_explanation(entry) for entry in document.get("diagnosis", [])]
        self.unexplained: str | None = document.get("unexplained")
        self.not_excluded: list[str] = [other["sentence"] for other in document.get("not_excluded", [])]
        self.missing: list[str] = document.get("missing", [])
        self.assumptions: list[str] = document.get("assumptions", [])
        self.checks: npt.NDArray[Any] = np.array([_check(entry) for entry in document["checks"]], dtype=_CHECK)

    def __bool__(self) -> bool:
        return self.verdict == "agree"

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def __repr__(self) -> str:
        return f"<mlp_parity.Report: {self.verdict}>"

    def _lines(self) -> list[str]:
        lines = [f"verdict: {self.verdict}"]
        lines += _wrapped(self.warning) if self.warning else []
        for index, explanation in enumerate(self.diagnosis):
            program = "The results are those of a program that" if index == 0 else "and that"
            other = "".join(f", or that {other}" for other in explanation.equivalent[:2])
            lines += _wrapped(f"{program} {explanation.sentence}{other} ({explanation.id}):")
            lines += _wrapped(explanation.advice, "  → ")
        if self.unexplained:
            lines += _wrapped(f"Unexplained: {self.unexplained}")
            lines += _wrapped(self.hint) if self.hint and not self.warning else []
        failed = self.checks[~self.checks["passed"]]
        if len(failed):
            worst = failed[0]
            place = "" if worst["step"] < 0 else f"step {worst['step']}, "
            explained = f"{_ratio(worst['error_ratio'])} the error" if worst["error_ratio"] < 1e100 else "there is no error"
            lines += _wrapped(
                f"First of {len(failed)} failed checks: {place}{worst['stage']}, {worst['tensor']}{worst['element']} is "
                f"{worst['actual']:.9g}, but {worst['expected']:.9g} is expected ({explained} that rounding explains)."
            )
            if not self.diagnosis:
                # The reason states the first failed check again, and then where to look.
                advice = self.reason.split("; ", 1)[-1].split("; unexplained: ")[0]
                lines += _wrapped(advice)
        else:
            lines += _wrapped(f"All {len(self.checks)} checks pass: {self._compared()}.")
        if self.verdict == "inconclusive":
            lines += _wrapped(self.reason)
        for title, entries in [
            ("Not compared, because it was not given", self._missing()),
            ("Assumed", self.assumptions),
            ("Not excluded by these data: a program that", self.not_excluded),
            ("Not restored", self.notes),
        ]:
            if entries:
                lines.append(f"{title}:")
                for entry in entries:
                    lines += _wrapped(entry, "  - ")
        return lines

    def _compared(self) -> str:
        steps = sum(f"step.{step}.output_layer.weight" in self.trace.tensors for step in range(len(self.trace.tensors)))
        stages = [stage for stage in ("logits", "outputs", "loss", "gradients") if stage in self.checks["stage"]]
        return ", ".join([*stages, *([f"{steps} step{'s' * (steps != 1)}"] if steps else [])])

    def _missing(self) -> list[str]:
        """Return the missing results, with those of all layers or steps as one."""
        groups: dict[str, None] = {}
        for name in self.missing:
            part = name.split(".")[0]
            names = {"gradient": "gradients", "step": "the losses of the steps"}
            groups[names.get(part, part)] = None
        return list(groups)

    def raise_if_wrong(self) -> None:
        """Do nothing if the network agrees.

        Raises
        ------
        ParityError
            With the text of the report, if it does not.
        """
        __tracebackhide__ = True
        if self.verdict != "agree":
            raise ParityError(self)

    def to_pandas(self) -> Any:
        """Return the checks as a `pandas.DataFrame`."""
        try:
            import pandas
        except ImportError:
            raise Error("pandas is not installed; pip install pandas") from None
        return pandas.DataFrame(self.checks)

    def save_trace(self, path: str | os.PathLike[str]) -> None:
        """Write the inputs and results that were compared to a file, `.npz` or `.safetensors`, as `Trace.save` does."""
        self.trace.save(path)

    def _repr_html_(self) -> str:
        colour = {"agree": "#2e7d32", "disagree": "#c62828"}.get(self.verdict, "#ef6c00")
        first, *rest = self._lines()
        rows = "".join(
            f"<tr><td>{html.escape(row['stage'])}</td><td>{html.escape(row['tensor'])}</td>"
            f"<td style='text-align:right'>{_ratio(row['error_ratio'])}</td><td>{'pass' if row['passed'] else 'FAIL'}</td></tr>"
            for row in self.checks
        )
        return (
            f"<b style='color:{colour}'>{html.escape(first)}</b>"
            f"<pre style='white-space:pre-wrap'>{html.escape(chr(10).join(rest))}</pre>"
            f"<details><summary>{len(self.checks)} checks</summary><table><tr><th>stage</th><th>array</th>"
            f"<th>error / bound</th><th></th></tr>{rows}</table></details>"
        )


def _explanation(entry: dict[str, Any]) -> Explanation:
    equivalent = tuple(other["sentence"] for other in entry["equivalent"])
    return Explanation(entry["id"], entry["kind"], entry["sentence"], entry["advice"], tuple(entry["explains"]), equivalent)


def _check(entry: dict[str, Any]) -> tuple[Any, ...]:
    step = -1 if entry["step"] is None else entry["step"]
    numbers = (_number(entry[name]) for name in ("expected", "actual", "error", "bound", "error_ratio"))
    element = "" if not entry["index"] else str(list(entry["index"]))
    return (entry["stage"], step, entry["tensor"], element, *numbers, entry["passed"])


def _number(value: Any) -> float:
    """Return a number of the document, in which NaN and infinities are texts or null."""
    return float("nan") if value is None else float(value)


def _ratio(ratio: float) -> str:
    return f"{ratio:.2g} times" if ratio < 1e4 else f"{ratio:.0e} times"


def _wrapped(text: str, start: str = "") -> list[str]:
    text = text[:1].upper() + text[1:] if not start else text
    return textwrap.wrap(text, _WIDTH, initial_indent=start, subsequent_indent=" " * len(start), break_on_hyphens=False) or [
        start
    ]
