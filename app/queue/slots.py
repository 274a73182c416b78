"""Grades queued submissions, several at the same time, on either database."""

import asyncio
import contextlib
import functools
import time
from collections.abc import Awaitable, Callable, Collection
from typing import Self

from sqlalchemy.ext.asyncio import AsyncSession

from app.queue import order
from app.queue.claims import Claim
from app.queue.grading import Grading

# For submissions without a wake-up: queued by a command, or after a lost notification.
IDLE_SECONDS = 5.0
# A grade takes a few seconds. A slot that has been busy for longer may be with a run that sleeps or hangs.
LONG_SECONDS = 10.0
# For this long after a long run, a course gets the spare slot only if all others have been busy for twice as long.
LATELY_SECONDS = 3600.0


class Slots:
    """The slots of a worker; they grade while the async context is entered. Leave it before you stop the engine.

    A spare slot takes a submission while every other one has been busy with its own for `LONG_SECONDS`, of a course
    that has nothing in grading here, and had nothing lately that took half as long. So courses in which all runs sleep
    get it once at most, and then keep no other one waiting; where grades take their usual time it stays empty.

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
        self._long_runs: list[tuple[float, str, float]] = []  # end on the monotonic clock, course, seconds

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
        slots = enumerate([*[self._grade] * self._count, self._grade_of_others])
        self._tasks = [asyncio.create_task(self._work(grade), name=f"slot-{number}") for number, grade in slots]
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        _, unfinished = await asyncio.wait(self._tasks, timeout=max(0.0, self.stop() - time.monotonic()))
        for task in unfinished:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _work(self, grade: Callable[[], Awaitable[bool]]) -> None:
        """Run one slot: claim, grade and store until the service stops."""
        while self._stop_at is None:
            # Cleared before the look, so that a later submission still ends the wait.
            self._wake.clear()
            if not await grade() and self._stop_at is None:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), IDLE_SECONDS)

    async def _grade(self, besides: Collection[str] = ()) -> bool:
        return await self._grading.run(functools.partial(self._next, besides=besides), self._note_long)

    def _note_long(self, claim: Claim) -> None:
        now = time.monotonic()
        if now - claim.began > LONG_SECONDS:
            self._long_runs.append((now, claim.course_id, now - claim.began))

    async def _grade_of_others(self) -> bool:
        """Use the spare slot, if every other one has been busy for long."""
        running = self._grading.running_claims()
        now = time.monotonic()
        seconds = min((now - each.began for each in running), default=0.0)
        if len(running) < self._count or seconds <= LONG_SECONDS:
            return False
        self._long_runs = [each for each in self._long_runs if now - each[0] <= LATELY_SECONDS]
        as_long = {course for _, course, duration in self._long_runs if duration > seconds / 2}
        return await self._grade(as_long.union(each.course_id for each in running))

    async def _next(self, session: AsyncSession, besides: Collection[str]) -> Claim | None:
        claim = await order.claim_next(session, besides)
        if claim is not None:
            self._wake.set()  # Another submission may be waiting for the next slot.
        return claim
