"""The queue of submissions, and who works on it.

The submissions table is the queue: a submission that is stored is queued. A worker takes a claim on one (`claims`),
grades in threads, never on an event loop, and only the newest claim of a submission may store a result (`Grading`). So
a submission may be handed out twice, and what a crash leaves behind is simply handed out again. `Jobs` is what the rest
of the service needs of it. There are two::

    EmbeddedJobs      SQLite, one process: tasks on the service's own event loop work
    PostgreSQLJobs    many processes: `Worker`s anywhere work, and a `Heartbeat` tells which of them are alive
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Protocol

from app.queue.embedded import EmbeddedJobs, locked
from app.queue.grading import MAX_CLAIMS, MAX_TRIES, Grade, Grading
from app.queue.postgresql import PostgreSQLJobs, Worker

__all__ = ["MAX_CLAIMS", "MAX_TRIES", "EmbeddedJobs", "Grade", "Grading", "Jobs", "PostgreSQLJobs", "Worker", "locked"]


class Jobs(Protocol):
    """A queue of submissions."""

    def wake(self) -> None:
        """Call this when a transaction that has queued something is committed."""

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
