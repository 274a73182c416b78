"""Accepts uploads: stores and queues them, and puts simultaneous ones into one transaction.

At a deadline, the commit and the queries before it cost more than everything else that an upload needs.
"""

import contextlib
import logging
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from app.access.idempotency import check_same, find_all_earlier
from app.access.limits import too_many_uploads
from app.access.tokens import Principal
from app.courses import course, members
from app.courses.assignments import Assignments, in_course, used_in
from app.courses.extensions import apply_extension
from app.errors import AssignmentUnknown, AttemptRefused, CourseArchived, MemberRemoved, TooManyRequests, UploadRefused
from app.queue import Jobs
from app.queue.backlog import Backlog
from app.storage.batches import Batcher
from app.storage.database import CommitUnanswered, Database, may_have_changed
from app.storage.models import CourseAssignment, Extension, MemberRole, Submission, new_id, utc_now
from app.submissions import positions, repository
from app.submissions.policy import check_attempt
from app.submissions.positions import REGRADE_PRIORITY
from app.submissions.uploads import File, Upload, check_upload, most_bytes
from grader import Assignment

logger = logging.getLogger(__name__)

# A larger upload gets its own transaction, so that no other waits for it.
TOGETHER_BYTES = 1024 * 1024

#: A submission and its position in the queue; None: it was handed in before.
QueuedSubmission = tuple[Submission, int | None]


class Inbox:
    """Accepts uploads.

    Args:
        uploads_per_minute: limit for each student.
        upload_bytes: the limit of each file.
    """

    def __init__(
        self,
        database: Database,
        assignments: Assignments,
        jobs: Jobs,
        backlog: Backlog,
        *,
        uploads_per_minute: int,
        upload_bytes: int,
    ) -> None:
        self._database = database
        self._assignments = assignments
        self._jobs = jobs
        self._backlog = backlog
        self._uploads_per_minute = uploads_per_minute
        self._upload_bytes = upload_bytes
        self._earlier = Batcher(self._find)
        # One student's uploads are stored one by one, because the earlier ones decide whether the next is accepted.
        self._together = Batcher(
            self._store, fits=lambda batch, new: all(_student(each) != _student(new) for each in batch)
        )

    def most_bytes(self, assignment: Assignment) -> int:
        """Return the size limit of the assignment's files in this service."""
        return most_bytes(assignment, self._upload_bytes)

    async def check(self, submitter: Principal, file: File | None, student: str | None, assignment_id: str) -> Upload:
        """Check an upload (`uploads.check_upload`); a refusal names only assignments of the course.

        Raises:
            UploadRefused, OtherStudent
        """
        try:
            return check_upload(submitter, file, student, assignment_id, self._assignments, self._upload_bytes)
        except AssignmentUnknown as exc:
            async with self._database.read() as session:
                used = await used_in(session, submitter.course_id, self._assignments)
            raise AssignmentUnknown(came=exc.params["came"], known=used) from exc

    async def check_load(self) -> None:
        """Raises: Overloaded: earlier uploads wait too long."""
        await self._backlog.check()

    async def accept(
        self,
        upload: Upload,
        submitter: Principal,
        idempotency_key: str | None = None,
        handed_in_at: datetime | None = None,
    ) -> QueuedSubmission:
        """Store the upload and queue it, in one transaction. From then on it cannot be lost.

        Args:
            idempotency_key: the sender's name for this request; a repeat returns the earlier submission.
            handed_in_at: for a file of a batch, the time at which it was handed in elsewhere. Such files wait behind
                all other uploads; if the student has handed in the same bytes before, that submission is returned.
        Raises:
            IdempotencyKeyReused: the key belongs to another upload.
            TooManyRequests: the student sends too many uploads.
            Overloaded: earlier uploads wait too long.
            AssignmentUnknown: the course does not use this assignment.
            AttemptRefused: one of its subclasses; the rules allow the student no further attempt, or not now.
            CourseArchived
            CommitUnanswered: it is unknown whether it was stored.
        """
        if idempotency_key and (earlier := await self._find_repeat(upload, submitter, idempotency_key)):
            return earlier, None
        if handed_in_at is None:
            await self.check_load()
        submission = Submission(
            id=new_id(),
            course_id=submitter.course_id,
            student=upload.student,
            assignment_id=upload.assignment_id,
            filename=upload.filename,
            content=upload.content,
            sha256=upload.sha256,
            submitted_by=submitter.id,
            idempotency_key=idempotency_key,
        )
        if handed_in_at is not None:
            submission.created_at, submission.priority = handed_in_at, REGRADE_PRIORITY
        position: int | None = None
        try:
            if len(upload.content) <= TOGETHER_BYTES:
                submission, position = await self._together.do(submission)
            else:
                submission, position = await self._store_alone(submission)
        except (IntegrityError, AttemptRefused, TooManyRequests):
            # The same request arrived twice at once, and the other one was stored.
            if idempotency_key and (earlier := await self._find_repeat(upload, submitter, idempotency_key)):
                return earlier, None
            raise
        except CommitUnanswered:
            may_have_changed.set(True)
            # Ask on another connection.
            stored: Submission | None = None
            with contextlib.suppress(SQLAlchemyError):
                async with self._database.read() as session:
                    if stored := await repository.find_submission(session, submission.id, submitter):
                        position = await positions.queue_position(session, stored) or 1
            if not stored:
                raise
            submission = stored
        if position is None:
            return submission, None
        may_have_changed.set(True)
        self._jobs.wake()
        facts = {"submission_id": submission.id, "assignment": submission.assignment_id, "bytes": len(upload.content)}
        logger.info("submission_queued", extra=facts)
        return submission, position

    async def _store_alone(self, submission: Submission) -> QueuedSubmission:
        (result,) = await self._store([submission])
        if isinstance(result, Exception):
            raise result
        return result

    async def _store(self, submissions: Sequence[Submission]) -> Sequence[QueuedSubmission | Exception]:
        """Store the acceptable ones; return their positions in the queue."""
        try:
            return await self._store_together(submissions)
        except IntegrityError as exc:
            # Another process has stored one of the idempotency keys. Store the others one by one.
            if len(submissions) == 1:
                return [exc]
            return [await self._outcome(each) for each in submissions]

    async def _outcome(self, submission: Submission) -> QueuedSubmission | Exception:
        try:
            return await self._store_alone(submission)
        except Exception as exc:  # Only this submission is affected; the others are stored.
            return exc

    async def _store_together(self, submissions: Sequence[Submission]) -> Sequence[QueuedSubmission | Exception]:
        refused: dict[str, Exception] = {}
        async with self._database.write() as session:
            are_open = await course.are_open(session, {each.course_id for each in submissions})
            closed = [id for id, is_open in are_open.items() if not is_open]
            # An archived course gets no new member either.
            to_open_ones = [each for each in submissions if each.course_id not in closed]
            uses = await repository.take_turns(session, to_open_ones)
            placed = [each for each in to_open_ones if (each.course_id, each.assignment_id) in uses]
            # A file of a batch may arrive again, from a second teacher or with the same archive.
            earlier = await repository.handed_in_before(session, [each for each in placed if _is_of_batch(each)])
            student_ids = {each.membership_id for each in placed}
            known, extensions = await members.find_with_extensions(session, student_ids)
            too_many = await too_many_uploads(session, student_ids, self._uploads_per_minute)
            new = [each for each in submissions if each.id not in earlier]
            for each in new:
                try:
                    if each.course_id in closed:
                        raise CourseArchived
                    if each not in placed:
                        used = await used_in(session, each.course_id, self._assignments)
                        raise AssignmentUnknown(came=each.assignment_id, known=used)
                    if known[each.membership_id].removed_at is not None:
                        raise MemberRemoved
                    if each.membership_id in too_many:
                        raise too_many[each.membership_id]
                    use = uses[each.course_id, each.assignment_id]
                    extension = extensions.get((each.membership_id, use.id))
                    if known[each.membership_id].role == MemberRole.STUDENT:
                        await self._check(session, each, use, extension)
                except (CourseArchived, UploadRefused, TooManyRequests) as exc:
                    refused[each.id] = exc
            accepted = [each for each in new if each.id not in refused]
            await repository.add_submissions(session, accepted)
            places = await positions.queue_places(session, [each.id for each in accepted])
        return [refused.get(each.id) or (earlier.get(each.id, each), places.get(each.id)) for each in submissions]

    async def _check(
        self, session: AsyncSession, submission: Submission, use: CourseAssignment, extension: Extension | None
    ) -> None:
        """Raises: AttemptRefused: the rules allow the student no further attempt at this assignment, or not now."""
        offered = in_course(self._assignments, use)
        assert offered is not None  # `check_upload` has checked that the assignment's file exists.
        assignment = apply_extension(offered, extension)
        of_batch = _is_of_batch(submission)
        if of_batch:
            # The pause between attempts is the other platform's business.
            attempts_rules = assignment.attempts.model_copy(update={"cooldown_seconds": 0})
            assignment = assignment.model_copy(update={"attempts": attempts_rules})
        limited = assignment.attempts.are_limited
        attempts = await repository.attempts(session, submission.membership_id, use.id) if limited else []
        check_attempt(assignment, attempts, submission.created_at if of_batch else utc_now())

    async def _find_repeat(self, upload: Upload, submitter: Principal, key: str) -> Submission | None:
        earlier = await self._earlier.do((submitter.id, key))
        return earlier and check_same(
            earlier,
            course_id=submitter.course_id,
            student=upload.student,
            assignment_id=upload.assignment_id,
            filename=upload.filename,
            sha256=upload.sha256,
        )

    async def _find(self, requests: Sequence[tuple[str, str]]) -> Sequence[Submission | None]:
        async with self._database.read() as session:
            earlier = await find_all_earlier(session, Submission, set(requests))
        return [earlier.get(each) for each in requests]


def _student(submission: Submission) -> tuple[str, str]:
    return submission.course_id, submission.student


def _is_of_batch(submission: Submission) -> bool:
    return submission.priority == REGRADE_PRIORITY
