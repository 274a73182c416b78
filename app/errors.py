"""The exceptions of the service.

    AppError
      AccessDenied
        NotAuthenticated        no token, or one that is unknown, expired or revoked
        SessionMissing          the same, for a page
        LinkUnusable            somebody signs in with a link or a token that is unknown, expired or revoked
        NoCourseYet             somebody has signed in whom no course knows
        FormExpired             a page's form without its secret, or with another session's
        OtherSite               a form that acts on a session was sent by a page of another site
        NotPermitted            the token's role does not allow it
        SignOnRefused           the issuer's answer is not the one to this sign-in; the log says why
        SignOnExpired           no sign-in was begun in this browser, or too long ago
        LoginRefused            a launch from a platform that does not begin as one does
        LaunchRefused           a platform's message that is not believed; `reason` is for the log
        LaunchOutdated          a launch that was used before, or whose time is over
        LaunchElsewhere         the browser is not the one that began the launch, or keeps no cookie
        LaunchAnonymous         the platform does not say who comes
        LaunchWithoutCourse     the platform does not say from which course
        DeploymentUnknown       of a platform that is known
        MentorLaunch            somebody who looks after a student; there is nothing to see here
        CourseUnconnected       no teacher has opened the link yet
        TeacherNeeded           an assistant wants what only a teacher does
        CodeUnusable            no course can be connected with this code
        RegistrationRefused     a platform that registers itself says what a platform does not say
        TargetRefused           an address of somebody else's choice, to which nothing is sent
        CourseArchived          nothing in the course changes any more
        OtherStudent            the token is a student's or an assistant's own, and the upload names another one
      TooManyRequests           more than the settings allow in a minute
      Overloaded                earlier uploads wait too long already
      IssuerUnavailable         the issuer of single sign-on does not answer as one; the log says why
      PlatformUnavailable       a platform's keys cannot be read; the log says why
      AnswerUnusable            somebody else's service gives no answer, or none that can be read
      PlatformRefused           a platform says no to a request of ours
      PlatformUnknown           no platform with this issuer and client id is registered and confirmed
      PlatformNotFound          there is none with this id
      PlatformKnown             it is registered already
      PlatformInUse             courses have come from it
      InvitationUnknown         nobody has invited a platform with this address
      InvitationUsed            a platform has registered itself with it
      InvitationExpired         its time is over
      SelectionNotFound         the platform does not ask any more where its new link leads to
      LinkNotFound              the course has no link of a platform with this id
      UploadRefused             the client can see at once what to change
        FormExpected            the body is not a multipart form
        FormUnreadable          it claims to be one and is not
        UploadTooSlow           it did not end in time
        FieldsMissing
        NothingHandedIn
        FileAndCode
        FieldsUnknown
        StudentInvalid
        AttemptRefused          the assignment's rules
          MemberRemoved         the student is no longer in the course
          AssignmentNotOpen
          AssignmentClosed
          AttemptsUsedUp
          AttemptTooSoon
        AssignmentUnknown
        FileEmpty
        FileTooLarge
        FileTypeUnsupported
        IdempotencyKeyReused    the key was used for another request
      ArchiveRefused            an archive of everybody's files; nothing of it was handed in
        ArchiveUnreadable       it is no ZIP archive, or damaged
        ArchiveTooLarge         it has more files than a course, or unpacks to more than is read
        ArchiveEmpty            there is no file to grade in it
      RosterRefused             a list of a course's people; nothing of it was imported
        RosterNotCSV            a spreadsheet's own file
        RosterEncodingUnknown   neither UTF-8, nor CP1251
        RosterEmpty
        RosterBroken            the quotation marks are not those of CSV
        RosterHeadingsUnknown   the first line does not say which column names a student
        RosterColumnUnknown     the request names a column that the file does not have
        RosterTooLong
      GradeBookRefused          a platform's CSV to write grades into
        GradeBookUnreadable     it is neither Canvas' gradebook nor Moodle's grading worksheet
        GradeBookColumnMissing  no column, or more than one, can be the assignment's
      RosterChanged             since the plan was made that the request names
      JoinLinkNotFound
      JoinLinkExpired
      JoinLinkRevoked
      JoinLinkFull              as many have come by it as may
      MemberNotFound            the course has none with this id
      FieldsWrong               some fields of a page's form; it says so at each of them
      EmailInvalid
      MailNotSet                the settings name no mail server
      RulesContradictory        the dates of an assignment are in an impossible order
      LateWithoutDue            lateness would cost points, and no due date says who is late
      AssignmentInUse           there are attempts at it, or decisions about somebody's
      ExternalIdTaken           another member of the course has it
      EmailTaken                another confirmed member of the course has it
      PersonShared              name and address of a person in several courses are not one course's to change
      MemberJoined              the removed member was joined with another one
      SameMember                a member is joined with itself, or a person with itself
      AttemptsRunning           both of the members to be joined have an attempt that is being graded
      PersonsShareCourse        two persons are members of the same course, which are joined first
      PersonNotFound
      IdentityNotFound          the person has no account of single sign-on with this id
      JoinNotFound              no two members, or persons, were joined under this id
      JoinUndone                the join was undone before
      JoinFollowed              a later join has to be undone first
      JoinOutdated              what has changed since cannot be divided again
      CourseNotFound            there is none, or the token acts in another one
      AssignmentNotFound        there is none at this address
      SubmissionNotFound        there is none, or it is somebody else's
      ReportNotReady            the submission is not graded yet
      ReportNotFound            the submission has no report with this number, or the report no such picture
      ExtensionNotFound         the student has none at this assignment
      AdjustmentNotFound        the student has none with this id at this assignment
      AdjustmentReplaced        another one applies than the one that the request names
      CommentNotFound           there is none with this id on this work
      ReviewNotFound            the course has no request for review with this id
      ReviewOpen                the last request of this attempt waits for an answer
      ReviewAnswered            by somebody else, or in other words
      NotCancellable            the submission is being graded, or is done
      NotHeld                   the submission was never held
      MemberClaimed             somebody signs in as this member by single sign-on already
      PersonInCourse            the person who is signed in is another member of the course
      MemberNotStudent          the member is a teacher or an assistant
      TokenMadeBefore           with this idempotency key; its secret was shown then
      TokenNotFound             there is none that the asking token may manage
      DeletionUnconfirmed       the request does not repeat the title of the course
      BatchNotFound             the course has none with this id
      RegradeNotFound
      RegradeNotPreview         it counts already, and cannot be applied or dropped
      PreviewUnfinished         it has not all its reports yet
      PreviewApplied            its reports count, and cannot be dropped
      PreviewDropped            its reports are gone, and cannot be applied
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

The exceptions do not know HTTP: `app.http.answers` has the answer to each. Their texts are in app/locale, under
``problem.<slug>.title`` and ``problem.<slug>.detail``; `params` fill the placeholders and are members of the JSON
answer. Texts that only operators see are here.
"""

from __future__ import annotations

from typing import Any, ClassVar

from sqlalchemy.exc import SQLAlchemyError


class AppError(Exception):
    """Base of everything that `app` raises on purpose."""

    def __init__(self, **params: Any) -> None:
        super().__init__(params)
        self.params = params


class AccessDenied(AppError): ...


class NotAuthenticated(AccessDenied): ...


class SessionMissing(AccessDenied): ...


class LinkUnusable(AccessDenied): ...


class NoCourseYet(AccessDenied): ...


class FormExpired(AccessDenied): ...


class OtherSite(AccessDenied): ...


class NotPermitted(AccessDenied): ...


class CourseArchived(AccessDenied): ...


class OtherStudent(AccessDenied): ...


class SignOnRefused(AccessDenied): ...


class SignOnExpired(AccessDenied): ...


class LoginRefused(AccessDenied):
    """params: reason"""


class LaunchRefused(AccessDenied):
    """params: reason"""


class LaunchOutdated(AccessDenied):
    """params: reason"""


class LaunchElsewhere(AccessDenied):
    """params: again (the address that begins the launch once more)"""


class LaunchAnonymous(AccessDenied): ...


class LaunchWithoutCourse(AccessDenied): ...


class DeploymentUnknown(AccessDenied):
    """params: deployment"""


class MentorLaunch(AccessDenied): ...


class CourseUnconnected(AccessDenied): ...


class TeacherNeeded(AccessDenied): ...


class CodeUnusable(AccessDenied): ...


class RegistrationRefused(AccessDenied):
    """params: reason"""


class TargetRefused(AccessDenied):
    """params: reason"""


class TooManyRequests(AppError):
    """params: retry_after_seconds"""


class Overloaded(AppError):
    """params: retry_after_seconds"""


class IssuerUnavailable(AppError): ...


class PlatformUnavailable(AppError): ...


class AnswerUnusable(AppError):
    """params: reason"""


class PlatformRefused(AppError):
    """params: status, words (the platform's own), retry_after (seconds that the platform asks for, or None)"""


class PlatformUnknown(AppError):
    """params: issuer, client_id"""


class PlatformNotFound(AppError): ...


class PlatformKnown(AppError):
    """params: platform (its id)"""


class PlatformInUse(AppError): ...


class InvitationUnknown(AppError): ...


class InvitationUsed(AppError): ...


class InvitationExpired(AppError): ...


class LinkNotFound(AppError): ...


class SelectionNotFound(AppError): ...


class UploadRefused(AppError): ...


class FormExpected(UploadRefused):
    """params: came (the content type)"""


class FormUnreadable(UploadRefused):
    """params: reason"""


class UploadTooSlow(UploadRefused):
    """params: limit_seconds"""


class NothingHandedIn(UploadRefused):
    """The page's form came without a file and without pasted code."""


class FileAndCode(UploadRefused):
    """The page's form came with a file and with pasted code."""


class FieldsMissing(UploadRefused):
    """params: missing (names)"""


class FieldsUnknown(UploadRefused):
    """params: unknown, known (names)"""


class StudentInvalid(UploadRefused):
    """params: limit (characters)"""


class AttemptRefused(UploadRefused): ...


class MemberRemoved(AttemptRefused): ...


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


class ArchiveRefused(AppError): ...


class ArchiveUnreadable(ArchiveRefused): ...


class ArchiveTooLarge(ArchiveRefused):
    """params: limit_files, limit_bytes (unpacked), packed_bytes (the limit of the archive)"""


class ArchiveEmpty(ArchiveRefused): ...


class GradeBookRefused(AppError): ...


class GradeBookUnreadable(GradeBookRefused): ...


class GradeBookColumnMissing(GradeBookRefused):
    """params: titles, came"""


class RosterRefused(AppError): ...


class RosterNotCSV(RosterRefused): ...


class RosterEncodingUnknown(RosterRefused):
    """params: line"""


class RosterEmpty(RosterRefused): ...


class RosterBroken(RosterRefused):
    """params: line, reason"""


class RosterHeadingsUnknown(RosterRefused):
    """params: came, expected (headings)"""


class RosterColumnUnknown(RosterRefused):
    """params: came, known (headings)"""


class RosterTooLong(RosterRefused):
    """params: limit (rows), limit_bytes"""


class RosterChanged(AppError):
    """params: plan (the digest of what would be done now)"""


class JoinLinkNotFound(AppError): ...


class JoinLinkExpired(AppError):
    """params: expired_at (ISO 8601)"""


class JoinLinkRevoked(AppError): ...


class JoinLinkFull(AppError):
    """params: limit"""


class MemberNotFound(AppError): ...


class FieldsWrong(AppError):
    """params: fields (names)"""


class EmailInvalid(AppError):
    """params: came"""


class MailNotSet(AppError): ...


class RulesContradictory(AppError):
    """params: opens, due, closes (ISO 8601, or null), as they would be in the course"""


class LateWithoutDue(AppError): ...


class AssignmentInUse(AppError):
    """params: submissions, decisions (their numbers)"""


class ExternalIdTaken(AppError):
    """params: member (the id of the other one)"""


class EmailTaken(AppError):
    """params: member (the id of the other one)"""


class PersonShared(AppError): ...


class MemberJoined(AppError):
    """params: member (the id of the kept one), join"""


class SameMember(AppError): ...


class AttemptsRunning(AppError): ...


class PersonsShareCourse(AppError):
    """params: courses (ids)"""


class PersonNotFound(AppError): ...


class IdentityNotFound(AppError): ...


class JoinNotFound(AppError): ...


class JoinUndone(AppError): ...


class JoinFollowed(AppError):
    """params: join (the id of the later one)"""


class JoinOutdated(AppError):
    """params: changed (`member`, `extension`, `person`: what was changed since)"""


class CourseNotFound(AppError): ...


class AssignmentNotFound(AppError): ...


class SubmissionNotFound(AppError): ...


class ReportNotReady(AppError): ...


class ReportNotFound(AppError): ...


class MemberClaimed(AppError): ...


class PersonInCourse(AppError): ...


class MemberNotStudent(AppError): ...


class TokenMadeBefore(AppError):
    """params: id (of the token)"""


class TokenNotFound(AppError): ...


class DeletionUnconfirmed(AppError):
    """params: came (as the title of the course)"""


class BatchNotFound(AppError): ...


class RegradeNotFound(AppError): ...


class RegradeNotPreview(AppError): ...


class PreviewUnfinished(AppError):
    """params: done, total (submissions)"""


class PreviewApplied(AppError): ...


class PreviewDropped(AppError): ...


class WebhookNotFound(AppError): ...


class TooManyWebhooks(AppError):
    """params: limit"""


class ExtensionNotFound(AppError): ...


class AdjustmentNotFound(AppError): ...


class AdjustmentReplaced(AppError):
    """params: expected, current (ids, or null)"""


class CommentNotFound(AppError): ...


class ReviewNotFound(AppError): ...


class ReviewOpen(AppError):
    """params: request (its id)"""


class ReviewAnswered(AppError):
    """params: answered_by"""


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
