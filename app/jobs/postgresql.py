"""The queue of many processes: procrastinate's tables in the same PostgreSQL, and workers on any number of machines.

A job says no more than which submission is to be graded; what is known about it is in the submissions table. A job is
added through the connection, and so in the transaction, that stores the submission. Its lock lets one submission of a
student be graded at a time, and its priority is the submission's.

What can get lost is found again. A worker that is gone sends no heartbeat; every other one looks for its jobs and puts
them back. A worker that only seemed to be gone holds an old claim: nobody stores what it brings. A submission without a
job (a job ended early by such a worker) gets a new one. Nothing here compares the clocks of two machines: times are
those of the database.

Web processes hear by LISTEN that a submission has got on; the transaction that changes it says so (`app.events`).
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from datetime import UTC, datetime
from typing import Self

import procrastinate
import psycopg
from procrastinate.exceptions import ProcrastinateException
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from app.database import POSTGRESQL_ARGUMENTS, Database
from app.events import CHANNEL
from app.jobs import claims
from app.jobs.grading import RETRY_SECONDS, Grading
from app.jobs.watchers import Watchers
from app.models import JobStatus, Submission

logger = logging.getLogger(__name__)

QUEUE = TASK = "grade"
HEARTBEAT_SECONDS = 3.0
#: A worker that has been silent for so long is taken for dead, and its submissions are graded by others.
STALLED_SECONDS = 15.0
RESCUE_SECONDS = 5.0
# Where a notification was missed.
POLL_SECONDS = 5.0
# "At once", whatever the time is on this machine.
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


def queue_app(database: Database) -> procrastinate.App:
    connector = procrastinate.PsycopgConnector(
        conninfo=database.conninfo, kwargs=POSTGRESQL_ARGUMENTS, min_size=1, max_size=4, timeout=10
    )
    return procrastinate.App(connector=connector)


class _Queue:
    """What web and worker processes both do with the queue."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._app = queue_app(database)

    async def enqueue(self, session: AsyncSession, submission: Submission) -> None:
        submission.job_status = JobStatus.QUEUED
        await session.flush()
        await self._add_job(session, submission.id, submission.student, submission.priority)

    async def _add_job(self, session: AsyncSession, submission_id: str, student: str, priority: int) -> None:
        connection = await (await session.connection()).get_raw_connection()
        job = self._app.configure_task(
            TASK,
            queue=QUEUE,
            # Not the name itself: jobs are written to logs.
            lock=f"student:{hashlib.sha256(student.encode()).hexdigest()[:32]}",
            priority=priority,
            connection=connection.driver_connection,
        )
        await job.defer_async(submission_id=submission_id)


class PostgreSQLJobs(_Queue, Watchers):
    """The queue as a web process sees it. As an async context manager it hears of what workers do."""

    def __init__(self, database: Database) -> None:
        _Queue.__init__(self, database)
        Watchers.__init__(self)
        self._listener: asyncio.Task[None] | None = None

    def wake(self) -> None:
        """Workers are woken by the database."""

    @property
    def is_working(self) -> bool:
        """Whether this process hears of what workers do."""
        return not self.stopping and self._listener is not None and not self._listener.done()

    async def __aenter__(self) -> Self:
        self._listener = asyncio.create_task(self._listen(), name="listener")
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self.stop_watching()
        assert self._listener is not None
        self._listener.cancel()
        await asyncio.gather(self._listener, return_exceptions=True)

    async def _listen(self) -> None:
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(
                    self._database.conninfo, autocommit=True, **POSTGRESQL_ARGUMENTS
                ) as connection:
                    await connection.execute(f"LISTEN {CHANNEL}")
                    self.tell_all()  # What was said before was not heard.
                    async for notification in connection.notifies():
                        self.tell(notification.payload)
            except psycopg.Error:
                logger.warning("listening_failed", exc_info=True)
            await asyncio.sleep(RETRY_SECONDS)


class Worker(_Queue):
    """Grades what is in the queue. As an async context manager it is at work.

    Args:
        slots: how many are graded at the same time.
        shutdown_seconds: how long leaving the context waits for running grades before it queues them again.
    """

    def __init__(self, database: Database, grading: Grading, *, slots: int, shutdown_seconds: float) -> None:
        super().__init__(database)
        self._grading = grading
        self._slots = slots
        self._shutdown_seconds = shutdown_seconds
        self._app.task(name=TASK, queue=QUEUE, retry=_WhenStopped())(self._grade)
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def is_working(self) -> bool:
        """Whether it takes what comes."""
        return bool(self._tasks) and not any(task.done() for task in self._tasks)

    async def __aenter__(self) -> Self:
        self._tasks = [
            asyncio.create_task(self._work(), name="worker"),
            asyncio.create_task(self._rescue_for_ever(), name="rescue"),
        ]
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Let running grades finish for `shutdown_seconds`; then queue their submissions again."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _grade(self, submission_id: str) -> None:
        await self._grading.run(lambda session: claims.claim(session, submission_id))

    async def _work(self) -> None:
        """Run procrastinate's worker. It stops when it loses the database; then begin anew, as another one."""
        while True:
            try:
                async with self._app.open_async():
                    await self._app.run_worker_async(
                        queues=[QUEUE],
                        concurrency=self._slots,
                        install_signal_handlers=False,
                        shutdown_graceful_timeout=self._shutdown_seconds,
                        fetch_job_polling_interval=POLL_SECONDS,
                        update_heartbeat_interval=HEARTBEAT_SECONDS,
                        stalled_worker_timeout=STALLED_SECONDS,
                        delete_jobs="always",
                    )
                logger.warning("queue_lost")
            except (ProcrastinateException, psycopg.Error):
                logger.warning("queue_lost", exc_info=True)
            await asyncio.sleep(RETRY_SECONDS)

    async def _rescue_for_ever(self) -> None:
        while True:
            await asyncio.sleep(RESCUE_SECONDS)
            try:
                await self._rescue()
            except (SQLAlchemyError, ProcrastinateException, psycopg.Error):
                logger.warning("rescue_failed", exc_info=True)

    async def _rescue(self) -> None:
        async with self._database.write() as session:
            # One at a time: what one has put back and a third has taken must not be put back by another.
            if not await claims.may_rescue(session):
                return
            for job in await self._app.job_manager.get_stalled_jobs(
                task_name=TASK, seconds_since_heartbeat=STALLED_SECONDS
            ):
                submission_id, priority = str(job.task_kwargs["submission_id"]), job.priority - 1
                # In this order: who gets the job waits for the submission until this transaction ends.
                await claims.send_back(session, submission_id, priority)
                await self._app.job_manager.retry_job(job, retry_at=LONG_AGO, priority=priority)
                logger.warning("job_rescued", extra={"submission_id": submission_id})
            for submission_id, student, priority in await claims.without_job(session, TASK):
                await self._add_job(session, submission_id, student, priority)
                logger.warning("job_replaced", extra={"submission_id": submission_id})


class _WhenStopped(procrastinate.BaseRetryStrategy):
    """Puts back what a stopping worker did not finish. Our own failures are none to procrastinate: see `Grading`."""

    def get_retry_decision(self, *, exception: BaseException, **_job: object) -> procrastinate.RetryDecision | None:
        if isinstance(exception, asyncio.CancelledError):
            return procrastinate.RetryDecision(retry_at=LONG_AGO)
        return None
