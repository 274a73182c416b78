"""The queue of many processes: any number store submissions in PostgreSQL, and workers on any machines grade them.

Through LISTEN, workers learn of queued submissions, and web processes of changed ones. The transaction that changes a
submission notifies them (`storage.announcements`). A lost notification only causes a delay, because every process also
looks at intervals.
"""

import contextlib
from collections.abc import Callable
from typing import Any, Self

from sqlalchemy.ext.asyncio import AsyncSession

from app.queue import claims
from app.queue.grading import Grading
from app.queue.heartbeat import STALLED_SECONDS, Heartbeat
from app.queue.jobs import Jobs
from app.queue.listener import Listener
from app.queue.slots import Slots
from app.storage.announcements import CHANNEL, QUEUED_CHANNEL
from app.storage.database import Database


class PostgreSQLJobs(Jobs):
    """The queue in a web process; it is notified of the workers' progress while the async context is entered."""

    def __init__(self, database: Database) -> None:
        super().__init__()
        self._listener = Listener(database, CHANNEL, on_notification=self.tell, on_listening=self.tell_all)

    def wake(self) -> None:
        """Do nothing: the database wakes the workers."""

    @property
    def is_working(self) -> bool:
        """Whether this process is notified of the workers' progress."""
        return not self.stopping and self._listener.is_working

    async def has_workers(self, session: AsyncSession) -> bool:
        """Tell whether a worker has had a heartbeat lately."""
        return bool(await claims.live_workers(session, STALLED_SECONDS))

    async def __aenter__(self) -> Self:
        await self._listener.__aenter__()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self.stop_watching()
        await self._listener.__aexit__(*exc_info)


class Worker:
    """A worker; it grades queued submissions while the async context is entered.

    Args:
        slots: how many are graded at the same time.
        shutdown_seconds: how long leaving the context waits for running grades before it queues them again.
        about: a description of this process, as JSON.
    """

    def __init__(
        self,
        database: Database,
        grading: Grading,
        *,
        slots: int,
        shutdown_seconds: float,
        about: Callable[[], dict[str, Any]] = dict,
    ) -> None:
        self._slots = Slots(grading, count=slots, shutdown_seconds=shutdown_seconds)
        self._heartbeat = Heartbeat(database, lambda: [each.id for each in grading.running_claims()], about=about)
        self._listener = Listener(
            database, QUEUED_CHANNEL, on_notification=lambda payload: self._slots.wake(), on_listening=self._slots.wake
        )
        self._stack = contextlib.AsyncExitStack()

    @property
    def is_working(self) -> bool:
        """Whether it takes submissions, and its heartbeats are stored."""
        return self._slots.are_working and self._heartbeat.is_beating

    def stop(self) -> None:
        """Take no more submissions. Leave the context next."""
        self._slots.stop()

    async def __aenter__(self) -> Self:
        # Left in reverse: the heart beats until the last grade has ended.
        self._stack.push_async_callback(self._heartbeat.leave)
        for part in (self._heartbeat, self._slots, self._listener):
            await self._stack.enter_async_context(part)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Let running grades finish for `shutdown_seconds`; then queue their submissions again."""
        await self._stack.aclose()
