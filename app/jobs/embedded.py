"""The queue of a service that is one process: the submissions table itself.

    claim        one UPDATE that takes the submission that is next and names the claim
    finish       report and `done` in one transaction, and only while the claim still holds

What a crash leaves `running` goes back into the queue at the next start. That is safe because a lock on the data
folder shows that no other worker is alive.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from sqlalchemy.ext.asyncio import AsyncSession

from app.database import Database
from app.errors import DataDirInUse
from app.jobs import claims
from app.jobs.claims import Claim
from app.jobs.grading import Grading
from app.jobs.watchers import Watchers
from app.models import JobStatus, Submission

logger = logging.getLogger(__name__)

# A submission can be queued by another process, which has no way to wake this one.
IDLE_SECONDS = 5.0


class EmbeddedJobs(Watchers):
    """Queue and worker. As an async context manager it is at work.

    Whoever enters the context holds the data folder (`locked`), and stops what grades after leaving it.

    Args:
        slots: how many are graded at the same time.
        shutdown_seconds: how long leaving the context waits for running grades before it queues them again.
    """

    def __init__(self, database: Database, grading: Grading, *, slots: int, shutdown_seconds: float) -> None:
        super().__init__()
        self._database = database
        self._grading = grading
        database.announced = self.tell
        self._slots = slots
        self._shutdown_seconds = shutdown_seconds
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def enqueue(self, session: AsyncSession, submission: Submission) -> None:
        submission.job_status = JobStatus.QUEUED
        await session.flush()

    def wake(self) -> None:
        self._wake.set()

    @property
    def is_working(self) -> bool:
        """Whether every slot takes what comes."""
        return not self.stopping and bool(self._tasks) and not any(task.done() for task in self._tasks)

    async def __aenter__(self) -> Self:
        async with self._database.write() as session:
            if requeued := await claims.requeue_running(session):
                logger.warning("orphans_requeued", extra={"count": requeued})
        self._tasks = [asyncio.create_task(self._work(), name=f"slot-{number}") for number in range(self._slots)]
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Let running grades finish for `shutdown_seconds`; then queue their submissions again."""
        self.stop_watching()
        self._wake.set()
        _, unfinished = await asyncio.wait(self._tasks, timeout=self._shutdown_seconds)
        for task in unfinished:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _work(self) -> None:
        """One slot: claim, grade, store, until the service stops."""
        while not self.stopping:
            # Cleared before looking, so that what is queued from here on is not slept through.
            self._wake.clear()
            if not await self._grading.run(self._next) and not self.stopping:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), IDLE_SECONDS)

    async def _next(self, session: AsyncSession) -> Claim | None:
        claim = await claims.claim_next(session)
        if claim is not None:
            self._wake.set()  # Another may wait behind it, for another slot.
        return claim


@contextlib.contextmanager
def locked(data_dir: Path) -> Iterator[None]:
    """Hold the data folder; the lock ends with the process, however that ends.

    Raises:
        DataDirInUse: another process holds it.
    """
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (data_dir / "worker.lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            raise DataDirInUse(data_dir=str(data_dir)) from exc
        yield
