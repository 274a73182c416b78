"""Announces a transaction's changes to other processes when it is committed."""

from sqlalchemy import ARRAY, String, bindparam, func, select
from sqlalchemy.ext.asyncio import AsyncSession

#: A channel on PostgreSQL, or a key of `Session.info` on SQLite, for the ids of changed submissions.
CHANNEL = "lstm_grader_submission"
#: The same for newly queued submissions, without ids.
QUEUED_CHANNEL = "lstm_grader_queued"


async def announce(session: AsyncSession, *submission_ids: str) -> None:
    """Notify the submissions' watchers of a change, when this transaction is committed.

    On PostgreSQL this reaches all processes, on SQLite only this one (`Database.announced`).
    """
    if is_postgresql(session):
        id = func.unnest(bindparam("ids", list(submission_ids), ARRAY(String))).column_valued("id")
        await session.execute(select(func.pg_notify(CHANNEL, id)))
    else:
        session.info.setdefault(CHANNEL, []).extend(submission_ids)


async def announce_queued(session: AsyncSession) -> None:
    """Wake the workers when this transaction is committed: on SQLite those of this process (`Database.queued`)."""
    if is_postgresql(session):
        await session.execute(select(func.pg_notify(QUEUED_CHANNEL, "")))
    else:
        session.info[QUEUED_CHANNEL] = True


def is_postgresql(session: AsyncSession) -> bool:
    return session.get_bind().dialect.name == "postgresql"
