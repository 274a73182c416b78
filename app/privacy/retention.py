"""Deletes what has ended, and data older than the retention time of its course, or else of the service."""

import asyncio
import logging
import time
from collections.abc import Mapping
from datetime import timedelta

from sqlalchemy import ColumnElement, exists, func, select, true

from app.background import Background
from app.privacy import deletion
from app.storage.cascade import delete_rows
from app.storage.database import Database
from app.storage.models import (
    Base,
    Batch,
    Change,
    Check,
    Course,
    JobStatus,
    LtiCode,
    LtiInvitation,
    LtiLogin,
    LtiQuestion,
    LtiSelection,
    NotebookCode,
    Regrade,
    RegradeItem,
    Submission,
    Token,
    utc_now,
)
from app.storage.passback import attempts_expired

logger = logging.getLogger(__name__)

LOOK_SECONDS, DAY_SECONDS = 60.0, 24 * 3600.0
#: Reports of checks can be read for so long, and used and expired invitations explain themselves.
CHECKS_KEPT, INVITATIONS_KEPT = timedelta(days=1), timedelta(days=90)


class Retention(Background):
    """A deletion of what has ended, each minute, and of data past the retention time, each day, in its async context.

    Args:
        days: for courses that set no time of their own; None: they keep everything.
    """

    NAME = "retention"

    def __init__(self, database: Database, days: float | None) -> None:
        self._database = database
        self._days = days

    async def _work(self) -> None:
        due_at = time.monotonic()
        while True:
            with self._database.outage.watch(self.NAME):
                await delete_ended(self._database)
                if time.monotonic() >= due_at:
                    await delete_expired(self._database, self._days)
                    due_at = time.monotonic() + DAY_SECONDS
            await asyncio.sleep(LOOK_SECONDS)


async def delete_expired(database: Database, days: float | None) -> int:
    """Delete data past the retention time in each course: submissions, regrades, batches, and lines of the log.

    Args:
        days: for courses that set no time of their own; None: they keep everything.
    Returns:
        The number of deleted submissions.
    """
    async with database.read() as session:
        courses = (await session.execute(select(Course.id, Course.retention_days))).all()
    total = 0
    for course_id, own in courses:
        if (kept := days if own is None else own) is not None:
            total += await delete_older(database, kept, course_id)
            await _delete_log(database, kept, course_id)
    return total


async def delete_ended(database: Database) -> None:
    """Delete unfinished launches, questions that hold a whole message, codes, checks, and the tokens of notebooks.

    One that has ended is refused at once. Mostly there are none, so it looks before it waits for its turn to write.
    """
    now = utc_now()
    ended: Mapping[type[Base], ColumnElement[bool]] = {
        Check: Check.created_at < now - CHECKS_KEPT,
        NotebookCode: NotebookCode.expires_at < now,
        Token: Token.assignment_id.is_not(None) & (Token.expires_at < now),
        LtiLogin: LtiLogin.expires_at < now,
        LtiQuestion: LtiQuestion.expires_at < now,
        LtiSelection: LtiSelection.expires_at < now,
        LtiCode: LtiCode.expires_at < now,
        LtiInvitation: LtiInvitation.expires_at < now - INVITATIONS_KEPT,
    }
    async with database.read() as session:
        tables = [table for table, is_over in ended.items() if await session.scalar(select(exists().where(is_over)))]
    if tables:
        async with database.write() as session:
            for table in tables:
                await delete_rows(session, table, ended[table])
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
