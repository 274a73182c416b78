"""Errors about a stored submission and its reports."""

from app.errors import AppError


class SubmissionNotFound(AppError):
    """There is no such submission, or it belongs to somebody else."""


class ReportNotReady(AppError):
    """The submission is not graded yet."""


class ReportNotFound(AppError):
    """The submission has no report with this number, or its report has no such picture."""


class NotCancellable(AppError):
    """The submission is being graded, or is done. params: job_status"""


class NotHeld(AppError):
    """The submission was never held."""


class CheckNotFound(AppError):
    """There is no check with this id, or it is not the caller's, or it was deleted after its day."""


class ChecksNotAllowed(AppError):
    """The course allows no checks before handing in at this assignment."""


class ChecksUsedUp(AppError):
    """The student has made as many checks as the assignment allows in an hour. params: limit, retry_after_seconds"""
