"""The queue of submissions, and its workers.

The submissions table is the queue: a stored submission is queued. So are checks before handing in (`checks`), which
wait behind all submissions. A worker takes a claim on one (`claims`), and a thread waits for its grade, never an event
loop. Only the newest claim of a submission may store a result (`Grading`), so a submission may safely be handed out
twice, as after a crash. The rest of the service sees the queue as `Jobs`. There are two::

    EmbeddedJobs      SQLite, one process: it grades as well
    PostgreSQLJobs    many processes: `Worker`s on any machine grade, and their `Heartbeat`s show which are alive
"""

import asyncio
import contextlib
from typing import Protocol

from app.queue.embedded import EmbeddedJobs, hold_data_dir
from app.queue.grading import MAX_CLAIMS, MAX_TRIES, Engine, Grading
from app.queue.postgresql import PostgreSQLJobs, Worker

__all__ = [
    "MAX_CLAIMS",
    "MAX_TRIES",
    "EmbeddedJobs",
    "Engine",
    "Grading",
    "Jobs",
    "PostgreSQLJobs",
    "Worker",
    "hold_data_dir",
]


class Jobs(Protocol):
    """A queue of submissions."""

    def wake(self) -> None:
        """Look for work now. Call this after committing a transaction that has queued something."""

    def watch(self, submission_id: str) -> contextlib.AbstractContextManager[asyncio.Event]:
        """Yield an event that is set when the submission may have changed. Read the submission before you wait."""

    @property
    def is_working(self) -> bool:
        """Whether this process does its part of the work."""

    @property
    def stopping(self) -> bool:
        """Whether the service is about to stop."""

    def stop_watching(self) -> None:
        """Set all events, because the service is about to stop."""
