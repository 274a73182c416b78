"""Writes down what happens to a submission, for whoever watches it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.storage.models import SubmissionEvent

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
