"""Grades queued submissions, several at the same time, on either database."""

import asyncio
import contextlib
import time
from typing import Self

from sqlalchemy.ext.asyncio import AsyncSession

from app.queue import order
from app.queue.claims import Claim
from app.queue.grading import Grading

# For submissions without a wake-up: queued by a command, or after a lost notification.
IDLE_SECONDS = 5.0


class Slots:
    """The slots of a worker; they grade while the async context is entered. Leave it before you stop the engine.

    Args:
        count: how many are graded at the same time.
        shutdown_seconds: how long leaving the context waits for running grades before it queues them again.
    """

    def __init__(self, grading: Grading, *, count: int, shutdown_seconds: float) -> None:
        self._grading = grading
        self._count = count
        self._shutdown_seconds = shutdown_seconds
        self._stop_at: float | None = None
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def wake(self) -> None:
        """Look into the queue now."""
        self._wake.set()

    def stop(self) -> float:
        """Take no more submissions, and start the time limit of running grades.

        Returns:
            The end of that time, on the monotonic clock.
        """
        if self._stop_at is None:
            self._stop_at = time.monotonic() + self._shutdown_seconds
            self._wake.set()
        return self._stop_at

    @property
    def are_working(self) -> bool:
        """Whether every slot takes submissions."""
        return self._stop_at is None and bool(self._tasks) and not any(task.done() for task in self._tasks)

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._work(), name=f"slot-{number}") for number in range(self._count)]
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        _, unfinished = await asyncio.wait(self._tasks, timeout=max(0.0, self.stop() - time.monotonic()))
        for task in unfinished:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _work(self) -> None:
        """Run one slot: claim, grade and store until the service stops."""
        while self._stop_at is None:
            # Cleared before the look, so that a later submission still ends the wait.
            self._wake.clear()
            if not await self._grading.run(self._next) and self._stop_at is None:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), IDLE_SECONDS)

    async def _next(self, session: AsyncSession) -> Claim | None:
        claim = await order.claim_next(session)
        if claim is not None:
            self._wake.set()  # Another submission may be waiting for the next slot.
        return claim
