"""The one table from an exception's class to its answer: the status for programs, and the words for people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnectionFree

from app.errors import AccessDenied, AppError
from app.errors.batches import ArchiveEmpty, ArchiveRefused, ArchiveTooLarge, ArchiveUnreadable, BatchNotFound
from app.errors.courses import (
    AssignmentInUse,
    AssignmentNotFound,
    CourseArchived,
    CourseNotFound,
    DeletionUnconfirmed,
    LateWithoutDue,
    RulesContradictory,
)
from app.errors.lti import (
    CodeUnusable,
    CourseUnconnected,
    DeploymentUnknown,
    InvitationExpired,
    InvitationUnknown,
    InvitationUsed,
    LaunchAnonymous,
    LaunchElsewhere,
    LaunchOutdated,
    LaunchRefused,
    LaunchWithoutCourse,
    LinkNotFound,
    LoginRefused,
    MentorLaunch,
    PlatformInUse,
    PlatformKnown,
    PlatformNotFound,
    PlatformRefused,
    PlatformUnavailable,
    PlatformUnknown,
    RegistrationRefused,
    SelectionNotFound,
    TeacherNeeded,
    TokenRefused,
)
from app.errors.members import (
    AttemptsRunning,
    EmailTaken,
    ExternalIdTaken,
    JoinFollowed,
    JoinNotFound,
    JoinOutdated,
    JoinUndone,
    MemberJoined,
    MemberNotFound,
    MemberNotStudent,
    PersonNotFound,
    PersonShared,
    PersonsShareCourse,
    SameMember,
)
from app.errors.outgoing import AnswerUnusable, MailNotSet, TargetRefused, TooManyWebhooks, WebhookNotFound
from app.errors.requests import (
    FieldsWrong,
    FormExpired,
    NotAuthenticated,
    NotPermitted,
    OtherSite,
    SessionMissing,
    TokenMadeBefore,
    TokenNotFound,
    TooManyRequests,
)
from app.errors.rosters import (
    RosterBroken,
    RosterChanged,
    RosterColumnUnknown,
    RosterEmpty,
    RosterEncodingUnknown,
    RosterHeadingsUnknown,
    RosterNotCSV,
    RosterRefused,
    RosterTooLong,
)
from app.errors.submissions import (
    CheckNotFound,
    ChecksNotAllowed,
    ChecksUsedUp,
    NotCancellable,
    NotHeld,
    ReportNotFound,
    ReportNotReady,
    SubmissionNotFound,
)
from app.errors.teaching import (
    AdjustmentNotFound,
    AdjustmentReplaced,
    CommentNotFound,
    ExtensionNotFound,
    GradeBookColumnMissing,
    GradeBookRefused,
    GradeBookUnreadable,
    LetterRepeated,
    PreviewApplied,
    PreviewDropped,
    PreviewUnfinished,
    RegradeNotFound,
    RegradeNotPreview,
    ReviewAnswered,
    ReviewNotFound,
    ReviewOpen,
)
from app.errors.uploads import (
    AssignmentClosed,
    AssignmentNotOpen,
    AssignmentUnknown,
    AttemptRefused,
    AttemptsUsedUp,
    AttemptTooSoon,
    FieldsMissing,
    FieldsUnknown,
    FileAndCode,
    FileEmpty,
    FileTooLarge,
    FileTypeUnsupported,
    FormExpected,
    FormUnreadable,
    HandedInBefore,
    IdempotencyKeyReused,
    MemberRemoved,
    NothingHandedIn,
    OtherStudent,
    Overloaded,
    StudentInvalid,
    UploadRefused,
    UploadTooSlow,
)
from app.errors.ways_in import (
    IdentityNotFound,
    IssuerUnavailable,
    JoinLinkExpired,
    JoinLinkFull,
    JoinLinkNotFound,
    JoinLinkRevoked,
    LinkUnusable,
    MemberClaimed,
    NoCourseYet,
    NotebookCodeUnusable,
    PersonInCourse,
    SignOnExpired,
    SignOnRefused,
)
from app.storage.database import CommitUnanswered
from app.storage.database_file import NoRoom
from app.texts import catalogue


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
    LinkUnusable: Answer(401, "link-unusable"),
    NotebookCodeUnusable: Answer(403, "code-unusable"),
    NoCourseYet: Answer(403, "no-course-yet"),
    FormExpired: Answer(403, "form-expired"),
    OtherSite: Answer(403, "other-site"),
    NotPermitted: Answer(403, "forbidden"),
    SignOnRefused: Answer(403, "sign-on-refused"),
    SignOnExpired: Answer(403, "sign-on-expired"),
    LoginRefused: Answer(400, "lti-login-refused"),
    LaunchRefused: Answer(403, "lti-launch-refused"),
    LaunchOutdated: Answer(403, "lti-launch-outdated"),
    LaunchElsewhere: Answer(403, "lti-launch-elsewhere"),
    LaunchAnonymous: Answer(403, "lti-launch-anonymous"),
    LaunchWithoutCourse: Answer(403, "lti-launch-without-course"),
    DeploymentUnknown: Answer(403, "lti-deployment-unknown"),
    MentorLaunch: Answer(403, "lti-mentor"),
    CourseUnconnected: Answer(403, "lti-course-unconnected"),
    TeacherNeeded: Answer(403, "lti-teacher-needed"),
    CodeUnusable: Answer(403, "lti-code-unusable"),
    TargetRefused: Answer(403, "target-refused"),
    CourseArchived: Answer(403, "course-archived"),
    OtherStudent: Answer(403, "other-student"),
    TooManyRequests: Answer(429, "too-many-requests"),
    Overloaded: Answer(503, "overloaded"),
    IssuerUnavailable: Answer(503, "issuer-unavailable"),
    PlatformUnavailable: Answer(503, "lti-platform-unavailable"),
    AnswerUnusable: Answer(502, "answer-unusable"),
    PlatformRefused: Answer(502, "lti-platform-refused"),
    TokenRefused: Answer(502, "lti-token-refused"),
    PlatformUnknown: Answer(403, "lti-platform-unknown"),
    PlatformNotFound: Answer(404, "lti-platform-not-found"),
    PlatformKnown: Answer(409, "lti-platform-known"),
    LinkNotFound: Answer(404, "lti-link-not-found"),
    SelectionNotFound: Answer(404, "lti-selection-not-found"),
    PlatformInUse: Answer(409, "lti-platform-in-use"),
    RegistrationRefused: Answer(400, "lti-registration-refused"),
    InvitationUnknown: Answer(404, "lti-invitation-unknown"),
    InvitationUsed: Answer(410, "lti-invitation-used"),
    InvitationExpired: Answer(410, "lti-invitation-expired"),
    UploadRefused: Answer(422, "invalid-request"),
    FormExpected: Answer(415, "form-expected"),
    FormUnreadable: Answer(400, "form-unreadable"),
    UploadTooSlow: Answer(408, "upload-too-slow"),
    FieldsMissing: Answer(422, "fields-missing"),
    NothingHandedIn: Answer(422, "nothing-handed-in"),
    FileAndCode: Answer(422, "file-and-code"),
    HandedInBefore: Answer(409, "handed-in-before"),
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
    ArchiveRefused: Answer(422, "invalid-request"),
    ArchiveUnreadable: Answer(422, "archive-unreadable"),
    ArchiveTooLarge: Answer(413, "archive-too-large"),
    ArchiveEmpty: Answer(422, "archive-empty"),
    GradeBookRefused: Answer(422, "invalid-request"),
    GradeBookUnreadable: Answer(422, "grade-book-unreadable"),
    GradeBookColumnMissing: Answer(422, "grade-book-column-missing"),
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
    FieldsWrong: Answer(422, "fields-wrong"),
    MailNotSet: Answer(409, "mail-not-set"),
    RulesContradictory: Answer(422, "rules-contradictory"),
    LateWithoutDue: Answer(422, "late-without-due"),
    AssignmentInUse: Answer(409, "assignment-in-use"),
    ExternalIdTaken: Answer(409, "external-id-taken"),
    EmailTaken: Answer(409, "email-taken"),
    PersonShared: Answer(409, "person-shared"),
    MemberJoined: Answer(409, "member-joined"),
    SameMember: Answer(422, "same-member"),
    AttemptsRunning: Answer(409, "attempts-running"),
    PersonsShareCourse: Answer(409, "persons-share-course"),
    PersonNotFound: Answer(404, "person-not-found"),
    IdentityNotFound: Answer(404, "identity-not-found"),
    JoinNotFound: Answer(404, "join-not-found"),
    JoinUndone: Answer(409, "join-undone"),
    JoinFollowed: Answer(409, "join-followed"),
    JoinOutdated: Answer(409, "join-outdated"),
    CourseNotFound: Answer(404, "course-not-found"),
    AssignmentNotFound: Answer(404, "assignment-not-found"),
    SubmissionNotFound: Answer(404, "submission-not-found"),
    CheckNotFound: Answer(404, "check-not-found"),
    ChecksNotAllowed: Answer(403, "checks-not-allowed"),
    ChecksUsedUp: Answer(429, "checks-used-up"),
    ReportNotReady: Answer(409, "report-not-ready"),
    ReportNotFound: Answer(404, "report-not-found"),
    MemberClaimed: Answer(409, "member-claimed"),
    PersonInCourse: Answer(409, "person-in-course"),
    MemberNotStudent: Answer(409, "member-not-student"),
    TokenMadeBefore: Answer(409, "token-made-before"),
    TokenNotFound: Answer(404, "token-not-found"),
    DeletionUnconfirmed: Answer(409, "deletion-unconfirmed"),
    BatchNotFound: Answer(404, "batch-not-found"),
    RegradeNotFound: Answer(404, "regrade-not-found"),
    RegradeNotPreview: Answer(409, "regrade-not-preview"),
    PreviewUnfinished: Answer(409, "preview-unfinished"),
    PreviewApplied: Answer(409, "preview-applied"),
    PreviewDropped: Answer(409, "preview-dropped"),
    WebhookNotFound: Answer(404, "webhook-not-found"),
    TooManyWebhooks: Answer(409, "too-many-webhooks"),
    ExtensionNotFound: Answer(404, "extension-not-found"),
    AdjustmentNotFound: Answer(404, "adjustment-not-found"),
    AdjustmentReplaced: Answer(409, "adjustment-replaced"),
    CommentNotFound: Answer(404, "comment-not-found"),
    ReviewNotFound: Answer(404, "review-not-found"),
    ReviewOpen: Answer(409, "review-open"),
    ReviewAnswered: Answer(409, "review-answered"),
    LetterRepeated: Answer(409, "letter-repeated"),
    NotCancellable: Answer(409, "not-cancellable"),
    NotHeld: Answer(409, "not-held"),
    # Not ours:
    SQLAlchemyError: Answer(503, "storage-unavailable"),
    NoRoom: Answer(503, "storage-full"),
    NoConnectionFree: Answer(503, "busy"),
    CommitUnanswered: Answer(503, "outcome-unknown"),
    Exception: Answer(500, "internal-error"),
}


def answer_named(name: str) -> Answer:
    """Find the row of the class with this name, as a batch stores it."""
    return next((answer for cls, answer in ANSWERS.items() if cls.__name__ == name), ANSWERS[AppError])


def answer_for(error: Exception) -> Answer:
    """Find the row of the nearest class in the table."""
    for cls in type(error).__mro__:
        if answer := ANSWERS.get(cls):
            return answer
    raise LookupError(f"no answer for {type(error)}")  # Only if it is no Exception.


def words_for(answer: Answer, language: str, params: Mapping[str, object]) -> tuple[str, str]:
    """Return the title of a refusal, and its detail: what came, what was expected, what to do."""
    status, texts = HTTPStatus(answer.status), catalogue()
    title = texts.find(f"problem.{answer.slug}.title", language) or status.phrase
    # Programs are told what has changed since a join by its ids.
    if isinstance(changed := params.get("changed"), list):
        params = {**params, "changed": [texts.text(f"since_join.{id}", language) for id in changed]}
    return title, texts.find(f"problem.{answer.slug}.detail", language, **params) or status.description
