"""Errors about an upload: its form, its file, and the assignment's rules for attempts."""

from app.errors import AccessDenied, AppError, Conflict, Invalid


class OtherStudent(AccessDenied):
    """The upload names another student than the one whose own token it carries."""


class Overloaded(AppError):
    """Earlier uploads are waiting too long for their grades. params: retry_after_seconds"""


class UploadRefused(Invalid):
    """The upload is refused at once, for a reason that the client can correct."""


class FormExpected(UploadRefused):
    """The body is not a multipart form. params: came (the content type)"""


class FormUnreadable(UploadRefused):
    """The body is not the multipart form that its header announces. params: reason"""


class UploadTooSlow(UploadRefused):
    """The upload did not arrive in time. params: limit_seconds"""


class FieldsMissing(UploadRefused):
    """params: missing (names)"""


class NoFileChosen(FieldsMissing):
    """The page's form was sent without its file. params: missing (names)"""


class NothingHandedIn(UploadRefused):
    """The page's form holds neither a file nor pasted code."""


class FileAndCode(UploadRefused):
    """The page's form holds both a file and pasted code."""


class HandedInBefore(Conflict):
    """The bytes are those of the student's newest attempt, and were not confirmed. params: attempt (its number)"""


class FieldsUnknown(UploadRefused):
    """params: unknown, known (names)"""


class StudentInvalid(UploadRefused):
    """params: limit (characters)"""


class AttemptRefused(UploadRefused):
    """The assignment's rules do not allow the attempt."""


class MemberRemoved(AttemptRefused):
    """The student is no longer in the course."""


class AssignmentNotOpen(AttemptRefused):
    """params: opens_at (ISO 8601)"""


class AssignmentClosed(AttemptRefused):
    """params: closed_at (ISO 8601, as written in the assignment)"""


class AttemptsUsedUp(AttemptRefused):
    """params: limit"""


class AttemptTooSoon(AttemptRefused):
    """params: retry_after_seconds, cooldown_seconds"""


class AssignmentUnknown(UploadRefused):
    """params: came, known (ids)"""


class FileEmpty(UploadRefused):
    """params: filename"""


class FileTooLarge(UploadRefused):
    """params: limit_bytes"""


class FileTypeUnsupported(UploadRefused):
    """params: filename, accepted (suffixes)"""


class IdempotencyKeyReused(UploadRefused):
    """The idempotency key was used for another request."""
