"""Imports a batch: stores its files with their owners, then hands them in as the owners' attempts.

Each step is a small transaction. A file keeps its bytes until its attempt is stored, and no student gets a second
attempt with the same bytes, so the work may be repeated from any step, by anybody, even concurrently. The attempt's
idempotency key names its file. An archive does not record when a file was handed in, so after the due date an attempt
is dated to the due date, and is not late.
"""

import asyncio
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime, timedelta
from typing import Any, BinaryIO

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import undefer

from app.access.tokens import Principal
from app.courses import course
from app.courses.assignments import Assignments
from app.courses.matching import Candidate, MatchedBy, Matcher
from app.courses.uses import find_used
from app.errors import (
    AppError,
    ArchiveRefused,
    AssignmentNotFound,
    BatchNotFound,
    CourseArchived,
    TooManyRequests,
    UploadRefused,
    existing,
)
from app.queue.batches.reading import files_of, path_of
from app.queue.inbox import Inbox
from app.storage.cascade import delete_rows
from app.storage.database import Database
from app.storage.memberships import are_students
from app.storage.models import Batch, BatchFile, BatchFileState, Membership, Person, utc_now
from app.storage.updates import update_rows
from app.submissions.uploads import Upload, check_file, clean_filename
from grader.assignment import Deadline
from grader.batch.archives import Unreadable
from grader.batch.collect import StudentFile

# Files in one transaction, and their bytes in memory.
AT_ONCE = 20
AT_ONCE_BYTES = 8_000_000
PATH_CHARACTERS, NAME_CHARACTERS, ID_CHARACTERS = 500, 200, 64
MOMENT = timedelta(seconds=1)


async def begin(
    session: AsyncSession, holder: Principal, assignment_id: str, filename: str, assignments: Assignments
) -> Batch:
    """Begin a batch in the holder's course.

    Raises:
        CourseArchived, AssignmentNotFound
    """
    await course.keep_open(session, holder.course_id)
    if (await find_used(session, holder.course_id, assignment_id, assignments)).effective is None:
        raise AssignmentNotFound
    name = clean_filename(filename)
    batch = Batch(course_id=holder.course_id, assignment_id=assignment_id, filename=name, made_by=holder.name)
    session.add(batch)
    await session.flush()
    return batch


async def store_files(database: Database, batch: Batch, archive: BinaryIO, limit_bytes: int, packed_bytes: int) -> None:
    """Store all files of the archive, each with its owner if there is one.

    Args:
        limit_bytes: the size limit of one file.
        packed_bytes: that of the archive, quoted in a refusal.
    Raises:
        ArchiveRefused: the archive is unusable; the batch was deleted.
    """
    async with database.read() as session:
        matcher = Matcher(await candidates(session, batch.course_id))
    try:
        with ExitStack() as stack:
            entries = await asyncio.to_thread(stack.enter_context, files_of(archive, packed_bytes))
            rest = iter(entries)
            while files := await asyncio.to_thread(_some_files, rest, batch.id, matcher, limit_bytes):
                async with database.write() as session:
                    session.add_all(files)
    except ArchiveRefused:
        async with database.write() as session:
            await delete_rows(session, Batch, Batch.id == batch.id)
        raise
    async with database.write() as session:
        await _part_namesakes(session, batch.id)
        await update_rows(session, Batch, Batch.id == batch.id, read_at=utc_now())


async def _part_namesakes(session: AsyncSession, batch_id: str) -> None:
    """Take the owner from files that were matched by name where several people of the platform fit one student."""
    waiting = BatchFile.batch_id == batch_id, BatchFile.state == BatchFileState.WAITING
    of_several = (
        select(BatchFile.membership_id)
        .where(*waiting)
        .group_by(BatchFile.membership_id)
        .having(func.count(BatchFile.platform_id.distinct()) > 1)
    )
    files = *waiting, BatchFile.matched_by == MatchedBy.NAME.value, BatchFile.membership_id.in_(of_several)
    nobody = {"state": BatchFileState.UNMATCHED, "membership_id": None, "matched_by": None}
    await update_rows(session, BatchFile, *files, **nobody)


async def candidates(session: AsyncSession, course_id: str) -> list[Candidate]:
    """List the students to whom a file of a batch may belong."""
    rows = await session.execute(
        select(Membership.id, Membership.external_id, Person.name, Person.email)
        .join(Membership.person)
        .where(are_students(course_id), Membership.external_id.is_not(None))
    )
    return [Candidate(id, external_id or "", name, email) for id, external_id, name, email in rows]


async def hand_in(database: Database, inbox: Inbox, assignments: Assignments, holder: Principal, batch_id: str) -> None:
    """Hand in the waiting files as attempts of their owners. A repeated call continues.

    Raises:
        BatchNotFound: the course has none with this id.
        AssignmentNotFound: the course no longer uses its assignment.
    """
    async with database.read() as session:
        batch = await find_batch(session, holder.course_id, batch_id)
        used = await find_used(session, holder.course_id, batch.assignment_id, assignments)
    deadline = used.effective.deadline if used.effective else Deadline()
    last = deadline.due, deadline.closes and deadline.closes - MOMENT
    handed_in_at = min([utc_now(), *filter(None, last)])
    # A second teacher may hand in the same files at the same time. An attempt overrides a refusal, whichever was first.
    is_open = BatchFile.state.in_([BatchFileState.WAITING, BatchFileState.REFUSED])
    while True:
        async with database.read() as session:
            some = await _waiting(session, batch_id)
        if not some:
            return
        outcomes = await asyncio.gather(
            *(_hand_in(inbox, holder, batch, file, student, handed_in_at) for file, student in some)
        )
        async with database.write() as session:
            for (file, _), values in zip(some, outcomes, strict=True):
                await update_rows(session, BatchFile, BatchFile.id == file.id, is_open, **values)


async def give_to(session: AsyncSession, course_id: str, batch_id: str, owners: Mapping[str, str]) -> dict[str, str]:
    """Assign files without an owner to students by hand; `hand_in` then hands them in.

    Args:
        owners: the student's id in the course, as a teacher typed it, by the id of the file.
    Returns:
        Those that are nobody's id, by the id of the file.
    Raises:
        CourseArchived, BatchNotFound
    """
    await course.keep_open(session, course_id)
    await find_batch(session, course_id, batch_id)
    known = {each.external_id: each.member_id for each in await candidates(session, course_id)}
    unknown = {}
    for file_id, external_id in owners.items():
        member_id = known.get(external_id.strip())
        if member_id is None:
            unknown[file_id] = external_id
            continue
        owner = {"membership_id": member_id, "matched_by": MatchedBy.HAND.value}
        of = BatchFile.id == file_id, *_without_owner(batch_id)
        await update_rows(session, BatchFile, *of, state=BatchFileState.WAITING, **owner)
    return unknown


async def leave_out(session: AsyncSession, course_id: str, batch_id: str) -> None:
    """Skip the files without an owner, and delete their bytes.

    Raises: CourseArchived, BatchNotFound
    """
    await course.keep_open(session, course_id)
    await find_batch(session, course_id, batch_id)
    await update_rows(session, BatchFile, *_without_owner(batch_id), state=BatchFileState.LEFT_OUT, content=None)


async def find_batch(session: AsyncSession, course_id: str, batch_id: str) -> Batch:
    """Raises: BatchNotFound"""
    query = select(Batch).where(Batch.id == batch_id, Batch.course_id == course_id)
    return existing(await session.scalar(query), BatchNotFound)


def _without_owner(batch_id: str) -> tuple[Any, ...]:
    return BatchFile.batch_id == batch_id, BatchFile.state == BatchFileState.UNMATCHED


def _some_files(rest: Iterator[StudentFile], batch_id: str, matcher: Matcher, limit_bytes: int) -> list[BatchFile]:
    """Read the next files, few enough for the memory."""
    files: list[BatchFile] = []
    size = 0
    for entry in rest:
        file = _file_of(entry, batch_id, matcher, limit_bytes)
        files.append(file)
        size += len(file.content or b"")
        if len(files) == AT_ONCE or size > AT_ONCE_BYTES:
            break
    return files


def _file_of(entry: StudentFile, batch_id: str, matcher: Matcher, limit_bytes: int) -> BatchFile:
    student = entry.student
    match = matcher.find(student)
    file = BatchFile(
        batch_id=batch_id,
        path=_printable(path_of(entry))[:PATH_CHARACTERS],
        filename=clean_filename(entry.filename) or "unnamed",
        name=_printable(student.name)[:NAME_CHARACTERS],
        platform=student.platform,
        platform_id=student.id and student.id[:ID_CHARACTERS],
        is_late=student.late,
        state=BatchFileState.WAITING if match.member_id else BatchFileState.UNMATCHED,
        membership_id=match.member_id,
        matched_by=match.by and match.by.value,
    )
    try:
        content = entry.read(limit_bytes + 1)
    except Unreadable as exc:
        file.state, file.reason = BatchFileState.UNREADABLE, {"code": exc.code}
        return file
    try:
        check_file(file.filename, len(content), limit_bytes)
    except UploadRefused as exc:
        file.state, file.reason = BatchFileState.REFUSED, _reason(exc)
    else:
        file.content = content
    return file


def _reason(error: AppError) -> dict[str, Any]:
    stored = {name: value for name, value in error.params.items() if isinstance(value, str | int | float | list)}
    return {"error": type(error).__name__, "params": stored}


def _printable(text: str) -> str:
    return "".join(each for each in text if unicodedata.category(each)[0] != "C")


async def _waiting(session: AsyncSession, batch_id: str) -> Sequence[tuple[BatchFile, str]]:
    """Return some waiting files, with their bytes and the ids of their owners; at most one per owner."""
    first = (
        select(func.min(BatchFile.id))
        .where(BatchFile.batch_id == batch_id, BatchFile.state == BatchFileState.WAITING)
        .group_by(BatchFile.membership_id)
        .order_by(func.min(BatchFile.id))
        .limit(AT_ONCE)
    )
    # In one statement: another hand-in may delete the bytes of a file as soon as it does not wait any more.
    rows = await session.execute(
        select(BatchFile, Membership.external_id)
        .join(Membership, Membership.id == BatchFile.membership_id)
        .where(BatchFile.id.in_(first))
        .order_by(BatchFile.id)  # Concurrent calls write their outcomes in the same order, so they cannot deadlock.
        .options(undefer(BatchFile.content))
    )
    return [(file, external_id or "") for file, external_id in rows]


async def _hand_in(
    inbox: Inbox,
    holder: Principal,
    batch: Batch,
    file: BatchFile,
    student: str,
    handed_in_at: datetime,
) -> dict[str, Any]:
    """Return the new values of the file's row."""
    key = f"batch:{file.id}"
    upload = Upload(student, batch.assignment_id, file.filename, file.content or b"")
    try:
        submission, _ = await inbox.accept(upload, holder, key, handed_in_at=handed_in_at)
    except (UploadRefused, TooManyRequests, CourseArchived) as exc:
        return {"state": BatchFileState.REFUSED, "reason": _reason(exc), "content": None}
    state = BatchFileState.HANDED_IN if submission.idempotency_key == key else BatchFileState.DUPLICATE
    return {"state": state, "reason": {}, "submission_id": submission.id, "content": None}
