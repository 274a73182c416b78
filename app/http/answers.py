"""The one table from an exception's class to its HTTP answer."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnectionFree
from starlette.exceptions import HTTPException

from app.errors import (
    AccessDenied,
    AppError,
    AssignmentClosed,
    AssignmentInUse,
    AssignmentNotFound,
    AssignmentNotOpen,
    AssignmentUnknown,
    AttemptRefused,
    AttemptsUsedUp,
    AttemptTooSoon,
    CommitUnanswered,
    CourseArchived,
    CourseNotFound,
    EmailInvalid,
    EmailTaken,
    ExternalIdTaken,
    FieldsMissing,
    FieldsUnknown,
    FileEmpty,
    FileTooLarge,
    FileTypeUnsupported,
    FormExpected,
    FormExpired,
    FormUnreadable,
    IdempotencyKeyReused,
    IssuerUnavailable,
    JoinLinkExpired,
    JoinLinkFull,
    JoinLinkNotFound,
    JoinLinkRevoked,
    LateWithoutDue,
    MailNotSet,
    MemberClaimed,
    MemberNotFound,
    MemberNotStudent,
    MemberRemoved,
    NoCourseYet,
    NotAuthenticated,
    NotCancellable,
    NotHeld,
    NotPermitted,
    OtherSite,
    OtherStudent,
    Overloaded,
    PersonInCourse,
    PersonShared,
    PreviewApplied,
    PreviewDropped,
    PreviewUnfinished,
    RegradeNotFound,
    RegradeNotPreview,
    ReportNotFound,
    ReportNotReady,
    RosterBroken,
    RosterChanged,
    RosterColumnUnknown,
    RosterEmpty,
    RosterEncodingUnknown,
    RosterHeadingsUnknown,
    RosterNotCSV,
    RosterRefused,
    RosterTooLong,
    RulesContradictory,
    SessionMissing,
    SignOnExpired,
    SignOnRefused,
    StudentInvalid,
    SubmissionNotFound,
    TargetRefused,
    TokenMadeBefore,
    TokenNotFound,
    TooManyRequests,
    TooManyWebhooks,
    UploadRefused,
    UploadTooSlow,
    WebhookNotFound,
)


@dataclass(frozen=True)
class Answer:
    """An HTTP status and the last part of the problem's ``type``, which machines may rely on."""

    status: int
    slug: str


ANSWERS: dict[type[Exception], Answer] = {
    AppError: Answer(500, "internal-error"),
    AccessDenied: Answer(403, "forbidden"),
    NotAuthenticated: Answer(401, "unauthorized"),
    SessionMissing: Answer(401, "session-missing"),
    NoCourseYet: Answer(403, "no-course-yet"),
    FormExpired: Answer(403, "form-expired"),
    OtherSite: Answer(403, "other-site"),
    NotPermitted: Answer(403, "forbidden"),
    SignOnRefused: Answer(403, "sign-on-refused"),
    SignOnExpired: Answer(403, "sign-on-expired"),
    TargetRefused: Answer(403, "target-refused"),
    CourseArchived: Answer(403, "course-archived"),
    OtherStudent: Answer(403, "other-student"),
    TooManyRequests: Answer(429, "too-many-requests"),
    Overloaded: Answer(503, "overloaded"),
    IssuerUnavailable: Answer(503, "issuer-unavailable"),
    UploadRefused: Answer(422, "invalid-request"),
    FormExpected: Answer(415, "form-expected"),
    FormUnreadable: Answer(400, "form-unreadable"),
    UploadTooSlow: Answer(408, "upload-too-slow"),
    FieldsMissing: Answer(422, "fields-missing"),
    FieldsUnknown: Answer(422, "unknown-fields"),
    StudentInvalid: Answer(422, "invalid-student"),
    AttemptRefused: Answer(403, "attempt-refused"),
    MemberRemoved: Answer(403, "member-removed"),
    AssignmentNotOpen: Answer(403, "assignment-not-open"),
    AssignmentClosed: Answer(403, "assignment-closed"),
    AttemptsUsedUp: Answer(403, "attempts-used-up"),
    AttemptTooSoon: Answer(429, "attempt-too-soon"),
    AssignmentUnknown: Answer(422, "unknown-assignment"),
    FileEmpty: Answer(422, "empty-file"),
    FileTooLarge: Answer(413, "file-too-large"),
    FileTypeUnsupported: Answer(415, "unsupported-file-type"),
    IdempotencyKeyReused: Answer(422, "idempotency-key-reused"),
    RosterRefused: Answer(422, "invalid-request"),
    RosterNotCSV: Answer(415, "roster-not-csv"),
    RosterEncodingUnknown: Answer(422, "roster-encoding-unknown"),
    RosterEmpty: Answer(422, "roster-empty"),
    RosterBroken: Answer(422, "roster-broken"),
    RosterHeadingsUnknown: Answer(422, "roster-headings-unknown"),
    RosterColumnUnknown: Answer(422, "roster-column-unknown"),
    RosterTooLong: Answer(422, "roster-too-long"),
    RosterChanged: Answer(409, "roster-changed"),
    JoinLinkNotFound: Answer(404, "join-link-not-found"),
    JoinLinkExpired: Answer(410, "join-link-expired"),
    JoinLinkRevoked: Answer(410, "join-link-revoked"),
    JoinLinkFull: Answer(409, "join-link-full"),
    MemberNotFound: Answer(404, "member-not-found"),
    EmailInvalid: Answer(422, "invalid-email"),
    MailNotSet: Answer(409, "mail-not-set"),
    RulesContradictory: Answer(422, "rules-contradictory"),
    LateWithoutDue: Answer(422, "late-without-due"),
    AssignmentInUse: Answer(409, "assignment-in-use"),
    ExternalIdTaken: Answer(409, "external-id-taken"),
    EmailTaken: Answer(409, "email-taken"),
    PersonShared: Answer(409, "person-shared"),
    CourseNotFound: Answer(404, "course-not-found"),
    AssignmentNotFound: Answer(404, "assignment-not-found"),
    SubmissionNotFound: Answer(404, "submission-not-found"),
    ReportNotReady: Answer(409, "report-not-ready"),
    ReportNotFound: Answer(404, "report-not-found"),
    MemberClaimed: Answer(409, "member-claimed"),
    PersonInCourse: Answer(409, "person-in-course"),
    MemberNotStudent: Answer(409, "member-not-student"),
    TokenMadeBefore: Answer(409, "token-made-before"),
    TokenNotFound: Answer(404, "token-not-found"),
    RegradeNotFound: Answer(404, "regrade-not-found"),
    RegradeNotPreview: Answer(409, "regrade-not-preview"),
    PreviewUnfinished: Answer(409, "preview-unfinished"),
    PreviewApplied: Answer(409, "preview-applied"),
    PreviewDropped: Answer(409, "preview-dropped"),
    WebhookNotFound: Answer(404, "webhook-not-found"),
    TooManyWebhooks: Answer(409, "too-many-webhooks"),
    NotCancellable: Answer(409, "not-cancellable"),
    NotHeld: Answer(409, "not-held"),
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
