"""Deletes data older than the retention time of its course, or else of the service."""

import asyncio
import logging
from datetime import timedelta

from sqlalchemy import ColumnElement, exists, func, select, true
from sqlalchemy.exc import SQLAlchemyError

from app.background import Background
from app.privacy import deletion
from app.storage.cascade import delete_ended, delete_rows
from app.storage.database import Database
from app.storage.models import (
    Batch,
    Change,
    Check,
    Course,
    JobStatus,
    NotebookCode,
    Regrade,
    RegradeItem,
    Submission,
    Token,
    utc_now,
)
from app.storage.passback import attempts_expired

logger = logging.getLogger(__name__)

EVERY_SECONDS = 24 * 3600.0
#: Checks before handing in are older than this when they are deleted.
CHECKS_KEPT = timedelta(days=1)


class Retention(Background):
    """A daily deletion of data past the retention time, while the async context is entered.

    Args:
        days: for courses that set no time of their own; None: they keep everything.
    """

    NAME = "retention"

    def __init__(self, database: Database, days: float | None) -> None:
        self._database = database
        self._days = days

    async def _work(self) -> None:
        while True:
            try:
                await delete_expired(self._database, self._days)
            except SQLAlchemyError:
                logger.exception("retention_failed")
            await asyncio.sleep(EVERY_SECONDS)


async def delete_expired(database: Database, days: float | None) -> int:
    """Delete data past the retention time in each course: submissions, regrades, batches, and lines of the log.

    Checks, and the codes and tokens of notebooks, are deleted when their own time is over.

    Args:
        days: for courses that set no time of their own; None: they keep everything.
    Returns:
        The number of deleted submissions.
    """
    await _delete_short_lived(database)
    async with database.read() as session:
        courses = (await session.execute(select(Course.id, Course.retention_days))).all()
    total = 0
    for course_id, own in courses:
        if (kept := days if own is None else own) is not None:
            total += await delete_older(database, kept, course_id)
            await _delete_log(database, kept, course_id)
    return total


async def _delete_short_lived(database: Database) -> None:
    now = utc_now()
    deleted = await delete_ended(
        database,
        {
            Check: Check.created_at < now - CHECKS_KEPT,
            NotebookCode: NotebookCode.expires_at < now,
            Token: Token.assignment_id.is_not(None) & (Token.expires_at < now),
        },
    )
    if deleted:
        await database.empty_log()


async def delete_older(database: Database, days: float, course_id: str | None = None) -> int:
    """Delete submissions older than this, except waiting ones, with everything that refers to them.

    Args:
        course_id: None: in all courses.
    Returns:
        Their number.
    """
    here: ColumnElement[bool] = true() if course_id is None else Submission.course_id == course_id
    old = _is_older(days)  # Computed once, so that the limit does not move during the deletion.
    total = 0
    while True:
        async with database.write() as session:
            query = select(Submission.id).where(old, here).order_by(Submission.id).limit(deletion.AT_ONCE)
            ids = (await session.scalars(query.with_for_update(skip_locked=True))).all()
            await attempts_expired(session, ids)
            await delete_rows(session, Submission, Submission.id.in_(ids))
        total += len(ids)
        if len(ids) < deletion.AT_ONCE:
            break
    if total:
        await database.empty_log()
        logger.info("old_submissions_deleted", extra={"submissions": total})
    return total


async def count_older(database: Database, days: float) -> int:
    """Return the number of submissions that `delete_older` would delete in all courses."""
    async with database.read() as session:
        return (await session.scalars(select(func.count()).select_from(Submission).where(_is_older(days)))).one()


def _is_older(days: float) -> ColumnElement[bool]:
    ended = Submission.job_status.in_([JobStatus.DONE, JobStatus.CANCELLED])
    return ended & (Submission.created_at < utc_now() - timedelta(days=days))


async def _delete_log(database: Database, days: float, course_id: str) -> None:
    """Delete old lines of the log of changes, old batches, and old regrades without remaining items."""
    before = utc_now() - timedelta(days=days)
    async with database.write() as session:
        await delete_rows(session, Change, (Change.course_id == course_id) & (Change.created_at < before))
        await delete_rows(session, Batch, (Batch.course_id == course_id) & (Batch.created_at < before))
        is_empty = ~exists().where(RegradeItem.regrade_id == Regrade.id)
        old = (Regrade.course_id == course_id) & (Regrade.created_at < before)
        await delete_rows(session, Regrade, old & is_empty)
    await database.empty_log()
