"""What happens to a submission, written down for whoever watches it, and announced to other processes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.models import SubmissionEvent

#: Where the id of a submission that has got on is announced: on PostgreSQL the channel, else a key of `Session.info`.
CHANNEL = "lstm_grader_submission"
#: Where PostgreSQL announces that there is something to grade.
QUEUED_CHANNEL = "lstm_grader_queued"
#: What happens to one that is graded, in this order, as far as it is needed.
STAGES = ("reading", "reference", "running", "notebook", "running_keras2", "checking")


def record(session: AsyncSession, submission_id: str, event: str, **data: Any) -> None:
    """Write down for whoever watches the submission what happens to it in this transaction."""
    session.add(SubmissionEvent(submission_id=submission_id, event=event, data=data))


async def events_after(session: AsyncSession, submission_id: str, event_id: int) -> Sequence[SubmissionEvent]:
    """What happened to a submission after the event with this id, in order; 0: all of it."""
    events = await session.scalars(
        select(SubmissionEvent)
        .where(SubmissionEvent.submission_id == submission_id, SubmissionEvent.id > event_id)
        .order_by(SubmissionEvent.id)
    )
    return events.all()


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
