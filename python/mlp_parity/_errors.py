"""Exceptions of the package."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._report import Report


class Error(Exception):
    """The network cannot be checked as it was given; the message says what to pass instead."""


class ParityError(AssertionError):
    """The network does not compute what was declared.

    Attributes
    ----------
    report : Report
        The result of the check; its text is the message, with the identifiers of the mistakes in the first line.
    """

    def __init__(self, report: Report) -> None:
        # Test runners show the first line of the message in their summaries.
        verdict, _, rest = str(report).partition("\n")
        names = ", ".join(explanation.id for explanation in report.diagnosis)
        super().__init__(f"{verdict} ({names})\n{rest}" if names else str(report))
        self.report = report
