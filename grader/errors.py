"""Errors that stop us from grading, sorted by who can fix them.

A fault of the student's code is a value (`grader.report.model.Status`); an error that stops *us* is an exception::

    GraderError
      RunnerOutputInvalid     the student: the box answered with other bytes than it was asked for
        RunnerOutputForged    ... and somebody wrote them in the form of answers
      AssignmentError         the author of the assignment file
      SandboxError            the operator; worth another try
        SandboxUnavailable    this host cannot run the box as it is configured
        SandboxClosed         the process is stopping, and has closed the box
        SandboxStartFailed    a warm process did not come up
        RunLost               a run that says nothing about the submission: its warm process died
          RunStarved          ... or it hardly ever had a core

`reference.ReferenceMismatch` (oracle and Keras disagree) and `reference.ReferenceUnavailable` are ours and stand beside
this tree, because `reference` imports nothing of `grader`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

# Pydantic puts this before the message of a ValueError.
PREFIX = "Value error, "


class GraderError(Exception):
    """Base of everything that `grader` raises on purpose."""


class RunnerOutputInvalid(GraderError):
    """The bytes from the box are not an answer to what it was asked."""


class RunnerOutputForged(RunnerOutputInvalid):
    """The bytes have the form of an answer that the runner never sends at that point: the writer knew the form."""


class AssignmentError(GraderError):
    """An assignment file is wrong, or no assignment has this id; the message says what was expected."""


class SandboxError(GraderError):
    """The box failed, not the code in it."""


class SandboxUnavailable(SandboxError):
    """This host cannot run the box as it is configured."""


class SandboxClosed(SandboxError):
    """The box is closed because this process is stopping."""


class SandboxStartFailed(SandboxError):
    """A warm process did not become ready."""


class RunLost(SandboxError):
    """A run that says nothing about the submission: its warm process died or failed."""


class RunStarved(RunLost):
    """A run that hardly ever had a core, whenever it was tried."""


def without_prefix(message: str) -> str:
    return message.replace(PREFIX, "")


def sentence_of(error: ErrorDetails) -> str:
    """Put pydantic's error about external input into our words."""
    match error["type"]:
        case "missing":
            return "is missing"
        case "string_too_short":
            return "is empty"
        case "string_pattern_mismatch":
            return f"does not have the form {error['ctx']['pattern']}"
        case "string_too_long":
            return f"expected at most {error['ctx']['max_length']} characters"
        case "int_parsing" | "int_parsing_size" | "int_type" | "int_from_float":
            return "expected a whole number"
        case "float_parsing" | "float_type":
            return "expected a number"
        case "bool_parsing" | "bool_type":
            return "expected true or false"
        case "literal_error":
            return f"expected {error['ctx']['expected']}"
        case "greater_than":
            return f"expected more than {_number(error['ctx']['gt'])}"
        case "greater_than_equal":
            return f"expected at least {_number(error['ctx']['ge'])}"
        case "less_than_equal":
            return f"expected at most {_number(error['ctx']['le'])}"
        case "timezone_aware" | "datetime_parsing" | "datetime_from_date_parsing" | "datetime_type":
            return "expected a moment with its offset from UTC, such as 2026-03-01T23:59:00+03:00"
    return without_prefix(error["msg"])


def _number(limit: float) -> str:
    """Write 1000.0 as 1000, and no large number with an exponent."""
    return f"{limit:g}" if isinstance(limit, float) else str(limit)
