"""Rows that tests of the database put in, and what they ask of them."""

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Select, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.courses import members
from app.queue import claims, order
from app.queue.claims import Claim
from app.storage.database import Database
from app.storage.models import (
    DEFAULT_COURSE,
    Base,
    Course,
    CourseAssignment,
    JobStatus,
    Membership,
    Regrade,
    Submission,
)
from app.submissions import repository
from app.teaching import regrades
from grader import Report
from grader.report.model import AssignmentRef, Receipt, Status, SubmissionRef

Answer = TypeVar("Answer")

CONTENT = bytes(range(256)) * 40
#: What a report has beside it.
ARRAYS = {"one.safetensors": b"arrays"}
#: The id of a token that no row depends on.
BY = "0" * 26
REPORT = Report(
    status=Status.PASSED,
    points=100,
    max_points=100,
    score=1,
    assignment=AssignmentRef(id="lstm-layer", digest="d"),
    submission=SubmissionRef(filename="LSTM.py", sha256="s", format="py"),
    checks=[],
    receipt=Receipt(
        submission_sha256="s", assignment_digest="d", grader_version="0", created_at=datetime(2026, 1, 1, tzinfo=UTC)
    ),
).sealed()


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Database]:
    """A database that is closed at the end of the block."""
    database = Database(url)
    try:
        yield database
    finally:
        await database.close()


async def read_by(database: Database, ask: Callable[..., Awaitable[Answer]], *arguments: Any, **named: Any) -> Answer:
    """Ask a query of ours, which takes a session, in a transaction of its own."""
    async with database.read() as session:
        return await ask(session, *arguments, **named)


async def write_by(database: Database, do: Callable[..., Awaitable[Answer]], *arguments: Any, **named: Any) -> Answer:
    """Do what takes a session in a transaction of its own."""
    async with database.write() as session:
        return await do(session, *arguments, **named)


async def all_of(database: Database, chosen: Select[Any]) -> list[Any]:
    """Return the first value of every row."""
    async with database.read() as session:
        return list(await session.scalars(chosen))


async def row_of(database: Database, table: type[Answer], id: object) -> Answer:
    async with database.read() as session:
        return await session.get_one(table, id)


async def count(database: Database, table: type[Base]) -> int:
    return await read_by(database, AsyncSession.scalar, select(func.count()).select_from(table)) or 0


async def add_rows(database: Database, *rows: Base) -> None:
    async with database.write() as session:
        session.add_all(rows)


async def store(database: Database, table: type[Any], *which: ColumnElement[bool], **values: Any) -> None:
    """Set these values in the rows of a table for which all these conditions hold."""
    await write_by(database, AsyncSession.execute, update(table).where(*which).values(**values))


async def add_course(database: Database) -> str:
    """Add a course with the assignment. Returns: its id."""
    async with database.write() as session:
        course = Course(title="Networks", language="en", time_zone="UTC")
        session.add(course)
        await session.flush()
        session.add(CourseAssignment(course_id=course.id, assignment_id="lstm-layer", rules={}))
        return course.id


async def add_member(
    database: Database, external_id: str, course_id: str = DEFAULT_COURSE, *, name: str | None = None, **values: Any
) -> Membership:
    """Add a student. Args: values: of the membership, and `email`."""
    async with database.write() as session:
        member = members.add(session, course_id, external_id=external_id, name=name)
        member.person.email = values.pop("email", None)
        for each, value in values.items():
            setattr(member, each, value)
        return member


async def add(
    database: Database, student: str = "ivanov", course_id: str = DEFAULT_COURSE, content: bytes = CONTENT
) -> Submission:
    """Hand in as an admin does for a student."""
    submission = Submission(
        course_id=course_id,
        student=student,
        assignment_id="lstm-layer",
        filename="LSTM.py",
        content=content,
        sha256=hashlib.sha256(content).hexdigest(),
        submitted_by=BY,
    )
    async with database.write() as session:
        await repository.take_turns(session, [submission])
        await repository.add_submissions(session, [submission])
    return submission


async def begin_regrade(database: Database, *ids: str, preview: bool = False) -> Regrade:
    return await write_by(database, regrades.begin, requested_by=BY, choice=ids, selection={}, is_preview=preview)


async def claim(database: Database) -> Claim | None:
    async with database.write() as session:
        return await order.claim_next(session)


async def next_claim(database: Database) -> Claim:
    """Claim the first submission of a queue that is not empty."""
    first = await claim(database)
    assert first is not None
    return first


async def finish(
    database: Database, claim: Claim, report: Report = REPORT, artefacts: Mapping[str, bytes] = MappingProxyType({})
) -> bool:
    async with database.write() as session:
        return await claims.finish(session, claim, report, artefacts)


async def graded(database: Database, student: str = "ivanov", report: Report = REPORT) -> Submission:
    """Hand in where nothing else waits, and store the report."""
    submission = await add(database, student)
    assert await finish(database, await next_claim(database), report, ARRAYS)
    return submission


async def waits(database: Database, transactions: int = 1) -> bool:
    """Tell whether so many transactions wait for another one."""
    if database.is_sqlite:
        return len(database._write_lock._waiters or ()) >= transactions
    async with database.read() as session:
        return await session.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")) >= transactions


async def job_status(database: Database, id: str) -> tuple[JobStatus, int]:
    async with database.read() as session:
        submission = await session.get_one(Submission, id)
        return submission.job_status, submission.tries
