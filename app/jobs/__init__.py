"""The queue of submissions, and who works on it.

`Jobs` is what the rest of the service needs of it. There are two::

    EmbeddedJobs      one process: the submissions table is the queue, tasks on the service's own event loop work
    PostgreSQLJobs    many processes: procrastinate's table is the queue, `Worker`s anywhere work

In both a submission is queued in the transaction that stores it, so that one is never there without the other; grading
happens in threads, never on an event loop; and a result is stored once, by whoever holds the submission's newest claim
(`Grading`). So a queue may hand out a submission twice, and what a crash leaves behind is simply handed out again.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncSession

from app.jobs.embedded import EmbeddedJobs, locked
from app.jobs.grading import MAX_CLAIMS, MAX_TRIES, Grade, Grading
from app.jobs.postgresql import PostgreSQLJobs, Worker
from app.models import Submission

__all__ = ["MAX_CLAIMS", "MAX_TRIES", "EmbeddedJobs", "Grade", "Grading", "Jobs", "PostgreSQLJobs", "Worker", "locked"]


class Jobs(Protocol):
    """A queue of submissions."""

    async def enqueue(self, session: AsyncSession, submission: Submission) -> None:
        """Queue it as part of the caller's transaction."""

    def wake(self) -> None:
        """To be called when that transaction is committed."""

    def watch(self, submission_id: str) -> contextlib.AbstractContextManager[asyncio.Event]:
        """An event that is set when the submission has got on, perhaps; look before waiting for it."""

    @property
    def is_working(self) -> bool:
        """Whether this process does its part of the work."""

    @property
    def stopping(self) -> bool:
        """Whether the service is about to stop."""

    def stop_watching(self) -> None:
        """Set all events, because the service is about to stop."""
