"""Grades what is queued, so many submissions at the same time; the same on both databases."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Self

from sqlalchemy.ext.asyncio import AsyncSession

from app.queue import claims
from app.queue.claims import Claim
from app.queue.grading import Grading

# Where nobody woke us: a submission queued by a process that cannot, or a notification that was lost.
IDLE_SECONDS = 5.0


class Slots:
    """As an async context manager they are at work. Leave it before you stop what grades.

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
        """Take nothing more. The time that running grades still have begins to run, whatever else is ended meanwhile.

        Returns:
            When it is over, on the clock that never goes back.
        """
        if self._stop_at is None:
            self._stop_at = time.monotonic() + self._shutdown_seconds
            self._wake.set()
        return self._stop_at

    @property
    def are_working(self) -> bool:
        """Whether every slot takes what comes."""
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
        """One slot: claim, grade, store, until the service stops."""
        while self._stop_at is None:
            # Cleared before looking, so that what is queued from here on is not slept through.
            self._wake.clear()
            if not await self._grading.run(self._next) and self._stop_at is None:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), IDLE_SECONDS)

    async def _next(self, session: AsyncSession) -> Claim | None:
        claim = await claims.claim_next(session)
        if claim is not None:
            self._wake.set()  # Another may wait behind it, for another slot.
        return claim
