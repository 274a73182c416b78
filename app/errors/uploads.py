"""Errors about an upload: its form, its file, and the assignment's rules for attempts."""

from __future__ import annotations

from app.errors import AccessDenied, AppError


class OtherStudent(AccessDenied):
    """The token is a student's or an assistant's own, and the upload names another one."""


class Overloaded(AppError):
    """Earlier uploads wait too long already. params: retry_after_seconds"""


class UploadRefused(AppError):
    """The client can see at once what to change."""


class FormExpected(UploadRefused):
    """The body is not a multipart form. params: came (the content type)"""


class FormUnreadable(UploadRefused):
    """The body claims to be a multipart form and is not. params: reason"""


class UploadTooSlow(UploadRefused):
    """The upload did not end in time. params: limit_seconds"""


class NothingHandedIn(UploadRefused):
    """The page's form came without a file and without pasted code."""


class FileAndCode(UploadRefused):
    """The page's form came with a file and with pasted code."""


class HandedInBefore(UploadRefused):
    """The page's form came with the bytes of the student's newest attempt, unconfirmed. params: attempt (its number)"""


class FieldsMissing(UploadRefused):
    """params: missing (names)"""


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
    """params: closed_at (ISO 8601, as the assignment says it)"""


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
