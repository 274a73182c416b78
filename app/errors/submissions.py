"""Errors about a stored submission and its reports."""

from app.errors import AccessDenied, AppError, Conflict, NotFound


class SubmissionNotFound(NotFound):
    """There is no such submission, or it belongs to somebody else."""


class ReportNotReady(Conflict):
    """The submission is not graded yet."""


class ReportNotFound(NotFound):
    """The submission has no report with this number, or its report has no such picture."""


class NotCancellable(Conflict):
    """The submission is being graded, or is done. params: job_status"""


class NotHeld(Conflict):
    """The submission was never held."""


class CheckNotFound(NotFound):
    """There is no check with this id, or it is not the caller's, or it was deleted after its day."""


class ChecksNotAllowed(AccessDenied):
    """The course allows no checks before handing in at this assignment."""


class ChecksUsedUp(AppError):
    """The student has made as many checks as the assignment allows in an hour. params: limit, retry_after_seconds"""
