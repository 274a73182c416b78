"""The one table from an exception's class to its answer: the status for programs, and the words for people."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnectionFree

from app.errors import (
    AccessDenied,
    AppError,
    batches,
    courses,
    lti,
    members,
    outgoing,
    requests,
    rosters,
    submissions,
    teaching,
    uploads,
    ways_in,
)
from app.storage.database import CommitUnanswered
from app.storage.database_file import NoRoom
from app.texts import catalogue
from grader.report import numbers


@dataclass(frozen=True)
class Answer:
    """An HTTP status and the last part of the problem's ``type``, which machines may rely on."""

    status: int
    slug: str


ANSWERS: dict[type[Exception], Answer] = {
    AppError: Answer(500, "internal-error"),
    AccessDenied: Answer(403, "forbidden"),
    requests.NotAuthenticated: Answer(401, "unauthorized"),
    requests.SessionMissing: Answer(401, "session-missing"),
    ways_in.LinkUnusable: Answer(401, "link-unusable"),
    ways_in.NotebookCodeUnusable: Answer(403, "code-unusable"),
    ways_in.NoCourseYet: Answer(403, "no-course-yet"),
    requests.FormExpired: Answer(403, "form-expired"),
    requests.OtherSite: Answer(403, "other-site"),
    requests.NotPermitted: Answer(403, "forbidden"),
    ways_in.SignOnRefused: Answer(403, "sign-on-refused"),
    ways_in.SignOnExpired: Answer(403, "sign-on-expired"),
    lti.LoginRefused: Answer(400, "lti-login-refused"),
    lti.LaunchRefused: Answer(403, "lti-launch-refused"),
    lti.LaunchOutdated: Answer(403, "lti-launch-outdated"),
    lti.LaunchElsewhere: Answer(403, "lti-launch-elsewhere"),
    lti.LaunchAnonymous: Answer(403, "lti-launch-anonymous"),
    lti.LaunchWithoutCourse: Answer(403, "lti-launch-without-course"),
    lti.DeploymentUnknown: Answer(403, "lti-deployment-unknown"),
    lti.MentorLaunch: Answer(403, "lti-mentor"),
    lti.CourseUnconnected: Answer(403, "lti-course-unconnected"),
    lti.TeacherNeeded: Answer(403, "lti-teacher-needed"),
    lti.CodeUnusable: Answer(403, "lti-code-unusable"),
    outgoing.TargetRefused: Answer(403, "target-refused"),
    courses.CourseArchived: Answer(403, "course-archived"),
    uploads.OtherStudent: Answer(403, "other-student"),
    requests.TooManyRequests: Answer(429, "too-many-requests"),
    uploads.Overloaded: Answer(503, "overloaded"),
    ways_in.IssuerUnavailable: Answer(503, "issuer-unavailable"),
    lti.PlatformUnavailable: Answer(503, "lti-platform-unavailable"),
    outgoing.AnswerUnusable: Answer(502, "answer-unusable"),
    lti.PlatformRefused: Answer(502, "lti-platform-refused"),
    lti.TokenRefused: Answer(502, "lti-token-refused"),
    lti.PlatformUnknown: Answer(403, "lti-platform-unknown"),
    lti.PlatformNotFound: Answer(404, "lti-platform-not-found"),
    lti.PlatformKnown: Answer(409, "lti-platform-known"),
    lti.LinkNotFound: Answer(404, "lti-link-not-found"),
    lti.SelectionNotFound: Answer(404, "lti-selection-not-found"),
    lti.PlatformInUse: Answer(409, "lti-platform-in-use"),
    lti.RegistrationRefused: Answer(400, "lti-registration-refused"),
    lti.InvitationUnknown: Answer(404, "lti-invitation-unknown"),
    lti.InvitationUsed: Answer(410, "lti-invitation-used"),
    lti.InvitationExpired: Answer(410, "lti-invitation-expired"),
    uploads.UploadRefused: Answer(422, "invalid-request"),
    uploads.FormExpected: Answer(415, "form-expected"),
    uploads.FormUnreadable: Answer(400, "form-unreadable"),
    uploads.UploadTooSlow: Answer(408, "upload-too-slow"),
    uploads.FieldsMissing: Answer(422, "fields-missing"),
    uploads.NoFileChosen: Answer(422, "fields-missing"),
    uploads.NothingHandedIn: Answer(422, "nothing-handed-in"),
    uploads.FileAndCode: Answer(422, "file-and-code"),
    uploads.HandedInBefore: Answer(409, "handed-in-before"),
    uploads.FieldsUnknown: Answer(422, "unknown-fields"),
    uploads.StudentInvalid: Answer(422, "invalid-student"),
    uploads.AttemptRefused: Answer(403, "attempt-refused"),
    uploads.MemberRemoved: Answer(403, "member-removed"),
    uploads.AssignmentNotOpen: Answer(403, "assignment-not-open"),
    uploads.AssignmentClosed: Answer(403, "assignment-closed"),
    uploads.AttemptsUsedUp: Answer(403, "attempts-used-up"),
    uploads.AttemptTooSoon: Answer(429, "attempt-too-soon"),
    uploads.AssignmentUnknown: Answer(422, "unknown-assignment"),
    uploads.FileEmpty: Answer(422, "empty-file"),
    uploads.FileTooLarge: Answer(413, "file-too-large"),
    uploads.FileTypeUnsupported: Answer(415, "unsupported-file-type"),
    uploads.IdempotencyKeyReused: Answer(422, "idempotency-key-reused"),
    batches.ArchiveRefused: Answer(422, "invalid-request"),
    batches.ArchiveUnreadable: Answer(422, "archive-unreadable"),
    batches.ArchiveTooLarge: Answer(413, "archive-too-large"),
    batches.ArchiveEmpty: Answer(422, "archive-empty"),
    teaching.GradeBookRefused: Answer(422, "invalid-request"),
    teaching.GradeBookUnreadable: Answer(422, "grade-book-unreadable"),
    teaching.GradeBookColumnMissing: Answer(422, "grade-book-column-missing"),
    rosters.RosterRefused: Answer(422, "invalid-request"),
    rosters.RosterNotCSV: Answer(415, "roster-not-csv"),
    rosters.RosterEncodingUnknown: Answer(422, "roster-encoding-unknown"),
    rosters.RosterEmpty: Answer(422, "roster-empty"),
    rosters.RosterBroken: Answer(422, "roster-broken"),
    rosters.RosterHeadingsUnknown: Answer(422, "roster-headings-unknown"),
    rosters.RosterColumnUnknown: Answer(422, "roster-column-unknown"),
    rosters.RosterTooLong: Answer(422, "roster-too-long"),
    rosters.RosterChanged: Answer(409, "roster-changed"),
    ways_in.JoinLinkNotFound: Answer(404, "join-link-not-found"),
    ways_in.JoinLinkExpired: Answer(410, "join-link-expired"),
    ways_in.JoinLinkRevoked: Answer(410, "join-link-revoked"),
    ways_in.JoinLinkFull: Answer(409, "join-link-full"),
    members.MemberNotFound: Answer(404, "member-not-found"),
    requests.FieldsWrong: Answer(422, "fields-wrong"),
    outgoing.MailNotSet: Answer(409, "mail-not-set"),
    courses.RulesContradictory: Answer(422, "rules-contradictory"),
    courses.LateWithoutDue: Answer(422, "late-without-due"),
    courses.AssignmentInUse: Answer(409, "assignment-in-use"),
    members.ExternalIdTaken: Answer(409, "external-id-taken"),
    members.EmailTaken: Answer(409, "email-taken"),
    members.PersonShared: Answer(409, "person-shared"),
    members.MemberJoined: Answer(409, "member-joined"),
    members.SameMember: Answer(422, "same-member"),
    members.AttemptsRunning: Answer(409, "attempts-running"),
    members.PersonsShareCourse: Answer(409, "persons-share-course"),
    members.PersonNotFound: Answer(404, "person-not-found"),
    ways_in.IdentityNotFound: Answer(404, "identity-not-found"),
    members.JoinNotFound: Answer(404, "join-not-found"),
    members.JoinUndone: Answer(409, "join-undone"),
    members.JoinFollowed: Answer(409, "join-followed"),
    members.JoinOutdated: Answer(409, "join-outdated"),
    courses.CourseNotFound: Answer(404, "course-not-found"),
    courses.AssignmentNotFound: Answer(404, "assignment-not-found"),
    submissions.SubmissionNotFound: Answer(404, "submission-not-found"),
    submissions.CheckNotFound: Answer(404, "check-not-found"),
    submissions.ChecksNotAllowed: Answer(403, "checks-not-allowed"),
    submissions.ChecksUsedUp: Answer(429, "checks-used-up"),
    submissions.ReportNotReady: Answer(409, "report-not-ready"),
    submissions.ReportNotFound: Answer(404, "report-not-found"),
    ways_in.MemberClaimed: Answer(409, "member-claimed"),
    ways_in.PersonInCourse: Answer(409, "person-in-course"),
    members.MemberNotStudent: Answer(409, "member-not-student"),
    requests.TokenMadeBefore: Answer(409, "token-made-before"),
    requests.TokenNotFound: Answer(404, "token-not-found"),
    courses.DeletionUnconfirmed: Answer(409, "deletion-unconfirmed"),
    batches.BatchNotFound: Answer(404, "batch-not-found"),
    teaching.RegradeNotFound: Answer(404, "regrade-not-found"),
    teaching.RegradeNotPreview: Answer(409, "regrade-not-preview"),
    teaching.PreviewUnfinished: Answer(409, "preview-unfinished"),
    teaching.PreviewApplied: Answer(409, "preview-applied"),
    teaching.PreviewDropped: Answer(409, "preview-dropped"),
    outgoing.WebhookNotFound: Answer(404, "webhook-not-found"),
    outgoing.TooManyWebhooks: Answer(409, "too-many-webhooks"),
    teaching.ExtensionNotFound: Answer(404, "extension-not-found"),
    teaching.AdjustmentNotFound: Answer(404, "adjustment-not-found"),
    teaching.AdjustmentReplaced: Answer(409, "adjustment-replaced"),
    teaching.CommentNotFound: Answer(404, "comment-not-found"),
    teaching.ReviewNotFound: Answer(404, "review-not-found"),
    teaching.ReviewOpen: Answer(409, "review-open"),
    teaching.ReviewAnswered: Answer(409, "review-answered"),
    teaching.LetterRepeated: Answer(409, "letter-repeated"),
    submissions.NotCancellable: Answer(409, "not-cancellable"),
    submissions.NotHeld: Answer(409, "not-held"),
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


def words_for(answer: Answer, language: str, params: Mapping[str, Any]) -> tuple[str, str]:
    """Return the title of a refusal, and its detail: what came, what was expected, what to do."""
    status, texts = HTTPStatus(answer.status), catalogue()
    title = texts.find(f"problem.{answer.slug}.title", language) or status.phrase
    # Programs are told what has changed since a join by its ids.
    if isinstance(changed := params.get("changed"), list):
        params = {**params, "changed": [texts.text(f"since_join.{id}", language) for id in changed]}
    in_words = {"retry_after_seconds": numbers.after, "cooldown_seconds": numbers.duration}
    params = {name: in_words[name](value, language) if name in in_words else value for name, value in params.items()}
    return title, texts.find(f"problem.{answer.slug}.detail", language, **params) or status.description
