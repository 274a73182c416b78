"""The exceptions of the service, by what they are about; those about learning platforms are in `lti`.

They live below all other packages, because most are raised in several of them. They do not know HTTP: `app.answers`
gives each the status of its base, and its name as its slug. Their texts are in app/locale, under
``problem.<slug>.title`` and ``problem.<slug>.detail``; `params` fill the placeholders and are members of the JSON
answer. Errors that stop a command, whose texts only operators see, are in `commands`.
"""

from typing import Any, TypeVar


class AppError(Exception):
    """Base of all errors that `app` raises deliberately."""

    def __init__(self, **params: Any) -> None:
        super().__init__(params)
        self.params = params


class AccessDenied(AppError):
    """Base of errors about a missing right."""


class NotFound(AppError):
    """Base of errors about something that does not exist, or that the caller may not see."""


class Conflict(AppError):
    """Base of errors about a request that contradicts what is stored."""


class Ended(AppError):
    """Base of errors about something that existed and is over."""


class Invalid(AppError):
    """Base of errors about the content of a request."""


T = TypeVar("T")


def existing(row: T | None, error: AppError | type[AppError]) -> T:
    """Return a row that was looked up. Raises: AppError: this error: there is none."""
    if row is None:
        raise error
    return row


# --- a request: authentication, permission, and the forms of pages ----------------------------------------------------


class NotAuthenticated(AccessDenied):
    """A request without a token, or with one that is unknown, expired or revoked."""


class SessionMissing(AccessDenied):
    """A request without a session for a page that needs one."""


class NotPermitted(AccessDenied):
    """The token's role does not allow it."""


class FormExpired(AccessDenied):
    """A page's form carries no secret, or that of another session."""


class OtherSite(AccessDenied):
    """A form that acts on a session was sent by a page of another site."""


class TooManyRequests(AppError):
    """More requests than the settings allow in a minute. params: retry_after_seconds"""


class TokenMadeBefore(Conflict):
    """The token was made before with this idempotency key; its secret was shown then. params: id (of the token)"""


class TokenNotFound(NotFound):
    """There is no token with this id, or the caller may not manage it."""


class FieldsWrong(Invalid):
    """Some fields of a page's form are invalid; the page shows each error at its field. params: fields (names)"""


# --- ways in: sign-on, personal links and join links ------------------------------------------------------------------


class LinkUnusable(AccessDenied):
    """The link or token of a sign-in is unknown, expired or revoked."""


class NotebookCodeUnusable(AccessDenied):
    """The code of a notebook is unknown, used, replaced or expired."""


class NoCourseYet(AccessDenied):
    """The person has signed in, but is a member of no course."""


class SignOnRefused(AccessDenied):
    """The issuer's answer does not belong to this sign-in; the log says why."""


class SignOnExpired(AccessDenied):
    """This browser has begun no sign-in, or too long ago."""


class IssuerUnavailable(AppError):
    """The issuer of single sign-on gives no usable answer; the log says why."""


class JoinLinkNotFound(NotFound): ...


class JoinLinkExpired(Ended):
    """params: expired_at (ISO 8601)"""


class JoinLinkRevoked(Ended): ...


class JoinLinkFull(Conflict):
    """The link has admitted as many people as it may. params: limit"""


class MemberClaimed(Conflict):
    """Somebody already signs in as this member by single sign-on."""


class PersonInCourse(Conflict):
    """The signed-in person is another member of the course, or another member has the person's address."""


class IdentityNotFound(NotFound):
    """The person has no single sign-on account with this id."""


# --- a course, and the assignments it uses ----------------------------------------------------------------------------


class CourseNotFound(NotFound):
    """There is no such course, or the token acts in another one."""


class CourseArchived(AccessDenied):
    """The course is archived, and nothing in it may change."""


class DeletionUnconfirmed(Conflict):
    """The request does not repeat the course's title as a confirmation. params: came (the title in the request)"""


class AssignmentNotFound(NotFound):
    """There is no assignment at this address."""


class AssignmentInUse(Conflict):
    """There are attempts at the assignment, or teachers' decisions about a student's grade.

    params: submissions, decisions (how many there are)
    """


class RulesContradictory(Invalid):
    """The dates of an assignment contradict each other.

    params: opens, due, closes (ISO 8601, or null), as they would be in the course; fields (the conflicting ones)
    """


class LateWithoutDue(Invalid):
    """There is a penalty for lateness, but no due date."""


# --- members of courses, their persons, and joins of duplicates -------------------------------------------------------


class MemberNotFound(NotFound):
    """The course has no member with this id."""


class MemberNotStudent(Conflict):
    """The member is a teacher or an assistant."""


class ExternalIdTaken(Conflict):
    """Another member of the course has this id. params: member (the id of the other one)"""


class EmailTaken(Conflict):
    """Another confirmed member of the course has this address. params: member (the id of the other one)"""


class PersonShared(Conflict):
    """The person is in several courses, so a single course may not change name and address."""


class MemberJoined(Conflict):
    """The removed member was joined with another one. params: member (the id of the remaining one), join"""


class PersonNotFound(NotFound): ...


class SameMember(Invalid):
    """A member is joined with itself, or a person with itself."""


class AttemptsRunning(Conflict):
    """Both of the members to be joined have an attempt in grading."""


class PersonsShareCourse(Conflict):
    """The two persons are both members of a course; those memberships must be joined first. params: courses (ids)"""


class JoinNotFound(NotFound):
    """There is no join with this id."""


class JoinUndone(Conflict):
    """The join is already undone."""


class JoinFollowed(Conflict):
    """A later join has to be undone first. params: join (the id of the later one)"""


class JoinOutdated(Conflict):
    """The members or persons have changed since the join, so it cannot be undone.

    params: changed (`member`, `extension` or `person`)
    """


# --- a roster: the CSV file with the people of a course ---------------------------------------------------------------


class RosterRefused(Invalid):
    """A roster is invalid; none of it was imported."""


class RosterNotCSV(RosterRefused):
    """The file is in a spreadsheet's own format."""


class RosterEncodingUnknown(RosterRefused):
    """The text is in neither UTF-8 nor CP1251. params: line"""


class RosterEmpty(RosterRefused): ...


class RosterBroken(RosterRefused):
    """The quotation marks are not valid CSV. params: line, reason"""


class RosterHeadingsUnknown(RosterRefused):
    """No heading in the first line identifies students. params: came, expected (headings)"""


class RosterColumnUnknown(RosterRefused):
    """The request names a column that the file does not have. params: came, known (headings)"""


class RosterTooLong(RosterRefused):
    """The roster, or a platform's own file of students, is too long. params: limit (rows), limit_bytes"""


class RosterChanged(Conflict):
    """The people of the course have changed since the import was planned.

    params: plan (the digest of the plan as it would be now)
    """


# --- an upload: its form, its file, and the assignment's rules for attempts -------------------------------------------


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


# --- a batch: a platform's archive of everybody's files ---------------------------------------------------------------


class ArchiveRefused(Invalid):
    """An archive of everybody's files is unusable; none of it was handed in."""


class ArchiveUnreadable(ArchiveRefused):
    """The file is no ZIP archive, or damaged."""


class ArchiveTooLarge(ArchiveRefused):
    """The archive holds more files than any course needs, or unpacks to more bytes than we read.

    params: limit_files, limit_bytes (unpacked), packed_bytes (the limit of the archive)
    """


class ArchiveEmpty(ArchiveRefused):
    """There is no file to grade in the archive."""


class BatchNotFound(NotFound):
    """The course has no batch with this id."""


# --- a stored submission and its reports ------------------------------------------------------------------------------


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


# --- what teachers do: extensions, adjustments, comments, reviews, regrades, grade books ------------------------------


class ExtensionNotFound(NotFound):
    """The student has no extension at this assignment."""


class AdjustmentNotFound(NotFound):
    """The student has no adjustment with this id at this assignment."""


class AdjustmentReplaced(Conflict):
    """The adjustment in the request is no longer the one that applies. params: expected, current (ids, or null)"""


class CommentNotFound(NotFound):
    """There is no comment with this id on this work."""


class ReviewNotFound(NotFound):
    """The course has no request for review with this id."""


class ReviewOpen(Conflict):
    """The previous request for this attempt is still unanswered. params: request (its id)"""


class ReviewAnswered(Conflict):
    """The request already has a different answer, or one by somebody else. params: answered_by"""


class LetterRepeated(Conflict):
    """Somebody has just written to the same students. params: minutes (within the last ones)"""


class RegradeNotFound(NotFound): ...


class RegradeNotPreview(Conflict):
    """The regrade is no preview, so it cannot be applied or dropped."""


class PreviewUnfinished(Conflict):
    """Some reports of the preview are still missing. params: done, total (submissions)"""


class PreviewApplied(Conflict):
    """The preview was applied, so it cannot be dropped."""


class PreviewDropped(Conflict):
    """The preview was dropped, so it cannot be applied."""


class GradeBookRefused(Invalid):
    """The CSV file of a platform's grade book is unusable."""


class GradeBookUnreadable(GradeBookRefused):
    """The file is neither Canvas' gradebook nor Moodle's grading worksheet."""


class GradeBookColumnMissing(GradeBookRefused):
    """No column, or more than one, matches the assignment. params: titles, came"""


# --- outgoing traffic: requests to foreign addresses, webhooks, mail --------------------------------------------------


class TargetRefused(AccessDenied):
    """We send nothing to this address, which somebody else has chosen. params: reason"""


class AnswerUnusable(AppError):
    """An external service gives no answer, or an unreadable one. params: reason"""


class WebhookNotFound(NotFound):
    """There is no such webhook, or it belongs to somebody else."""


class TooManyWebhooks(Conflict):
    """The token has reached its limit of webhooks. params: limit"""


class MailNotSet(Conflict):
    """The settings name no mail server."""
