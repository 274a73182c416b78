"""The events of submissions, for their watchers."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.storage.models import SubmissionEvent
from grader.execution.stages import Stage

#: The stages of grading, in order. A grade skips unneeded ones.
STAGES = tuple(stage.value for stage in Stage)


def record(session: AsyncSession, submission_id: str, event: str, **data: Any) -> None:
    """Add an event of the submission to this transaction."""
    session.add(SubmissionEvent(submission_id=submission_id, event=event, data=data))


async def events_after(session: AsyncSession, submission_id: str, event_id: int) -> Sequence[SubmissionEvent]:
    """List a submission's events after the one with this id, in order; 0: all."""
    events = await session.scalars(
        select(SubmissionEvent)
        .where(SubmissionEvent.submission_id == submission_id, SubmissionEvent.id > event_id)
        .order_by(SubmissionEvent.id)
    )
    return events.all()
