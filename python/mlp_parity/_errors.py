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
        The result of the check; its text is the message.
    """

    def __init__(self, report: Report) -> None:
        super().__init__(f"\n{report}")
        self.report = report
