"""Deletes the data of students: everything about one student, or everything older than the retention time.

Rows that refer to a deleted row are deleted before it. They are found by the tables' foreign keys, so a table added
later is not forgotten. A submission that is being graded loses its claim, and its report is not stored.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import ColumnElement, Table, delete, func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from app.background import Background
from app.storage.database import Database
from app.storage.models import Base, JobStatus, Regrade, StoredReport, Submission, Token, utc_now

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


async def delete_student(database: Database, student: str) -> Deleted:
    """Delete a student's submissions and own tokens, with everything that refers to them, and remove the name.

    Args:
        student: as `uploads.check_student` gives it.
    """
    theirs = Submission.student == student
    async with database.write() as session, database.erasing(session):
        # Locked, because a worker may be about to store a report.
        ids = (await session.scalars(select(Submission.id).where(theirs).with_for_update())).all()
        deleted = Deleted(
            submissions=len(ids),
            reports=await _count(session, StoredReport, StoredReport.submission_id.in_(ids)),
            tokens=await _count(session, Token, Token.student == student),
        )
        await _delete(session, _table(Submission), theirs)
        # A student's own token has no submissions of others.
        await _delete(session, _table(Token), Token.student == student)
        await _forget_selections(session, student)
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


async def _forget_selections(session: AsyncSession, student: str) -> None:
    """Remove the name from the filters that regrades keep."""
    for regrade in await session.scalars(select(Regrade)):
        asked = regrade.selection.get("filter") or {}
        if asked.get("student") == student:
            regrade.selection = {**regrade.selection, "filter": {**asked, "student": NOBODY}}


async def _count(session: AsyncSession, model: type[Base], condition: ColumnElement[bool]) -> int:
    return await session.scalar(select(func.count()).select_from(model).where(condition)) or 0


def _table(model: type[Base]) -> Table:
    table = model.__table__
    assert isinstance(table, Table)
    return table
