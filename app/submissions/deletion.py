"""Deletes the data of students: everything about one student, or everything older than the retention time.

Rows that refer to a deleted row are deleted before it. They are found by the tables' foreign keys, so a table added
later is not forgotten. A submission that is being graded loses its claim, and its report is not stored.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import ColumnElement, Table, delete, func, or_, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from app.background import Background
from app.courses import members
from app.storage.database import Database
from app.storage.models import (
    DEFAULT_COURSE,
    Base,
    JobStatus,
    Membership,
    Person,
    Regrade,
    StoredReport,
    Submission,
    Token,
    utc_now,
)

logger = logging.getLogger(__name__)

# Rows in one transaction. On SQLite all uploads wait for it.
AT_ONCE = 100
EVERY_SECONDS = 24 * 3600.0
# Replaces a deleted student's name.
NOBODY = "deleted"


@dataclass(frozen=True)
class Deleted:
    """The number of deleted rows, by kind."""

    submissions: int = 0
    reports: int = 0
    tokens: int = 0


async def delete_student(database: Database, student: str, course_id: str = DEFAULT_COURSE) -> Deleted:
    """Delete a student of a course: submissions, own tokens, membership, and everything that refers to them.

    A person who is in no other course is deleted too, and the name is removed from what the course keeps.

    Args:
        student: the external id, as `uploads.check_student` gives it.
    """
    async with database.write() as session, database.erasing(session):
        # In the student's turn, so that no upload is stored meanwhile.
        await members.take_turns(session, [(course_id, student)])
        member = (await members.find(session, [(course_id, student)])).get((course_id, student))
        if member is None:
            return Deleted()
        theirs = Submission.membership_id == member.id
        # Locked, because a worker may be about to store a report.
        ids = (await session.scalars(select(Submission.id).where(theirs).with_for_update())).all()
        deleted = Deleted(
            submissions=len(ids),
            reports=await _count(session, StoredReport, StoredReport.submission_id.in_(ids)),
            tokens=await _count(session, Token, Token.membership_id == member.id),
        )
        # A student's own token has no submissions of others.
        await _delete(session, _table(Membership), Membership.id == member.id)
        if not await _count(session, Membership, Membership.person_id == member.person_id):
            await _delete(session, _table(Person), Person.id == member.person_id)
        await _forget_selections(session, student, course_id)
    await database.erased()
    logger.info("student_deleted", extra=vars(deleted))
    return deleted


async def delete_older(database: Database, days: float) -> int:
    """Delete submissions that are older than this and do not wait, with everything that refers to them.

    Returns:
        Their number.
    """
    old = Submission.created_at < utc_now() - timedelta(days=days)
    ended = Submission.job_status.in_([JobStatus.DONE, JobStatus.CANCELLED])
    total = 0
    while True:
        async with database.write() as session, database.erasing(session):
            found = select(Submission.id).where(old, ended).limit(AT_ONCE)
            ids = (await session.scalars(found.with_for_update(skip_locked=True))).all()
            await _delete(session, _table(Submission), Submission.id.in_(ids))
        total += len(ids)
        if len(ids) < AT_ONCE:
            break
    if total:
        await database.erased()
        logger.info("old_submissions_deleted", extra={"submissions": total})
    return total


class Retention(Background):
    """A daily deletion of submissions older than `days`, while the async context is entered; None: no deletion."""

    NAME = "retention"

    def __init__(self, database: Database, days: float | None) -> None:
        self._database = database
        self._days = days

    async def _work(self) -> None:
        while self._days is not None:
            try:
                await delete_older(self._database, self._days)
            except SQLAlchemyError:
                logger.exception("retention_failed")
            await asyncio.sleep(EVERY_SECONDS)


async def _delete(session: AsyncSession, table: Table, condition: ColumnElement[bool]) -> None:
    for other in Base.metadata.tables.values():
        for key in other.foreign_keys:
            if key.column.table is table:
                await _delete(session, other, key.parent.in_(select(key.column).where(condition)))
    await session.execute(delete(table).where(condition))


async def _forget_selections(session: AsyncSession, student: str, course_id: str) -> None:
    """Remove the name from the filters that regrades keep."""
    # An admin's regrade of all courses may have meant this student, or another one of that name.
    in_course = or_(Regrade.course_id == course_id, Regrade.course_id.is_(None))
    for regrade in await session.scalars(select(Regrade).where(in_course)):
        asked = regrade.selection.get("filter") or {}
        if asked.get("student") == student:
            regrade.selection = {**regrade.selection, "filter": {**asked, "student": NOBODY}}


async def _count(session: AsyncSession, model: type[Base], condition: ColumnElement[bool]) -> int:
    return await session.scalar(select(func.count()).select_from(model).where(condition)) or 0


def _table(model: type[Base]) -> Table:
    table = model.__table__
    assert isinstance(table, Table)
    return table
