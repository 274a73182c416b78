"""Takes one attempt off the queue, calls `grader.grade`, stores the report.

`Jobs` is what the rest of the service needs from a queue. `EmbeddedJobs` is the one for a single process: the
submissions table is the queue, and the worker is a few tasks on the service's own event loop::

    enqueue      in the transaction that stores the submission, so that one is never there without the other
    claim        one UPDATE that takes the submission that waits longest and names the claim
    grade        in a thread, never on the event loop
    finish       report and `done` in one transaction, and only while the claim still holds

What a crash leaves `running` goes back into the queue at the next start. That is safe because a lock on the data
folder shows that no other worker is alive, and because a result of an older claim is not stored.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import fcntl
import logging
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol, Self

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from app import repository
from app.database import Database
from app.errors import DataDirInUse
from app.log_config import submission_id_var
from app.models import JobStatus, Submission
from app.repository import Claim
from grader import Assignment, Report, Status, internal_error
from grader import Submission as GradedSubmission

logger = logging.getLogger(__name__)

#: Gradings of one submission that may fail through a fault of ours before a person has to look.
MAX_TRIES = 3
# A submission can be queued by another process, which has no way to wake this one.
IDLE_SECONDS = 5.0
RETRY_SECONDS = 1.0

Grade = Callable[[GradedSubmission, Assignment], Report]


class Jobs(Protocol):
    """A queue of submissions and whoever works on it."""

    async def enqueue(self, session: AsyncSession, submission: Submission) -> None:
        """Queue it as part of the caller's transaction."""

    def wake(self) -> None:
        """To be called when that transaction is committed."""

    def watch(self, submission_id: str) -> contextlib.AbstractContextManager[asyncio.Event]:
        """An event that is set when the submission may be done; look before waiting for it."""

    def stop_watching(self) -> None:
        """Set all events, because the service is about to stop."""

    @property
    def stopping(self) -> bool:
        """Whether the service is about to stop: nobody should begin to wait."""


class EmbeddedJobs:
    """The queue of a service that is one process. As an async context manager it is the worker, too.

    Whoever enters the context holds the data folder (`locked`), and stops `grade` after leaving it.

    Args:
        grade: blocks for seconds; called in `threads`, of which there are at least `slots`.
        shutdown_seconds: how long leaving the context waits for running grades before it queues them again.
    """

    def __init__(
        self,
        database: Database,
        assignments: Mapping[str, Assignment],
        grade: Grade,
        threads: ThreadPoolExecutor,
        *,
        slots: int,
        shutdown_seconds: float,
    ) -> None:
        self._database = database
        self._assignments = assignments
        self._grade = grade
        self._threads = threads
        self._slots = slots
        self._shutdown_seconds = shutdown_seconds
        self._wake = asyncio.Event()
        self._stopping = False
        self._watchers: defaultdict[str, set[asyncio.Event]] = defaultdict(set)
        self._tasks: list[asyncio.Task[None]] = []

    async def enqueue(self, session: AsyncSession, submission: Submission) -> None:
        submission.job_status = JobStatus.QUEUED
        await session.flush()

    def wake(self) -> None:
        self._wake.set()

    @contextlib.contextmanager
    def watch(self, submission_id: str) -> Iterator[asyncio.Event]:
        event = asyncio.Event()
        if self._stopping:
            event.set()
        self._watchers[submission_id].add(event)
        try:
            yield event
        finally:
            self._watchers[submission_id].discard(event)
            if not self._watchers[submission_id]:
                del self._watchers[submission_id]

    def stop_watching(self) -> None:
        self._stopping = True
        for submission_id in list(self._watchers):
            self._tell(submission_id)

    @property
    def stopping(self) -> bool:
        return self._stopping

    def _tell(self, submission_id: str) -> None:
        for event in self._watchers.get(submission_id, ()):
            event.set()

    async def __aenter__(self) -> Self:
        async with self._database.write() as session:
            if requeued := await repository.requeue_running(session):
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
        while not self._stopping:
            # Cleared before looking, so that what is queued from here on is not slept through.
            self._wake.clear()
            try:
                async with self._database.write() as session:
                    claim = await repository.claim_next(session)
            except SQLAlchemyError:
                logger.exception("claim_failed")
                await asyncio.sleep(RETRY_SECONDS)
                continue
            if claim is not None:
                self._wake.set()  # Another may wait behind it, for another slot.
                await self._work_on(claim)
            elif not self._stopping:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), IDLE_SECONDS)

    async def _work_on(self, claim: Claim) -> None:
        submission_id_var.set(claim.submission_id)
        logger.info("grading_started", extra={"tries": claim.tries})
        try:
            report = await self._report(claim)
            again = report.status == Status.INTERNAL_ERROR and claim.tries < MAX_TRIES
            await self._store(claim, None if again else report)
        except asyncio.CancelledError:
            async with self._database.write() as session:
                await repository.release(session, claim, count_try=False)
            logger.warning("grading_stopped")
            raise
        finally:
            submission_id_var.set(None)

    async def _report(self, claim: Claim) -> Report:
        submission = GradedSubmission(filename=claim.filename, content=claim.content)
        assignment = self._assignments.get(claim.assignment_id)
        try:
            if assignment is None:
                raise LookupError(f"assignment {claim.assignment_id!r} is gone")
            if claim.tries > MAX_TRIES:
                raise RuntimeError(f"the service ended {MAX_TRIES} times while grading this")
            # The context goes along, so that what the engine logs carries the submission's id.
            in_context = contextvars.copy_context().run
            return await asyncio.get_running_loop().run_in_executor(
                self._threads, in_context, self._grade, submission, assignment
            )
        except Exception as exc:  # The one place where a fault of ours becomes a report (and not the student's zero).
            logger.exception("grading_failed")
            return internal_error(submission, claim.assignment_id, assignment, exc)

    async def _store(self, claim: Claim, report: Report | None) -> None:
        """Keep the report; None: try again. Does not give up while the database does not answer."""
        while True:
            try:
                async with self._database.write() as session:
                    if report is None:
                        kept = await repository.release(session, claim, count_try=True)
                    else:
                        kept = await repository.finish(session, claim, report)
                break
            except SQLAlchemyError:
                logger.exception("storing_failed")
                await asyncio.sleep(RETRY_SECONDS)
        if report is None:
            logger.warning("grading_will_be_repeated", extra={"tries": claim.tries})
            self._wake.set()
        else:
            self._tell(claim.submission_id)
            logger.info(
                "graded",
                extra={
                    "status": report.status.value,
                    "points": report.points,
                    "wall_seconds": report.timing.wall_seconds,
                    "kept": kept,
                },
            )


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
