"""Announces to other processes what a transaction has changed, when that is committed."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

#: Where the id of a submission that has got on is announced: on PostgreSQL the channel, else a key of `Session.info`.
CHANNEL = "lstm_grader_submission"
#: Where PostgreSQL announces that there is something to grade.
QUEUED_CHANNEL = "lstm_grader_queued"


async def announce(session: AsyncSession, submission_id: str) -> None:
    """Tell whoever watches the submission that it has got on, when this transaction is committed.

    On PostgreSQL all processes hear it, on SQLite the one whose transaction it is (`Database.announced`).
    """
    if is_postgresql(session):
        await session.execute(select(func.pg_notify(CHANNEL, submission_id)))
    else:
        session.info.setdefault(CHANNEL, []).append(submission_id)


async def announce_queued(session: AsyncSession) -> None:
    """Wake the workers when this transaction is committed. On SQLite the one process does it (`Jobs.wake`)."""
    if is_postgresql(session):
        await session.execute(select(func.pg_notify(QUEUED_CHANNEL, "")))


def is_postgresql(session: AsyncSession) -> bool:
    return session.get_bind().dialect.name == "postgresql"
