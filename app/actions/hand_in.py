"""Handing in: an attempt of a student, a check before it, everybody's files in one archive, and taking one back."""

import asyncio
import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import BinaryIO

from sqlalchemy.ext.asyncio import AsyncSession

from app.access.idempotency import make_once
from app.access.rights import Right
from app.actions.actor import Actor, Writer, action, change
from app.actions.fields import ActionRequest
from app.courses import course as courses
from app.courses import members
from app.errors import HandedInBefore, NotCancellable
from app.queue import checks
from app.queue.batches import taking_in
from app.queue.inbox import Inbox, QueuedSubmission
from app.storage.models import Batch, Check
from app.submissions import repository
from app.submissions.uploads import DEFAULT_ASSIGNMENT, File
from app.teaching.own.courses import own_task

logger = logging.getLogger(__name__)

#: Unpacking keeps a few files in memory: one archive at a time, so that many cost no more.
ONE_AT_A_TIME = asyncio.Semaphore(1)


class HandIn(ActionRequest):
    """An attempt. Each of its faults has a refusal of its own (`app.errors`).

    Attributes:
        student: the id in the grade book; None: the holder's own.
    """

    file: File | None
    student: str | None = None
    assignment: str = DEFAULT_ASSIGNMENT

    def key(self, form_key: str) -> str:
        """Make the idempotency key of an attempt from the page's form `form_key`.

        The same file sent again is the same attempt. Another file from the same form is a new one, because browsers can
        go back to the page.
        """
        name, content = (self.file.name, self.file.content) if self.file else ("", b"")
        sent = json.dumps([form_key, self.student, self.assignment, name, hashlib.sha256(content).hexdigest()])
        return f"page:{hashlib.sha256(sent.encode()).hexdigest()}"


@action(Right.SUBMIT, archived_too=True)
async def hand_in(
    actor: Actor,
    inbox: Inbox,
    wanted: HandIn,
    *,
    with_trials: bool = False,
    key: str | None = None,
    asks_again: bool = False,
) -> QueuedSubmission:
    """Store an attempt and queue it. After that it is not lost.

    In an archived course, an attempt from before is still answered under its key.

    Args:
        with_trials: one of the staff who names no student hands in a trial, which counts for nobody.
        key: the same attempt sent again with it is stored once.
        asks_again: raise HandedInBefore for the bytes of the student's newest attempt, unless they come with its key.
    Raises: UploadRefused, HandedInBefore, OtherStudent, TooManyRequests, Overloaded, CourseArchived, CommitUnanswered
    """
    holder, student = actor.holder, wanted.student
    if with_trials and student is None and holder.sees_everything:
        if holder.external_id is None:
            async with actor.write() as session:
                trials = await members.enrol_trials(session, holder.course_id)
            holder = replace(holder, external_id=trials.external_id)
        student = holder.external_id
    upload = await inbox.check(holder, wanted.file, student, wanted.assignment)
    if asks_again and holder.membership_id and upload.student == holder.external_id:
        async with actor.database.read() as session:
            newest = await repository.newest_attempt(session, holder.membership_id, upload.assignment_id)
        if newest and newest.sha256 == upload.sha256 and (key is None or newest.idempotency_key != key):
            raise HandedInBefore(attempt=newest.attempt)
    return await inbox.accept(upload, holder, key)


@action(Right.CHECK)
async def check_beforehand(actor: Actor, inbox: Inbox, wanted: HandIn, *, key: str | None = None) -> Check:
    """Store a check before handing in, and queue it behind all attempts.

    Args:
        key: the same check sent again with it is stored once.
    Raises:
        UploadRefused, OtherStudent, IdempotencyKeyReused, Overloaded, ChecksNotAllowed, ChecksUsedUp,
        AssignmentNotFound, CourseArchived
    """
    holder = actor.holder
    upload = await inbox.check(holder, wanted.file, wanted.student, wanted.assignment)
    await inbox.check_load()

    async def make(session: AsyncSession) -> Check:
        await courses.keep_open(session, actor.course_id)
        task = await own_task(session, actor.assignments, holder, upload.assignment_id)
        return await checks.add(session, holder, upload, task.assignment, key)

    request = {name: getattr(upload, name) for name in ("assignment_id", "filename", "sha256")}
    check, is_new = await make_once(actor.database, Check, holder.id, key, request, make)
    if is_new:
        logger.info("check_queued", extra={"submission_id": check.id, "assignment": check.assignment_id})
    return check


@change(Right.CANCEL, archived_too=True)
async def cancel_submission(actor: Writer, submission_id: str) -> None:
    """Cancel a submission that still waits for its first report. Asking twice changes nothing. The attempt counts as
    used.

    Raises:
        SubmissionNotFound, CourseArchived
        NotCancellable: it is being graded, or is done.
    """
    submission = await repository.existing_submission(actor.session, submission_id, actor.holder)
    await courses.keep_open(actor.session, submission.course_id)
    if not await repository.cancel(actor.session, submission_id):
        raise NotCancellable(job_status=submission.job_status)


# --- everybody's files in one archive ---------------------------------------------------------------------------------


@action(Right.HAND_IN_BATCHES)
async def hand_in_batch(
    actor: Actor, inbox: Inbox, assignment_id: str, archive: BinaryIO, *, filename: str, packed_bytes: int
) -> Batch:
    """Store the files of a platform's archive, and hand in those whose owner is found.

    Args:
        packed_bytes: the limit of the archive, for a refusal.
    Raises:
        AssignmentNotFound, CourseArchived
        ArchiveRefused: nothing is left of the batch then.
    """
    async with ONE_AT_A_TIME:
        async with actor.write() as session:
            batch = await taking_in.begin(session, actor.holder, assignment_id, filename, actor.assignments)
        file_bytes = inbox.most_bytes(actor.assignments[assignment_id])
        await taking_in.store_files(actor.database, batch, archive, file_bytes, packed_bytes)
    await hand_in_waiting(actor, inbox, batch.id)
    return batch


@action(Right.HAND_IN_BATCHES)
async def hand_in_waiting(actor: Actor, inbox: Inbox, batch_id: str) -> None:
    """Hand in the files of a batch that are still waiting, for instance after a restart.

    Raises: BatchNotFound, AssignmentNotFound
    """
    await taking_in.hand_in(actor.database, inbox, actor.assignments, actor.holder, batch_id)


@action(Right.HAND_IN_BATCHES)
async def give_files(actor: Actor, inbox: Inbox, batch_id: str, owners: Mapping[str, str]) -> dict[str, str]:
    """Give files without an owner to students, and hand them in.

    Args:
        owners: the typed ids of students in the grade book, by the id of the file.
    Returns:
        The typed ids that belong to nobody, by the id of the file.
    Raises: CourseArchived, BatchNotFound, AssignmentNotFound
    """
    async with actor.write() as session:
        unknown = await taking_in.give_to(session, actor.course_id, batch_id, owners)
    await hand_in_waiting(actor, inbox, batch_id)
    return unknown


@action(Right.HAND_IN_BATCHES)
async def leave_out_files(actor: Actor, batch_id: str) -> None:
    """Leave out the files of a batch without an owner, and delete their bytes. Raises: CourseArchived, BatchNotFound"""
    async with actor.write() as session:
        await taking_in.leave_out(session, actor.course_id, batch_id)
    await actor.database.empty_log()
