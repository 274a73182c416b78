"""The exceptions of the service, and the one table from an exception's class to its HTTP answer.

    AppError
      AccessDenied
        NotAuthenticated        no token, or one that is unknown, expired or revoked
        SessionMissing          the same, for a page
        FormExpired             a page's form without its secret, or with another session's
        OtherSite               a form that acts on a session was sent by a page of another site
        NotPermitted            the token's role does not allow it
        TargetRefused           a webhook's address is one that nothing is sent to
        OtherStudent            the token is a student's own, and the upload names another student
      TooManyRequests           more than the settings allow in a minute
      Overloaded                earlier uploads wait too long already
      UploadRefused             the client can see at once what to change
        FormExpected            the body is not a multipart form
        FormUnreadable          it claims to be one and is not
        UploadTooSlow           it did not end in time
        FieldsMissing
        FieldsUnknown
        StudentInvalid
        AttemptRefused          the assignment's rules
          AssignmentNotOpen
          AssignmentClosed
          AttemptsUsedUp
          AttemptTooSoon
        AssignmentUnknown
        FileEmpty
        FileTooLarge
        FileTypeUnsupported
        IdempotencyKeyReused    the key was used for another request
      CourseNotFound            there is none, or the token acts in another one
      AssignmentNotFound        there is none at this address
      SubmissionNotFound        there is none, or it is somebody else's
      ReportNotReady            the submission is not graded yet
      ReportNotFound            the submission has no report with this number, or the report no such picture
      NotCancellable            the submission is being graded, or is done
      NotHeld                   the submission was never held
      TokenMadeBefore           with this idempotency key; its secret was shown then
      TokenNotFound             there is none that the asking token may manage
      RegradeNotFound
      WebhookNotFound           there is none, or it is somebody else's
      TooManyWebhooks           for one token
      CannotStart               stops a command; no client sees it
        NotPossible             what the command was asked for cannot be done
        DataDirInUse            another service runs on the same data
        DatabaseOutdated        the tables are those of an older version, or there are none
        DatabaseNewer           the tables are those of a newer version
        DatabaseMissing         a command needs a database, and a service was never started on this one
        DatabaseLost            there was a database, and it is gone, empty, or has lost something
        DatabaseForeign         another program has made the tables
        DatabaseUnusable        no database can be at the path in the settings
        OwnerTokenMissing       services that share a database would each end the other's owner token
        BackupUnusable          a copy of a database is damaged, or of a newer version
        BackupElsewhere         PostgreSQL is backed up by its own tools
        NothingToShare          a worker was started on SQLite, whose service grades by itself

The exceptions do not know HTTP. Their texts are in app/locale, under ``problem.<slug>.title`` and
``problem.<slug>.detail``; `params` fill the placeholders and are members of the JSON answer. Texts that only operators
see are here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnectionFree
from starlette.exceptions import HTTPException


class AppError(Exception):
    """Base of everything that `app` raises on purpose."""

    def __init__(self, **params: Any) -> None:
        super().__init__(params)
        self.params = params


class AccessDenied(AppError): ...


class NotAuthenticated(AccessDenied): ...


class SessionMissing(AccessDenied): ...


class FormExpired(AccessDenied): ...


class OtherSite(AccessDenied): ...


class NotPermitted(AccessDenied): ...


class OtherStudent(AccessDenied): ...


class TargetRefused(AccessDenied):
    """params: reason"""


class TooManyRequests(AppError):
    """params: retry_after_seconds"""


class Overloaded(AppError):
    """params: retry_after_seconds"""


class UploadRefused(AppError): ...


class FormExpected(UploadRefused):
    """params: came (the content type)"""


class FormUnreadable(UploadRefused):
    """params: reason"""


class UploadTooSlow(UploadRefused):
    """params: limit_seconds"""


class FieldsMissing(UploadRefused):
    """params: missing (names)"""


class FieldsUnknown(UploadRefused):
    """params: unknown, known (names)"""


class StudentInvalid(UploadRefused):
    """params: limit (characters)"""


class AttemptRefused(UploadRefused): ...


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


class IdempotencyKeyReused(UploadRefused): ...


class CourseNotFound(AppError): ...


class AssignmentNotFound(AppError): ...


class SubmissionNotFound(AppError): ...


class ReportNotReady(AppError): ...


class ReportNotFound(AppError): ...


class TokenMadeBefore(AppError):
    """params: id (of the token)"""


class TokenNotFound(AppError): ...


class RegradeNotFound(AppError): ...


class WebhookNotFound(AppError): ...


class TooManyWebhooks(AppError):
    """params: limit"""


class NotHeld(AppError): ...


class NotCancellable(AppError):
    """params: job_status"""


class CannotStart(AppError):
    """An error that stops a command, and says why. Attributes: text: the operator's message; `params` fill it."""

    text: ClassVar[str] = ""

    def __str__(self) -> str:
        return self.text.format(**self.params)


class NotPossible(CannotStart):
    """params: reason"""

    text = "{reason}"


class DataDirInUse(CannotStart):
    text = "another service uses {data_dir}. Stop it, or set LSTM_GRADER_DATA_DIR to another folder"


class DatabaseOutdated(CannotStart):
    text = "the database is at revision {current}, and this version works with {expected}. Run: lstm-grader db upgrade"


class DatabaseNewer(CannotStart):
    text = (
        "the database is at revision {current}, which a newer lstm-grader has made; this one knows revisions up to "
        "{expected}. Install the newer version again, or restore a backup that was made before the update"
    )


class DatabaseMissing(CannotStart):
    text = (
        "there is no database {database}. A service makes it when it first starts, and so does: lstm-grader db "
        "upgrade. If there should be one, check LSTM_GRADER_DATA_DIR and LSTM_GRADER_DATABASE_URL"
    )


class DatabaseLost(CannotStart):
    text = (
        "{database} {reason}, by the record in {marker}. Nothing was changed. Put the file back with the -wal file "
        "beside it, or restore a backup: lstm-grader db restore FILE. To go on without the lost data, delete {marker}"
    )


class DatabaseForeign(CannotStart):
    text = "{database} is a database of another program. Nothing was changed. Move it away, or choose another name"


class DatabaseUnusable(CannotStart):
    text = "{database} {reason}"


class OwnerTokenMissing(CannotStart):
    text = "services on the same PostgreSQL need the same owner's token: set LSTM_GRADER_OWNER_TOKEN"


class NothingToShare(CannotStart):
    text = (
        "a service on SQLite grades by itself; a separate worker needs a database that both can reach: "
        "LSTM_GRADER_DATABASE_URL=postgresql://..."
    )


class BackupUnusable(CannotStart):
    text = "{backup} cannot be restored: {reason}"


class BackupElsewhere(CannotStart):
    text = (
        "this is for SQLite; PostgreSQL is backed up with pg_dump and restored with pg_restore, see docs/operations.md"
    )


class CommitUnanswered(SQLAlchemyError):
    """The database did not say whether it committed a transaction."""


class DatabaseMoved(SQLAlchemyError):
    """The SQLite file is not where it was when the service started."""


class NoRoom(SQLAlchemyError):
    """The disk is about to be full."""


@dataclass(frozen=True)
class Answer:
    """An HTTP status and the last part of the problem's ``type``, which machines may rely on."""

    status: int
    slug: str


ANSWERS: dict[type[Exception], Answer | None] = {
    AppError: Answer(500, "internal-error"),
    AccessDenied: Answer(403, "forbidden"),
    NotAuthenticated: Answer(401, "unauthorized"),
    SessionMissing: Answer(401, "session-missing"),
    FormExpired: Answer(403, "form-expired"),
    OtherSite: Answer(403, "other-site"),
    NotPermitted: Answer(403, "forbidden"),
    TargetRefused: Answer(403, "target-refused"),
    OtherStudent: Answer(403, "other-student"),
    TooManyRequests: Answer(429, "too-many-requests"),
    Overloaded: Answer(503, "overloaded"),
    UploadRefused: Answer(422, "invalid-request"),
    FormExpected: Answer(415, "form-expected"),
    FormUnreadable: Answer(400, "form-unreadable"),
    UploadTooSlow: Answer(408, "upload-too-slow"),
    FieldsMissing: Answer(422, "fields-missing"),
    FieldsUnknown: Answer(422, "unknown-fields"),
    StudentInvalid: Answer(422, "invalid-student"),
    AttemptRefused: Answer(403, "attempt-refused"),
    AssignmentNotOpen: Answer(403, "assignment-not-open"),
    AssignmentClosed: Answer(403, "assignment-closed"),
    AttemptsUsedUp: Answer(403, "attempts-used-up"),
    AttemptTooSoon: Answer(429, "attempt-too-soon"),
    AssignmentUnknown: Answer(422, "unknown-assignment"),
    FileEmpty: Answer(422, "empty-file"),
    FileTooLarge: Answer(413, "file-too-large"),
    FileTypeUnsupported: Answer(415, "unsupported-file-type"),
    IdempotencyKeyReused: Answer(422, "idempotency-key-reused"),
    CourseNotFound: Answer(404, "course-not-found"),
    AssignmentNotFound: Answer(404, "assignment-not-found"),
    SubmissionNotFound: Answer(404, "submission-not-found"),
    ReportNotReady: Answer(409, "report-not-ready"),
    ReportNotFound: Answer(404, "report-not-found"),
    TokenMadeBefore: Answer(409, "token-made-before"),
    TokenNotFound: Answer(404, "token-not-found"),
    RegradeNotFound: Answer(404, "regrade-not-found"),
    WebhookNotFound: Answer(404, "webhook-not-found"),
    TooManyWebhooks: Answer(409, "too-many-webhooks"),
    NotCancellable: Answer(409, "not-cancellable"),
    NotHeld: Answer(409, "not-held"),
    NotPossible: None,
    CannotStart: None,
    DataDirInUse: None,
    DatabaseOutdated: None,
    DatabaseNewer: None,
    DatabaseMissing: None,
    DatabaseLost: None,
    DatabaseForeign: None,
    DatabaseUnusable: None,
    OwnerTokenMissing: None,
    NothingToShare: None,
    BackupUnusable: None,
    BackupElsewhere: None,
    # Not ours:
    RequestValidationError: Answer(422, "invalid-request"),
    SQLAlchemyError: Answer(503, "storage-unavailable"),
    NoConnectionFree: Answer(503, "busy"),
    CommitUnanswered: Answer(503, "outcome-unknown"),
    Exception: Answer(500, "internal-error"),
}
# The framework's own refusals, by status: a bad body, no such page, no such method.
FRAMEWORK_ANSWERS: dict[int, Answer] = {
    400: Answer(400, "body-unreadable"),
    404: Answer(404, "not-found"),
    405: Answer(405, "method-not-allowed"),
    413: Answer(413, "body-too-large"),
}


def answer_for(error: Exception) -> Answer:
    """Find the row of the nearest class in the table."""
    if isinstance(error, HTTPException):
        return FRAMEWORK_ANSWERS.get(error.status_code) or Answer(error.status_code, "invalid-request")
    for cls in type(error).__mro__:
        if answer := ANSWERS.get(cls):
            return answer
    raise LookupError(f"no answer for {type(error)}")  # Only if it is no Exception.
